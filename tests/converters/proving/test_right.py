"""Right or wrong, whatever the network does to errors: right files pass, and one fault in a file is found and named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_sdk.artifact.model import parse_artifact
from edge_sdk.parity import ParityMeter
from edge_sdk.parity.constants import constant_faults
from edge_sdk.parity.ops import check_ops
from edge_sdk.parity.swaps import swapped_outputs
from edge_sdk.parity.verdict import output_faults
from tests import planted
from tests.graphs import Graph, options

pytestmark = [pytest.mark.keras, pytest.mark.runtime]
_FAST = range(12)
_ALL = range(12, 60)


def faults_of(reference: bytes, explained: bytes, candidate: bytes, seed: int, folder: Path) -> list[str]:
    """What the proof of a conversion says of a file, in words; ``explained`` has the constants that it was made of."""
    from edge_sdk.engines.runner import Runner

    (folder / "reference.tflite").write_bytes(reference)
    (folder / "candidate.tflite").write_bytes(candidate)
    left, right = Runner(folder / "reference.tflite"), Runner(folder / "candidate.tflite")
    runs = [(left.run_real(one), right.run_real(one)) for one in planted.samples(seed)]
    meter = ParityMeter()
    for wanted, got in runs:
        meter.add(wanted, got)
    rows = meter.report()
    stored = constant_faults(parse_artifact(explained), parse_artifact(candidate))
    ops = check_ops(candidate, list(planted.samples(seed, 2)))
    assert ops.checked > 5
    texts = [str(fault) for fault in (*stored, *ops.faults)]
    return [str(one["text"]) for one in (*swapped_outputs(rows, runs), *output_faults(rows))] + texts


def expected_place(fault: str, before: bytes, seed: int) -> str:
    """What a message about this fault must name."""
    if fault == "swap":
        return "output `b` holds what output `a` should: swapped"
    ops = parse_artifact(before).main.ops
    if fault == "index":
        return next(f"GATHER {op.index} " for op in ops if op.name == "GATHER")
    layer = planted.some_layer(before, seed)
    return f"{layer.name} {layer.index} "


def check_seed(seed: int, folder: Path) -> None:
    reference = planted.float_model(seed)
    right, explained = planted.int8_model(reference, seed, folder)
    assert faults_of(reference, explained, right, seed, folder) == []
    fault = list(planted.FAULTS)[seed % len(planted.FAULTS)]
    texts = faults_of(reference, explained, planted.FAULTS[fault](right, seed), seed, folder)
    assert any(expected_place(fault, right, seed) in text for text in texts), (fault, texts)


@pytest.mark.parametrize("seed", _FAST)
def test_right_file_passes_and_planted_fault_is_named(seed: int, tmp_path: Path) -> None:
    check_seed(seed, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("seed", _ALL)
def test_right_files_pass_and_planted_faults_are_named(seed: int, tmp_path: Path) -> None:
    check_seed(seed, tmp_path)


def test_operand_of_a_transposed_convolution_is_rounded_on_the_fly() -> None:
    """Dynamic range: its data are its third operand, and its first, a shape, is rounded to nothing."""
    rng = np.random.default_rng(0)
    graph = Graph()
    x = graph.tensor("x", (1, 6, 6, 16))
    size = graph.constant("size", np.array([1, 12, 12, 8], np.int32))
    kernel = rng.integers(-127, 128, (8, 2, 2, 16), dtype=np.int8)
    weights = graph.constant("weights", kernel, scale=[0.01] * 8, axis=0)
    bias = graph.constant("bias", rng.standard_normal(8).astype(np.float32))
    y = graph.tensor("y", (1, 12, 12, 8))
    chosen = options("TransposeConvOptions", padding=1, stride_w=2, stride_h=2)
    graph.op("TRANSPOSE_CONV", (size, weights, x, bias), (y,), chosen, version=3)
    found = check_ops(graph.finish((x,), (y,)), [{"x": rng.standard_normal((1, 6, 6, 16)).astype(np.float32)}])
    assert (found.checked, found.faults) == (1, ())


def test_lint_tells_each_rule_once(tmp_path: Path) -> None:
    """Scores that share the scale of boxes: what `check` says of a file, convert says of what it wrote."""
    from edge_sdk.converters.proving.linting import lint_findings
    from tests.graphs import Graph, options

    graph = Graph()
    x = graph.tensor("x", (1, 4), "int8", scale=[2.0], zero_point=[-128])
    scores = [graph.tensor(f"s{place}", (1, 4), "int8", scale=[1 / 256], zero_point=[-128]) for place in range(2)]
    same = [graph.tensor(f"t{place}", (1, 4), "int8", scale=[2.0], zero_point=[-128]) for place in range(2)]
    for score, coarse in zip(scores, same, strict=True):
        graph.op("LOGISTIC", (x,), (score,))
        graph.op("QUANTIZE", (score,), (coarse,))
    y = graph.tensor("y", (1, 12), "int8", scale=[2.0], zero_point=[-128])
    graph.op("CONCATENATION", (x, *same), (y,), options("ConcatenationOptions", axis=1))
    artifact = parse_artifact(graph.finish((x,), (y,)))
    (finding,) = [f for f in lint_findings(artifact, artifact) if f.rule == "shared-scale"]
    assert "and so in 1 more place" in finding.message


def centred() -> bytes:
    """The mean of what was centred before, as a group norm behind an instance norm has it."""
    graph = Graph()
    shape, ends, groups = (1, 14, 14, 8), (1, 1, 1, 8), (1, 196, 2, 4)
    x, near = (graph.tensor(name, shape) for name in ("x", "near"))
    m, grouped, y = graph.tensor("m", ends), graph.tensor("grouped", groups), graph.tensor("y", (1, 1, 2, 1))
    for place, (source, result, along) in enumerate(((x, m, [1, 2]), (grouped, y, [1, 3]))):
        axes = graph.constant(f"axes_{place}", np.array(along, np.int32))
        if place:
            graph.op("SUB", (x, m), (near,), options("SubOptions"))
            graph.op("RESHAPE", (near, graph.constant("shape", np.array(groups, np.int32))), (grouped,))
        graph.op("MEAN", (source, axes), (result,), options("ReducerOptions", keep_dims=True))
    return graph.finish((x,), (y,))


def test_a_mean_of_nothing_but_rounding_is_no_fault() -> None:
    """Right files of group norms behind instance norms were refused in float16 and dynamic ranges, at 70 and 38 dB."""
    samples = [{"x": np.random.default_rng(seed).normal(1, 3, (1, 14, 14, 8)).astype(np.float32)} for seed in range(4)]
    assert check_ops(centred(), samples).faults == ()
