"""Tuning: weights rounded so that errors cancel, never worse on samples held out, and gone on with when interrupted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from edge_sdk.artifact.model import parse_artifact
from edge_sdk.converters.quantize.weights.rounding import covariance, noise, round_channels, round_weights
from edge_sdk.engines.runner import Runner
from edge_sdk.parity.constants import constant_faults
from edge_sdk.signature import Arrays
from tests.converters.quantize.tuning_heard import Heard, asked
from tests.graphs import Graph, options

SIDE, CHANNELS, RANK = 12, 24, 6


def mixed(count: int, seed: int) -> npt.NDArray[np.float32]:
    """Inputs of which 24 are mixed from 6, as channels of a trained network are."""
    rng = np.random.default_rng(seed)
    mixing = np.random.default_rng(99).standard_normal((RANK, CHANNELS))
    values = rng.standard_normal((count, RANK)) @ mixing + 0.05 * rng.standard_normal((count, CHANNELS)) + 3
    made: npt.NDArray[np.float32] = values.astype(np.float32)
    return made


def test_errors_cancel_in_results() -> None:
    """On inputs of rank 6 of 24 most of a rounding's error can be taken up by the others: a tenth is left, or less."""
    rng = np.random.default_rng(0)
    weights = rng.standard_normal((16, CHANNELS))
    steps = np.abs(weights).max(1) / 127
    made = round_weights(weights, steps, covariance(mixed(2000, 1)))
    spread = covariance(mixed(2000, 2))
    nearest = np.rint(weights / steps[:, None]) * steps[:, None]
    got = made.integers * steps[:, None]
    assert noise(weights - got, spread).mean() < 0.1 * noise(weights - nearest, spread).mean()
    inside = np.abs(made.weights / steps[:, None]) <= 127
    assert np.max(np.abs(made.weights - got)[inside] / np.broadcast_to(steps[:, None], got.shape)[inside]) <= 0.5 + 1e-9


def test_independent_inputs_are_rounded_to_the_nearest() -> None:
    weights = np.random.default_rng(0).standard_normal((4, CHANNELS))
    steps = np.abs(weights).max(1) / 127
    made = round_weights(weights, steps, np.eye(CHANNELS))
    assert np.array_equal(made.integers, np.rint(weights / steps[:, None]))


def test_covariance_leaves_the_mean_out() -> None:
    rows = mixed(500, 3)
    assert covariance(rows) == pytest.approx(np.cov(rows.T, bias=True), rel=1e-3, abs=1e-3)


def test_channels_at_once_are_rounded_as_one_by_one() -> None:
    rng = np.random.default_rng(0)
    weights = rng.standard_normal((5, CHANNELS))
    steps = np.abs(weights).max(1) / 127
    spreads = np.stack([covariance(mixed(300, seed)) for seed in range(5)])
    every = round_channels(weights, steps, spreads)
    for place in range(5):
        one = round_weights(weights[place : place + 1], steps[place : place + 1], spreads[place])
        assert np.array_equal(every.integers[place], one.integers[0])


