"""The heap that is predicted for arm64 CPUs, against what LiteRT takes where such a CPU is emulated.

Bytes, not times: XNNPACK chooses its kernels by the features that it is shown, and the C library counts as on a board.
"""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import pytest

from edge_sdk.artifact.model import parse_artifact
from edge_sdk.checks.delegates.xnnpack.kernels import cpu_kernels
from edge_sdk.checks.memory.cpu_path import xnnpack_footprint
from tests.boards.board import HOME, ROOT, Board, make_board, system_is_made
from tests.core.checks.memory.arena_graphs import MODELS
from tests.core.checks.memory.heap_oracle import ENVIRONMENT

pytestmark = [
    pytest.mark.boards,
    pytest.mark.slow,
    pytest.mark.skipif(
        not (find_spec("openvino") and system_is_made("arm64")), reason="make test-boards sets up the emulated boards"
    ),
]
FILES = ("convs", "depthwise", "dense", "dense_hybrid", "matmul", "transpose_conv", "conv_hybrid", "random_0")
# qemu's name to what a profile says of such a CPU.
CORES = {
    "cortex-a53": ({"asimd"}, {"Cortex-A53"}, "arm64-in-order"),
    "cortex-a72": ({"asimd"}, {"Cortex-A72"}, "arm64"),
    "cortex-a76": ({"asimd", "dotprod"}, {"Cortex-A76"}, "arm64-dotprod"),
}


@pytest.mark.parametrize("cpu", CORES)
def test_predicted_heap_is_what_the_engine_takes_on_an_emulated_arm64_cpu(cpu: str, tmp_path: Path) -> None:
    isa, cores, kind = CORES[cpu]
    kernels = cpu_kernels("aarch64", isa, cores)
    assert kernels.name == kind
    paths = [tmp_path / f"{name}.tflite" for name in FILES]
    for name, path in zip(FILES, paths, strict=True):
        path.write_bytes(MODELS[name]())
    version, real = taken(make_board("arm64", cpu, tmp_path / "board", bare=True), paths)
    for path, size in zip(paths, real, strict=True):
        need = xnnpack_footprint(parse_artifact(path.read_bytes()), kernels, version=version)
        assert abs(need.heap_bytes - size) <= need.error_bytes, f"{path.stem}: {need.heap_bytes}, measured {size}"


def taken(board: Board, paths: list[Path]) -> tuple[str, list[int]]:
    """The engine's version, and the bytes that it took for each file; the last goes first, to warm up."""
    environment = {"PYTHONPATH": f"{HOME / 'arm64/site'}:{ROOT}", "PYTHONDONTWRITEBYTECODE": "1", **ENVIRONMENT}
    said = board.run(["-c", "import ai_edge_litert; print(ai_edge_litert.__version__)"], environment=environment)
    command = ["-m", "tests.core.checks.memory.heap_oracle", *map(str, [paths[-1], *paths])]
    done = board.run(command, environment=environment)
    assert done.returncode == 0, done.stderr
    return said.stdout.strip(), [*map(json.loads, done.stdout.splitlines())]
