"""Calibration tables and predicted times as text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from edge_sdk.checks.timing.helping import Help
from edge_sdk.checks.timing.predicting import OpTime, Prediction
from edge_sdk.checks.timing.table import Table
from edge_sdk.measure.translating import Translated, Translation

_FEW = 5


def calibrated_text(table: Table, output: Path | None) -> str:
    """What was measured, and whether it can be believed."""
    networks = sum(one.is_network for one in table.timed)
    noisy = [one for one in table.timed if one.reasons]
    lines = [
        f"{'measured' if table.valid else 'INVALID'}: {table.subject}",
        f"  kernels   {len(table.timed) - networks}, and {networks} small networks, in {table.seconds:.0f} s",
    ]
    lines += [f"  INVALID   {reason}" for reason in table.reasons]
    lines += [f"  left out  {one.id}: {one.reasons[0]}" for one in noisy[:_FEW]]
    lines += [f"  left out  {len(noisy) - _FEW} more"] if len(noisy) > _FEW else []
    lines += [f"  table     {output}"] if output else []
    return "\n".join(lines)


def prediction_text(found: Prediction, helps: Sequence[Help], *, verbose: bool) -> str:
    """Times that were predicted, and whether a change of precision would help."""
    return "\n".join([*_total(found), *_ops(found, verbose=verbose), *map(_help, helps)])


def _total(found: Prediction) -> Iterator[str]:
    if found.ms is None or found.low_ms is None or found.high_ms is None:
        yield f"time: not predicted for {found.subject}"
        for one in found.abstentions:
            named = f"op {one.op} {one.op_name} " if one.op is not None else ""
            yield f"  {named}{one.why}"
        return
    yield (
        f"time: predicted {found.ms:.3g} ms, {found.coverage:.0%} within {found.low_ms:.3g} to {found.high_ms:.3g} ms, "
        f"on {found.subject}"
    )
    rows = f"{found.partitions} row{'' if found.partitions == 1 else 's'} of ops"
    yield f"  {found.interpolated_share:.0%} of it interpolated; {rows}, {found.border_bytes} bytes handed over"


def _ops(found: Prediction, *, verbose: bool) -> Iterator[str]:
    whole = sum(one.us or 0.0 for one in found.ops) or 1.0
    if verbose:
        yield from (f"  {one.op:4} {_one(one, whole)}" for one in found.ops)
        return
    dearest = sorted((one for one in found.ops if one.us), key=lambda one: -(one.us or 0.0))
    yield from (f"  op {one.op:4} {_one(one, whole)}" for one in dearest[:_FEW])
    yield from _bounds(found.ops, whole)


def _one(one: OpTime, whole: float) -> str:
    where = "" if one.place == "xnnpack" else " outside XNNPACK"
    if one.us is None or one.low_us is None or one.high_us is None:
        return f"{one.op_name}{where}: not predicted"
    if one.bound == "folded":
        return f"{one.op_name}: folded into others"
    interval = f"{one.low_us:.4g} to {one.high_us:.4g}"
    kind = f"{one.bound} bound{', interpolated' if one.interpolated else ''}"
    return f"{one.op_name}{where}: {one.us:.4g} us ({interval}), {one.us / whole:.0%}, {kind}"


def _bounds(ops: Iterable[OpTime], whole: float) -> Iterator[str]:
    shares = {
        kind: sum(one.us or 0.0 for one in ops if one.bound == kind) / whole
        for kind in ("compute", "memory", "overhead")
    }
    yield "  bound by " + ", ".join(f"{kind} {share:.0%}" for kind, share in shares.items())


def _help(one: Help) -> str:
    words = {"faster": "faster", "slower": "SLOWER", "same": "the same time", "unknown": "not predicted"}[one.answer]
    told = f"{one.precision}: predicted {words}" if one.answer != "unknown" else f"{one.precision}: {words}"
    if one.ratio is not None and one.answer in ("faster", "slower"):
        told += f", {one.ratio:.2f} of the time"
    if one.probability is not None:
        told += f", {one.probability:.0%} sure"
    return f"  {told}; weights {one.file_ratio:.2f} of the size: {one.reason}"


def translated_text(found: Translation) -> str:
    """Times on another device."""
    head = (
        f"translated from {found.source} to {found.target}: {found.pairs} files measured on both, "
        f"each {found.error:.1%} off what the others say (median)"
    )
    return "\n".join([head, *map(_translated, found.results)])


def _translated(one: Translated) -> str:
    told = f"  {one.benchmark_id}: measured {one.measured_ms:.4g} ms, "
    if one.ms is None or one.low_ms is None or one.high_ms is None:
        return f"{told}not translated: the interval exceeds a factor of two"
    return f"{told}translated {one.ms:.4g} ms, {one.coverage:.0%} within {one.low_ms:.4g} to {one.high_ms:.4g} ms"
