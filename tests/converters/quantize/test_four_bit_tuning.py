"""4-bit weights rounded layer by layer: nearer to the float file, explained, gone on with, and never worse."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from edge_sdk.artifact.model import parse_artifact
from edge_sdk.converters.quantize.tuning.four_bit_tuning import Chain, fitted
from edge_sdk.converters.quantize.weights.dot_layers import dot_layers
from edge_sdk.converters.quantize.weights.outputs import output_sqnr_db
from edge_sdk.parity.constants import constant_faults
from edge_sdk.recipe import Granularity, find_recipe
from edge_sdk.signature import Arrays
from tests.graphs import Graph, options

pytestmark = [pytest.mark.keras, pytest.mark.runtime]
SIDE, CHANNELS, WIDE = 8, 16, 64


def images(count: int, seed: int) -> list[Arrays]:
    """Channels that are mixed from a few, as those of trained networks are."""
    rng = np.random.default_rng(seed)
    mixing = np.random.default_rng(99).standard_normal((4, CHANNELS))
    return [{"x": (rng.standard_normal((1, SIDE, SIDE, 4)) @ mixing).astype(np.float32)} for _ in range(count)]


def network() -> bytes:
    """Two convolutions, a depthwise one between, and a dense layer."""
    rng = np.random.default_rng(0)
    graph = Graph()
    value = first = graph.tensor("x", (1, SIDE, SIDE, CHANNELS))
    for place in range(3):
        depthwise = place == 1
        shape = (1, 3, 3, CHANNELS) if depthwise else (CHANNELS, 3, 3, CHANNELS)
        spread = 3 if depthwise else 3 * np.sqrt(CHANNELS)
        weights = graph.constant(f"w{place}", (rng.standard_normal(shape) / spread).astype(np.float32))
        bias = graph.constant(f"b{place}", rng.standard_normal(CHANNELS).astype(np.float32))
        result = graph.tensor(f"y{place}", (1, SIDE, SIDE, CHANNELS))
        fields: dict[str, Any] = {"padding": 0, "stride_h": 1, "stride_w": 1, "fused_activation_function": 1}
        fields |= {"dilation_h_factor": 1, "dilation_w_factor": 1}
        name, kind = ("DEPTHWISE_CONV_2D", "DepthwiseConv2DOptions") if depthwise else ("CONV_2D", "Conv2DOptions")
        fields |= {"depth_multiplier": 1} if depthwise else {}
        graph.op(name, (value, weights, bias), (result,), options(kind, **fields))
        value = result
    flat = graph.tensor("flat", (1, SIDE * SIDE * CHANNELS))
    shape_of = graph.constant("shape", np.array([1, SIDE * SIDE * CHANNELS], np.int32))
    graph.op("RESHAPE", (value, shape_of), (flat,))
    last = rng.standard_normal((WIDE, SIDE * SIDE * CHANNELS)) / 32
    end = graph.tensor("scores", (1, WIDE))
    operands = (flat, graph.constant("w", last.astype(np.float32)), -1)
    graph.op("FULLY_CONNECTED", operands, (end,), options("FullyConnectedOptions"))
    return graph.finish((first,), (end,))


def made(recipe: str, folder: Path, granularity: Granularity = "per_channel") -> bytes:
    """A file with weights rounded to the nearest."""
    import pkgutil

    from edge_sdk.converters.quantize import QUANTIZERS
    from edge_sdk.data import spool
    from edge_sdk.data.opening import DataSource
    from edge_sdk.engines.values import specs_of

    data = network()
    (folder / "float.tflite").write_bytes(data)
    specs = specs_of(parse_artifact(data).signature.inputs)
    seen = images(8, 0)
    store, _ = spool(DataSource("images", len(seen), lambda: iter(seen)), specs, folder / "samples")
    wanted = find_recipe(recipe)
    wanted = replace(wanted, bias_correction=False, weights=replace(wanted.weights, granularity=granularity))
    pkgutil.resolve_name(QUANTIZERS[wanted.mode])(
        path=str(folder / "float.tflite"),
        target=str(folder / "m.tflite"),
        recipe=wanted.as_json(),
        samples=str(store.folder),
        axes={},
    )
    return (folder / "m.tflite").read_bytes()


@pytest.mark.parametrize(
    ("recipe", "granularity"),
    [
        ("static_wi4_ai8", "per_channel"),
        ("dynamic_wi4_afp32", "per_channel"),
        ("dynamic_wi4_afp32", "blockwise_32"),
        ("weight_only_wi4_afp32", "per_channel"),
    ],
)
def test_outputs_come_nearer_and_constants_are_explained(tmp_path: Path, recipe: str, granularity: Granularity) -> None:
    plain = made(recipe, tmp_path, granularity)
    done: list[int] = []
    chain = Chain(network(), plain, None, 0)
    tuned, explained, rounded = chain.rounded(lambda: images(24, 1), done.append)
    assert done[-1] == len(chain.layers) == 4
    assert rounded >= 2
    before, after = (output_sqnr_db(network(), file, images(8, 2)) for file in (plain, tuned))
    # Inputs of rank 4 of 16 leave most of the error to be taken up; a third of a bit is 2 dB.
    assert after > before + 2
    assert constant_faults(parse_artifact(explained), parse_artifact(tuned)) == []
    kinds = [[t.dtype for t in parse_artifact(file).main.tensors] for file in (plain, tuned)]
    assert kinds[0] == kinds[1]


def test_a_run_goes_on_with_the_layers_that_are_done(tmp_path: Path) -> None:
    plain = made("dynamic_wi4_afp32", tmp_path)
    folder = tmp_path / "kept"
    whole = Chain(network(), plain, lambda place: folder / f"{place}.npz", 0)
    first = whole.rounded(lambda: images(8, 1), lambda _: None)
    again = Chain(network(), plain, lambda place: folder / f"{place}.npz", 0)

    def none() -> Iterator[Arrays]:
        raise AssertionError("every layer is known")

    assert again.rounded(none, lambda _: None) == first


def test_a_result_that_would_not_be_nearer_stays(tmp_path: Path) -> None:
    """Inputs that are independent leave nothing to be taken up, and exact weights nothing to be won."""
    plain = made("dynamic_wi4_afp32", tmp_path)
    layer = next(one for one in dot_layers(network(), plain) if one.op.name == "CONV_2D")
    exact = layer.rows_of(layer.kernel.values()) * layer.steps
    known = replace(layer, weights=layer.back(exact).astype(np.float32))
    rows: npt.NDArray[np.float32] = np.random.default_rng(0).standard_normal((2000, layer.depth)).astype(np.float32)
    assert fitted(known, rows, rows, np.zeros((CHANNELS, 1)), biased=True) is None
