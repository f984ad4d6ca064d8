"""A graph in the making: each node is computed when it is drawn, so that what follows knows its values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st

from tests.converters.direct.compare import Arrays, model

Array = npt.NDArray[Any]
Step = Callable[["Chain"], None]

EXTENTS = st.sampled_from([1, 2, 2, 3, 3, 4])
OPSETS = (7, 9, 10, 11, 12, 13, 15, 17, 18, 19, 20, 21, 23)
_MOST = 1e3
"""No value grows beyond it: float32 then still has four digits after the point."""
_CELLS = 4096
"""Of any value: a case stays a matter of milliseconds."""


_STEPS = "no reverse and no second direction"
_FLAT = "one axis before op set 13 too"
_WINDOW = "not all borders, dilations and numbers of axes"
BY_RUNTIME = {
    "Softmax": _FLAT, "LogSoftmax": _FLAT, "Hardmax": _FLAT,
    "RNN": _STEPS, "GRU": _STEPS, "LSTM": _STEPS, "Conv": _WINDOW, "ConvTranspose": _WINDOW, "MaxPool": _WINDOW,
    "AveragePool": _WINDOW, "LpPool": _WINDOW, "GlobalMaxPool": "all extents of one become others",
    "LpNormalization": "no magnitudes for p = 1", "OneHot": "wraps places beyond the ends", "LRN": "few channels",
    "GatherElements": "only where all other extents are equal", "Resize": "no empty inputs, borders of its own",
    "BatchNormalization": "op set 9 by another's rule", "Loop": "loses axes of one", "Pad": "no cuts",
    "ScatterElements": "not all ranks", "GridSample": "infinite where reflected",
    "DequantizeLinear": "no op set between 13 and 19", "ScatterND": "no reductions of slices",
}  # fmt: skip
"""Ops that ONNX's reference evaluator does not compute as the standard says, with what it lacks: ONNX Runtime does."""


class UnfitError(Exception):
    """A step that cannot be taken here: its values would not be finite, or the op set lacks it."""


