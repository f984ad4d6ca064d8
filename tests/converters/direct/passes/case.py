"""A graph that a pass knows, the ops that such graphs are made of, and what they compute."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge_sdk.converters.lower.direct.builder import Builder
from edge_sdk.converters.lower.direct.graph import Graph, Tensor
from edge_sdk.converters.lower.direct.writing import write

Ops = Callable[[Builder, Sequence[Tensor]], Sequence[Tensor]]
Floats = npt.NDArray[np.float32]
X = (2, 3, 4)


def numbers(*shape: int, seed: int = 0) -> Floats:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


@dataclass(frozen=True)
class Case:
    """A graph, and what a pass makes of it.

    Attributes:
        name: of the pass in PASSES.
        shapes: of the inputs.
        ops: makes the graph's ops.
        after: kinds of ops that are left.
    """

    name: str
    shapes: Sequence[tuple[int, ...]]
    ops: Ops
    after: Sequence[str]


def graph_of(case: Case) -> Graph:
    builder = Builder()
    builder.origin = "test"
    inputs = [Tensor(f"x{i}", shape, "float32") for i, shape in enumerate(case.shapes)]
    return builder.graph("main", inputs, case.ops(builder, inputs))


def results_of(graph: Graph, *, delegate: bool = False) -> list[Floats]:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    kinds = OpResolverType
    resolver = kinds.AUTO if delegate else kinds.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    engine = Interpreter(model_content=write(graph), experimental_op_resolver_type=resolver)
    engine.allocate_tensors()
    for i, port in enumerate(engine.get_input_details()):
        engine.set_tensor(port["index"], numbers(*port["shape"], seed=i))
    engine.invoke()
    return [engine.get_tensor(port["index"]) for port in engine.get_output_details()]


def binary(builder: Builder, kind: str, a: Tensor, b: Tensor) -> Tensor:
    return builder.emit(kind, [a, b], np.broadcast_shapes(a.shape, b.shape))


def scalar(builder: Builder, number: float) -> Tensor:
    return builder.constant(np.float32(number))


def unary(builder: Builder, kind: str, x: Tensor) -> Tensor:
    return builder.emit(kind, [x], x.shape)


def dense(builder: Builder, x: Tensor, channels: int, seed: int) -> Tensor:
    weights = builder.constant(numbers(channels, x.shape[-1], seed=seed))
    bias = builder.constant(numbers(channels, seed=seed + 1))
    shape = (*x.shape[:-1], channels)
    return builder.emit("FULLY_CONNECTED", [x, weights, bias], shape, keep_num_dims=len(shape) != 2)


def convolved(builder: Builder, x: Tensor, channels: int) -> Tensor:
    weights, bias = builder.constant(numbers(channels, 3, 3, x.shape[3])), builder.constant(numbers(channels))
    return builder.emit("CONV_2D", [x, weights, bias], (*x.shape[:3], channels), padding="SAME", stride_w=1, stride_h=1)
