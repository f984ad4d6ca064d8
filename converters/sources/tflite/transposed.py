"""MediaPipe's custom op for a transposed convolution with a bias, as TFLite's own.

The op is of a time when TRANSPOSE_CONV had no bias. Its bytes and what it computes:
mediapipe/util/tflite/operations/transpose_conv_bias.cc.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from edge_sdk.artifact.edit import GraphEdit, add_operator_code, new_operator
from edge_sdk.artifact.model import Op, Subgraph, parse_artifact
from edge_sdk.artifact.tree import pack_tree, parse_tree
from edge_sdk.errors import ModelError

NAME = "Convolution2DTransposeBias"
# Of TfLitePadding in the op's bytes, and of the schema's enum.
_PADDING = {1: ("SAME", 0), 2: ("VALID", 1)}
_BYTES = 12
_WITH_BIAS = 3


def custom_transposed(graph: Subgraph) -> list[Op]:
    """The ops of that name."""
    return [op for op in graph.ops if op.name == f"CUSTOM:{NAME}"]


def with_builtin_transposed(content: bytes, path: Path) -> bytes:
    """Before: ``y = Convolution2DTransposeBias(x, w, b)``. After: ``y = TRANSPOSE_CONV(shape of y, w, x, b)``.

    Both have their weights as OHWI, and cut the same borders where the result has the shape that the op gives it.

    Args:
        content: a .tflite; only its main subgraph is changed, and ``content`` itself is returned where it has none.
        path: where it lies, for errors.

    Raises:
        ModelError: an op whose bytes or shapes say something else.
    """
    graph = parse_artifact(content).main
    ops = custom_transposed(graph)
    if not ops:
        return content
    root, _ = parse_tree(content)
    edit = GraphEdit(root)
    code = add_operator_code(root, "TRANSPOSE_CONV", _WITH_BIAS)
    for op in ops:
        where = f"{path}: op {op.index} ({NAME})"
        padding, width, height = _settings(op, where)
        shape = _shape(graph, op, (_PADDING[padding][0], width, height), where)
        sizes = edit.add_constant(np.array(shape, np.int32), f"{graph.tensors[op.outputs[0]].name}/shape")
        image, weights, bias = op.inputs
        made = new_operator(code, [sizes, weights, image, bias], op.outputs, "TransposeConvOptions")
        options = made.builtin_options
        options.padding, options.stride_w, options.stride_h = _PADDING[padding][1], width, height
        root.subgraphs[0].operators[op.index] = made
    return pack_tree(root)


def _settings(op: Op, where: str) -> tuple[int, int, int]:
    data = bytes(op.options.get("custom_options", b""))
    if len(data) != _BYTES:
        raise ModelError(f"{where}: has {len(data)} bytes of options, expected {_BYTES}: padding and two strides")
    padding, width, height = (int(number) for number in np.frombuffer(data, "<i4"))
    if padding not in _PADDING or min(width, height) < 1:
        raise ModelError(
            f"{where}: has the options ({padding}, {width}, {height}), expected a padding of 1 or 2 and strides from 1"
        )
    return padding, width, height


def _shape(graph: Subgraph, op: Op, settings: tuple[str, int, int], where: str) -> tuple[int, ...]:
    """What the op computes from its operands, which must be what the file says."""
    tensors = [graph.tensors[index] for index in (*op.inputs, *op.outputs) if index >= 0]
    if len(tensors) != 4 or any(t.dtype != "float32" or -1 in t.shape_signature for t in tensors):
        raise ModelError(f"{where}: expected three operands and a result in float32, of known sizes; got {tensors}")
    image, weights, bias, result = (t.shape for t in tensors)
    if (len(image), len(weights)) != (4, 4) or bias != weights[:1] or image[3] != weights[3]:
        raise ModelError(f"{where}: {list(image)}, {list(weights)} and {list(bias)} are no image, weights and bias")
    padding, width, height = settings
    sides = (
        _side(extent, window, stride, padding)
        for extent, window, stride in zip(image[1:3], weights[1:3], (height, width), strict=True)
    )
    shape = (image[0], *sides, weights[0])
    if shape != result:
        raise ModelError(f"{where}: its result is {list(result)} in the file, expected {list(shape)}")
    return shape


def _side(extent: int, window: int, stride: int, padding: str) -> int:
    cut = max(0, window - (extent - 1) % stride - 1) if padding == "SAME" else 0
    return stride * (extent - 1) + window - cut