class Chain:
    """Nodes in the making.

    Attributes:
        values: by name, what ONNX's reference evaluator says.
        exact: names of values without any rounding (few bits, made by exact ops only), so that an op which jumps
            (a floor, a comparison, a place of the largest) must find the very same.
        half: the model is written in float16; its values are still computed in float32, as the lowering does.
    """

    def __init__(self, draw: Any, feeds: dict[str, Array], opset: int, half: bool = False) -> None:
        self.draw, self.opset, self.half = draw, opset, half
        self.feeds = feeds
        self.values: dict[str, Array] = dict(feeds)
        self.exact: set[str] = {name for name, value in feeds.items() if _few_bits(value)}
        self.nodes: list[Any] = []
        self.weights: dict[str, Array] = {}
        self._bases = {*feeds}

    def start_from(self, array: Array) -> None:
        """A further value to begin with, which is known: what is made of it alone is computed before the file runs."""
        name = self.known(array)
        self.values[name] = array
        self._bases.add(name)
        if _few_bits(array):
            self.exact.add(name)

    # --- what a step asks for ---

    def since(self, opset: int) -> None:
        if self.opset < opset:
            raise UnfitError

    def choose(self, *options: Any) -> Any:
        return self.draw(st.sampled_from(options))

    def number(self, low: int, high: int) -> int:
        return int(self.draw(st.integers(low, high)))

    def maybe(self) -> bool:
        return bool(self.draw(st.booleans()))

    def axis(self, rank: int, negative: bool = True) -> int:
        return self.number(-rank if negative else 0, rank - 1)

    def pick(self, kinds: str = "f", *, least: int = 1, exact: bool = False, within: Any = None) -> str:
        """The latest value of such a kind of dtype and such a rank, or now and then an earlier one."""
        fits = [
            name for name, value in self.values.items()
            if value.dtype.kind in kinds and value.ndim >= least and (not exact or name in self.exact)
            and (within is None or within(value))
        ]  # fmt: skip
        if not fits:
            raise UnfitError
        return fits[-1] if self.number(0, 3) else str(self.choose(*fits))

    def image(self, rank: int = 4) -> str:
        """A float value of that rank; one of another rank gets axes, or loses them."""
        name = self.pick()
        value = self.values[name]
        if value.ndim == rank:
            return name
        if value.ndim < rank:
            shape = (1,) * (rank - value.ndim) + value.shape
        else:
            shape = (*value.shape[: rank - 1], int(np.prod(value.shape[rank - 1 :])))
        return self.add("Reshape", [name, self.numbers(*shape)], exact=True)

    def known(self, array: Any, *, also_fed: bool = False) -> str:
        """A constant's name; with ``also_fed`` it may come at run time instead."""
        made = np.asarray(array)
        if also_fed and len(self.feeds) < 4 and self.maybe():
            name = f"n{len(self.feeds)}"
            self.feeds[name] = made
        else:
            name = f"w{len(self.weights)}"
            self.weights[name] = made
        return name

    def numbers(self, *numbers: int) -> str:
        return self.known(np.array(numbers, np.int64))

    def floats(self, *shape: int, least: float = -2) -> str:
        """Quarters from ``least`` to 2."""
        rng = np.random.default_rng(self.number(0, 99))
        return self.known((rng.integers(round(least * 4), 9, shape) / 4).astype(np.float32))

    def value(self, name: str) -> Array:
        return next(held[name] for held in (self.values, self.weights, self.feeds) if name in held)

    # --- what it adds ---

    def add(
        self, op: str, inputs: Sequence[str], *, exact: bool = False, most: float = _MOST, **attributes: Any
    ) -> str:
        return self.several(op, inputs, 1, exact=exact, most=most, **attributes)[0]

    def several(
        self, op: str, inputs: Sequence[str], count: int, *, exact: bool = False, most: float = _MOST,
        **attributes: Any,
    ) -> list[str]:  # fmt: skip
        """A node with its results' values.

        Raises:
            UnfitError: a result that is not finite, too large, or without elements.
        """
        from onnx import helper

        names = [f"v{len(self.nodes)}_{i}" for i in range(count)]
        node = helper.make_node(op, list(inputs), names, **attributes)
        self.take(node, {name: self.value(name) for name in inputs if name}, exact=exact, most=most)
        return names

    def take(self, node: Any, feeds: Arrays, *, exact: bool = False, most: float = _MOST) -> None:
        """Adds a node that reads these values, by its inputs or by a graph inside it."""
        results = self._computed(node, feeds)
        for result in results:
            if not 0 < result.size <= _CELLS or not np.all(np.isfinite(result)) or np.abs(result * 1.0).max() > most:
                raise UnfitError
        self.nodes.append(node)
        few = exact and all(name in self.exact for name in feeds if name in self.values)
        for name, result in zip(node.output, results, strict=True):
            self.values[name] = result
            if few and _few_bits(result):
                self.exact.add(name)

    def _computed(self, node: Any, feeds: Arrays) -> list[Array]:
        from onnx.reference import ReferenceEvaluator

        single = model([node], feeds, [name for name in node.output if name], {}, self.opset)
        with np.errstate(all="ignore"):
            try:
                if node.op_type in BY_RUNTIME:
                    return by_runtime(single, feeds)
                return [np.asarray(made) for made in ReferenceEvaluator(single).run(None, dict(feeds))]
            except Exception as error:  # it has no base of its own, and fails on some attributes
                raise UnfitError from error

    def settled(self, op: str, inputs: Sequence[str], axes: Sequence[int], name: str, **attributes: Any) -> str:
        """A node that divides by a spread: only where that spread is none, exactly, or far from none."""
        spread = self.value(name).std(axis=tuple(axes), dtype=np.float64)
        if name not in self.exact and spread.min() < 0.05:
            raise UnfitError
        return self.add(op, inputs, **attributes)

    # --- the whole ---

    def finished(self) -> tuple[Any, Arrays, dict[str, Array]]:
        """The model, its feeds, and what it should return: its last value and perhaps an earlier one."""
        made = [name for name in self.values if name not in self._bases]
        names = list(dict.fromkeys(made[-2:]))
        feeds, weights = dict(self.feeds), dict(self.weights)
        if self.half:
            feeds, weights = _halved(feeds), _halved(weights)
        nodes = [_halved_inside(node) for node in self.nodes] if self.half else self.nodes
        return model(nodes, feeds, names, weights, self.opset), feeds, {name: self.values[name] for name in names}

    @property
    def largest(self) -> float:
        """Of all numbers on the way, what their rounding is relative to."""
        return max(float(np.abs(value * 1.0).max()) for value in self.values.values())


def by_runtime(proto: Any, feeds: Arrays) -> list[Array]:
    """The model's outputs by ONNX Runtime, in one thread and without a word."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 4
    session = onnxruntime.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return [np.asarray(made) for made in session.run(None, dict(feeds))]


def _few_bits(value: Array) -> bool:
    if value.dtype.kind != "f":
        return True
    scaled = value.astype(np.float64) * 1024
    return bool(np.all(scaled == np.round(scaled)) and np.all(np.abs(scaled) < 2**20))


def _halved(arrays: Arrays) -> dict[str, Array]:
    return {name: array.astype(np.float16) if array.dtype.kind == "f" else array for name, array in arrays.items()}


def _halved_inside(node: Any) -> Any:
    """A node whose inner graphs name float16 where they named float32."""
    from onnx import NodeProto, TensorProto

    made = NodeProto()
    made.CopyFrom(node)
    for attribute in made.attribute:
        for info in (*attribute.g.input, *attribute.g.output):
            if info.type.tensor_type.elem_type == TensorProto.FLOAT:
                info.type.tensor_type.elem_type = TensorProto.FLOAT16
    return made
