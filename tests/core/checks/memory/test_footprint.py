"""The heap that is predicted with XNNPACK, against what an engine takes, and its parts by hand."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from shutil import which

import numpy as np
import pytest

from edge_sdk.artifact.model import Artifact, parse_artifact
from edge_sdk.checks.delegates.xnnpack.blocks import aligned_block, heap_block
from edge_sdk.checks.delegates.xnnpack.heap import op_heap
from edge_sdk.checks.delegates.xnnpack.kernels import ERROR_BYTES, KERNELS, CpuKernels, Gemm, cpu_kernels
from edge_sdk.checks.delegates.xnnpack.values import find_values
from edge_sdk.checks.delegates.xnnpack.workspace import workspace_bytes
from edge_sdk.checks.memory.cpu_path import xnnpack_footprint, xnnpack_heaps
from edge_sdk.checks.memory.footprint import Footprint, footprint
from edge_sdk.checks.placement.partition import partition
from edge_sdk.checks.placement.rule_sets import rule_set
from edge_sdk.engines.installed import find_engine
from edge_sdk.errors import ModelError
from edge_sdk.profile.detect import this_cores, this_isa
from tests.core.checks.memory.arena_graphs import MODELS
from tests.core.checks.memory.arena_net import Net
from tests.core.checks.memory.heap_oracle import ENVIRONMENT, is_measurable
from tests.core.checks.placement.test_partition import drawn
from tests.graphs import conv_model

ROOT = Path(__file__).parents[4]
AMX = KERNELS["x86-amx"]


LARGE: dict[str, Callable[[], bytes]] = {
    "wide": lambda: conv_model(side=32, channels=192),
    "large": lambda: conv_model(side=160, channels=24),
}
# What differs by CPU: every op that has kernels of its own.
PACKED = (
    "convs", "pointwise", "dilated", "depthwise", "pools", "reducers", "dense", "dense_hybrid", "matmul",
    "transpose_conv", "conv_hybrid", "random_0",
)  # fmt: skip
# qemu's name of a CPU to the kind that XNNPACK must take it for. It emulates no AVX-512.
EMULATED = {"Nehalem": "x86-sse4", "SandyBridge": "x86-avx", "Haswell": "x86-avx2"}
QEMU = next(filter(None, map(which, ("qemu-x86_64-static", "qemu-x86_64"))), None)
measured_here = pytest.mark.skipif(
    not (is_measurable() and find_spec("ai_edge_litert")), reason="measured on Linux with glibc and ai-edge-litert only"
)


def engine_version() -> str:
    version = find_engine("ai-edge-litert").version
    if version not in rule_set("xnnpack").engines:
        pytest.skip("the rules are those of other versions")
    return version


def taken(python: Sequence[str], models: Mapping[str, Path]) -> dict[str, int]:
    """Name to the bytes that the engine took; the last model goes first, to warm up."""
    paths = [*map(str, models.values())]
    command = [*python, "-m", "tests.core.checks.memory.heap_oracle", paths[-1], *paths]
    # A core that OpenBLAS is told to take is this machine's, not the emulated one's.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OPENBLAS_")} | ENVIRONMENT
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    return dict(zip(models, map(json.loads, done.stdout.splitlines()), strict=True))


def written(folder: Path, names: Iterable[str]) -> dict[str, Path]:
    paths = {name: folder / f"{name}.tflite" for name in names}
    for name, path in paths.items():
        path.write_bytes({**MODELS, **LARGE}[name]())
    return paths


def beyond(models: Mapping[str, Path], real: Mapping[str, int], kernels: CpuKernels, version: str) -> list[str]:
    """What is further off than the product itself says."""
    far = []
    for name, path in models.items():
        need = xnnpack_footprint(parse_artifact(path.read_bytes()), kernels, version=version)
        if abs(need.heap_bytes - real[name]) > need.error_bytes:
            far.append(f"{name} on {kernels.name}: predicted {need.heap_bytes}, measured {real[name]}")
    return far


@pytest.mark.runtime
@measured_here
def test_predicted_heap_is_what_the_engine_takes(tmp_path: Path) -> None:
    version, kernels = engine_version(), cpu_kernels(*this_isa(), this_cores())
    models = written(tmp_path, [*MODELS, *LARGE])
    far = beyond(models, taken([sys.executable], models), kernels, version)
    assert not far, "\n".join(far)


@pytest.mark.runtime
@measured_here
@pytest.mark.skipif(QEMU is None or platform.machine() != "x86_64", reason="emulated by qemu-user of an x86-64 machine")
@pytest.mark.parametrize("cpu", EMULATED)
def test_predicted_heap_is_what_the_engine_takes_on_an_emulated_cpu(cpu: str, tmp_path: Path) -> None:
    version, kernels = engine_version(), KERNELS[EMULATED[cpu]]
    assert kernels.evidence == "emulated"
    models = written(tmp_path, PACKED)
    far = beyond(models, taken([str(QEMU), "-cpu", cpu, sys.executable], models), kernels, version)
    assert not far, "\n".join(far)


def test_what_was_only_read_may_be_off_by_more_and_says_so() -> None:
    artifact = parse_artifact(conv_model())
    counted, read = (footprint_on(artifact, KERNELS[kind]) for kind in ("x86-avx2", "x86-avx-vnni"))
    assert (counted.evidence, read.evidence) == ("emulated", "read")
    assert counted.error_bytes == ERROR_BYTES + int(0.02 * counted.heap_bytes)
    assert read.error_bytes == ERROR_BYTES + int(0.25 * read.heap_bytes)


def test_what_was_counted_with_another_release_is_translated() -> None:
    artifact = parse_artifact(conv_model())
    assert footprint_on(artifact, KERNELS["x86-avx512-vnni"], "2.1.6").evidence == "measured"
    assert footprint_on(artifact, KERNELS["x86-avx512-vnni"], "2.3.0").evidence == "translated"
    assert footprint_on(artifact, KERNELS["armv7"], "2.3.0").evidence == "read"


def footprint_on(artifact: Artifact, kernels: CpuKernels, version: str = "2.1.0") -> Footprint:
    return xnnpack_footprint(artifact, kernels, version=version)


def test_a_kernel_of_one_row_serves_few_pixels() -> None:
    tile = Gemm((1, 7), 32)
    # 1 row costs 3 * 33 + 32 = 131, 7 rows 3 * 39 + 224 = 341: two runs of the one cost less, three more.
    assert [tile.rows_for(count) for count in (1, 2, 3, 7, 64)] == [1, 1, 7, 7, 7]


def test_products_of_float_by_int8_have_tiles_of_their_own_on_avx512_vnni_and_dotprod_cpus() -> None:
    graph = parse_artifact(MODELS["dense_hybrid"]()).main
    dense = next(op for op in graph.ops if op.name == "FULLY_CONNECTED")
    packed = {name: op_heap(graph, dense, kernels).packed_bytes for name, kernels in KERNELS.items()}
    # 40 channels of 40 values, each with a bias, a scale and a sum: in tiles of 64, of 16, and of 4 by 32 values.
    assert packed["x86-avx512-vnni"] == 64 * (40 + 12)
    assert packed["x86-avx512"] == 48 * (40 + 12)
    assert packed["arm64-dotprod"] == 40 * (64 + 12)


def test_packed_weights_of_an_amx_cpu_by_hand() -> None:
    graph = parse_artifact(conv_model()).main
    conv, _, dense = (op_heap(graph, op, AMX) for op in graph.ops)
    # 4 output channels are fewer than the narrow kernel's 16: 16 columns of 3x3x3 floats and a bias each.
    assert conv.packed_bytes == 16 * (27 + 1) * 4
    # A pointer for each of 9 taps of 64 pixels in rows of 7, and a row of zeros: 3 channels and 16 bytes.
    assert (conv.indirection_bytes, conv.zero_bytes) == (8 * 9 * 70, 3 * 4 + 16)
    assert dense.packed_bytes == 16 * (4 + 1) * 4
    assert dense.indirection_bytes == 0


def test_other_cpus_pad_weights_otherwise() -> None:
    graph = parse_artifact(conv_model()).main
    sizes = {name: op_heap(graph, graph.ops[0], kernels).packed_bytes for name, kernels in KERNELS.items()}
    # 4 channels are fewer than 8: two tiles of the narrow kernel.
    assert sizes["arm64-dotprod"] == 2 * 2 * (27 + 1) * 4
    assert sizes["x86-avx2"] == 8 * (27 + 1) * 4
    assert sizes["x86-amx"] == 2 * sizes["x86-avx2"]


@pytest.mark.parametrize(
    ("arch", "isa", "kind"),
    [
        ("aarch64", {"asimd"}, "arm64"),
        ("aarch64", {"asimd", "dotprod"}, "arm64-dotprod"),
        ("aarch64", {"asimd", "dotprod", "i8mm"}, "arm64-i8mm"),
        ("armv7l", {"neon"}, "armv7"),
        ("x86_64", {"sse4_2"}, "x86-sse4"),
        ("x86_64", {"sse4_2", "avx"}, "x86-avx"),
        ("x86_64", {"avx2", "avx_vnni"}, "x86-avx-vnni"),
        ("x86_64", {"avx2", "avx512f"}, "x86-avx512"),
        ("x86_64", {"avx2", "avx512f", "avx512_vnni", "avx_vnni"}, "x86-avx512-vnni"),
        ("x86_64", {"avx2", "avx512f", "amx_int8"}, "x86-amx"),
    ],
)
def test_kernels_follow_from_what_the_cpu_can_do(arch: str, isa: set[str], kind: str) -> None:
    assert cpu_kernels(arch, isa).name == kind


def test_cores_that_run_in_order_have_kernels_of_their_own() -> None:
    assert cpu_kernels("aarch64", {"asimd"}, {"Cortex-A53"}).name == "arm64-in-order"
    assert cpu_kernels("aarch64", {"asimd"}, {"Kryo 260 Gold (Cortex-A73)", "Kryo 260 Silver (Cortex-A53)"}).name == (
        "arm64-in-order"
    )
    assert cpu_kernels("aarch64", {"asimd", "dotprod"}, {"Cortex-A55"}).name == "arm64-dotprod"
    assert cpu_kernels("aarch64", {"asimd"}, {"Cortex-A72"}).name == "arm64"


def test_a_chain_of_element_wise_ops_needs_one_place() -> None:
    graph = drawn("x>a", "a>b", "b>c")
    (part,) = partition(graph, {0, 1, 2})
    values = find_values(graph, part, AMX)
    # a and b are inside, 16 bytes each; b lies where a lay; 64 is the alignment, 32 more are read beyond the end.
    assert dict(values.inside) == {0: 16, 1: 16}
    assert workspace_bytes(values, AMX) == 64 + 32


def test_values_that_live_together_lie_apart() -> None:
    graph = drawn("x>a", "x>b", "ab>c", "ac>d")
    (part,) = partition(graph, set(range(4)))
    # a has two readers, so nothing takes its place: a, b and c need two places at once, for c lies where b lay.
    assert workspace_bytes(find_values(graph, part, AMX), AMX) == 2 * 64 + 32


def test_a_partition_with_nothing_inside_needs_no_workspace() -> None:
    graph = drawn("x>a")
    (part,) = partition(graph, {0})
    assert workspace_bytes(find_values(graph, part, AMX), AMX) == 0


def test_without_partitions_nothing_is_xnnpacks() -> None:
    artifact = parse_artifact(conv_model())
    alone = footprint(artifact, AMX)
    assert alone.delegate_bytes == 0
    assert alone.total_bytes == artifact.size_bytes + alone.heap_bytes


def test_weights_that_are_claimed_but_not_taken_as_they_are_get_a_float_copy() -> None:
    net = Net()
    x = net.input(1, 4)
    half = net.constant("w", np.ones((1, 4), np.float16))
    wide, y = net.tensor("wide", (1, 4)), net.tensor("y", (1, 4))
    net.op("DEQUANTIZE", (half,), (wide,))
    net.op("ADD", (x, wide), (y,))
    artifact = parse_artifact(net.finish([x], [y]))
    need = footprint(artifact, AMX, partitions={0: partition(artifact.main, (0, 1))})
    assert need.unpacked_bytes == heap_block(4 * 4 + 16)
    assert need.persistent_bytes == 0


def test_blocks_are_counted_as_glibc_gives_them() -> None:
    assert [heap_block(size) for size in (0, 1, 24, 25, 100)] == [0, 32, 32, 48, 112]
    assert heap_block(128 << 10) == (132 << 10)
    # At a multiple of 64 one in four blocks takes 32 more.
    assert (aligned_block(100, 64), aligned_block(100, 16), aligned_block(0, 64)) == (120, 112, 0)


def test_operands_that_do_not_fit_are_one_error() -> None:
    net = Net()
    x, y = net.input(1, 4), net.tensor("y", (1, 4))
    net.op("FULLY_CONNECTED", (x,), (y,))
    graph = parse_artifact(net.finish([x], [y])).main
    with pytest.raises(ModelError, match="op 0 FULLY_CONNECTED: its operands do not fit"):
        op_heap(graph, graph.ops[0], AMX)


def test_manifest_has_the_heap_of_each_kind_of_cpu() -> None:
    artifact = parse_artifact(conv_model(side=32, channels=192))
    heaps = xnnpack_heaps(artifact)
    assert heaps == {
        name: xnnpack_footprint(artifact, kernels, version=None).heap_bytes for name, kernels in KERNELS.items()
    }
    # Wider tiles are padded more.
    assert heaps["x86-amx"] > heaps["x86-sse4"]
