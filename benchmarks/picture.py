"""One picture of the results: time against the tools by hand, and how close int8 stays to its source."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks import results

PATH = Path(__file__).parent / "results" / "results.svg"
_INT8 = "static_wi8_ai8"
_OURS, _LIMIT = "#2f6f9f", "#b04a3a"


def draw(path: Path = PATH) -> None:
    """Draws what has been measured."""
    import matplotlib as mpl

    mpl.use("svg")
    # The same results give the same file.
    mpl.rcParams["svg.hashsalt"] = "edge-sdk"
    from matplotlib import pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 8), width_ratios=(1, 2), layout="constrained")
    _ratios(left)
    _coverage(right)
    figure.savefig(path, metadata={"Date": None})


def _ratios(axes: Any) -> None:
    times = [(f"{row['source']}\n{row['way']}", row["ratio"]) for row in results.read("conversion")["rows"]]
    latencies = [(f"{row['model']}\nint8 latency", row["ratio"]) for row in results.read("latency")["rows"]]
    rows = [row for row in times if not row[0].endswith("by hand")] + latencies
    axes.barh([name for name, _ in rows], [ratio for _, ratio in rows], color=_OURS)
    axes.axvline(1.0, color=_LIMIT, linewidth=1)
    axes.set_title("time, as a ratio to the tools by hand", fontsize=10)
    axes.invert_yaxis()
    axes.tick_params(labelsize=8)


def _coverage(axes: Any) -> None:
    rows = [row for kind in ("keras", "pytorch") for row in results.read(f"coverage_{kind}")["rows"]]
    axes.barh([r["model"] for r in rows], [r["results"][_INT8]["sqnr_db"] or 0 for r in rows], color=_OURS)
    axes.axvline(15.0, color=_LIMIT, linewidth=1)
    axes.set_title("int8 against the source model: SQNR of the worst output, dB (line: 15 dB)", fontsize=10)
    axes.invert_yaxis()
    axes.tick_params(labelsize=8)
