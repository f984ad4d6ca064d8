"""Factors and summands that their neighbours take in."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edge_sdk.converters.lower.direct.builder import Builder
from edge_sdk.converters.lower.direct.graph import Tensor
from tests.converters.direct.passes.case import Case, Ops, X, binary, dense, numbers, scalar, unary


def _chains(builder: Builder, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
    (x,) = inputs
    for kind, number in (("MUL", 1), ("MUL", 2), ("DIV", 4), ("ADD", 0), ("ADD", 3), ("SUB", 1)):
        x = binary(builder, kind, x, scalar(builder, number))
    return [x]


def _reversed_difference(builder: Builder, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
    """``2 - (1 - x)``: its constants do not add up."""
    (x,) = inputs
    return [binary(builder, "SUB", scalar(builder, 2), binary(builder, "SUB", scalar(builder, 1), x))]


def _norms_in_a_row(builder: Builder, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
    """A batch norm and the scale layer behind it, as Caffe writes them."""
    (x,) = inputs
    for kind, seed in (("MUL", 1), ("ADD", 2), ("MUL", 3), ("ADD", 4)):
        x = binary(builder, kind, x, builder.constant(numbers(4, seed=seed)))
    return [x]


def _norm_and_readers(builder: Builder, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
    (x,) = inputs
    scaled = binary(builder, "MUL", x, builder.constant(numbers(6, seed=3)))
    moved = binary(builder, "ADD", scaled, builder.constant(numbers(6, seed=4)))
    flat = builder.reshaped(moved, (4, 5, 6))
    return [dense(builder, moved, 3, 5), dense(builder, flat, 4, 7)]


def _norm_and_conv(builder: Builder, padding: str) -> Ops:
    def ops(builder: Builder, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
        (x,) = inputs
        moved = binary(builder, "ADD", x, builder.constant(numbers(3, seed=4)))
        weights = builder.constant(numbers(2, 3, 3, 3, seed=5))
        size = 6 if padding == "SAME" else 4
        return [
            builder.emit(
                "CONV_2D",
                [moved, weights, builder.constant(np.zeros(2, np.float32))],
                (1, size, size, 2),
                padding=padding,
                stride_h=1,
                stride_w=1,
                dilation_h_factor=1,
                dilation_w_factor=1,
            )
        ]

    return ops


def _scaled_dense(builder: Builder, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
    made = dense(builder, inputs[0], 3, 1)
    scaled = binary(builder, "MUL", made, builder.constant(numbers(3, seed=9)))
    return [binary(builder, "ADD", scaled, scalar(builder, 2))]


def _scaled_scores(builder: Builder, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
    x, k = inputs
    query = builder.reshaped(dense(builder, x, 8, 1), (2, 3, 2, 4))
    turned = builder.transposed(query, (0, 2, 1, 3))
    scores = builder.emit("BATCH_MATMUL", [turned, k], (2, 2, 3, 3), adj_x=False, adj_y=True)
    return [unary(builder, "TANH", binary(builder, "MUL", scores, scalar(builder, 0.5)))]


def _scale_of_what_others_read(builder: Builder, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
    made = dense(builder, inputs[0], 3, 1)
    return [binary(builder, "MUL", made, scalar(builder, 0.5)), unary(builder, "TANH", made)]


def _rotation(builder: Builder, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
    """A rotary embedding, and the scale behind it."""
    (x,) = inputs
    table = [builder.constant(numbers(3, 4, seed=i)) for i in (5, 6)]
    total = binary(builder, "ADD", *(binary(builder, "MUL", unary(builder, "NEG", x), t) for t in table))
    return [unary(builder, "TANH", binary(builder, "MUL", total, scalar(builder, 0.5)))]


def _scale_of_a_part(builder: Builder, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
    made = builder.reshaped(dense(builder, inputs[0], 12, 1), (2, 3, 2, 6))
    where, sizes = builder.constant(3, "int32"), builder.constant([2, 1, 3], "int32")
    shapes = [((2, 3, 2, size), "float32") for size in (2, 1, 3)]
    parts = builder.emit_many("SPLIT_V", [made, sizes, where], shapes, num_splits=3)
    return [unary(builder, "TANH", binary(builder, "MUL", parts[2], scalar(builder, 3))), *parts[:2]]


CASES = {
    "constants in a row": Case("simplify_arithmetic", [X], _chains, ["MUL", "ADD"]),
    "constant minus": Case("simplify_arithmetic", [X], _reversed_difference, ["SUB", "SUB"]),
    "norms in a row": Case("simplify_arithmetic", [X], _norms_in_a_row, ["MUL", "ADD"]),
    "scaled scores": Case(
        "absorb_scales",
        [(2, 3, 5), (2, 2, 3, 4)],
        _scaled_scores,
        ["FULLY_CONNECTED", "RESHAPE", "TRANSPOSE", "BATCH_MATMUL", "TANH"],
    ),
    "a scale of what others read": Case(
        "absorb_scales", [(2, 4)], _scale_of_what_others_read, ["FULLY_CONNECTED", "MUL", "TANH"]
    ),
    "a scale of a sum": Case("absorb_scales", [X], _rotation, ["NEG", "MUL", "NEG", "MUL", "ADD", "TANH"]),
    "a scale of a part": Case(
        "absorb_scales", [(2, 3, 5)], _scale_of_a_part, ["FULLY_CONNECTED", "RESHAPE", "SPLIT_V", "TANH"]
    ),
    "a norm's factors": Case(
        "fold_affine_forward", [(2, 2, 5, 6)], _norm_and_readers, ["RESHAPE", "FULLY_CONNECTED", "FULLY_CONNECTED"]
    ),
    "a summand before a convolution": Case(
        "fold_affine_forward", [(1, 6, 6, 3)], _norm_and_conv(Builder(), "VALID"), ["CONV_2D"]
    ),
    "a summand before a padded convolution": Case(
        "fold_affine_forward", [(1, 6, 6, 3)], _norm_and_conv(Builder(), "SAME"), ["ADD", "CONV_2D"]
    ),
    "a scaled dense layer": Case("fold_affine", [(2, 4)], _scaled_dense, ["FULLY_CONNECTED"]),
}
