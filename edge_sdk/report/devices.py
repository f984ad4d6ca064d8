"""Devices as text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from edge_sdk.devices.listing import Looked
from edge_sdk.devices.prepare import Prepared
from edge_sdk.devices.remote import Outcome
from edge_sdk.measure.records import Benchmark
from edge_sdk.profile.detect import UNNAMED
from edge_sdk.report.benchmark import as_text, comparison_text, quotable, reasons_text

_MIB = 1 << 20


def list_text(found: Iterable[Looked]) -> str:
    """A block for each."""
    return "\n".join(line for one in found for line in _block(one))


def prepared_text(address: str, found: Prepared) -> str:
    """What lies there, and what did not fit."""
    lines = [f"{address} is ready: {found.engine} on {found.python}"]
    lines += [f"  wheel     {name}" for name in found.wheels]
    lines += [f"  its own   {name} {version}" for name, version in found.own.items()]
    lines += [f"  not taken {reason}" for reason in found.refused]
    lines.append(f"  folder    {found.folder}")
    return "\n".join(lines)


def ran_text(address: str, found: Mapping[str, Any]) -> str:
    """What `run` printed there, in a few lines, the receipt last."""
    chosen = found["receipt"]["openings"][-1]["chosen"]
    lines = [f"{address}: {found['artifact']} on {found['engine']}, {chosen['candidate']}"]
    for name, output in found["outputs"].items():
        spread = (
            f"from {output['minimum']:.4g} to {output['maximum']:.4g}" if output["minimum"] is not None else "empty"
        )
        lines.append(f"  {name}: {output['dtype']}{output['shape']}, {spread}")
    if found["accuracy"]:
        lines.append(
            f"  accuracy: {found['accuracy']['share']:.2%} of {found['accuracy']['samples']} samples (measured)"
        )
    return "\n".join([*lines, f"  receipt: {found['receipt_line']}"])


def benchmarks_text(found: Sequence[Outcome[Benchmark]]) -> str:
    """Of one device all of it; of several a table, with reasons, comparisons and failures below it."""
    if len(found) == 1 and found[0].result is not None:
        return f"{found[0].address}\n{as_text(found[0].result)}"
    rows = [row for one in found if one.result for row in _rows(one.address, one.result)]
    details = [line for one in found if one.result for line in _details(one.address, one.result)]
    failed = [f"{one.address}: error: {one.error}" for one in found if one.error]
    hints = [f"  hint: {one.error.hint}" if one.error and one.error.hint else "" for one in found if one.error]
    table = _table([("device", "model", "delegate", "p50 ms", "p90 ms", "verdict"), *rows]) if rows else []
    return "\n".join([*table, *details, *(line for pair in zip(failed, hints, strict=True) for line in pair if line)])


def _rows(address: str, found: Benchmark) -> Iterator[tuple[str, ...]]:
    for one in found.results:
        latency = one.performance_run.latency_ms
        p90 = f"{latency.p90.value:.4g}" if latency.p90 else "-"
        model = found.environment_info.model_name
        name = address if model == UNNAMED else f"{model} ({address})"
        ran = one.backend_info.delegate_name
        yield name, one.benchmark_name, ran, f"{latency.p50.value:.4g}", p90, quotable(one, found.meta.run_mode)


def _details(address: str, found: Benchmark) -> Iterator[str]:
    """Why a number is INVALID, and how files compare."""
    for result in found.results:
        if not result.validity.valid:
            yield f"{address}: {result.benchmark_name}: INVALID"
            yield from reasons_text(result.validity)
    for one in found.comparisons:
        verdict, *rest = comparison_text(one)
        yield f"{address}: {verdict}"
        yield from rest


def _table(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _block(one: Looked) -> Iterator[str]:
    if one.error is not None or one.identity is None or one.space is None:
        yield f"{one.address}: {one.error}"
        if one.error is not None and one.error.hint:
            yield f"  hint      {one.error.hint}"
        return
    identity = one.identity
    libc = f", {identity.libc}" if identity.libc else ""
    yield f"{one.address}: {identity.model}"
    yield f"  system    {identity.system}, {identity.kernel}{libc}"
    yield f"  CPU       {identity.cpus} of {identity.arch}"
    yield f"  memory    {one.space.memory_bytes // _MIB:,} of {identity.memory_bytes // _MIB:,} MiB free"
    yield f"  storage   {one.space.storage_bytes // _MIB:,} MiB free for edge-sdk"
    if one.ready or one.not_ready:
        yield f"  edge-sdk  {one.ready or f'{one.not_ready}: {one.not_ready.hint if one.not_ready else None}'}"
