"""The heap that is predicted with XNNPACK, against what an engine takes, and its parts by hand."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from edge_sdk.artifact.model import Artifact, parse_artifact
from edge_sdk.checks.delegates.xnnpack.heap import op_heap
from edge_sdk.checks.delegates.xnnpack.kernels import KERNELS, cpu_kernels
from edge_sdk.checks.delegates.xnnpack.values import find_values
from edge_sdk.checks.delegates.xnnpack.workspace import workspace_bytes
from edge_sdk.checks.memory.cpu_path import xnnpack_footprint, xnnpack_heaps
from edge_sdk.checks.memory.footprint import Footprint, footprint, heap_block
from edge_sdk.checks.placement.partition import partition
from edge_sdk.checks.placement.rule_sets import rule_set
from edge_sdk.engines.installed import find_engine
from edge_sdk.errors import ModelError
from edge_sdk.profile.detect import this_isa
from tests.core.checks.memory.arena_graphs import MODELS
from tests.core.checks.memory.arena_net import Net
from tests.core.checks.memory.heap_oracle import is_measurable
from tests.core.checks.placement.test_partition import drawn
from tests.graphs import conv_model

ROOT = Path(__file__).parents[4]
AMX = KERNELS["x86-amx"]
# Records of a few kB, which only partly follow from the file, are most of what a graph of five ops takes.
SMALL_BYTES = 4096
# What one file took differed by up to 864 bytes from process to process (split_in_forty, 15 processes).
NOISE_BYTES = 1024
LARGE: dict[str, Callable[[], bytes]] = {
    "wide": lambda: conv_model(side=32, channels=192),
    "large": lambda: conv_model(side=160, channels=24),
}


def predicted(artifact: Artifact, *, threads: int = 1) -> Footprint:
    engine = find_engine("ai-edge-litert").version
    return xnnpack_footprint(artifact, cpu_kernels(*this_isa()), version=engine, threads=threads)


@pytest.mark.runtime
@pytest.mark.skipif(
    not (is_measurable() and find_spec("ai_edge_litert")), reason="measured on Linux with glibc and ai-edge-litert only"
)
def test_predicted_heap_is_what_the_engine_takes(tmp_path: Path) -> None:
    if find_engine("ai-edge-litert").version not in rule_set("xnnpack").engines:
        pytest.skip("the rules are those of other versions")
    models = {**MODELS, **LARGE}
    paths = [tmp_path / f"{name}.tflite" for name in models]
    for path, build in zip(paths, models.values(), strict=True):
        path.write_bytes(build())
    command = [sys.executable, "-m", "tests.core.checks.memory.heap_oracle", str(paths[-1]), *map(str, paths)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    far = []
    for name, path, real in zip(models, paths, map(json.loads, done.stdout.splitlines()), strict=True):
        heap = predicted(parse_artifact(path.read_bytes())).heap_bytes
        if abs(heap - real) > max(0.15 * real + NOISE_BYTES, SMALL_BYTES):
            far.append(f"{name}: predicted {heap}, measured {real}")
        if name in LARGE:
            assert abs(heap - real) <= 0.05 * real, name
    assert not far, "\n".join(far)


def test_packed_weights_by_hand() -> None:
    graph = parse_artifact(conv_model()).main
    conv, _, dense = (op_heap(graph, op, AMX) for op in graph.ops)
    # 4 output channels are fewer than the narrow kernel's 16: 16 columns of 3x3x3 floats and a bias each.
    assert conv.packed_bytes == 16 * (27 + 1) * 4
    # A pointer for each of 9 taps of 64 pixels in rows of 7, and a row of zeros: 3 channels and 16 bytes.
    assert conv.indirection_bytes == 8 * 9 * 70 + 3 * 4 + 16
    assert dense.packed_bytes == 16 * (4 + 1) * 4
    assert dense.indirection_bytes == 0


def test_other_cpus_pad_weights_otherwise() -> None:
    graph = parse_artifact(conv_model()).main
    sizes = {name: op_heap(graph, graph.ops[0], kernels).packed_bytes for name, kernels in KERNELS.items()}
    assert sizes["arm64-dotprod"] == 8 * (27 + 1) * 4
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
        ("x86_64", {"avx2", "avx512f", "amx_int8"}, "x86-amx"),
    ],
)
def test_kernels_follow_from_what_the_cpu_can_do(arch: str, isa: set[str], kind: str) -> None:
    assert cpu_kernels(arch, isa).name == kind


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
