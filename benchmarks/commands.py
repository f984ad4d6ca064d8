"""The group of commands, and what each does with its rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import click

from benchmarks import results, tables

CACHE = Path(__file__).parent / ".models"


@click.group()
def main() -> None:
    """Measurements of edge-sdk against what a user would do by hand, as ratios in one run."""


def told(rows: Iterable[dict[str, Any]], words: Callable[[dict[str, Any]], str]) -> list[dict[str, Any]]:
    """All rows, each told as soon as it is there."""
    found = []
    for row in rows:
        found.append(row)
        click.echo(words(row))
    return found


def keep(name: str, rows: list[dict[str, Any]], **facts: Any) -> None:
    """Writes the result, and the tables of README.md."""
    results.write(name, rows, **facts)
    tables.PAGE.write_text(tables.fill(tables.PAGE.read_text()))
