"""What Vela asks of ops that move, resize or rank values, and how it goes through a graph; see ``rules.py``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations
from types import MappingProxyType

from edge_sdk.artifact.model import Op, Subgraph, Tensor
from edge_sdk.artifact.schema import schema
from edge_sdk.checks.delegates.ethos_u import rules
from edge_sdk.checks.delegates.ethos_u.rules import four, named
from edge_sdk.checks.placement.placing import Placement, place
from edge_sdk.checks.placement.rules import RuleSet
from edge_sdk.checks.placement.site import Check, Reason, Site

_LARGEST_16 = 1 << 16
_RANKED_CHANNELS = 127
_LARGEST_FACTOR = 2048
_PLANES = frozenset({(0, 1, 2), (1, 0, 2), (0, 2, 1), (1, 2, 0), (2, 0, 1)})
"""Orders of height, width and channels that the U55 has commands for, or two of them."""


def ranks_of_channels(site: Site) -> Reason | None:
    """The largest of 127 channels at most, along the last dimension."""
    source, axis = site["input"], site["axis"]
    depth = source.shape[-1] if source.shape else 1
    if depth > _RANKED_CHANNELS:
        return site.about("tensor-shape", source, f"has {depth} channels", f"{_RANKED_CHANNELS} or less")
    if not axis.is_stored or int(axis.values().ravel()[0]) not in (-1, len(source.shape) - 1):
        return site.about("constant-value", axis, "is another than the last", "the last dimension")
    return None


def as_many_splits(site: Site) -> Reason | None:
    """As many results as the options say."""
    said, made = int(site.option("num_splits")), len(site.op.outputs)
    if said == made:
        return None
    message = f"num_splits is {said} with {made} results, {site.rules.title} takes as many"
    return site.reason("option-value", message, said, made)


def strides_over_the_picture(site: Site) -> Reason | None:
    """Steps above 1 along height and width only, and none backwards."""
    strides = [int(value) for value in site["strides"].values().ravel()]
    rank = len(site["input"].shape)
    along = _dimensions(site, len(strides), rank)
    outside = [s for s, axis in zip(strides, along, strict=True) if axis not in (rank - 3, rank - 2) and s != 1]
    if not outside and min(strides, default=1) >= 0:
        return None
    return site.about("constant-value", site["strides"], f"holds {strides}", "steps forward along height and width")


def _dimensions(site: Site, count: int, rank: int) -> list[int]:
    """The dimension that each stride goes along; an ellipsis leaves some out."""
    ellipsis = int(site.option("ellipsis_mask"))
    start = next((place for place in range(count) if ellipsis >> place & 1), count)
    return [place if place < start else rank - count + place for place in range(count)]


def transposable(site: Site) -> Reason | None:
    """Few enough values outside of any two dimensions; of 32 bits, two orders only."""
    source = site["input"]
    order = tuple(int(value) for value in site["permutation"].values().ravel())
    fits = _moves_32_bits(source, order) if source.dtype == "int32" else _moves_16_bits(source, order)
    if fits:
        return None
    found = f"of {source.dtype} has shape {list(source.shape)} in the order {list(order)}"
    return site.about("tensor-shape", source, found, "smaller shapes or simpler orders")


def _moves_32_bits(source: Tensor, order: tuple[int, ...]) -> bool:
    if len(source.shape) > 4:
        return False
    batch, height, width, depth = four(source)
    missing = 4 - len(order)
    whole = (*range(missing), *(axis + missing for axis in order))
    if whole == (0, 1, 2, 3):
        return depth <= 1 << 15
    if whole == (0, 2, 1, 3):
        return batch == 1 and max(height, width) <= _LARGEST_16 and depth <= 1 << 14
    return whole == (0, 1, 3, 2) and max(batch * height, width, depth) <= _LARGEST_16


def _moves_16_bits(source: Tensor, order: tuple[int, ...]) -> bool:
    shape = source.shape
    if order == tuple(range(len(shape))):
        return True
    outer = len(order) - 3
    inner = tuple(axis - max(outer, 0) for axis in order[-3:])
    plane = (*range(3 - len(inner)), *(axis + 3 - len(inner) for axis in inner)) if outer < 0 else inner
    untouched = order[: max(outer, 0)] == tuple(range(max(outer, 0)))
    if plane in _PLANES and untouched and all(extent == 1 for extent in shape[:-3]):
        return max(shape[-3:], default=1) <= _LARGEST_16
    pairs = combinations([extent for extent in shape if extent], 2)
    return all(source.elements // (first * second) <= _LARGEST_16 for first, second in pairs)


def enlarged_by_2_4_8(site: Site) -> Reason | None:
    """By the same power of two in both directions: 2, 4 or 8; 2 with half-pixel centres."""
    halves = site.op.name == "RESIZE_BILINEAR" and bool(site.option("half_pixel_centers"))
    (rows, columns), (high, wide) = (four(site[name])[-3:-1] for name in ("input", "output"))
    if rows == columns == 1 or ((rows, columns) == (high, wide) and not halves):
        return None
    factors = [_factor(site, *pair) for pair in ((rows, high), (columns, wide))]
    uneven = factors[0] != factors[1] and not ((high == 1 == factors[0]) or (wide == 1 == factors[1]))
    allowed = (2,) if halves else (2, 4, 8)
    if (rows, columns) != (high, wide) and not uneven and max(factors) in allowed:
        return None if factors[0] == factors[1] or not halves else _resized(site, factors, allowed)
    return _resized(site, factors, allowed)


def _factor(site: Site, before: int, after: int) -> float:
    if not site.option("align_corners"):
        return after / max(before, 1)
    return 1.0 if after == 1 or before == 1 else (after - 1) / (before - 1)


def _resized(site: Site, factors: list[float], allowed: tuple[int, ...]) -> Reason:
    found = f"resizes by {factors[0]:g}x{factors[1]:g}"
    takes = f"{', '.join(map(str, allowed))} in both directions"
    return site.reason("resize-factor", f"{found}, {site.rules.title} takes {takes}", found, takes)


def corners_or_centers(site: Site) -> Reason | None:
    """Not both: corners aligned, and pixels taken at their centres."""
    if not (site.option("align_corners") and site.option("half_pixel_centers")):
        return None
    message = f"align_corners and half_pixel_centers are both set, {site.rules.title} takes one of them"
    return site.reason("option-value", message, "both", "one of them")


def enlarged_below_1024(site: Site) -> Reason | None:
    """By 2,048 at most, and by 1,024 where pixels are taken at their centres."""
    corners = bool(site.option("align_corners"))
    nearest = site.op.name == "RESIZE_NEAREST_NEIGHBOR"
    centers = bool(site.option("half_pixel_centers")) or (nearest and not corners)
    limit = _LARGEST_FACTOR // 2 if centers else _LARGEST_FACTOR
    factors = _ratios(site)
    if all(after > 0 and before > 0 and after // before <= limit for before, after in factors):
        return None
    return _resized(site, [after / max(before, 1) for before, after in factors], (limit,))


def enlarged_by_powers(site: Site) -> Reason | None:
    """By a power of two in each direction."""
    if four(site["input"])[-3:-1] == (1, 1):
        return None
    factors = _ratios(site)
    if all(after % before == 0 and (after // before).bit_count() == 1 for before, after in factors):
        return None
    return _resized(site, [after / before for before, after in factors], (1, 2, 4, 8))


def _ratios(site: Site) -> list[tuple[int, int]]:
    """Before and after, for height and width; with aligned corners the steps between pixels count."""
    pairs = zip(four(site["input"])[-3:-1], four(site["output"])[-3:-1], strict=True)
    less = int(bool(site.option("align_corners")))
    return [(before - less, after - less) if before > 1 else (before, after) for before, after in pairs]


def gathered_behind_the_batch(site: Site) -> Reason | None:
    """Along the first dimension behind those that stand for a batch."""
    rank, axis, batch = len(site["input"].shape), int(site.option("axis")), int(site.option("batch_dims"))
    if (axis + rank if axis < 0 else axis) == batch:
        return None
    message = f"axis is {axis} with {batch} batch dimensions, {site.rules.title} takes axis {batch} then"
    return site.reason("option-value", message, axis, batch)


def scattered_once(site: Site) -> Reason | None:
    """Single indices, each once."""
    indices = site["indices"]
    if not indices.shape or indices.shape[-1] != 1:
        return site.about("tensor-shape", indices, f"has shape {list(indices.shape)}", "a last dimension of 1")
    values = indices.values().ravel().tolist()
    if len(values) == len(set(values)):
        return None
    return site.about("constant-value", indices, "holds an index twice", "each once")


# --- the graph --------------------------------------------------------------------------------------------------------


def place_by_vela(
    rules: RuleSet, graph: Subgraph, checks: Mapping[str, Check], *, level: int | None = None
) -> Placement:
    """Each op on its own, but for what Vela looks for in the graph.

    A convolution between SPACE_TO_BATCH_ND and BATCH_TO_SPACE_ND becomes one with dilation; open dimensions behind the
    batch, tensors without a shape and activations that the NPU lacks keep an op outside.
    """
    plain = place(rules, graph, checks, level=level)
    refused = dict(plain.refused)
    for op in graph.ops:
        if op.index not in refused and (reason := next(_in_the_graph(rules, graph, op), None)):
            refused[op.index] = reason
    for op in graph.ops:
        if op.index not in refused:
            for index in _around(graph, op):
                refused.pop(index, None)
    claimed = tuple(op.index for op in graph.ops if op.index not in refused)
    return Placement(graph.index, claimed, MappingProxyType(refused))


def _in_the_graph(rules: RuleSet, graph: Subgraph, op: Op) -> Iterator[Reason]:
    site = Site(rules, rules.by_op[op.name], graph, op)
    activation = schema().enums["ActivationFunctionType"].get(int(site.option("fused_activation_function")), "")
    if activation == "SIGN_BIT":
        message = f"fused_activation_function is {activation}, {rules.title} has none such"
        yield site.reason("option-value", message, activation, "another")
    for tensor in (*graph.operands(op), *graph.results(op)):
        if any(extent < 0 for extent in tensor.shape_signature[1:]):
            yield site.about(
                "open-dimension", tensor, f"has the open shape {list(tensor.shape_signature)}", "a fixed one"
            )
        if not tensor.shape and not tensor.is_stored and tensor.index not in op.outputs:
            yield site.about("tensor-rank", tensor, "has no dimension", "rank 1 or more")


def _around(graph: Subgraph, op: Op) -> tuple[int, ...]:
    """SPACE_TO_BATCH_ND and BATCH_TO_SPACE_ND that stand for the dilation of the convolution between them."""
    if op.name not in {"CONV_2D", "DEPTHWISE_CONV_2D"} or op.options.get("fused_activation_function"):
        return ()
    before = [other for other in graph.ops if op.inputs[0] in other.outputs]
    after = [other for other in graph.ops if op.outputs[0] in other.inputs]
    readers = [other for other in graph.ops if op.inputs[0] in other.inputs]
    names = [other.name for other in (*before, *readers, *after)]
    if names != ["SPACE_TO_BATCH_ND", op.name, "BATCH_TO_SPACE_ND"]:
        return ()
    blocks = [graph.operands(other)[1:2] for other in (before[0], after[0])]
    stored = all(block and block[0].is_stored for block in blocks)
    return (before[0].index, after[0].index) if stored else ()


_BOTH = named(as_many_splits, strides_over_the_picture)
CHECKS: dict[str, Check] = rules.CHECKS | _BOTH | named(ranks_of_channels, transposable, enlarged_by_2_4_8)
_U85 = named(corners_or_centers, enlarged_below_1024, enlarged_by_powers, gathered_behind_the_batch, scattered_once)
CHECKS_U85: dict[str, Check] = rules.CHECKS_U85 | _BOTH | _U85
