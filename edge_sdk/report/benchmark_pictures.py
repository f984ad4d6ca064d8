"""A benchmark as pictures: latency over time, distribution, ops, A/B. SVG by matplotlib (extra ``report``)."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from edge_sdk.errors import MissingDependencyError
from edge_sdk.files import check_writable, write_bytes
from edge_sdk.measure.records import Benchmark, Result

# Okabe and Ito's colours, which those who see fewer colours can tell apart.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#999999")
_WIDTH = 9.0
_BARS = 20
_NAME = 60


@dataclass(frozen=True)
class Picture:
    """An SVG, with what it shows in words."""

    name: str
    title: str
    svg: str


def check_drawable(folder: Path | None = None) -> None:
    """Before anything is measured: whether pictures can be drawn, and put there.

    Raises:
        MissingDependencyError: matplotlib is not installed.
        OutputError: the folder cannot be written.
    """
    if find_spec("matplotlib") is None:
        raise MissingDependencyError("matplotlib", extra="report", why="drawing a benchmark")
    if folder is not None:
        check_writable(folder / "latency.svg")


def draw(benchmark: Benchmark) -> tuple[Picture, ...]:
    """All pictures that there is something to draw for; errors as :func:`check_drawable`."""
    check_drawable()
    import matplotlib as mpl
    from cycler import cycler

    settings = {
        # The same result gives the same file; text stays text, which a reader can search.
        "svg.hashsalt": "edge-sdk",
        "svg.fonttype": "none",
        "axes.prop_cycle": cycler(color=_COLOURS),
        "font.size": 9,
        "axes.spines.top": False,
        "axes.spines.right": False,
    }
    with mpl.rc_context(settings):
        return tuple(_pictures(benchmark))


def write_pictures(pictures: tuple[Picture, ...], folder: Path) -> None:
    """Writes each as ``<name>.svg``.

    Raises:
        OutputError: the folder cannot be written.
    """
    for one in pictures:
        write_bytes(folder / f"{one.name}.svg", one.svg.encode())


def _pictures(benchmark: Benchmark) -> Iterator[Picture]:
    results = benchmark.results
    yield _picture("latency", "Latency over time", 3.2, lambda axes: _over_time(axes, results))
    share = "Share of queries that took no longer"
    yield _picture("distribution", share, 3.2, lambda axes: _distribution(axes, results))
    if benchmark.comparisons:
        height = 1.2 + 0.4 * len(benchmark.comparisons)
        yield _picture("comparison", "Against the first, with 95 %", height, lambda axes: _comparison(axes, benchmark))
    if any(result.sustained for result in results):
        yield _picture("sustained", "Median of each minute", 3.0, lambda axes: _sustained(axes, results))
    for index, result in enumerate(results):
        if result.op_profile is not None:
            rows = min(_BARS, len(result.op_profile.ops))
            title = f"Slowest ops of {result.benchmark_name}"
            yield _picture(f"ops_{index + 1}", title, 1.0 + 0.22 * rows, partial(_ops, result))


def _picture(name: str, title: str, height: float, plot: Callable[[Any], None]) -> Picture:
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_WIDTH, height), layout="constrained")
    FigureCanvasSVG(figure)
    axes = figure.add_subplot()
    plot(axes)
    axes.set_title(title, loc="left")
    with io.StringIO() as file:
        figure.savefig(file, format="svg", metadata={"Date": None, "Title": title})
        return Picture(name, title, file.getvalue())


def _over_time(axes: Any, results: tuple[Result, ...]) -> None:
    for result in results:
        run = result.performance_run
        axes.plot(run.trace_at_s, run.trace_ms, ".", markersize=2, alpha=0.6, label=_label(result))
    # The few slowest would flatten all others on a linear axis, and are not to be cut off.
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.set_xlabel("seconds since the first query")
    axes.set_ylabel("ms")
    axes.legend(loc="upper right", markerscale=4)


def _distribution(axes: Any, results: tuple[Result, ...]) -> None:
    for result in results:
        values = np.sort(result.performance_run.trace_ms)
        axes.step(values, np.arange(1, len(values) + 1) / len(values), where="post", label=_label(result))
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_xlabel("ms")
    axes.set_ylim(0, 1)
    axes.legend(loc="lower right")


def _comparison(axes: Any, benchmark: Benchmark) -> None:
    listed = benchmark.comparisons
    for row, one in enumerate(listed):
        low, high = one.ratio.low or one.ratio.value, one.ratio.high or one.ratio.value
        reach = [[one.ratio.value - low], [high - one.ratio.value]]
        colour = _COLOURS[(row + 1) % len(_COLOURS)]
        axes.errorbar([one.ratio.value], [row], xerr=reach, fmt="o", capsize=4, color=colour)
        words = one.verdict if one.validity.valid else f"INVALID, {one.verdict}"
        where, offset = (one.ratio.value, row), (0, 7)
        axes.annotate(f"{one.ratio.value:.3f} {words}", where, offset, textcoords="offset points", ha="center")
    margin = listed[0].margin
    axes.axvspan(1 / (1 + margin), 1 + margin, color="#cccccc", alpha=0.5, linewidth=0)
    axes.axvline(1, color="#555555", linewidth=1)
    axes.set_yticks(range(len(listed)), [_short(one.candidate) for one in listed])
    axes.set_ylim(len(listed) - 0.4, -0.6)
    axes.set_xlabel(f"median latency over that of {_short(listed[0].base)}; grey: a difference that does not matter")


def _sustained(axes: Any, results: tuple[Result, ...]) -> None:
    for result in results:
        if result.sustained is None:
            continue
        rows = result.sustained.minutes
        values = [row.p50_ms.value for row in rows]
        reach = [
            [value - (row.p50_ms.low or value) for value, row in zip(values, rows, strict=True)],
            [(row.p50_ms.high or value) - value for value, row in zip(values, rows, strict=True)],
        ]
        axes.errorbar([row.minute for row in rows], values, yerr=reach, fmt="o-", capsize=3, label=_label(result))
    axes.set_xlabel("minute")
    axes.set_ylabel("ms")
    axes.set_ylim(bottom=0)
    axes.legend(loc="lower left")


def _ops(result: Result, axes: Any) -> None:
    if result.op_profile is None:
        return
    ranked = sorted(result.op_profile.ops, key=lambda op: -op.mean_ms)[:_BARS]
    axes.barh(range(len(ranked)), [op.mean_ms for op in ranked])
    axes.set_yticks(range(len(ranked)), [_short(op.name) for op in ranked])
    axes.invert_yaxis()
    axes.set_xlabel("ms, by the engine's own profiler")


def _label(result: Result) -> str:
    return _short(result.benchmark_name) + ("" if result.validity.valid else " INVALID")


def _short(text: str) -> str:
    return text if len(text) <= _NAME else f"...{text[3 - _NAME :]}"
