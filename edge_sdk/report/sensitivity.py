"""What each layer of a model can lose, as training's report holds it: a table, and a picture."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from edge_sdk.errors import MissingDependencyError, OutputError
from edge_sdk.files import check_writable, replacing
from edge_sdk.report.lines import table

_SUFFIXES = (".png", ".svg", ".pdf")


def sensitivity_lines(data: Mapping[str, Any]) -> list[str]:
    """Layers against ratios, those that suffer most first.

    Args:
        data: ``of`` (what is removed), ``whole`` (the metric of the whole model), rising ``ratios``, and for each of
            ``layers`` its metrics, one for each ratio.
    """
    whole = float(data["whole"])
    layers = sorted(data["layers"].items(), key=lambda item: -sum(abs(whole - value) for value in item[1]))
    headers = (f"without x of its {data['of']}", *(f"{ratio:.0%}" for ratio in data["ratios"]))
    return table(headers, [(name, *(f"{value:.4f}" for value in values)) for name, values in layers])


def check_drawable(path: Path) -> None:
    """Fails before an hour of training where the picture could not be drawn after it.

    Raises:
        OutputError: another suffix than .png, .svg or .pdf, or the folder cannot be written.
        MissingDependencyError: matplotlib is absent.
    """
    if path.suffix not in _SUFFIXES:
        raise OutputError(f"{path}: a picture is {', '.join(_SUFFIXES)}, got `{path.suffix or 'no suffix'}`")
    if find_spec("matplotlib") is None:
        raise MissingDependencyError("matplotlib", extra="report", why="drawing the sensitivity")
    check_writable(path)


def draw_sensitivity(data: Mapping[str, Any], path: Path, *, metric: str = "metric") -> None:
    """Draws a curve for each layer; arguments as :func:`sensitivity_lines`.

    Raises:
        OutputError: see :func:`check_drawable`.
        MissingDependencyError: likewise.
    """
    check_drawable(path)
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.add_subplot()
    ratios = [0.0, *data["ratios"]]
    for name, values in data["layers"].items():
        axes.plot(ratios, [data["whole"], *values], marker="o", markersize=3, label=name)
    axes.set(xlabel=f"share of {data['of']} gone, in this layer alone", ylabel=f"{metric}, nothing retrained")
    axes.grid(alpha=0.3)
    axes.legend(fontsize="x-small", ncols=2)
    with replacing(path) as temporary:
        figure.savefig(temporary, format=path.suffix.lstrip("."))
