"""RESHAPE between a product and what can become part of the product."""

from __future__ import annotations

from edge_sdk.converters.lower.direct.graph import Graph, Op, Tensor
from edge_sdk.converters.lower.direct.passes.matching import Changes, View, by_rules, is_constant, is_fused, reshaped

_PRODUCTS = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
_ACTIVATIONS = frozenset({"RELU", "RELU6", "RELU_N1_TO_1"})


def sink_reshapes(graph: Graph) -> Graph:
    """Biases, factors and activations behind a reshape that keeps the channels go before it, where they can be folded.

    A convolution along one axis is one over an image of height 1, squeezed, in most exporters; its bias and batch
    norm then stand behind the squeeze.

    Before::

        c = CONV_2D(x, w)    r = RESHAPE(c, [N, W, C])    a = ADD(r, s)    y = RELU(a)

    After, for a constant ``s`` with one number for each channel or one for all::

        c = CONV_2D(x, w)    a = ADD(c, s)    b = RELU(a)    y = RESHAPE(b, [N, W, C])
    """
    return by_rules(graph, {"RESHAPE": _sunk})


def _sunk(view: View, op: Op, changes: Changes) -> None:
    source = op.inputs[0]
    product = view.maker(source, *_PRODUCTS)
    if source is None or product is None or not is_constant(product.inputs[1]) or is_fused(product):
        return
    same_channels = bool(source.shape and op.output.shape) and source.shape[-1] == op.output.shape[-1]
    if not same_channels or view.only_reader(source) is not op:
        return
    links = _links(view, op.output)
    if not links or changes.touches(product, *links):
        return
    current = source
    changes.replace(op)
    for link in links:
        result = Tensor(link.output.origin, source.shape, link.output.dtype)
        inputs = [_moved(tensor, current) if tensor is not None else None for tensor in link.inputs]
        made = link.reading(*inputs).making(result)
        current = result
        changes.replace(link, made, *([reshaped(current, link.output)] if link is links[-1] else []))


def _links(view: View, tensor: Tensor) -> list[Op]:
    """The chain of ops by channels that begins behind the reshape; an activation ends it."""
    links: list[Op] = []
    while (reader := view.only_reader(tensor)) is not None and tensor.dtype == "float32":
        if reader.kind in _ACTIVATIONS:
            return [*links, reader]
        if not _is_by_channel(reader, tensor):
            return links
        links.append(reader)
        if is_fused(reader):
            return links
        tensor = reader.output
    return links


def _is_by_channel(op: Op, tensor: Tensor) -> bool:
    if op.kind not in ("ADD", "SUB", "MUL", "DIV") or op.output.shape != tensor.shape:
        return False
    others = [one for one in op.inputs if one is not tensor]
    if len(others) != 1 or others[0] is None or (op.kind in ("SUB", "DIV") and op.inputs[0] is not tensor):
        return False
    data = others[0].data
    return data is not None and (data.size == 1 or data.size == data.shape[-1] == tensor.shape[-1])


def _moved(tensor: Tensor, current: Tensor) -> Tensor:
    """The operand for the product's rank: a constant without leading axes, else the running value."""
    if tensor.data is None:
        return current
    data = tensor.data.reshape(-1) if tensor.data.size > 1 else tensor.data.reshape(())
    return Tensor(tensor.origin, data.shape, tensor.dtype, data)
