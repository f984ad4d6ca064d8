"""Outputs of different kind that are joined at the end keep a scale each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_sdk.artifact.model import parse_artifact
from edge_sdk.converters.quantize.floats.joins import Cut, joins_of_kinds
from edge_sdk.engines.observe import Observation
from edge_sdk.engines.runner import Runner
from edge_sdk.recipe import Forms
from edge_sdk.signature import Arrays
from tests.converters.quantize.made import int8_of
from tests.graphs import Graph, options

BOXES, SCORES = 300.0, 1.0


def detector(*, reread: bool = False) -> bytes:
    """Dense boxes and scores, joined, reshaped; and joined values used once more where ``reread``."""
    rng = np.random.default_rng(0)
    graph = Graph()
    x = graph.tensor("x", (1, 16))
    parts = []
    for name, size in (("boxes", BOXES), ("scores", 4.0)):
        weights = graph.constant(f"{name}_weights", (rng.uniform(-size, size, (8, 16)) / 16).astype(np.float32))
        bias = graph.constant(f"{name}_bias", np.zeros(8, np.float32))
        parts.append(graph.tensor(name, (1, 8)))
        graph.op("FULLY_CONNECTED", (x, weights, bias), (parts[-1],), options("FullyConnectedOptions"))
    likely = graph.tensor("likely", (1, 8))
    graph.op("LOGISTIC", (parts[1],), (likely,))
    whole, shaped = graph.tensor("whole", (1, 16)), graph.tensor("shaped", (1, 2, 8))
    graph.op("CONCATENATION", (parts[0], likely), (whole,), options("ConcatenationOptions", axis=1))
    graph.op("RESHAPE", (whole, graph.constant("shape", np.array([1, 2, 8], np.int32))), (shaped,))
    outputs = [shaped, parts[0]]
    if reread:
        outputs.append(graph.tensor("again", (1, 16)))
        graph.op("LOGISTIC", (whole,), (outputs[-1],))
    return graph.finish((x,), tuple(outputs))


def seen(graph: Any, **spans: tuple[float, float]) -> dict[int, Observation]:
    found = {}
    for tensor in graph.tensors:
        if tensor.name in spans:
            found[tensor.index] = Observation()
            found[tensor.index].minimum, found[tensor.index].maximum = spans[tensor.name]
    return found


def samples() -> Iterator[Arrays]:
    rng = np.random.default_rng(1)
    return ({"x": rng.uniform(-1, 1, (1, 16)).astype(np.float32)} for _ in range(32))


def test_a_poor_part_of_a_final_join_is_found() -> None:
    graph = parse_artifact(detector()).main
    wide = {"boxes": (0.0, BOXES), "likely": (0.0, SCORES), "whole": (0.0, BOXES)}
    (join,) = joins_of_kinds(graph, seen(graph, **wide))
    assert (join.op.name, [op.name for op in join.moved_by], join.part) == ("CONCATENATION", ["RESHAPE"], "likely")
    assert join.levels == pytest.approx(255 / BOXES)
    alike = wide | {"likely": (-150.0, 150.0)}
    assert joins_of_kinds(graph, seen(graph, **alike)) == []


def test_a_join_that_is_computed_with_stays() -> None:
    graph = parse_artifact(detector(reread=True)).main
    wide = {"boxes": (0.0, BOXES), "likely": (0.0, SCORES), "whole": (0.0, BOXES)}
    assert joins_of_kinds(graph, seen(graph, **wide)) == []


@pytest.mark.keras
@pytest.mark.runtime
@pytest.mark.parametrize("forms", ["delegate", "plain"])
def test_scores_beside_boxes_keep_their_accuracy(tmp_path: Path, forms: Forms) -> None:
    made, source, target = int8_of(tmp_path, detector(), samples, forms=forms)
    left, right = Runner(source), Runner(target)
    assert {spec.name for spec in right.outputs} == {"shaped", "boxes"}
    runs = [(left.run_real(one), right.run_real(one)) for one in samples()]
    want, got = (np.concatenate([run[side]["shaped"] for run in runs])[:, 1] for side in (0, 1))
    power, noise = float(np.mean(want**2)), float(np.mean((want - got) ** 2))
    if forms == "delegate":
        assert made["floats"] == ["whole", "shaped"]
        # 8 bits of 0 to 1 give about 50 dB; the logits before them are rounded as well.
        assert power > 1e4 * noise
        boxes = [np.abs(one["boxes"] - other["boxes"]).max() for one, other in runs]
        assert max(boxes) < BOXES / 16
    else:
        assert "floats" not in made
        assert power < 1e2 * noise


@pytest.mark.runtime
def test_ops_that_are_cut_off_read_constants_without_values(tmp_path: Path) -> None:
    """A RESHAPE to no axes: torchvision's SSDlite has one in its suppression."""

    graph = Graph()
    x, size, y = graph.tensor("x", (1,)), graph.tensor("size", (1,)), graph.tensor("y", ())
    graph.op("ABS", (x,), (size,))
    graph.op("RESHAPE", (size, graph.constant("none", np.zeros(0, np.int32))), (y,), options("ReshapeOptions"))
    cut = Cut(graph.finish((x,), (y,)), {1})
    assert [op.name for op in parse_artifact(cut.head).main.ops] == ["ABS"]
    assert list(parse_artifact(cut.head).signature.outputs) == [f"out_{size}"]
    path = tmp_path / "whole.tflite"
    path.write_bytes(cut.rejoined(cut.head))
    got = Runner(path).run({"x": np.array([-3.0], np.float32)})
    assert (list(got), float(got["y"])) == (["y"], 3.0)
