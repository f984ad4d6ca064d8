"""NonMaxSuppression with as many rows as it can keep at most, and how many of them count.

How many boxes it keeps depends on data, and a tensor of TFLite has a known shape. So the file, and what it is compared
with, have rows of -1 behind those that the source has, and the number of rows that count as one more output.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import count as numbers
from typing import Any

import numpy as np

from edge_sdk.converters.lower.direct.reading import OWN_DOMAINS

_OP = "NonMaxSuppression"


def counts_of(model: Any) -> dict[str, str]:
    """Names of the counts that the model's graph gets, and the node, in words, that each is of.

    A count is called after the rows where they are an output themselves, else ``kept_count``.
    """
    named = {name: node for node, name in _named(model)}
    return {name: f"{_OP} `{node.name or node.output[0]}`" for name, node in named.items()}


def with_counts(model: Any) -> Any:
    """The model as the lowering takes it.

    Before: ``kept = NonMaxSuppression(...)``, ``[n, 3]``.
    After: ``kept, kept_count = NonMaxSuppression(...)``, which no standard knows: the form of the op pads; the count is
    an output of the graph, int64 without axes.
    """

    def counted(node: Any, count: str) -> list[Any]:
        node.output.append(count)
        return [node]

    return _rewritten(model, counted)


def with_padding(model: Any) -> Any:
    """The same in ONNX's own ops, for a reference run."""
    return _rewritten(model, lambda node, count: [node, *_padding(node, count)])


def _is_one(node: Any) -> bool:
    return node.op_type == _OP and node.domain in OWN_DOMAINS


def _named(model: Any) -> Iterator[tuple[Any, str]]:
    """The graph's own nodes, each with its count's name."""
    outputs = {value.name for value in model.graph.output}
    taken = {name for node in model.graph.node for name in node.output} | {v.name for v in model.graph.input}
    for node in filter(_is_one, model.graph.node):
        rows = node.output[0] if node.output[0] in outputs else "kept"
        names = (f"{rows}_count{f'_{number}' if number else ''}" for number in numbers())
        name = next(name for name in names if name not in taken)
        taken.add(name)
        yield node, name


def _rewritten(model: Any, form: Callable[[Any, str], Sequence[Any]]) -> Any:
    import onnx

    made = type(model)()
    made.CopyFrom(model)
    del made.graph.node[:], made.graph.value_info[:]
    names = {node.output[0]: name for node, name in _named(model)}
    for node in model.graph.node:
        own = type(node)()
        own.CopyFrom(node)
        made.graph.node.extend(form(own, names[own.output[0]]) if _is_one(own) else [own])
    ends = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.INT64, []) for name in names.values()]
    made.graph.output.extend(ends)
    return made


def _padding(node: Any, count: str) -> Iterator[Any]:
    """Nodes behind a NonMaxSuppression, whose own result takes another name; in ops of opset 10 on."""
    kept = node.output[0]
    names = iter(f"{kept}/padding_{i}" for i in range(40))
    bare = node.output[0] = next(names)
    nodes: list[Any] = []

    def made(op: str, *inputs: str, to: str = "", **attributes: Any) -> str:
        import onnx

        nodes.append(onnx.helper.make_node(op, inputs, [to or next(names)], **attributes))
        return str(nodes[-1].output[0])

    def number(*values: int, shape: Sequence[int]) -> str:
        import onnx

        array = np.array(values, np.int64).reshape(shape)
        return made("Constant", value=onnx.numpy_helper.from_array(array))

    batch, classes, boxes = (made("Gather", made("Shape", node.input[1]), number(axis, shape=[1])) for axis in range(3))
    most = made("Reshape", node.input[2], number(1, shape=[1]))
    each = made("Where", made("Less", most, boxes), most, boxes)
    rows = made("Mul", made("Mul", batch, classes), each)
    shape = made("Shape", bare)
    missing = made("Sub", rows, made("Gather", shape, number(0, shape=[1])))
    fill = made("Expand", number(-1, shape=[1, 1]), made("Concat", missing, number(3, shape=[1]), axis=0))
    made("Gather", shape, number(0, shape=[]), to=count)
    made("Concat", bare, fill, to=kept, axis=0)
    yield from nodes
