"""The oldest version of an op's kernel that can run it.

The facts are those of TensorFlow's ``lite/tools/versioning/op_version.cc``, for what this lowering writes; a file that
asks for less than it needs is read wrongly by old runtimes, one that asks for more is refused by them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from edge_sdk.converters.lower.direct.graph import Op, Tensor

# Version that brought a dtype of the operand named by OPERAND (the first by default).
_DTYPES: Mapping[str, Mapping[str, int]] = {
    "ABS": {"int8": 2, "int16": 4, "int32": 5},
    "ADD": {"int8": 2, "int64": 4, "int16": 5},
    "ARG_MAX": {"int8": 2, "bool": 3},
    "ARG_MIN": {"int8": 2, "bool": 3},
    "AVERAGE_POOL_2D": {"int8": 2, "int16": 3},
    "BATCH_MATMUL": {"int8": 2, "int16": 3},
    "BATCH_TO_SPACE_ND": {"int8": 2, "int16": 4},
    "BROADCAST_TO": {"int8": 3, "int16": 3},
    "CONCATENATION": {"int8": 2, "int16": 3, "uint32": 4},
    "CONV_2D": {"int8": 3, "int16": 4},
    "DEPTH_TO_SPACE": {"int8": 2},
    "DEPTHWISE_CONV_2D": {"int8": 3, "int16": 5},
    "DEQUANTIZE": {"int8": 2, "int16": 3, "float16": 3},
    "EQUAL": {"int8": 2, "int16": 4},
    "EXP": {"int8": 2, "int16": 2},
    "FILL": {"bool": 2, "int8": 3, "int16": 3, "float16": 4},
    "FLOOR_DIV": {"float32": 2, "int8": 3, "int16": 3},
    "FLOOR_MOD": {"int8": 2, "int16": 2},
    "GATHER": {"int8": 2, "bool": 3, "int16": 4},
    "GATHER_ND": {"int16": 3, "bool": 5},
    "GELU": {"int8": 2, "uint8": 2},
    "GREATER": {"int8": 2},
    "GREATER_EQUAL": {"int8": 2, "int16": 3},
    "L2_NORMALIZATION": {"int8": 2},
    "LEAKY_RELU": {"int16": 2},
    "LESS": {"int8": 2, "int16": 3},
    "LESS_EQUAL": {"int8": 2},
    "LOG": {"int8": 2, "int16": 2},
    "LOG_SOFTMAX": {"int8": 2},
    "LOGISTIC": {"int8": 2, "int16": 3},
    "MAX_POOL_2D": {"int8": 2, "int16": 3},
    "MAXIMUM": {"int8": 2, "int16": 4},
    "MEAN": {"int8": 2, "int16": 3},
    "MINIMUM": {"int8": 2, "int16": 4},
    "MIRROR_PAD": {"int8": 2, "int16": 3},
    "MUL": {"int8": 2, "int64": 5, "complex64": 6, "int16": 7, "uint32": 7},
    "NOT_EQUAL": {"int8": 2},
    "PACK": {"int8": 2, "int16": 3, "uint32": 4},
    "PAD": {"int8": 2, "int16": 3},
    "PADV2": {"int8": 2, "int16": 3},
    "RANGE": {"int64": 2},
    "REDUCE_MAX": {"int8": 2, "int16": 3},
    "REDUCE_MIN": {"int8": 2, "int16": 3},
    "REDUCE_PROD": {"int8": 2, "int16": 2},
    "RELU": {"int8": 2, "uint8": 2, "int16": 3},
    "RELU6": {"int8": 2, "int16": 3},
    "RESIZE_BILINEAR": {"int8": 2, "int16": 4},
    "RESIZE_NEAREST_NEIGHBOR": {"int8": 2, "int16": 4},
    "REVERSE_V2": {"bool": 2, "int8": 3},
    "RSQRT": {"int8": 2, "int16": 3},
    "SELECT_V2": {"uint32": 2},
    "SIGN": {"int32": 2},
    "SLICE": {"int8": 2, "int16": 4, "uint32": 6},
    "SOFTMAX": {"int8": 2, "int16": 3},
    "SPACE_TO_BATCH_ND": {"int8": 2, "int16": 4},
    "SPACE_TO_DEPTH": {"int8": 2},
    "SPARSE_TO_DENSE": {"int64": 2, "int8": 3, "uint8": 3},
    "SPLIT": {"int8": 2, "int32": 3, "int16": 4},
    "SPLIT_V": {"int8": 2},
    "SQUARED_DIFFERENCE": {"int8": 2},
    "STRIDED_SLICE": {"int8": 2, "bool": 3, "uint32": 7},
    "SUB": {"int8": 2, "int64": 4},
    "SUM": {"int8": 2},
    "TANH": {"int8": 2, "int16": 3},
    "TILE": {"int8": 3},
    "TOPK_V2": {"int8": 2, "int16": 3},
    "TRANSPOSE": {"int8": 2, "bool": 3, "int16": 5},
    "TRANSPOSE_CONV": {"int8": 2},
    "UNPACK": {"int8": 2, "uint8": 2, "bool": 3, "int16": 4},
}
_OPERAND = {"FILL": 1, "SPARSE_TO_DENSE": 2, "SPLIT": 1, "TRANSPOSE_CONV": 1}
# Version that brought a rank above the number: (rank, version), highest first.
_RANKS: Mapping[str, tuple[tuple[int, int], ...]] = {
    "PAD": ((4, 4),),
    "PADV2": ((4, 4),),
    "SLICE": ((4, 5),),
    "STRIDED_SLICE": ((4, 4),),
    "TRANSPOSE": ((5, 6), (4, 4)),
}
_BROADCASTS = {"DIV": 2, "MAXIMUM": 3, "MINIMUM": 3, "SUB": 3}
_CASTS = {"uint32": 2, "int8": 3, "uint16": 4, "float16": 5, "float64": 5, "bfloat16": 7}


def version_of(op: Op) -> int:
    """The version that the file must ask for."""
    operand = op.inputs[_OPERAND.get(op.kind, 0)] if op.inputs else None
    versions = [_FIRST.get(op.kind, 1)]
    if operand is not None:
        versions.append(_DTYPES.get(op.kind, {}).get(operand.dtype, 1))
        versions += [v for rank, v in _RANKS.get(op.kind, ()) if len(operand.shape) > rank][:1]
    if op.kind in _BROADCASTS and _broadcasts_beyond_four(op):
        versions.append(_BROADCASTS[op.kind])
    if op.kind in _SPECIAL:
        versions.append(_SPECIAL[op.kind](op))
    return max(versions)


# The first version of an op was taken back.
_FIRST = {"BROADCAST_TO": 2}


def _present(op: Op) -> list[Tensor]:
    return [tensor for tensor in op.inputs if tensor is not None]


def _broadcasts_beyond_four(op: Op) -> bool:
    shapes = {tensor.shape for tensor in _present(op)}
    return len(shapes) > 1 and max(len(shape) for shape in shapes) > 4


def _conv(op: Op) -> int:
    x, weights = _present(op)[:2]
    return 6 if x.shape[-1] != weights.shape[-1] else 1


def _depthwise(op: Op) -> int:
    dilated = op.options.get("dilation_w_factor", 1) != 1 or op.options.get("dilation_h_factor", 1) != 1
    return 2 if dilated else 1


def _fully_connected(op: Op) -> int:
    if len(_present(op)) == 2 and len(op.inputs) == 2:
        return 6
    return 5 if op.options.get("keep_num_dims") else 1


def _transpose_conv(op: Op) -> int:
    if op.options.get("fused_activation_function", "NONE") != "NONE":
        return 4
    return 3 if len(_present(op)) > 3 else 1


def _resize(op: Op) -> int:
    nearest = op.kind == "RESIZE_NEAREST_NEIGHBOR" and op.options.get("align_corners")
    return 3 if op.options.get("half_pixel_centers") or nearest else 1


def _gather(op: Op) -> int:
    return 5 if op.options.get("batch_dims") else 1


def _cast(op: Op) -> int:
    return max(_CASTS.get(tensor.dtype, 1) for tensor in (*_present(op), *op.outputs))


def _batch_space(op: Op) -> int:
    return 3 if len(_present(op)[0].shape) != 4 else 1


def _where(op: Op) -> int:
    return 1 if _present(op)[0].dtype == "bool" else 2


def _strided_slice(op: Op) -> int:
    return 6 if op.options.get("ellipsis_mask") or op.options.get("new_axis_mask") else 1


_SPECIAL: Mapping[str, Callable[[Op], int]] = {
    "BATCH_TO_SPACE_ND": _batch_space,
    "CAST": _cast,
    "CONV_2D": _conv,
    "DEPTHWISE_CONV_2D": _depthwise,
    "FULLY_CONNECTED": _fully_connected,
    "GATHER": _gather,
    "RESIZE_BILINEAR": _resize,
    "RESIZE_NEAREST_NEIGHBOR": _resize,
    "SPACE_TO_BATCH_ND": _batch_space,
    "STRIDED_SLICE": _strided_slice,
    "TRANSPOSE_CONV": _transpose_conv,
    "WHERE": _where,
}
