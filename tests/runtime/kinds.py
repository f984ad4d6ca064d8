"""Files of every kind of input and output: dtype x rank x how they are named, with and without state."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sdk.artifact.tree import pack_tree
from tests.graphs import Graph, options

DTYPES = (
    *("float32", "float16", "float64", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"),
    *("bool", "complex64", "complex128"),
)
SHAPES: tuple[tuple[int, ...], ...] = ((), (3,), (2, 3), (1, 2, 3), (2, 1, 3, 2), (1, 2, 1, 3, 2), (2, 1, 2, 1, 2, 1))


def drawn(dtype: str, shape: Sequence[int], seed: int) -> npt.NDArray[Any]:
    """Values that differ from seed to seed, also where there is only one."""
    generator = np.random.default_rng(seed)
    if dtype == "bool":
        return np.asarray((generator.integers(0, 2, shape) + seed) % 2 == 0)
    kind = np.dtype(dtype)
    if kind.kind in "iu":
        limits = np.iinfo(kind)
        return np.asarray(generator.integers(limits.min, limits.max, shape, dtype=kind, endpoint=True))
    values = np.asarray(generator.standard_normal(shape))
    return np.asarray(values.astype(kind) * (kind.type(1 + 2j) if kind.kind == "c" else kind.type(1)))


def _copy(graph: Graph, source: int, name: str, dtype: str, shape: Sequence[int], **quantization: Any) -> int:
    target = graph.tensor(name, shape, dtype, **quantization)
    graph.op("RESHAPE", (source,), (target,), options("ReshapeOptions", new_shape=list(shape)))
    return target


def named(dtype: str, shape: Sequence[int]) -> bytes:
    """``a -> x, b -> y``, by a signature."""
    graph = Graph()
    a, b = graph.tensor("a", shape, dtype), graph.tensor("b", shape, dtype)
    x, y = _copy(graph, a, "x", dtype, shape), _copy(graph, b, "y", dtype, shape)
    return graph.finish((a, b), (x, y))


def same_names(dtype: str, shape: Sequence[int], name: str = "t") -> bytes:
    """Two inputs and two outputs of one name, and no signature."""
    graph = Graph()
    a, b = graph.tensor(name, shape, dtype), graph.tensor(name, shape, dtype)
    x, y = _copy(graph, a, name, dtype, shape), _copy(graph, b, name, dtype, shape)
    return graph.finish((a, b), (x, y), signature=False)


def unnamed(dtype: str, shape: Sequence[int]) -> bytes:
    """Likewise without names."""
    return same_names(dtype, shape, "")


def several(dtype: str, shape: Sequence[int]) -> bytes:
    """Two signatures: ``a -> x`` and ``(a, b) -> y``, where y is b."""
    graph = Graph()
    a = graph.tensor("a", shape, dtype)
    graph.entry("serving_default", (a,), (_copy(graph, a, "x", dtype, shape),))
    other = graph.another("other")
    a, b = other.tensor("a", shape, dtype), other.tensor("b", shape, dtype)
    other.entry("other", (a, b), (_copy(other, b, "y", dtype, shape),))
    return pack_tree(graph.root)


def scaled(dtype: str, shape: Sequence[int]) -> bytes:
    """One input and one output with a scale, which means something for int8, uint8 and int16 alone."""
    graph = Graph()
    a = graph.tensor("a", shape, dtype, scale=[0.5], zero_point=[0])
    return graph.finish((a,), (_copy(graph, a, "x", dtype, shape, scale=[0.5], zero_point=[0]),))


def delay(dtype: str, shape: Sequence[int]) -> bytes:
    """``y`` is what the run before was given; at first a constant, which a CALL_ONCE puts into the variable."""
    graph = Graph()
    graph.op("CALL_ONCE", (), (), options("CallOnceOptions", init_subgraph_index=1))
    x = graph.tensor("x", shape, dtype)
    y = graph.tensor("y", shape, dtype)
    handle = _handle(graph)
    graph.op("READ_VARIABLE", (handle,), (y,), options("ReadVariableOptions"))
    graph.op("ASSIGN_VARIABLE", (handle, x), (), options("AssignVariableOptions"))
    first = graph.another("first")
    first.op(
        "ASSIGN_VARIABLE",
        (_handle(first), first.constant("c", drawn(dtype, shape, 99))),
        (),
        options("AssignVariableOptions"),
    )
    return graph.finish((x,), (y,))


def _handle(graph: Graph) -> int:
    handle = graph.tensor("h", (), "resource")
    graph.op("VAR_HANDLE", (), (handle,), options("VarHandleOptions", container="", shared_name="state"))
    return handle


KINDS: dict[str, Callable[[str, Sequence[int]], bytes]] = {
    "named": named,
    "same_names": same_names,
    "unnamed": unnamed,
    "several": several,
    "scaled": scaled,
    "delay": delay,
}
