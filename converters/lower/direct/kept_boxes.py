"""NonMaxSuppression with as many rows as it can keep at most, and how many of them count.

How many boxes it keeps depends on data, and a tensor of TFLite has a known shape. So the file, and what it is compared
with, have rows of -1 behind those that the source has, and the number of rows that count as one more output.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from edge_sdk.converters.lower.direct.reading import OWN_DOMAINS

_OP = "NonMaxSuppression"


def counts_of(model: Any) -> tuple[str, ...]:
    """Names of the counts that the model's graph gets, one for each NonMaxSuppression of the graph itself."""
    return tuple(_count_name(node) for node in model.graph.node if _is_one(node))


def kept_by(model: Any) -> dict[str, str]:
    """The node, in words, behind each count's name."""
    return {_count_name(node): f"{_OP} `{node.name or node.output[0]}`" for node in model.graph.node if _is_one(node)}


def with_counts(model: Any) -> Any:
    """The model as the lowering takes it.

    Before: ``kept = NonMaxSuppression(...)``, ``[n, 3]``.
    After: ``kept, kept_count = NonMaxSuppression(...)``, which no standard knows: the form of the op pads; the count is
    an output of the graph, int64 without axes.
    """

    def counted(node: Any) -> list[Any]:
        node.output.append(_count_name(node))
        return [node]

    return _rewritten(model, counted)


def with_padding(model: Any) -> Any:
    """The same in ONNX's own ops, for a reference run."""
    return _rewritten(model, lambda node: [node, *_padding(node)])


def _is_one(node: Any) -> bool:
    return node.op_type == _OP and node.domain in OWN_DOMAINS


def _count_name(node: Any) -> str:
    return f"{node.output[0]}_count"


def _rewritten(model: Any, form: Callable[[Any], Sequence[Any]]) -> Any:
    import onnx

    made = type(model)()
    made.CopyFrom(model)
    del made.graph.node[:], made.graph.value_info[:]
    for node in model.graph.node:
        own = type(node)()
        own.CopyFrom(node)
        made.graph.node.extend(form(own) if _is_one(own) else [own])
    ends = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.INT64, []) for name in counts_of(model)]
    made.graph.output.extend(ends)
    return made


def _padding(node: Any) -> Iterator[Any]:
    """Nodes behind a NonMaxSuppression, whose own result takes another name; in ops of opset 10 on."""
    kept, count = node.output[0], _count_name(node)
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
