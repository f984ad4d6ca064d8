"""Attention and rotary positions, as ONNX 23 has them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from edge_sdk.converters.lower.direct.builder import Builder
from edge_sdk.converters.lower.direct.node import Node, NoFormError
from edge_sdk.converters.lower.direct.ops.arithmetic.elementwise import binary, scalar, select, unary
from edge_sdk.converters.lower.direct.ops.arithmetic.reduction import with_axis
from edge_sdk.converters.lower.direct.ops.moving.gather import gather
from edge_sdk.converters.lower.direct.ops.moving.reshaping import reshape
from edge_sdk.converters.lower.direct.ops.moving.shape import concat, split, transpose
from edge_sdk.converters.lower.direct.ops.products.matmul import matmul
from edge_sdk.converters.lower.direct.ops.products.normalization import softmax
from edge_sdk.converters.lower.direct.ops.windows import pad
from edge_sdk.converters.lower.direct.value import Value, plain

# What a softmax makes zero of. Not minus infinity, but where the source shows it: rows without a single key would be
# NaN, and no range of a quantized tensor would hold it.
_MASKED = float(np.finfo(np.float32).min)


@dataclass(frozen=True)
class _Heads:
    """Query, key and value, each ``[batch, heads, steps, width]``; the query is scaled."""

    query: Value
    key: Value
    value: Value

    @property
    def shared(self) -> int:
        """How many heads of the query read one of the key."""
        return self.query.shape[1] // self.key.shape[1]


def _attention(builder: Builder, node: Node) -> Sequence[Value]:
    """Two BATCH_MATMUL around a SOFTMAX; the factor goes to the query, where the product before it takes it in."""
    heads = _heads(builder, node)
    scores = _scores(builder, heads)
    stages = [scores]
    bias = _bias(builder, node, scores.shape)
    stages.append(scores if bias is None else binary(builder, "ADD", [scores, bias]))
    stages.append(_capped(builder, stages[-1], float(node.attribute("softcap", 0.0))))
    stages.append(softmax(builder, stages[-1], 3))
    made = _weighted(builder, heads, stages[-1])
    if node.input(0).rank == 3:
        batch, count, steps, width = made.shape
        made = reshape(builder, transpose(made, (0, 2, 1, 3)), (batch, steps, count * width))
    shown = stages[int(node.attribute("qk_matmul_output_mode", 0))]
    return [made, heads.key, heads.value, shown][: len(node.outputs)]


def _heads(builder: Builder, node: Node) -> _Heads:
    query, key, value = (node.input(i) for i in range(3))
    width = query.shape[-1] // (int(node.attribute("q_num_heads", 1)) if query.rank == 3 else 1)
    factor = float(node.attribute("scale") or 1 / np.sqrt(width))
    query = _split_heads(builder, binary(builder, "MUL", [query, scalar(builder, factor, query)]), node, "q_num_heads")
    key, value = (_split_heads(builder, one, node, "kv_num_heads") for one in (key, value))
    if node.given(4):
        key = concat(builder, [node.input(4), key], 2)
    if node.given(5):
        value = concat(builder, [node.input(5), value], 2)
    return _Heads(query, key, value)


def _split_heads(builder: Builder, x: Value, node: Node, name: str) -> Value:
    if x.rank == 4:
        return x
    count = int(node.attribute(name, 0))
    if count < 1 or x.shape[2] % count:
        raise NoFormError(f"`{name}` is {count}, which does not divide a width of {x.shape[2]}")
    batch, steps, width = x.shape
    return transpose(reshape(builder, x, (batch, steps, count, width // count)), (0, 2, 1, 3))


def _scores(builder: Builder, heads: _Heads) -> Value:
    """``[batch, heads of the query, steps, steps of the key]``."""
    key = builder.arranged(heads.key)
    # A matrix held with its last axes swapped is read so by the product.
    swapped = Value(key, (0, 1, 3, 2))
    made = matmul(builder, _together(builder, heads, heads.query), swapped)
    shape = (*heads.query.shape[:3], heads.key.shape[2])
    return plain(builder.reshaped(builder.arranged(made), shape))


def _weighted(builder: Builder, heads: _Heads, weights: Value) -> Value:
    made = matmul(builder, _together(builder, heads, weights), heads.value)
    shape = (*heads.query.shape[:3], heads.value.shape[3])
    return plain(builder.reshaped(builder.arranged(made), shape))


def _together(builder: Builder, heads: _Heads, x: Value) -> Value:
    """Heads that read one head of the key, as rows of one matrix: the key is not repeated."""
    if heads.shared == 1:
        return x
    batch, count, steps, width = x.shape
    shape = (batch, count // heads.shared, heads.shared * steps, width)
    return plain(builder.reshaped(builder.arranged(x), shape))


def _capped(builder: Builder, x: Value, limit: float) -> Value:
    if not limit:
        return x
    small = unary(builder, binary(builder, "MUL", [x, scalar(builder, 1 / limit, x)]), "TANH")
    return binary(builder, "MUL", [small, scalar(builder, limit, x)])


# --- masks --------------------------------------------------------------------------------------------------------


def _masked(node: Node) -> float:
    shows_sums = len(node.outputs) > 3 and node.outputs[3] and node.attribute("qk_matmul_output_mode", 0) in (1, 2)
    return -np.inf if shows_sums else _MASKED


def _bias(builder: Builder, node: Node, shape: tuple[int, ...]) -> Value | None:
    """What is added to the scores ``[batch, heads, steps, keys]``."""
    masked = _masked(node)
    parts = (
        _given_mask(builder, node, shape[3], masked),
        _causal(builder, node, shape, masked),
        _lengths(builder, node, shape, masked),
    )
    found = [part for part in parts if part is not None]
    known = [part.data.astype(np.float64) for part in found if part.is_constant]
    made = [part for part in found if not part.is_constant]
    if known:
        # The sum of two masks is one mask.
        made.append(builder.fixed(np.maximum(sum(known), masked).astype(np.float32)))
    return _sum(builder, made)


def _sum(builder: Builder, values: list[Value]) -> Value | None:
    made = values[0] if values else None
    for value in values[1:]:
        made = value if made is None else binary(builder, "ADD", [made, value])
    return made


def _given_mask(builder: Builder, node: Node, keys: int, masked: float) -> Value | None:
    """The mask, with keys that it does not speak of masked."""
    if not node.given(3):
        return None
    mask = node.input(3)
    missing = keys - mask.shape[-1]
    if mask.is_constant:
        known = np.where(mask.data, 0.0, masked) if mask.dtype == "bool" else np.maximum(mask.data, masked)
        border = [(0, 0)] * (mask.rank - 1) + [(0, missing)]
        return builder.fixed(np.pad(known.astype(np.float32), border, constant_values=masked))
    if mask.dtype == "bool":
        mask = _penalty(builder, mask, masked)
    if not missing:
        return mask
    ends = [0] * (mask.rank - 1) + [missing]
    return plain(pad(builder, builder.arranged(mask), [0] * mask.rank, ends, masked))


def _penalty(builder: Builder, mask: Value, masked: float) -> Value:
    """Zero where the mask is true."""
    return select(builder, mask, builder.fixed(np.float32(0)), builder.fixed(np.float32(masked)))


def _causal(builder: Builder, node: Node, shape: tuple[int, ...], masked: float) -> Value | None:
    if not node.attribute("is_causal", 0):
        return None
    past = node.input(4).shape[2] if node.given(4) else 0
    steps, keys = np.arange(shape[2])[:, None], np.arange(shape[3])[None, :]
    return builder.fixed(np.where(keys <= steps + past, 0, masked).astype(np.float32))


def _lengths(builder: Builder, node: Node, shape: tuple[int, ...], masked: float) -> Value | None:
    """Opset 24: how many keys of each batch are no padding."""
    if not node.given(6):
        return None
    lengths = node.input(6)
    places = np.arange(shape[3], dtype=np.int32).reshape(1, 1, 1, -1)
    if lengths.is_constant:
        known = places < lengths.data.reshape(-1, 1, 1, 1)
        return builder.fixed(np.where(known, 0, masked).astype(np.float32))
    column = plain(builder.reshaped(builder.cast(builder.arranged(lengths), "int32"), (shape[0], 1, 1, 1)))
    return _penalty(builder, binary(builder, "LESS", [builder.fixed(places), column], "bool"), masked)


# --- rotary positions ---------------------------------------------------------------------------------------------


def _rotary(builder: Builder, node: Node) -> Value:
    """``x cos + turned(x) sin``, where turning swaps the halves, or the elements of each pair, and negates one."""
    x = node.input(0)
    heads = x.shape[1] if x.rank == 4 else int(node.attribute("num_heads", 0))
    if heads < 1:
        raise NoFormError("`num_heads` is missing, which an input of rank 3 needs")
    # [batch, steps, heads, width], a matter of names and groups of axes.
    whole = (
        transpose(x, (0, 2, 1, 3)) if x.rank == 4 else reshape(builder, x, (*x.shape[:2], heads, x.shape[2] // heads))
    )
    width = int(node.attribute("rotary_embedding_dim", 0)) or whole.shape[3]
    parts = [whole] if width == whole.shape[3] else split(builder, whole, 3, [width, whole.shape[3] - width])
    pairs = bool(node.attribute("interleaved", 0))
    cos, sin = (_cache(builder, node, place, pairs=pairs) for place in (1, 2))
    turned = _turned(builder, parts[0], pairs=pairs)
    made = binary(builder, "ADD", [binary(builder, "MUL", [parts[0], cos]), binary(builder, "MUL", [turned, sin])])
    made = concat(builder, [made, *parts[1:]], 3)
    return transpose(made, (0, 2, 1, 3)) if x.rank == 4 else reshape(builder, made, x.shape)


def _cache(builder: Builder, node: Node, place: int, *, pairs: bool) -> Value:
    """Cosines or sines ``[batch, steps, 1, width]``, each twice; the sine that is added to the first is negative."""
    table = node.input(place)
    signs = (-1, 1) if place == 2 else (1, 1)
    if node.given(3):
        table = _at(builder, table, node.input(3))
    table = with_axis(builder, table, 2)
    if table.is_constant:
        both = [table.data * np.float32(sign) for sign in signs]
        joined = np.stack(both, -1).reshape(*table.shape[:-1], -1) if pairs else np.concatenate(both, -1)
        return builder.fixed(joined)
    first = unary(builder, table, "NEG") if signs[0] < 0 else table
    if not pairs:
        return concat(builder, [first, table], 3)
    joined = concat(builder, [with_axis(builder, one, 4) for one in (first, table)], 4)
    return reshape(builder, joined, (*table.shape[:3], 2 * table.shape[3]))


def _at(builder: Builder, table: Value, positions: Value) -> Value:
    if table.is_constant and positions.is_constant:
        return builder.fixed(table.data[positions.data])
    return gather(builder, table, positions, 0)


def _turned(builder: Builder, x: Value, *, pairs: bool) -> Value:
    width = x.shape[3]
    if pairs:
        return gather(builder, x, builder.fixed(np.arange(width, dtype=np.int32) ^ 1), 3)
    first, second = split(builder, x, 3, [width // 2, width // 2])
    return concat(builder, [second, first], 3)


OPS: dict[str, Callable[[Builder, Node], Value | Sequence[Value]]] = {
    "Attention": _attention,
    "RotaryEmbedding": _rotary,
}
