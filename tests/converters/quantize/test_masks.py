"""Masks of attention in int8: clamped before ranges are taken, so that scores keep their resolution."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from edge_sdk.artifact.model import parse_artifact
from edge_sdk.engines.observe import Observation, observe
from edge_sdk.signature import Arrays
from tests.graphs import Graph, options

pytestmark = [pytest.mark.keras, pytest.mark.runtime]
LOWEST = float(np.finfo(np.float32).min)
N = 16


def masked_softmax(fill: float, form: str) -> bytes:
    """``y = softmax(x + mask)``, or ``x`` where it is allowed and ``fill`` elsewhere; or that, padded with ``fill``."""
    graph = Graph()
    x, scores, y = (graph.tensor(name, (1, N, N)) for name in ("x", "scores", "y"))
    allowed = np.tril(np.ones((1, N, N), bool))
    if form == "add":
        mask = graph.constant("mask", np.where(allowed, 0, fill).astype(np.float32))
        graph.op("ADD", (x, mask), (scores,), options("AddOptions"))
    else:
        value = graph.constant("fill", np.array(fill, np.float32))
        graph.op("SELECT_V2", (graph.constant("allowed", allowed), x, value), (scores,), options("SelectV2Options"))
    if form == "padded":
        # Two places more at the end of each row, and rows in another order.
        more = graph.constant("more", np.array([[0, 0], [0, 0], [0, 2]], np.int32))
        order = graph.constant("order", np.arange(N, dtype=np.int32)[::-1].copy())
        wide, turned = graph.tensor("wide", (1, N, N + 2)), graph.tensor("turned", (1, N, N + 2))
        y = graph.tensor("z", (1, N, N + 2))
        graph.op("PADV2", (scores, more, value), (wide,), options("PadV2Options"))
        graph.op("GATHER", (wide, order), (turned,), options("GatherOptions", axis=1))
        scores = turned
    graph.op("SOFTMAX", (scores,), (y,), options("SoftmaxOptions", beta=1.0))
    return graph.finish((x,), (y,))


def samples() -> Iterator[Arrays]:
    rng = np.random.default_rng(0)
    for _ in range(16):
        yield {"x": 2 * rng.standard_normal((1, N, N)).astype(np.float32)}


@pytest.mark.parametrize("form", ["add", "select", "padded"])
@pytest.mark.parametrize("fill", [-1e4, -1e9, LOWEST, -np.inf])
def test_masked_scores_keep_their_resolution(tmp_path: Path, form: str, fill: float) -> None:
    """A step of the scores is their range and the mask's depth over 255, about 0.1: probabilities err by 3 %, 30 dB."""
    from edge_sdk.converters.quantize.static_range import quantize
    from edge_sdk.data import spool
    from edge_sdk.data.opening import DataSource
    from edge_sdk.engines.runner import Runner
    from edge_sdk.engines.values import specs_of
    from edge_sdk.recipe import find_recipe

    data = masked_softmax(fill, form)
    source, target = tmp_path / "float.tflite", tmp_path / "int8.tflite"
    source.write_bytes(data)
    store, _ = spool(DataSource("s", None, samples), specs_of(parse_artifact(data).signature.inputs), tmp_path / "s")
    quantize(str(source), str(target), find_recipe("int8").as_json(), str(store.folder), {})
    left, right = Runner(source), Runner(target)
    (name,) = [spec.name for spec in left.outputs]
    pairs = [(left.run_real(one)[name], next(iter(right.run_real(one).values()))) for one in samples()]
    noise = sum(float(np.sum((want - got) ** 2)) for want, got in pairs)
    signal = sum(float(np.sum(want**2)) for want, _ in pairs)
    assert 10 * np.log10(signal / noise) > 27
    allowed = np.tril(np.ones((1, N, N), bool))
    ahead = ~(allowed if form != "padded" else np.pad(allowed, [(0, 0), (0, 0), (0, 2)])[:, ::-1])
    assert max(float(got[ahead].max()) for _, got in pairs) <= 1 / 256


