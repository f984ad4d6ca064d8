"""Masks of minus infinity, -1e9 or the lowest float where they only have to lose, and where their size counts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from edge_sdk.artifact.model import parse_artifact, read_artifact
from edge_sdk.signature import Arrays
from tests.converters.quantize.made import int8_of
from tests.graphs import Graph, options

pytestmark = [pytest.mark.keras, pytest.mark.runtime]
LOWEST = float(np.finfo(np.float32).min)
ROWS, WIDTH = 12, 8


class Net:
    """Rows ``x`` [1, ROWS, WIDTH] times weights, of which those are real that ``m`` [1, ROWS, 1] says."""

    def __init__(self) -> None:
        self.graph = Graph()
        self.x, self.m = self.tensor("x"), self.tensor("m", (1, ROWS, 1))
        weights = self.graph.constant("w", np.random.default_rng(1).normal(0, 0.5, (WIDTH, WIDTH)).astype(np.float32))
        flat, made = self.tensor("flat", (ROWS, WIDTH)), self.tensor("made", (ROWS, WIDTH))
        self.op("RESHAPE", (self.x, self.shape(ROWS, WIDTH)), flat)
        self.op("FULLY_CONNECTED", (flat, weights, -1), made)
        self.values = self.tensor("values")
        self.op("RESHAPE", (made, self.shape(1, ROWS, WIDTH)), self.values)

    def tensor(self, name: str, shape: tuple[int, ...] = (1, ROWS, WIDTH), dtype: str = "float32") -> int:
        return self.graph.tensor(name, shape, dtype)

    def shape(self, *extents: int) -> int:
        return self.graph.constant(f"shape{extents}", np.array(extents, np.int32))

    def number(self, value: float) -> int:
        return self.graph.constant(f"number {value}", np.array(value, np.float32))

    def op(self, name: str, inputs: tuple[int, ...], result: int, **settings: object) -> int:
        kinds = {"FULLY_CONNECTED": "FullyConnectedOptions", "REDUCE_MAX": "ReducerOptions", "SUM": "ReducerOptions"}
        kinds |= {"REDUCE_MIN": "ReducerOptions", "SELECT_V2": "SelectV2Options", "TOPK_V2": "TopKV2Options"}
        kinds |= {"ADD": "AddOptions", "MUL": "MulOptions", "SUB": "SubOptions", "EXP": "ExpOptions"}
        kinds |= {"RESHAPE": "ReshapeOptions", "CONCATENATION": "ConcatenationOptions", "DIV": "DivOptions"}
        kinds |= {"PADV2": "PadV2Options", "NEG": "NegOptions", "GREATER": "GreaterOptions", "ARG_MAX": "ArgMaxOptions"}
        kinds |= {"MAXIMUM": "MaximumMinimumOptions", "TRANSPOSE": "TransposeOptions"}
        self.graph.op(name, inputs, (result,), options(kinds[name], **settings) if name in kinds else None)
        return result

    def chosen(self, fill: float) -> int:
        """The values, and ``fill`` where they are not real."""
        real = self.op("GREATER", (self.m, self.number(0.5)), self.tensor("real", (1, ROWS, 1), "bool"))
        return self.op("SELECT_V2", (real, self.values, self.number(fill)), self.tensor("chosen"))

    def added(self, fill: float) -> int:
        """The values, with ``fill`` added where they are not real: ``(1 - m) * fill``."""
        none = self.op("SUB", (self.number(1.0), self.m), self.tensor("none", (1, ROWS, 1)))
        mask = self.op("MUL", (none, self.number(fill)), self.tensor("mask", (1, ROWS, 1)))
        return self.op("ADD", (self.values, mask), self.tensor("added"))

    def largest(self, index: int, name: str = "largest", kind: str = "REDUCE_MAX") -> int:
        rows = self.graph.constant("rows", np.array([1], np.int32))
        return self.op(kind, (index, rows), self.tensor(name, (1, WIDTH)))

    def projected(self, index: int, rows: int = 1) -> int:
        weights = self.graph.constant("v", np.random.default_rng(2).normal(0, 0.5, (4, WIDTH)).astype(np.float32))
        return self.op("FULLY_CONNECTED", (index, weights, -1), self.tensor("y", (rows, 4)))

    def finish(self, *outputs: int) -> bytes:
        return self.graph.finish((self.x, self.m), outputs)


def pooled(fill: float) -> bytes:
    net = Net()
    return net.finish(net.projected(net.largest(net.chosen(fill))))


def pooled_by_sum(fill: float) -> bytes:
    net = Net()
    return net.finish(net.projected(net.largest(net.added(fill))))


def least(fill: float) -> bytes:
    net = Net()
    return net.finish(net.projected(net.largest(net.chosen(-fill), kind="REDUCE_MIN")))


def turned(fill: float) -> bytes:
    """A maximum of what is negated, moved and doubled, with other values added."""
    net = Net()
    minus = net.op("NEG", (net.chosen(-fill),), net.tensor("minus"))
    order = net.graph.constant("order", np.array([0, 2, 1], np.int32))
    moved = net.op("TRANSPOSE", (minus, order), net.tensor("moved", (1, WIDTH, ROWS)))
    twice = net.op("MUL", (moved, net.number(2.0)), net.tensor("twice", (1, WIDTH, ROWS)))
    shift = net.graph.constant("shift", np.linspace(-1, 1, ROWS, dtype=np.float32).reshape(1, 1, ROWS))
    more = net.op("ADD", (twice, shift), net.tensor("more", (1, WIDTH, ROWS)))
    last = net.graph.constant("last", np.array([2], np.int32))
    return net.finish(net.projected(net.op("REDUCE_MAX", (more, last), net.tensor("largest", (1, WIDTH)))))


def running(fill: float) -> bytes:
    """One step of a running maximum: against the rows before, of which the first has none."""
    net = Net()
    ahead = net.graph.constant("ahead", np.array([[0, 0], [1, 0], [0, 0]], np.int32))
    longer = net.op("PADV2", (net.chosen(fill), ahead, net.number(fill)), net.tensor("longer", (1, ROWS + 1, WIDTH)))
    begin = net.graph.constant("begin", np.zeros(3, np.int32))
    before = net.op("SLICE", (longer, begin, net.shape(1, ROWS, WIDTH)), net.tensor("before"))
    both = net.op("MAXIMUM", (before, net.values), net.tensor("both"))
    return net.finish(net.projected(net.largest(both)))


def shares(fill: float) -> bytes:
    """A softmax by hand, over the rows."""
    net = Net()
    return net.finish(net.projected(weighed(net, net.chosen(fill))))


def weighed(net: Net, masked: int) -> int:
    """The values, each by its share of its column."""
    rows, wide = net.graph.constant("axis", np.array([1], np.int32)), (1, 1, WIDTH)
    most = net.op("REDUCE_MAX", (masked, rows), net.tensor("most", wide), keep_dims=True)
    lower = net.op("SUB", (masked, most), net.tensor("lower"))
    grown = net.op("EXP", (lower,), net.tensor("grown"))
    total = net.op("SUM", (grown, rows), net.tensor("total", wide), keep_dims=True)
    share = net.op("DIV", (grown, total), net.tensor("share"))
    parts = net.op("MUL", (share, net.values), net.tensor("parts"))
    return net.op("SUM", (parts, rows), net.tensor("sum", (1, WIDTH)))


def bounded(fill: float) -> bytes:
    """Values behind a TANH, whose scale is prescribed: TensorFlow's quantizer gives up on a range beyond it."""
    net = Net()
    net.values = net.op("TANH", (net.values,), net.tensor("bounded"))
    return net.finish(net.projected(net.largest(net.chosen(fill))))


