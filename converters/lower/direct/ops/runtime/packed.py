"""Products with weights of few bits, which are kept as the numbers that they stand for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sdk.converters.lower.direct.builder import Builder
from edge_sdk.converters.lower.direct.node import Node, NoFormError
from edge_sdk.converters.lower.direct.ops.arithmetic.elementwise import binary
from edge_sdk.converters.lower.direct.ops.products.matmul import matmul
from edge_sdk.converters.lower.direct.value import Value

Numbers = npt.NDArray[Any]


def _matmul_n_bits(builder: Builder, node: Node) -> Value:
    """``x W^T + bias``, where each block along the inputs has its scale; a zero point is half the range by default."""
    if node.given(4):
        raise NoFormError("weights whose inputs are in another order (`g_idx`); quantize without it")
    inputs, outputs = int(node.attributes["K"]), int(node.attributes["N"])
    bits, block = int(node.attribute("bits", 4)), int(node.attributes["block_size"])
    blocks = -(-inputs // block)
    packed = np.asarray(node.constant(1, "the weights"), np.uint8).reshape(outputs, blocks, -1)
    integers = _unpacked(packed, bits)[..., :block].astype(np.float32)
    scale = np.asarray(node.constant(2, "the scales"), np.float32).reshape(outputs, blocks, 1)
    weights = (integers - _zero_points(node, outputs, blocks, bits)) * scale
    wide = weights.reshape(outputs, blocks * block)[:, :inputs]
    made = matmul(builder, node.input(0), builder.fixed(np.ascontiguousarray(wide.T)))
    return binary(builder, "ADD", [made, node.input(5)]) if node.given(5) else made


def _zero_points(node: Node, outputs: int, blocks: int, bits: int) -> Numbers:
    if not node.given(3):
        return np.full((1, 1, 1), 2 ** (bits - 1), np.float32)
    numbers = np.asarray(node.constant(3, "the zero points"))
    if numbers.dtype == np.uint8:
        numbers = _unpacked(numbers.reshape(outputs, -1), bits)[:, :blocks]
    return numbers.astype(np.float32).reshape(outputs, blocks, 1)


def _unpacked(packed: Numbers, bits: int) -> Numbers:
    """Numbers of 2, 4 or 8 bits, the lowest of each byte first."""
    if bits not in (2, 4, 8):
        raise NoFormError(f"weights of {bits} bits; 2, 4 and 8 are read")
    shifts = np.arange(0, 8, bits, dtype=np.uint8)
    found = (packed[..., None] >> shifts) & np.uint8(2**bits - 1)
    return np.asarray(found.reshape(*packed.shape[:-1], -1))


OPS: dict[str, Callable[..., Any]] = {"MatMulNBits": _matmul_n_bits}
