"""Channel shuffles: gone where every reader can take channels in another order, kept where one cannot."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

from edge_sdk.converters.lower.direct.passes.moving.shuffles import carry_shuffles
from tests.converters.direct.compare import check, lowered, model

pytestmark = pytest.mark.onnx
_SIZE = 6


class _Net:
    """Nodes of a network of channel shuffles, as PyTorch exports them."""

    def __init__(self, channels: int) -> None:
        self.feeds = {"x": np.random.default_rng(0).standard_normal((1, channels, _SIZE, _SIZE)).astype(np.float32)}
        self.nodes: list[Any] = []
        self.weights: dict[str, Any] = {}
        self._rng = np.random.default_rng(1)

    def add(self, kind: str, inputs: list[str], outputs: int = 1, **attributes: Any) -> list[str]:
        from onnx import helper

        names = [f"v{len(self.nodes)}_{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(kind, inputs, names, **attributes))
        return names

    def known(self, values: Any) -> str:
        name = f"w{len(self.weights)}"
        self.weights[name] = np.asarray(values)
        return name

    def conv(self, x: str, channels: int, out: int, groups: int = 1) -> str:
        size = 1 if groups == 1 else 3
        weights = self._rng.standard_normal((out, channels // groups, size, size)).astype(np.float32)
        bias = self.known(self._rng.standard_normal(out).astype(np.float32))
        return self.add("Conv", [x, self.known(weights), bias], group=groups, pads=[size // 2] * 4)[0]

    def shuffle(self, x: str, channels: int, groups: int = 2) -> str:
        (parts,) = self.add("Reshape", [x, self.known([1, groups, channels // groups, _SIZE, _SIZE])])
        (turned,) = self.add("Transpose", [parts], perm=[0, 2, 1, 3, 4])
        return self.add("Reshape", [turned, self.known([1, channels, _SIZE, _SIZE])])[0]

    def unit(self, x: str, channels: int) -> str:
        """ShuffleNet V2's."""
        half = channels // 2
        kept, read = self.add("Split", [x], 2, axis=1, num_outputs=2)
        (active,) = self.add("Relu", [self.conv(read, half, half)])
        made = self.conv(self.conv(active, half, half, groups=half), half, half)
        (joined,) = self.add("Concat", [kept, made], axis=1)
        return self.shuffle(joined, channels)

    def kinds(self, *outputs: str) -> Counter[str]:
        """Kinds of ops of the file, which computes what ONNX Runtime does."""
        last = [self.add("Identity", [one])[0] for one in outputs]
        proto = model(self.nodes, self.feeds, last, self.weights)
        return Counter(op.kind for op in check(proto, self.feeds, "nhwc").graph.ops)


# 26 halves into 13, which halves no more: pieces of every size. 8 units make more pieces than XNNPACK joins at once.
@pytest.mark.parametrize(("channels", "units"), [(12, 1), (26, 3), (64, 8)])
def test_a_chain_of_units_has_no_transpose(channels: int, units: int) -> None:
    net = _Net(channels)
    x = net.conv("x", channels, channels)
    for _ in range(units):
        x = net.unit(x, channels)
    (pooled,) = net.add("MaxPool", [x], kernel_shape=[2, 2], strides=[2, 2])
    kinds = net.kinds(net.conv(pooled, channels, 4))
    assert not kinds["TRANSPOSE"]
    assert not kinds["RESHAPE"]


def test_joins_are_of_no_more_than_the_delegate_takes() -> None:
    net, x = _Net(64), "x"
    for _ in range(8):
        x = net.unit(x, 64)
    proto = model(net.nodes, net.feeds, [net.conv(x, 64, 4)], net.weights)
    joins = [op for op in check(proto, net.feeds, "nhwc").graph.ops if op.kind == "CONCATENATION"]
    assert joins
    assert max(len(op.inputs) for op in joins) <= 5


def test_what_two_convolutions_read_is_joined_once() -> None:
    """As the last unit of a stage hands it to both branches of the next."""
    net = _Net(16)
    x = net.unit(net.conv("x", 16, 16), 16)
    kinds = net.kinds(net.conv(x, 16, 4), net.conv(x, 16, 8))
    assert kinds["CONCATENATION"] == 1
    assert not kinds["TRANSPOSE"]


def test_through_depthwise_convolutions_pools_means_and_per_channel_numbers() -> None:
    net = _Net(12)
    mixed = net.shuffle(net.conv("x", 12, 12, groups=12), 12, groups=3)
    (scaled,) = net.add("Mul", [mixed, net.known(np.arange(12, dtype=np.float32).reshape(1, 12, 1, 1))])
    (summed,) = net.add("ReduceMean", [net.conv(scaled, 12, 12, groups=12), net.known([2, 3])], keepdims=0)
    dense = net.known(np.random.default_rng(2).standard_normal((12, 5)).astype(np.float32))
    assert not net.kinds(net.add("MatMul", [summed, dense])[0])["TRANSPOSE"]


@pytest.mark.parametrize("reader", ["grouped convolution", "output", "sum with another value"])
def test_a_shuffle_stays_in_front_of_what_needs_its_order(reader: str) -> None:
    net = _Net(12)
    mixed = net.shuffle(net.conv("x", 12, 12, groups=12), 12, groups=3)
    ends = {
        "grouped convolution": lambda: net.conv(mixed, 12, 12, groups=3),
        "output": lambda: mixed,
        "sum with another value": lambda: net.add("Add", [mixed, "x"])[0],
    }
    assert net.kinds(ends[reader]())["TRANSPOSE"]


def test_one_that_stays_does_not_keep_the_others() -> None:
    net = _Net(12)
    first = net.unit(net.conv("x", 12, 12), 12)
    second = net.shuffle(net.conv("x", 12, 12, groups=12), 12, groups=3)
    ends = [net.conv(first, 12, 4), net.conv(net.conv(second, 12, 12, groups=3), 12, 4)]
    assert net.kinds(*ends)["TRANSPOSE"] == 1


def test_a_graph_without_a_shuffle_is_the_same_graph() -> None:
    net = _Net(6)
    proto = model(net.nodes, net.feeds, [net.conv("x", 6, 4)], net.weights)
    graph = lowered(proto, net.feeds, "nhwc").graph
    assert carry_shuffles(graph) is graph
