"""Bodies of loops and branches: subgraphs whose inputs are all that they read of the graph around them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from edge_sdk.converters.lower.direct.builder import Builder
from edge_sdk.converters.lower.direct.graph import Graph, Tensor

Carry = Callable[[Builder, Sequence[Tensor]], Sequence[Tensor]]


def distinct(
    builder: Builder, outputs: Sequence[Tensor], inputs: Iterable[Tensor], names: Sequence[str]
) -> list[Tensor]:
    """Outputs that are no input, no constant and not each other: such are copied by a RESHAPE to their own shape.

    Args:
        builder: of the graph whose outputs they are.
        outputs: tensors of the graph.
        inputs: the graph's own.
        names: where the copies come from.
    """
    taken = set(inputs)
    made = []
    for name, tensor in zip(names, outputs, strict=True):
        builder.origin = name
        own = tensor if tensor not in taken and tensor.data is None else copied(builder, tensor)
        taken.add(own)
        made.append(own)
    return made


def copied(builder: Builder, tensor: Tensor) -> Tensor:
    """The tensor once more."""
    return builder.emit("RESHAPE", [tensor, builder.constant(tensor.shape, "int32")], tensor.shape)


def captured(graphs: Iterable[Graph]) -> tuple[Tensor, ...]:
    """What graphs read that they neither make nor know: values of the graph around them, in the order of reading."""
    found: dict[Tensor, None] = {}
    for graph in graphs:
        own = {*graph.inputs, *(tensor for op in graph.ops for tensor in op.outputs)}
        read = (tensor for op in graph.ops for tensor in op.inputs if tensor is not None)
        for tensor in (*read, *graph.outputs):
            if tensor.data is None and tensor not in own:
                found[tensor] = None
    return tuple(found)


def choose(
    builder: Builder, condition: Tensor, branches: Sequence[Callable[[Builder], Sequence[Tensor]]]
) -> tuple[Tensor, ...]:
    """IF: the first branch where the condition holds, else the second; their outputs agree in shape and dtype.

    Args:
        builder: of the graph around the branches.
        condition: one bool.
        branches: each makes its outputs; may read tensors of the builder's graph, which become the branches' inputs.
    """
    inners = [builder.inner() for _ in branches]
    outputs = [list(make(inner)) for make, inner in zip(branches, inners, strict=True)]
    along = captured(inner.graph("", (), made) for inner, made in zip(inners, outputs, strict=True))
    then, other = (
        inner.graph(name, along, distinct(inner, made, along, [builder.origin] * len(made)))
        for name, inner, made in zip(("then", "else"), inners, outputs, strict=True)
    )
    results = [(tensor.shape, tensor.dtype) for tensor in then.outputs]
    return builder.emit_many("IF", [condition, *along], results, then_subgraph_index=then, else_subgraph_index=other)


def repeat(builder: Builder, start: Sequence[Tensor], condition: Carry, body: Carry) -> tuple[Tensor, ...]:
    """WHILE: what is carried from step to step has one shape and dtype throughout.

    Args:
        builder: of the graph around the loop.
        start: what is carried, before the first step.
        condition: makes one bool from what is carried.
        body: makes what is carried on; may read tensors of the builder's graph, which are carried along unchanged.
    """
    graphs = [_part(builder, name, start, make) for name, make in (("condition", condition), ("body", body))]
    along = captured(graphs)
    cond, step = graphs
    cond = Graph(cond.name, (*cond.inputs, *along), cond.outputs, cond.ops)
    step = Graph(step.name, (*step.inputs, *along), (*step.outputs, *along), step.ops)
    carried = [*start, *along]
    results = [(tensor.shape, tensor.dtype) for tensor in carried]
    made = builder.emit_many("WHILE", carried, results, cond_subgraph_index=cond, body_subgraph_index=step)
    return made[: len(start)]


def _part(builder: Builder, name: str, start: Sequence[Tensor], make: Carry) -> Graph:
    inner = builder.inner()
    inputs = [Tensor(tensor.origin, tensor.shape, tensor.dtype) for tensor in start]
    outputs = list(make(inner, inputs))
    return inner.graph(name, inputs, distinct(inner, outputs, inputs, [builder.origin] * len(outputs)))
