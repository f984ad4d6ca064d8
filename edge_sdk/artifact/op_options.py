"""Which table of the schema holds an op's options, and what its fields' names stand for."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from edge_sdk.artifact.schema import enum_value, schema

# Where the table is not the op's name in camel case.
_TABLES = {
    "ADD_N": "AddNOptions",
    "ARG_MAX": "ArgMaxOptions",
    "ARG_MIN": "ArgMinOptions",
    "ATAN2": "ATan2Options",
    "AVERAGE_POOL_2D": "Pool2DOptions",
    "BATCH_MATMUL": "BatchMatMulOptions",
    "BATCH_TO_SPACE_ND": "BatchToSpaceNDOptions",
    "CONV_2D": "Conv2DOptions",
    "CONV_3D": "Conv3DOptions",
    "CONV_3D_TRANSPOSE": "Conv3DOptions",
    "DEPTHWISE_CONV_2D": "DepthwiseConv2DOptions",
    "HARD_SWISH": "HardSwishOptions",
    "L2_NORMALIZATION": "L2NormOptions",
    "L2_POOL_2D": "Pool2DOptions",
    "LEAKY_RELU": "LeakyReluOptions",
    "LOCAL_RESPONSE_NORMALIZATION": "LocalResponseNormalizationOptions",
    "LSTM": "LSTMOptions",
    "MAXIMUM": "MaximumMinimumOptions",
    "MAX_POOL_2D": "Pool2DOptions",
    "MEAN": "ReducerOptions",
    "MINIMUM": "MaximumMinimumOptions",
    "PADV2": "PadV2Options",
    "REDUCE_ALL": "ReducerOptions",
    "REDUCE_ANY": "ReducerOptions",
    "REDUCE_MAX": "ReducerOptions",
    "REDUCE_MIN": "ReducerOptions",
    "REDUCE_PROD": "ReducerOptions",
    "RNN": "RNNOptions",
    "SPACE_TO_BATCH_ND": "SpaceToBatchNDOptions",
    "SPLIT_V": "SplitVOptions",
    "SUM": "ReducerOptions",
    "SVDF": "SVDFOptions",
    "TOPK_V2": "TopKV2Options",
    "UNIDIRECTIONAL_SEQUENCE_LSTM": "UnidirectionalSequenceLSTMOptions",
    "UNIDIRECTIONAL_SEQUENCE_RNN": "SequenceRNNOptions",
}
_ENUMS = {
    "padding": "Padding",
    "fused_activation_function": "ActivationFunctionType",
    "mode": "MirrorPadMode",
}
_DTYPES = frozenset({"in_data_type", "out_data_type", "output_type", "out_type", "idx_out_type"})


@cache
def table_of(kind: str) -> tuple[str, str] | None:
    """The union and the table that hold an op's options, such as ``("BuiltinOptions", "Conv2DOptions")``; or None."""
    name = _TABLES.get(kind) or "".join(part.capitalize() for part in kind.split("_")) + "Options"
    for union in ("BuiltinOptions", "BuiltinOptions2"):
        if name in schema().enums[union].values():
            return union, name
    return None


def encoded(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options with enums and dtypes as the numbers that the file holds."""
    return {name: _number(name, value) for name, value in options.items()}


def _number(name: str, value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if name in _DTYPES:
        return enum_value("TensorType", value.upper())
    return enum_value(_ENUMS[name], value) if name in _ENUMS else value
