"""The page that a command makes of its result."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click


def html_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Where the page goes."""
    text = "Write the result there as one page with pictures, for a browser; as `edge-sdk report` makes of --json."
    return click.option("--html", type=click.Path(path_type=Path), metavar="PAGE", help=text)(function)


def check_page_path(path: Path | None) -> None:
    """Before the work begins.

    Raises:
        OutputError: the page could not be written.
    """
    if path is not None:
        from edge_sdk.files import check_writable

        check_writable(path)


def write_html(data: Mapping[str, Any], path: Path | None) -> None:
    """The page of a result, where one is asked for."""
    if path is not None:
        from edge_sdk.report.html.kinds import write_page

        write_page(data, path)
