"""One picture of the results: time against the tools by hand, and how close int8 stays to its source."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks import results

PATH = Path(__file__).parent / "results" / "results.svg"
PEERS = PATH.with_name("peers.svg")
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


def draw_peers(path: Path = PEERS) -> None:
    """Draws what peers take, over what edge-sdk's file takes."""
    rows = [row for row in results.read("peers")["rows"] if row["ratio_95"][0] != row["ratio_95"][1]]
    if not rows:
        return
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "edge-sdk"
    from matplotlib import pyplot as plt

    places = list(dict.fromkeys((row["model"], row["threads"]) for row in rows))
    ways = list(dict.fromkeys(row["way"] for row in rows))
    figure, axes = plt.subplots(figsize=(10, 1 + 0.6 * len(places)), layout="constrained")
    for index, way in enumerate(ways):
        mine = [row for row in rows if row["way"] == way]
        heights = [places.index((row["model"], row["threads"])) + 0.13 * (index - len(ways) / 2) for row in mine]
        reach = [[r["ratio"] - r["ratio_95"][0] for r in mine], [r["ratio_95"][1] - r["ratio"] for r in mine]]
        axes.errorbar([row["ratio"] for row in mine], heights, xerr=reach, fmt="o", markersize=4, capsize=2, label=way)
    axes.axvline(1.0, color=_LIMIT, linewidth=1)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_yticks(
        range(len(places)), [f"{model}, {threads} thread{'s' * (threads > 1)}" for model, threads in places]
    )
    axes.invert_yaxis()
    axes.set_title("int8 latency over that of edge-sdk's file (line), 95 %", fontsize=10)
    axes.legend(fontsize=8)
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
