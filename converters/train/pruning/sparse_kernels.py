"""Whether XNNPACK's sparse kernels could run a pruned file, by the conditions in its own sources.

Read in XNNPACK's ``src/subgraph.c`` (``xnn_check_nchw_compatibility``, ``xnn_subgraph_rewrite_for_nchw``) and in
TFLite's XNNPACK delegate, as of 2025: only float ops of a cluster that is entered through a 3x3 convolution of stride 2
over 3 channels, holds nothing but 1x1 convolutions, 3x3 and 5x5 depthwise ones and element-wise ops, and is left by
a mean over height and width or DEPTH_TO_SPACE; and only where the file stores weights in sparse form. Necessary, not
sufficient.
"""

from __future__ import annotations

from edge_sdk.artifact.model import Artifact, Op, Subgraph

_FREE = frozenset(
    {
        *("ADD", "MUL", "RELU", "RELU6", "LOGISTIC", "HARD_SWISH", "PRELU", "LEAKY_RELU", "TANH", "ELU", "ABS", "NEG"),
        *("PAD", "RESIZE_BILINEAR", "FULLY_CONNECTED", "RESHAPE", "SOFTMAX", "DENSIFY", "QUANTIZE", "DEQUANTIZE"),
    }
)
_EXITS = frozenset({"MEAN", "DEPTH_TO_SPACE", "AVERAGE_POOL_2D"})
_SHOWN = 3


def sparse_kernels_in_words(artifact: Artifact) -> str:
    """Predicted from rules: whether they would be used, and what stands against it."""
    against = sparse_kernel_obstacles(artifact)
    if not against:
        return "predicted: XNNPACK could run this file on its sparse kernels; no gain was measured on x86-64"
    more = f" and {len(against) - _SHOWN} more" if len(against) > _SHOWN else ""
    return f"predicted: XNNPACK would not use them: {'; '.join(against[:_SHOWN])}{more}"


def sparse_kernel_obstacles(artifact: Artifact) -> list[str]:
    """Every condition that the file does not meet, in the order of its ops."""
    graph = artifact.main
    found = [] if any(t.is_sparse for t in graph.tensors) else ["the file stores weights dense, zeros included"]
    if any(t.dtype == "int8" and t.constant is None for t in graph.tensors):
        return [*found, "activations are int8, and the kernels are float"]
    entries = [op for op in graph.ops if _is_entry(graph, op)]
    if not entries:
        found.append("no 3x3 convolution of stride 2 over 3 channels begins the network")
    if not any(op.name in _EXITS for op in graph.ops):
        found.append("no mean over height and width and no DEPTH_TO_SPACE ends it")
    return found + [why for op in graph.ops if (why := _obstacle(graph, op))]


def _obstacle(graph: Subgraph, op: Op) -> str | None:
    if op.name == "CONV_2D":
        return None if _is_entry(graph, op) or _is_pointwise(graph, op) else f"{_shape(graph, op)}, not 1x1"
    if op.name == "DEPTHWISE_CONV_2D":
        return _depthwise_obstacle(graph, op)
    return None if op.name in _FREE | _EXITS else f"{op.name} has no such kernel"


def _is_entry(graph: Subgraph, op: Op) -> bool:
    if op.name != "CONV_2D":
        return False
    _, height, width, channels = graph.tensors[op.inputs[1]].shape
    return (height, width, channels) == (3, 3, 3) and _strides(op) == (2, 2)


def _is_pointwise(graph: Subgraph, op: Op) -> bool:
    _, height, width, channels = graph.tensors[op.inputs[1]].shape
    whole = channels == graph.tensors[op.inputs[0]].shape[-1]
    return (height, width) == (1, 1) and _strides(op) == (1, 1) and whole


def _depthwise_obstacle(graph: Subgraph, op: Op) -> str | None:
    _, height, width, _ = graph.tensors[op.inputs[1]].shape
    if height != width or height not in (3, 5):
        return f"{_shape(graph, op)}, not 3x3 or 5x5"
    if _strides(op) not in ((1, 1), (2, 2)) or op.options.get("depth_multiplier", 1) != 1:
        return f"{_shape(graph, op)}: its stride or depth multiplier"
    return None


def _shape(graph: Subgraph, op: Op) -> str:
    _, height, width, _ = graph.tensors[op.inputs[1]].shape
    name = graph.tensors[op.outputs[0]].name.rpartition("/")[2][:40]
    return f"{op.name} `{name}` is {height}x{width} of stride {_strides(op)[0]}"


def _strides(op: Op) -> tuple[int, int]:
    return int(op.options.get("stride_h", 1)), int(op.options.get("stride_w", 1))