def samples() -> Iterator[Arrays]:
    rng = np.random.default_rng(0)
    for count in range(4, 12):
        real = (np.arange(ROWS) < count).astype(np.float32).reshape(1, ROWS, 1)
        yield {"x": rng.standard_normal((1, ROWS, WIDTH)).astype(np.float32), "m": real}


def sqnr_db(source: Path, target: Path) -> float:
    from edge_sdk.engines.runner import Runner

    left, right = Runner(source), Runner(target)
    names = [spec.name for spec in left.outputs]
    power = noise = 0.0
    for one in samples():
        want, got = left.run_real(one), right.run_real(one)
        for name in names:
            finite = np.isfinite(want[name]) & (np.abs(want[name]) < 1e6)
            assert np.array_equal(want[name][~finite], got[name][~finite])
            power += float(np.sum(want[name][finite] ** 2))
            noise += float(np.sum((want[name][finite] - got[name][finite]) ** 2))
    return float(10 * np.log10(power / noise))


NETS = [(net, fill) for net in (pooled, least, turned, running, shares) for fill in (-1e9, LOWEST, -np.inf)]


# Zero times infinity is not a number in the source.
@pytest.mark.parametrize(("net", "fill"), [*NETS, (pooled_by_sum, -1e9), (pooled_by_sum, LOWEST), (bounded, -np.inf)])
def test_mask_that_only_has_to_lose_costs_nothing(tmp_path: Path, net: Callable[[float], bytes], fill: float) -> None:
    """Two products of 8 bits, and steps of a range that reaches two of them further: 40 dB, or 30 behind exponents."""
    made, source, target = int8_of(tmp_path, net(fill), samples)
    assert "masks-in-float" not in {finding["rule"] for finding in made["findings"]}
    # A prescribed scale is not used whole: one bit less.
    assert sqnr_db(source, target) > (24 if net is shares else 28 if net is bounded else 34)
    kinds = read_kinds(target)
    assert kinds.get("REDUCE_MAX", kinds.get("REDUCE_MIN")) == "int8"