@pytest.mark.parametrize("fill", [-np.inf, -1e9])
def test_mask_that_no_sample_set_works_in_int8(fill: float) -> None:
    """A mask chosen at run time, ``where(ids == 0, fill, 0)``, added to the scores of two layers of different range."""
    from edge_sdk.converters.quantize.ranging.masks import with_soft_masks

    graph = Graph()
    ids = graph.tensor("ids", (1, N), "int32")
    hidden, mask = graph.tensor("hidden", (1, N), "bool"), graph.tensor("mask", (1, N))
    graph.op("EQUAL", (ids, graph.constant("none", np.array(0, np.int32))), (hidden,), options("EqualOptions"))
    far = graph.constant("fill", np.array(fill, np.float32))
    near = graph.constant("zeros", np.zeros((1, N), np.float32))
    graph.op("SELECT_V2", (hidden, far, near), (mask,), options("SelectV2Options"))
    layers = [graph.tensor(name, (N, N)) for name in ("x", "scores", "y", "wide", "wide_scores", "z")]
    for scores, added, shares in (layers[:3], layers[3:]):
        graph.op("ADD", (scores, mask), (added,), options("AddOptions"))
        graph.op("SOFTMAX", (added,), (shares,), options("SoftmaxOptions", beta=1.0))
    x, added, _, wide, wide_added, _ = layers
    data = graph.finish((ids, x, wide), (layers[2], layers[5]))
    seen = {mask: Observation(0.0, 0.0), x: Observation(-2.0, 2.0), added: Observation(-2.0, 2.0)}
    seen |= {wide: Observation(-50.0, 50.0), wide_added: Observation(-50.0, 50.0)}

    root = parse_artifact(with_soft_masks(data, seen)).main

    depth = float(np.log(512 * N))
    kept = float(root.tensors[far].values())
    assert kept == pytest.approx(-(100 + depth)), "the wider layer asks most"
    assert seen[mask].minimum == pytest.approx(kept), "no sample set it, and its range holds it"
    assert seen[added].minimum == pytest.approx(-2 - depth)


def test_row_of_infinities_in_an_embedding_is_no_scale() -> None:
    from edge_sdk.converters.proving.conditioning import _rounded

    table = np.array([[-np.inf, -np.inf], [0.5, 1.27]], np.float32)
    np.testing.assert_allclose(_rounded(table, None, "int8"), [[-np.inf, -np.inf], [0.5, 1.27]], rtol=1e-6)
    np.testing.assert_allclose(_rounded(table, 0, "int8"), [[-np.inf, -np.inf], [0.5, 1.27]], rtol=1e-2)


def test_values_moved_from_a_fixed_scale_keep_it() -> None:
    """BROADCAST_TO copies bytes: TensorFlow's quantizer would give its ends the two scales that were observed."""
    from edge_sdk.converters.quantize.static_range import hold_fixed_scales

    graph = Graph()
    x, y, row, rows = (
        graph.tensor(*one) for one in (("x", (1, N)), ("y", (1, N)), ("row", (1, 1, N)), ("z", (1, 2, N)))
    )
    graph.op("TANH", (x,), (y,))
    graph.op("RESHAPE", (y, graph.constant("shape", np.array([1, 1, N], np.int32))), (row,), options("ReshapeOptions"))
    graph.op("BROADCAST_TO", (row, graph.constant("to", np.array([1, 2, N], np.int32))), (rows,))
    seen = {index: Observation(-0.9, 0.8) for index in (x, y, row, rows)}
    hold_fixed_scales(parse_artifact(graph.finish((x,), (rows,))).main, seen)
    assert (seen[rows].minimum, seen[rows].maximum) == (-1.0, 127 / 128)
    assert (seen[x].minimum, seen[x].maximum) == (-0.9, 0.8)


def test_graph_without_a_mask_is_left_alone(tmp_path: Path) -> None:
    from edge_sdk.converters.quantize.ranging.masks import with_soft_masks

    data = masked_softmax(-30.0, "add")
    path = tmp_path / "float.tflite"
    path.write_bytes(data)
    assert with_soft_masks(data, observe(str(path), samples())) is data


def test_an_infinite_range_is_an_error_by_name() -> None:
    from edge_sdk.converters.quantize.static_range import with_ranges
    from edge_sdk.errors import ConversionError

    data = masked_softmax(-30.0, "add")
    endless = {0: Observation(-np.inf, 1.0)}
    with pytest.raises(ConversionError, match=r"`x` goes from -inf to 1 on the calibration data"):
        with_ranges(data, endless)
