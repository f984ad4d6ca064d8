"""The numbers of a result that two results can be held against each other by."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from edge_sdk.report.html.markup import Data, decibels, number, size_text


@dataclass(frozen=True)
class Measure:
    """One number.

    Attributes:
        name: the same in both results.
        value: None where it was not taken.
        told: as text.
        better: which way is better; empty where neither is.
        low: where its 95 % interval begins; None where there is none.
        high: where it ends.
    """

    name: str
    value: float | None
    told: str
    better: Literal["more", "less", ""] = ""
    low: float | None = None
    high: float | None = None


def measures(data: Data) -> tuple[Measure, ...]:
    """Of a result of any kind that has numbers; empty for others."""
    for key, found in _KINDS.items():
        if key in data:
            return tuple(found(data))
    return ()


def _conversion(data: Data) -> Iterator[Measure]:
    artifact = data["artifact"]
    yield Measure("file", artifact["size_bytes"], size_text(artifact["size_bytes"]), "less")
    yield from _outputs(data["parity"])
    if data.get("labelled"):
        share = data["labelled"]["file"]
        yield Measure("accuracy on labelled samples", share, f"{share:.2%}", "more")
    if data["timings_measured"]:
        timing = data["timings_measured"][1]
        told = f"{timing['ratio']:.2f} x"
        yield Measure("time to float", timing["ratio"], told, "less", timing["ratio_low"], timing["ratio_high"])
    if artifact.get("macs"):
        yield Measure("MACs", artifact["macs"], number(artifact["macs"]), "less")
    if data["details"]:
        arena = data["details"]["timeline"]["arena_bytes"]
        yield Measure("arena, predicted", arena, size_text(arena), "less")
        yield Measure("samples that flipped", data["details"]["flipped"], str(data["details"]["flipped"]), "less")
    if data["check"]:
        yield from _check(data["check"])


def _outputs(rows: list[Data]) -> Iterator[Measure]:
    for row in rows:
        value = float("inf") if row["sqnr_db"] is None else row["sqnr_db"]
        yield Measure(f"SQNR of {row['name']}", value, decibels(row["sqnr_db"]), "more")
        if row["top1_agreement"] is not None:
            yield Measure(f"same top-1, {row['name']}", row["top1_agreement"], f"{row['top1_agreement']:.2%}", "more")


def _check(data: Data) -> Iterator[Measure]:
    for one in data["delegates"]:
        if one["verdict"] != "not predicted":
            name = f"{one['rules']} on {one['accelerator']}"
            yield Measure(f"MACs on {name}", one["mac_share"], f"{one['mac_share']:.1%}", "more")
            yield Measure(f"partitions on {name}", one["partitions"], str(one["partitions"]), "less")
    floor = data["memory"]["floor_bytes"]
    yield Measure("memory at least, predicted", floor, size_text(floor), "less")


def _comparison(data: Data) -> Iterator[Measure]:
    yield from _outputs(data["outputs"])


def _benchmark(data: Data) -> Iterator[Measure]:
    for one in data["results"]:
        latency = one["performance_run"]["latency_ms"]
        valid = "" if one["validity"]["valid"] else ", INVALID"
        for name in ("p50", "p90"):
            if name in latency:
                value, low, high = (latency[name].get(key) for key in ("value", "low", "high"))
                told = f"{value:.4g} ms{valid}"
                # What is INVALID is neither better nor worse than anything.
                better: Literal["less", ""] = "" if valid else "less"
                yield Measure(f"{name} of {one['benchmark_name']}", value, told, better, low, high)


_KINDS: dict[str, Callable[[Data], Iterator[Measure]]] = {
    "attempts": _conversion,
    "runtimes": _check,
    "candidate": _comparison,
    "environment_info": _benchmark,
}
"""A key that only this kind of result has."""