def read_kinds(path: Path) -> dict[str, str]:
    """What each kind of op reads first."""
    graph = read_artifact(path).main
    return {op.name: graph.tensors[op.inputs[-1 if op.name == "SELECT_V2" else 0]].dtype for op in graph.ops}


def test_infinity_that_an_op_computes_is_cut_off_behind_it(tmp_path: Path) -> None:
    """``x + log(m)``, of which the logarithm of zero is minus infinity, before a maximum."""
    net = Net()
    logs = net.op("LOG", (net.m,), net.tensor("logs", (1, ROWS, 1)))
    added = net.op("ADD", (net.values, logs), net.tensor("added"))
    made, source, target = int8_of(tmp_path, net.finish(net.projected(net.largest(added))), samples)
    assert sqnr_db(source, target) > 28
    kinds = read_kinds(target)
    assert (kinds["LOG"], kinds["REDUCE_MAX"]) == ("float32", "int8")
    assert "masks-in-float" in {finding["rule"] for finding in made["findings"]}


def test_logarithm_of_zero_in_a_softmax_by_hand(tmp_path: Path) -> None:
    """Kernels make the lowest float of minus infinity in a sum; TensorFlow's quantizer died of that range."""
    net = Net()
    logs = net.op("LOG", (net.m,), net.tensor("logs", (1, ROWS, 1)))
    added = net.op("ADD", (net.values, logs), net.tensor("added"))
    made, source, target = int8_of(tmp_path, net.finish(net.projected(weighed(net, added))), samples)
    assert sqnr_db(source, target) > 24
    assert "masks-in-float" in {finding["rule"] for finding in made["findings"]}


@pytest.mark.parametrize("fill", [-1e9, -np.inf])
def test_mask_whose_size_counts_stays_in_float_by_itself(tmp_path: Path, fill: float) -> None:
    """It is an output, beside a maximum that has a range; a comparison with another mask tells it apart, too."""
    net = Net()
    masked = net.chosen(fill)
    far = net.op("GREATER", (masked, net.number(-1e8)), net.tensor("far", (1, ROWS, WIDTH), "bool"))
    data = net.finish(
        masked, net.projected(net.largest(net.op("SELECT_V2", (far, masked, net.values), net.tensor("z"))))
    )
    made, source, target = int8_of(tmp_path, data, samples)
    assert "masks-in-float" in {finding["rule"] for finding in made["findings"]}
    assert sqnr_db(source, target) > 28
    kinds = read_kinds(target)
    assert (kinds["SELECT_V2"], kinds["GREATER"], kinds["FULLY_CONNECTED"]) == ("float32", "float32", "int8")


