"""What the Edge TPU compiler asks of an op beyond ``device_profiles/rules/edgetpu.toml``, and where it cuts the graph.

All of it is *predicted*, from the compiler's public table and from what files that it compiled leave to the CPU; the
compiler itself is closed.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from edge_sdk.artifact.model import Op, Subgraph
from edge_sdk.checks.placement.placing import Placement, place
from edge_sdk.checks.placement.rules import RuleSet
from edge_sdk.checks.placement.site import Check, Reason, Site

_INNERMOST = 3
_MOST_RESIZED, _MOST_TIMES = 128, 2


def place_first_run(
    rules: RuleSet, graph: Subgraph, checks: Mapping[str, Check], *, level: int | None = None
) -> Placement:
    """One run of ops: what comes behind an op that is not mapped stays on the CPU, mapped or not.

    Sources: coral.ai, edgetpu/models-intro; and what the compiled files of google-coral/test_data left to the CPU: ops
    before the first that is mapped do not end the run (CAST, QUANTIZE of MoveNet's input), nor does one that is not
    mapped end branches that do not read it (MoveNet's four heads).
    """
    plain = place(rules, graph, checks, level=level)
    late: dict[int, Reason] = {}
    # Of each tensor, whether something mapped is on its way, and the op that is not and cuts it off.
    mapped: set[int] = set()
    cut_by: dict[int, Op] = {}
    for op in graph.ops:
        cut = next((cut_by[index] for index in op.inputs if index in cut_by), None)
        reached = any(index in mapped for index in op.inputs)
        if cut is not None:
            late[op.index] = _late(op, cut)
        elif op.index in plain.refused and reached:
            cut = op
        if cut is not None:
            cut_by |= dict.fromkeys(op.outputs, cut)
        elif reached or op.index not in plain.refused:
            mapped.update(op.outputs)
    claimed = tuple(index for index in plain.claimed if index not in late)
    return Placement(graph.index, claimed, MappingProxyType({**late, **plain.refused}))


def _late(op: Op, cut: Op) -> Reason:
    found = f"op {cut.index} {cut.name}"
    message = f"comes behind {found}, which is not mapped: the compiler cuts the graph there"
    return Reason("after-cut", message, op.index, op.name, found, "ops before the first that is not mapped")


def small_resize(site: Site) -> Reason | None:
    """No larger than what a public file shows to be mapped; the table says only that it depends on the size.

    Mapped: 6 to 12, 12 to 24, 24 to 48 (MoveNet) and 33 to 33 (DeepLab) of google-coral/test_data, 64 to 128
    (google-coral/edgetpu issue 31). Left to the CPU: 1 to 33 and 33 to 513 (DeepLab), 256 to 512 (issue 31), sizes of a
    U-Net of 256 (issue 187).
    """
    before, after = (site[name].shape[-3:-1] for name in ("input", "output"))
    if all(
        large <= _MOST_RESIZED and large <= _MOST_TIMES * small for small, large in zip(before, after, strict=False)
    ):
        return None
    found = f"makes {'x'.join(map(str, after))} of {'x'.join(map(str, before))}"
    takes = f"{_MOST_RESIZED} a side at most and {_MOST_TIMES} times the input's, as far as files show"
    return site.about("tensor-shape", site["output"], found, takes)


def three_innermost(site: Site) -> Reason | None:
    """Only the three innermost dimensions may be larger than 1."""
    for tensor in site.values():
        if any(extent != 1 for extent in tensor.shape[:-_INNERMOST]):
            takes = f"dimensions of 1 before the last {_INNERMOST}"
            return site.about("tensor-shape", tensor, f"has shape {list(tensor.shape)}", takes)
    return None


def one_dimension_in(site: Site) -> Reason | None:
    """One dimension larger than 1, the last."""
    return _row(site, "input")


def one_dimension_out(site: Site) -> Reason | None:
    """Likewise for the result."""
    return _row(site, "output")


def slope_in_a_row(site: Site) -> Reason | None:
    """One slope for each channel."""
    return _row(site, "slope")


def _row(site: Site, name: str) -> Reason | None:
    tensor = site[name]
    if all(extent == 1 for extent in tensor.shape[:-1]):
        return None
    return site.about(
        "tensor-shape", tensor, f"has shape {list(tensor.shape)}", "one dimension larger than 1, the last"
    )


def same_dilation(site: Site) -> Reason | None:
    """As far apart in y as in x."""
    height, width = (int(site.option(name)) for name in ("dilation_h_factor", "dilation_w_factor"))
    if height == width:
        return None
    message = f"dilation is {height}x{width}, {site.rules.title} takes the same in x and y"
    return site.reason("option-value", message, f"{height}x{width}", "the same in x and y")


def constant_of_zeros(site: Site) -> Reason | None:
    """A constant input is zero padding beside one other input."""
    constants = [tensor for _, tensor in site.inputs if tensor is not None and tensor.is_stored]
    if not constants:
        return None
    if len(site.op.inputs) != 2:
        message = f"{len(site.op.inputs)} inputs with a constant among them, {site.rules.title} takes 2"
        return site.reason("input-count", message, len(site.op.inputs), 2)
    points = constants[0].quantization
    zero = points.zero_point[0] if points else 0
    if (constants[0].values() == zero).all():
        return None
    return site.about("constant-value", constants[0], "holds other values than zero", "a constant of zeros")


def axes_without_batch(site: Site) -> Reason | None:
    """Not over the batch."""
    return _off_batch(site, _axes(site, "axes"))


def split_without_batch(site: Site) -> Reason | None:
    """Not along the batch."""
    return _off_batch(site, _axes(site, "axis"))


def _axes(site: Site, name: str) -> list[int]:
    rank = len(site["input"].shape)
    return [axis + rank if axis < 0 else axis for axis in site[name].values().ravel().tolist()]


def _off_batch(site: Site, axes: list[int]) -> Reason | None:
    if len(site["input"].shape) <= _INNERMOST or 0 not in axes:
        return None
    message = f"works along dimension 0, {site.rules.title} takes all but the batch"
    return site.reason("batch-dimension", message, 0, "all but the batch")


def pack_without_batch(site: Site) -> Reason | None:
    """Not along a new batch."""
    rank = len(site["output"].shape)
    axis = int(site.option("axis"))
    if rank <= _INNERMOST or axis % rank:
        return None
    message = f"axis is {axis}, {site.rules.title} takes all but the batch"
    return site.reason("batch-dimension", message, axis, "all but the batch")


def pad_without_batch(site: Site) -> Reason | None:
    """No padding before or after the batch."""
    batch = site["paddings"].values().ravel()[:2]
    if len(site["input"].shape) <= _INNERMOST or not batch.any():
        return None
    found = f"holds {batch.tolist()} for the batch"
    return site.about("batch-dimension", site["paddings"], found, "[0, 0] there")


def leading_ones(site: Site) -> Reason | None:
    """Only dimensions of 1 in front of all others are taken away."""
    before, after = site["input"].shape, site["output"].shape
    if _stripped(before) == _stripped(after):
        return None
    takes = "squeezing of leading dimensions of 1 only"
    return site.about("tensor-shape", site["input"], f"has shape {list(before)}", takes)


def _stripped(shape: tuple[int, ...]) -> tuple[int, ...]:
    first = next((place for place, extent in enumerate(shape) if extent != 1), len(shape))
    return shape[first:]


def depth_of_fours(site: Site) -> Reason | None:
    """A mean over the channels needs a multiple of 4 of them."""
    source = site["input"]
    if len(source.shape) - 1 not in _axes(site, "axes") or source.shape[-1] % 4 == 0:
        return None
    return site.about(
        "tensor-shape", source, f"has {source.shape[-1]} channels", "multiples of 4 under a mean over them"
    )


CHECKS: dict[str, Check] = {
    check.__name__: check
    for check in (
        three_innermost, one_dimension_in, one_dimension_out, slope_in_a_row, same_dilation, constant_of_zeros,
        axes_without_batch, split_without_batch, pack_without_batch, pad_without_batch, leading_ones,
        depth_of_fours, small_resize,
    )
}  # fmt: skip
