"""What a compiler for an NPU did, as text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from edge_sdk.checks.verdict import OpPlace
from edge_sdk.converters.compilers.compiling import Compiled
from edge_sdk.converters.compilers.emulation import Emulated
from edge_sdk.report.lines import field, size_text, table

_MOST = 12


def compilation_text(made: Compiled, *, verbose: bool = False) -> str:
    """Lines for a terminal; ``verbose`` lists every op."""
    one = made.compilation
    lines = [
        f"{made.output}  {size_text(len(one.content))}",
        field("compiled", f"for {one.target} by {one.tool}"),
    ]
    if one.places:
        inside = len(one.places) - len(one.outside)
        pieces = "" if one.partitions is None else f" in {one.partitions} partition{'' if one.partitions == 1 else 's'}"
        lines.append(field("placed", f"{inside} of {len(one.places)} ops on the NPU{pieces}, by the compiler's answer"))
    spill = one.account.get("spill_bytes")
    if spill is not None:
        fill = size_text(one.account["fill_bytes"])
        lines.append(field("memory", f"{size_text(spill)} spilled to main memory and {fill} filled, predicted by it"))
    if one.simulated is not None:
        told = one.simulated
        bounds = "" if told.low_ms is None else f", within {told.low_ms:.4g} to {told.high_ms:.4g} ms"
        lines.append(field("simulated", f"{told.ms:.4g} ms a run{bounds}: {told.basis}"))
    lines += list(_outside(one.outside))
    lines += _emulated(made.emulated) if made.emulated else []
    if verbose:
        lines += ["", *_every(one.places)]
    return "\n".join([*lines, "", *(f"  {finding}" for finding in one.findings)]).rstrip()


def _emulated(found: Emulated) -> list[str]:
    rows = []
    for one in found.outputs:
        top1 = "" if one.top1_agreement is None else f", same top 1 in {one.top1_agreement:.1%} of {one.rows} rows"
        rows.append(field("", f"`{one.name}`: max abs {one.max_abs_error:.3g}, SQNR {one.sqnr_db:.1f} dB{top1}"))
    what = f"{found.samples} samples of {found.data} against {found.reference} here; not a phone's, no times"
    return [field("emulated", what), *rows]


def _outside(places: tuple[OpPlace, ...]) -> Iterator[str]:
    count = Counter((place.op_name, place.reason.message) for place in places if place.reason)
    for (name, message), number in count.most_common(_MOST):
        yield field("outside", f"{name}{f' x {number}' if number > 1 else ''}: {message}")
    if len(count) > _MOST:
        yield field("", f"and {len(count) - _MOST} more kinds (--verbose)")


def _every(places: tuple[OpPlace, ...]) -> list[str]:
    rows = [
        (
            f"{place.subgraph}/{place.op} {place.op_name}",
            _where(place),
            place.result,
        )
        for place in places
    ]
    return table(("op", "where", "result"), rows)


def _where(place: OpPlace) -> str:
    if place.reason is not None:
        return "CPU"
    return "NPU" if place.partition is None else f"NPU {place.partition}"