def test_row_that_is_masked_whole_keeps_its_infinity(tmp_path: Path) -> None:
    def none_in_the_first() -> Iterator[Arrays]:
        for place, one in enumerate(samples()):
            yield one if place else one | {"m": np.zeros((1, ROWS, 1), np.float32)}

    net = Net()
    data = net.finish(net.largest(net.chosen(-np.inf)))
    made, source, target = int8_of(tmp_path, data, none_in_the_first)
    from edge_sdk.engines.runner import Runner

    got = Runner(target).run_real(next(none_in_the_first()))
    assert np.isneginf(next(iter(got.values()))).all()
    assert "masks-in-float" in {finding["rule"] for finding in made["findings"]}
    assert sqnr_db(source, target) > 28


def test_large_values_that_are_no_mask_are_left_alone() -> None:
    """A limit of 20,000 beside values of 15,000 loses against none of them."""
    from edge_sdk.converters.quantize.ranging.losing import with_losing_marks
    from edge_sdk.engines.observe import Observation

    net = Net()
    data = net.finish(net.largest(net.chosen(-20000.0)))
    graph = parse_artifact(data).main
    seen = {
        tensor.index: Observation(-15000.0, 15000.0, 1.0, 1, low=-15000.0, high=15000.0)
        for tensor in graph.tensors
        if tensor.dtype == "float32" and tensor.constant is None
    }
    assert with_losing_marks(data, dict(seen)).data is data


def test_scaling_by_a_large_number_masks_nothing() -> None:
    """Sound from 0 to 1 times 32,768, shifted by 40,000: no flag, and no mask."""
    from edge_sdk.converters.quantize.ranging.losing import with_losing_marks
    from edge_sdk.engines.histogram import Histogram
    from edge_sdk.engines.observe import Observation

    net = Net()
    loud = net.op("MUL", (net.m, net.number(32768.0)), net.tensor("loud", (1, ROWS, 1)))
    shifted = net.op("ADD", (loud, net.number(40000.0)), net.tensor("shifted", (1, ROWS, 1)))
    data = net.finish(net.op("RELU", (shifted,), net.tensor("y", (1, ROWS, 1))))
    seen = {}
    for index, low, high in ((net.m, 0.0, 1.0), (loud, 0.0, 32768.0), (shifted, 40000.0, 72768.0)):
        histogram = Histogram()
        histogram.add(np.linspace(low, high, 100, dtype=np.float32))
        seen[index] = Observation(low, high, 1.0, 1, histogram, low=low, high=high)
    found = with_losing_marks(data, dict(seen))
    assert (found.data, found.endless) == (data, frozenset())


def test_product_of_what_the_model_overflows_is_told_by_name(tmp_path: Path) -> None:
    """No mask: 80 times 2 to the power of e, infinite in float32, is multiplied on."""
    from edge_sdk.errors import ConversionError

    net = Net()
    steep = net.op("MUL", (net.values, net.number(80.0)), net.tensor("steep"))
    grown = net.op("EXP", (steep,), net.tensor("grown"))
    data = net.finish(net.projected(net.largest(grown)))
    with pytest.raises(ConversionError, match=r"`largest` goes from .* to inf .* REDUCE_MAX of the float model itself"):
        int8_of(tmp_path, data, samples)


def test_scatter_leaves_zeros_in_int8_files(tmp_path: Path) -> None:
    """Its int8 kernel clears by byte; values are below zero, so that no zero is byte 0 of their scale."""
    net = Net()
    flat = net.op(
        "REDUCE_MAX",
        (
            net.op("NEG", (net.op("ABS", (net.values,), net.tensor("size")),), net.tensor("below")),
            net.graph.constant("rows", np.array([0], np.int32)),
        ),
        net.tensor("flat rows", (ROWS, WIDTH)),
    )
    places = net.graph.constant("places", np.arange(0, 2 * ROWS, 2, dtype=np.int32).reshape(ROWS, 1))
    strewn = net.op("SCATTER_ND", (places, flat, net.shape(2 * ROWS, WIDTH)), net.tensor("strewn", (2 * ROWS, WIDTH)))
    made, source, target = int8_of(tmp_path, net.finish(net.projected(strewn, 2 * ROWS)), samples)
    assert sqnr_db(source, target) > 28
    assert read_kinds(target)["SCATTER_ND"] == "int32"
    assert "scatters-in-float" in {finding["rule"] for finding in made["findings"]}