@pytest.mark.runtime
@pytest.mark.parametrize(("stride", "padding", "dilation"), [(1, 0, 1), (2, 0, 1), (2, 1, 1), (1, 0, 2), (1, 1, 2)])
def test_windows_are_what_the_kernel_reads(tmp_path: Path, stride: int, padding: int, dilation: int) -> None:
    from edge_sdk.converters.quantize.weights.windows import windows

    rng = np.random.default_rng(0)
    weights = rng.standard_normal((5, 3, 3, 4)).astype(np.float32)
    graph = Graph()
    x = graph.tensor("x", (1, 9, 8, 4))
    spans = [2 * dilation + 1] * 2
    extents = [-(-n // stride) if padding == 0 else (n - s) // stride + 1 for n, s in zip((9, 8), spans, strict=True)]
    y = graph.tensor("y", (1, *extents, 5))
    chosen = options(
        "Conv2DOptions", stride_w=stride, stride_h=stride, padding=padding,
        dilation_w_factor=dilation, dilation_h_factor=dilation,
    )  # fmt: skip
    bias = graph.constant("b", np.zeros(5, np.float32))
    graph.op("CONV_2D", (x, graph.constant("w", weights), bias), (y,), chosen)
    path = tmp_path / "conv.tflite"
    path.write_bytes(graph.finish((x,), (y,)))
    values = rng.standard_normal((1, 9, 8, 4)).astype(np.float32)
    (op,) = parse_artifact(path.read_bytes()).main.ops
    rows = windows(op, values, (3, 3), 10**6, rng).reshape(-1, 36)
    want = next(iter(Runner(path).run({"x": values}).values()))
    assert (rows @ weights.reshape(5, -1).T).reshape(want.shape) == pytest.approx(want, abs=1e-4)
    assert windows(op, values, (3, 3), 7, rng).shape == (7, 3, 3, 4)


def float_file(*, one_bias: bool = False, uneven: bool = False) -> bytes:
    """Three pointwise and a depthwise convolution, each row with one large weight, so that the others are coarse.

    Args:
        one_bias: all of them read one tensor, zeros, as exporters write layers without one.
        uneven: one channel of the depthwise layer's results is 50 times as large, and read with as small weights.
    """
    rng = np.random.default_rng(0)
    graph = Graph()
    shared = graph.constant("b", np.zeros(CHANNELS, np.float32)) if one_bias else -1
    x = value = graph.tensor("x", (1, SIDE, SIDE, CHANNELS))
    for place in range(4):
        depthwise = place == 1
        shape = (1, 3, 3, CHANNELS) if depthwise else (CHANNELS, 1, 1, CHANNELS)
        weights = 0.1 * rng.standard_normal(shape).astype(np.float32)
        if not depthwise:
            weights[np.arange(CHANNELS), 0, 0, rng.permutation(CHANNELS)] = 3.0
        if uneven and place in (1, 2):
            weights[..., 0] *= 50 if depthwise else 1 / 50
        own = rng.standard_normal(CHANNELS).astype(np.float32)
        bias = shared if one_bias else graph.constant(f"b{place}", own)
        kernel = graph.constant(f"w{place}", weights)
        result = graph.tensor(f"y{place}", (1, SIDE, SIDE, CHANNELS))
        fused = {"stride_w": 1, "stride_h": 1, "fused_activation_function": int(place < 3)}
        if depthwise:
            chosen = options("DepthwiseConv2DOptions", depth_multiplier=1, **fused)
        else:
            chosen = options("Conv2DOptions", **fused)
        graph.op("DEPTHWISE_CONV_2D" if depthwise else "CONV_2D", (value, kernel, bias), (result,), chosen)
        value = result
    return graph.finish((x,), (value,))


def samples(seed: int = 1, count: int = 20) -> Iterator[Arrays]:
    for place in range(count):
        yield {"x": mixed(SIDE * SIDE, 1000 * seed + place).reshape(1, SIDE, SIDE, CHANNELS)}


def prepared(folder: Path, **form: Any) -> tuple[dict[str, Any], Path, str]:
    """A file quantized as for tuning: what the quantizer says, the int8 file, the samples' folder."""
    from dataclasses import replace

    from edge_sdk.converters.quantize.static_range import quantize
    from edge_sdk.data import spool
    from edge_sdk.data.opening import DataSource
    from edge_sdk.engines.values import specs_of
    from edge_sdk.recipe import find_recipe

    data = float_file(**form)
    source, target = folder / "float.tflite", folder / "int8.tflite"
    source.write_bytes(data)
    store, _ = spool(DataSource("s", None, samples), specs_of(parse_artifact(data).signature.inputs), folder / "s")
    recipe = replace(find_recipe("int8"), tune=True)
    return quantize(str(source), str(target), recipe.as_json(), str(store.folder), {}), target, str(store.folder)


def sqnr_db(reference: bytes, candidate: bytes) -> float:
    from edge_sdk.converters.quantize.weights.outputs import output_sqnr_db

    return output_sqnr_db(reference, candidate, samples(7))


@pytest.mark.keras
@pytest.mark.runtime
def test_tuned_file_is_nearer_and_explained(tmp_path: Path) -> None:
    from edge_sdk.converters.quantize.tuning.tuning import tune

    made, target, folder = prepared(tmp_path)
    untuned = target.read_bytes()
    found = tune(str(target), made["tunable"], folder, {}, asked=asked())
    told = found["corrections"]["tuned"]
    assert told["layers"] == 4
    assert told["ended"]["by"] == "end"
    assert told["ended"]["stages"][0] | {"seconds": 0} == {
        "stage": "layers", "done": 4, "of": 4, "by_time": False, "seconds": 0
    }  # fmt: skip
    assert told["kept"]
    assert (told["samples"], told["held_out"]) == (16, 4)
    reference = Path(made["tunable"]["reference"]).read_bytes()
    # On samples that nothing was set on.
    assert sqnr_db(reference, target.read_bytes()) > sqnr_db(reference, untuned) + 1
    explained = parse_artifact(Path(found["explained"]).read_bytes())
    assert constant_faults(explained, parse_artifact(target.read_bytes())) == []


@pytest.mark.keras
@pytest.mark.runtime
def test_layers_that_share_a_bias_have_their_own_when_tuned(tmp_path: Path) -> None:
    """What corrects one layer's mean is not another's: the file that explains the constants has one for each."""
    from edge_sdk.converters.quantize.tuning.tuning import tune

    made, target, folder = prepared(tmp_path, one_bias=True)
    untuned, reference = target.read_bytes(), Path(made["tunable"]["reference"]).read_bytes()
    assert len({op.inputs[2] for op in parse_artifact(reference).main.ops}) == 1
    found = tune(str(target), made["tunable"], folder, {}, asked=asked())
    assert found["corrections"]["tuned"]["kept"]
    assert sqnr_db(reference, target.read_bytes()) > sqnr_db(reference, untuned)
    explained = parse_artifact(Path(found["explained"]).read_bytes())
    assert len({op.inputs[2] for op in explained.main.ops}) == 4
    assert constant_faults(explained, parse_artifact(target.read_bytes())) == []


@pytest.mark.keras
@pytest.mark.runtime
def test_interrupted_tuning_goes_on_and_ends_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from edge_sdk.converters.quantize.tuning import tuning

    made, target, folder = prepared(tmp_path)
    untuned = target.read_bytes()
    tuning.tune(str(target), made["tunable"], folder, {}, asked=asked())
    whole = target.read_bytes()
    target.write_bytes(untuned)

    kept = tmp_path / "checkpoint"
    stop = Heard(stop_at=("layers", 2))
    with pytest.raises(KeyboardInterrupt):
        tuning.tune(str(target), made["tunable"], folder, {}, asked=asked(checkpoint=kept), progress=stop)
    assert target.read_bytes() == untuned
    assert len(list(kept.iterdir())) == 2
    rounded: list[object] = []
    original = tuning._rounded

    def counted(layer: Any, rows: Any) -> Any:
        rounded.append(layer)
        return original(layer, rows)

    monkeypatch.setattr(tuning, "_rounded", counted)
    tuning.tune(str(target), made["tunable"], folder, {}, asked=asked(checkpoint=kept))
    assert len(rounded) == 2
    assert target.read_bytes() == whole
    tuning.forget(kept)
    assert not kept.exists()


def test_a_file_that_a_single_sample_makes_better_is_not_surely_nearer() -> None:
    from edge_sdk.converters.quantize.weights.outputs import Nearness

    noise = tuple(float(v) for v in np.random.default_rng(0).uniform(1, 2, 20))
    plain = Nearness(20.0, (*noise, 100.0))
    assert not plain.is_surely_below(Nearness(24.0, (*noise[::-1], 1.0)))
    assert plain.is_surely_below(Nearness(21.0, (*(0.8 * v for v in noise[:19]), noise[19], 80.0)))
    assert not plain.is_surely_below(Nearness(19.9, (*(0.8 * v for v in noise), 130.0)))
    assert Nearness(20.0, (1.0,)).is_surely_below(Nearness(20.5, (0.9,)))


def test_samples_that_hardly_err_do_not_decide_what_is_nearer() -> None:
    """A tenth of the noise on half of them; the others', far below it, is a hundred times as much as nearly none."""
    from edge_sdk.converters.quantize.weights.outputs import Nearness

    faint = [1e-7 * (1 + place) for place in range(10)]
    loud = [1.0 + place for place in range(10)]
    plain = Nearness(20.0, (*loud, *faint))
    assert plain.is_surely_below(Nearness(30.0, (*(0.1 * v for v in loud), *(100 * v for v in faint))))


def test_tuning_needs_int8_activations() -> None:
    from edge_sdk.converters.options.recipe import recipe_from
    from edge_sdk.errors import RecipeError

    with pytest.raises(RecipeError, match="tune is for int8 activations or int4 weights, got float32 and float16"):
        recipe_from("float16", {"tune": True})
