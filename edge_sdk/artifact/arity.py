"""The fewest inputs and outputs with which an op's kernel loads, from the checks of ``tflite/kernels``, LiteRT 2.1.

An op with fewer is refused when a file is read, so that whoever looks at ops may rely on them.
"""

from __future__ import annotations

from typing import Final

_NONE: Final = frozenset({"CALL_ONCE", "VAR_HANDLE", "HASHTABLE", "PLACEHOLDER_FOR_GREATER_OP_CODES"})
_NO_RESULT: Final = frozenset({"CALL_ONCE", "ASSIGN_VARIABLE", "HASHTABLE_IMPORT"})
# fmt: off
_INPUTS: Final = {
    2: ("ADD", "SUB", "MUL", "DIV", "POW", "FLOOR_DIV", "FLOOR_MOD", "MAXIMUM", "MINIMUM", "SQUARED_DIFFERENCE",
        "EQUAL", "NOT_EQUAL", "LESS", "LESS_EQUAL", "GREATER", "GREATER_EQUAL", "LOGICAL_AND", "LOGICAL_OR", "ATAN2",
        "BITWISE_XOR", "RIGHT_SHIFT", "CONV_2D", "DEPTHWISE_CONV_2D", "CONV_3D", "FULLY_CONNECTED", "BATCH_MATMUL",
        "GATHER", "GATHER_ND", "EMBEDDING_LOOKUP", "PAD", "MIRROR_PAD", "TILE", "TRANSPOSE", "EXPAND_DIMS", "TOPK_V2",
        "ARG_MAX", "ARG_MIN", "MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN", "REDUCE_PROD", "REDUCE_ANY", "REDUCE_ALL",
        "CUMSUM", "RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR", "PRELU", "BROADCAST_TO", "BROADCAST_ARGS", "FILL",
        "REVERSE_V2", "REVERSE_SEQUENCE", "SPLIT", "RFFT2D", "ASSIGN_VARIABLE", "MULTINOMIAL", "SEGMENT_SUM",
        "MATRIX_SET_DIAG"),
    3: ("PADV2", "SLICE", "SPLIT_V", "RANGE", "SELECT", "SELECT_V2", "TRANSPOSE_CONV", "CONV_3D_TRANSPOSE",
        "SPACE_TO_BATCH_ND", "BATCH_TO_SPACE_ND", "SCATTER_ND", "HASHTABLE_FIND", "HASHTABLE_IMPORT",
        "UNSORTED_SEGMENT_MAX", "UNSORTED_SEGMENT_MIN", "UNSORTED_SEGMENT_PROD", "UNSORTED_SEGMENT_SUM"),
    4: ("STRIDED_SLICE", "ONE_HOT", "SPARSE_TO_DENSE"),
    5: ("SVDF", "RNN", "UNIDIRECTIONAL_SEQUENCE_RNN", "NON_MAX_SUPPRESSION_V4", "LSTM"),
    6: ("NON_MAX_SUPPRESSION_V5",),
    20: ("UNIDIRECTIONAL_SEQUENCE_LSTM",),
}
# fmt: on
_BY_NAME: Final = {name: count for count, names in _INPUTS.items() for name in names}
_FREE: Final = ("CUSTOM:", "STABLEHLO_", "WHILE", "IF", "CALL", "DELEGATE")


def fewest(name: str) -> tuple[int, int]:
    """Inputs and outputs; none for custom ops, calls and what is not TFLite's own."""
    if name.startswith(_FREE):
        return 0, 0
    return 0 if name in _NONE else _BY_NAME.get(name, 1), 0 if name in _NO_RESULT else 1
