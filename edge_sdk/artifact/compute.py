"""What each op computes in, and how many multiply-accumulates it takes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from edge_sdk.artifact.model import Op, Subgraph, Tensor

ComputeType = Literal[
    "float32", "float16", "hybrid_int8", "int8", "uint8", "int16", "integer", "convert", "control", "other"
]
"""``hybrid_int8``: float activations rounded to int8 on the fly against int8 weights (dynamic range).

``integer`` is bookkeeping in int32, int64 or bool (shapes, indices, masks); ``convert`` moves a value between
types (QUANTIZE, DEQUANTIZE, CAST); ``control`` runs other subgraphs or holds state.
"""

CONVERT_OPS = frozenset({"QUANTIZE", "DEQUANTIZE", "CAST"})
CONTROL_OPS = frozenset({"WHILE", "IF", "CALL", "CALL_ONCE", "VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE"})
_FLOAT: frozenset[str] = frozenset({"float32", "float16", "float64", "bfloat16"})
_BOOKKEEPING = frozenset({"int32", "int64", "uint32", "uint64", "bool"})
_STORED_INTEGER = frozenset({"int8", "uint8", "int4", "int2"})
_KNOWN: dict[str, ComputeType] = {
    "float32": "float32",
    "float16": "float16",
    "int8": "int8",
    "uint8": "uint8",
    "int16": "int16",
}


def compute_type(graph: Subgraph, op: Op) -> ComputeType:
    """The arithmetic this op is done in by TFLite's CPU kernels.

    Weights stored in float16 or int8 behind a DEQUANTIZE compute in float32 there (a GPU delegate computes in
    float16), so such ops count as float32.
    """
    if op.name in CONVERT_OPS:
        return "convert"
    if op.name in CONTROL_OPS:
        return "control"
    dtype = _main_dtype(graph, op)
    if dtype in _FLOAT and any(_is_stored_integer(t) for t in graph.operands(op)):
        return "hybrid_int8"
    return "integer" if dtype in _BOOKKEEPING else _KNOWN.get(dtype, "other")


def _main_dtype(graph: Subgraph, op: Op) -> str:
    """Of the result; of the first computed operand where the result is an index or a truth value."""
    result = next((t.dtype for t in graph.results(op)), "")
    if result and result not in _BOOKKEEPING:
        return result
    return next((t.dtype for t in graph.operands(op) if t.constant is None), result)


def _is_stored_integer(tensor: Tensor) -> bool:
    scaled = tensor.quantization is not None or tensor.blockwise is not None
    return tensor.constant is not None and tensor.dtype in _STORED_INTEGER and scaled


def macs(graph: Subgraph, op: Op) -> int:
    """Multiply-accumulates of one run of the op, batch included; 0 for ops that only move or compare values.

    Also 0 where operands are missing or of another rank than the op takes: it cannot run.
    """
    count = _MACS.get(op.name)
    try:
        return count(graph, op) if count and op.outputs else 0
    except (IndexError, ValueError):
        return 0


def before_products(graph: Subgraph) -> set[int]:
    """Tensors from which an op with multiply-accumulates is reached, by index."""
    found: set[int] = set()
    for op in reversed(graph.ops):
        if macs(graph, op) or found.intersection(op.outputs):
            found.update(op.inputs)
    return found


def accumulation_length(graph: Subgraph, op: Op) -> int:
    """How many products are summed into one value of the result; 1 for element-wise ops."""
    results = graph.results(op)
    if op.name in _REDUCTIONS and results:
        return max(1, graph.tensors[op.inputs[0]].elements // max(1, results[0].elements))
    if op.name == "SOFTMAX" and results:
        return max(1, results[0].shape[-1] if results[0].shape else 1)
    if not results or not results[0].elements:
        return 1
    return max(1, macs(graph, op) // results[0].elements)


_REDUCTIONS = frozenset({"MEAN", "SUM", "AVERAGE_POOL_2D", "REDUCE_PROD", "CUMSUM", "L2_NORMALIZATION"})


def _convolution(graph: Subgraph, op: Op) -> int:
    _, *kernel = graph.tensors[op.inputs[1]].shape
    return graph.tensors[op.outputs[0]].elements * _product(kernel)


def _depthwise(graph: Subgraph, op: Op) -> int:
    _, height, width, _ = graph.tensors[op.inputs[1]].shape
    return graph.tensors[op.outputs[0]].elements * height * width


def _conv_3d(graph: Subgraph, op: Op) -> int:
    *kernel, _ = graph.tensors[op.inputs[1]].shape
    return graph.tensors[op.outputs[0]].elements * _product(kernel)


def _transpose_conv(graph: Subgraph, op: Op) -> int:
    out_channels, height, width, _ = graph.tensors[op.inputs[1]].shape
    return graph.tensors[op.inputs[2]].elements * out_channels * height * width


def _fully_connected(graph: Subgraph, op: Op) -> int:
    return graph.tensors[op.outputs[0]].elements * graph.tensors[op.inputs[1]].shape[-1]


def _batch_matmul(graph: Subgraph, op: Op) -> int:
    inner = graph.tensors[op.inputs[0]].shape[-2 if op.options.get("adj_x") else -1]
    return graph.tensors[op.outputs[0]].elements * inner


def _recurrent(graph: Subgraph, op: Op) -> int:
    """Every matrix is applied once to every step of every batch row."""
    data = graph.tensors[op.inputs[0]]
    steps = _product(data.shape[:-1]) if "SEQUENCE" in op.name else data.shape[0]
    matrices = (graph.tensors[i] for i in op.inputs[1:] if i >= 0)
    return steps * sum(m.elements for m in matrices if len(m.shape) == 2 and m.constant is not None)


def _product(extents: list[int] | tuple[int, ...]) -> int:
    result = 1
    for extent in extents:
        result *= extent
    return result


_MACS: dict[str, Callable[[Subgraph, Op], int]] = {
    "CONV_2D": _convolution,
    "DEPTHWISE_CONV_2D": _depthwise,
    "CONV_3D": _conv_3d,
    "TRANSPOSE_CONV": _transpose_conv,
    "FULLY_CONNECTED": _fully_connected,
    "BATCH_MATMUL": _batch_matmul,
    "LSTM": _recurrent,
    "RNN": _recurrent,
    "SVDF": _recurrent,
    "UNIDIRECTIONAL_SEQUENCE_LSTM": _recurrent,
    "UNIDIRECTIONAL_SEQUENCE_RNN": _recurrent,
    "BIDIRECTIONAL_SEQUENCE_LSTM": _recurrent,
    "BIDIRECTIONAL_SEQUENCE_RNN": _recurrent,
}
