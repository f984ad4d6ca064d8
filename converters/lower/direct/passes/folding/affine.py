"""Factors and summands of channels that the convolution or product before them takes in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sdk.converters.lower.direct.graph import Graph, Op, Tensor, with_ops

# Where the weights have the axis of the output's channels.
_CHANNELS = {"CONV_2D": 0, "DEPTHWISE_CONV_2D": 3, "FULLY_CONNECTED": 0, "CONV_3D": 4}


def fold_affine(graph: Graph) -> Graph:
    """Takes factors and summands of channels into the weights.

    Before::

        c = CONV_2D(x, w, b)    m = MUL(c, f)    y = ADD(m, s)

    After, for constants ``f`` and ``s`` with one number for each channel or one for all::

        y = CONV_2D(x, w * f, b * f + s)
    """
    folder = _Folder(graph)
    ops = [made for op in graph.ops for made in folder.step(op)]
    return with_ops(graph, [folder.latest.get(op.output, op) for op in ops if op.output not in folder.gone])


class _Folder:
    """What became of convolutions on the way through the graph."""

    def __init__(self, graph: Graph) -> None:
        self._users = graph.users()
        self._outputs = set(graph.outputs)
        self._makers: dict[Tensor, Op] = {}
        self.latest: dict[Tensor, Op] = {}
        self.gone: set[Tensor] = set()

    def step(self, op: Op) -> Iterator[Op]:
        """The op, or the convolution with the op inside in its place."""
        folded = self._folded(op)
        if folded is None:
            self._makers[op.output] = op
            yield op
            return
        source, made = folded
        self.gone.add(source)
        self._makers[op.output] = made
        yield made

    def _folded(self, op: Op) -> tuple[Tensor, Op] | None:
        if op.kind not in ("ADD", "SUB", "MUL", "DIV") or "fused_activation_function" in op.options:
            return None
        running = [t for t in op.inputs if t is not None and t.data is None]
        constants = [t for t in op.inputs if t is not None and t.data is not None]
        if len(running) != 1 or len(constants) != 1 or (op.kind in ("SUB", "DIV") and op.inputs[0] is not running[0]):
            return None
        source, maker = running[0], self._makers.get(running[0])
        if maker is None or maker.kind not in _CHANNELS or not self._is_free(source, maker, op):
            return None
        numbers = _by_channel(constants[0], source.shape)
        made = _with_numbers(maker, op, numbers) if numbers is not None else None
        return None if made is None else (source, made)

    def _is_free(self, source: Tensor, maker: Op, op: Op) -> bool:
        """Whether nobody else reads the convolution, and its constants are floats of its own."""
        weights, bias = maker.inputs[1], maker.inputs[2]
        known = weights is not None and weights.data is not None and (bias is None or bias.data is not None)
        alone = len(self._users.get(source, [])) == 1 and source not in self._outputs
        same = source.shape == op.output.shape and source.dtype == "float32"
        return known and alone and same and "fused_activation_function" not in maker.options


def _by_channel(constant: Tensor, shape: tuple[int, ...]) -> npt.NDArray[Any] | None:
    """One number for each of the last axis' channels, or None where it varies along others."""
    channels = shape[-1]
    data = constant.data
    if data is None or data.dtype != np.float32 or (data.ndim and data.size != data.shape[-1]):
        return None
    return np.broadcast_to(data.reshape(-1), (channels,)) if data.size in (1, channels) else None


def _with_numbers(maker: Op, op: Op, numbers: npt.NDArray[Any]) -> Op | None:
    x, weights, bias = maker.inputs[:3]
    if weights is None or weights.data is None:
        return None
    axis = _CHANNELS[maker.kind]
    if op.kind in ("MUL", "DIV"):
        factor = numbers if op.kind == "MUL" else np.float32(1) / numbers
        spread = [1] * weights.data.ndim
        spread[axis] = -1
        data = (weights.data * factor.reshape(spread)).astype(np.float32)
        weights = replace(weights, data=data, quantization=None)
        bias = (
            None if bias is None or bias.data is None else replace(bias, data=(bias.data * factor).astype(np.float32))
        )
        return maker.reading(x, weights, bias).making(op.output)
    summand = numbers if op.kind == "ADD" else -numbers
    old = np.float32(0) if bias is None or bias.data is None else bias.data
    data = np.ascontiguousarray((old + summand).astype(np.float32))
    return maker.reading(x, weights, Tensor(op.output.origin, data.shape, "float32", data)).making(op.output)
