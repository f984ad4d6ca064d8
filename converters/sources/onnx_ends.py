"""An ONNX graph that ends where a user says: before what has no form in TFLite, or at features within."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from edge_sdk.errors import SignatureError, nearest

_PROTOBUF_LIMIT_BYTES = 2**31 - 1


def ending_at(model: Any, names: Sequence[str]) -> Any:
    """A copy of a model whose outputs are these values; nodes, weights and inputs that they do not need are gone.

    Args:
        model: an ``onnx.ModelProto``.
        names: of values that nodes of the main graph make, in the order wanted.

    Raises:
        SignatureError: no node makes such a value.
    """
    import onnx

    made = {value: node for node in model.graph.node for value in node.output if value}
    for name in names:
        if name not in made:
            raise SignatureError(
                f"--end-at {name}: no node of the graph makes this value{nearest(name, made)}",
                hint=f"the graph ends at {', '.join(v.name for v in model.graph.output)}; Netron shows names within",
            )
    known = _infos(model)
    cut = onnx.ModelProto()
    cut.CopyFrom(model)
    del cut.graph.output[:]
    cut.graph.output.extend(known.get(name) or onnx.ValueInfoProto(name=name) for name in names)
    without_unread(cut, names)
    read = {name for node in cut.graph.node for name in _reads(node)}
    _keep(cut.graph.input, lambda value: value.name in read)
    return cut


def without_unread(model: Any, names: Sequence[str]) -> None:
    """Takes nodes and weights that these values do not need out of a model, in place."""
    made = {value: node for node in model.graph.node for value in node.output if value}
    needed = _needed(made, names)
    _keep(model.graph.node, lambda node: any(value in needed for value in node.output))
    read = {name for node in model.graph.node for name in _reads(node)} | set(names)
    _keep(model.graph.initializer, lambda tensor: tensor.name in read)


def _infos(model: Any) -> dict[str, Any]:
    """Types of values by name, as far as ONNX can infer them."""
    import onnx

    if model.ByteSize() < _PROTOBUF_LIMIT_BYTES:
        model = onnx.shape_inference.infer_shapes(model)
    return {value.name: value for value in (*model.graph.value_info, *model.graph.output)}


def _needed(made: dict[str, Any], names: Sequence[str]) -> set[str]:
    needed: set[str] = set()
    todo = list(names)
    while todo:
        name = todo.pop()
        if name in made and name not in needed:
            needed.update(made[name].output)
            todo += _reads(made[name])
    return needed


def _reads(node: Any) -> Iterator[str]:
    """Names that a node reads, those of its branches and bodies included."""
    yield from node.input
    for attribute in node.attribute:
        for graph in (attribute.g, *attribute.graphs):
            for inner in graph.node:
                yield from _reads(inner)
            yield from (value.name for value in graph.output)


def _keep(fields: Any, wanted: Any) -> None:
    kept = [field for field in fields if wanted(field)]
    del fields[:]
    fields.extend(kept)
