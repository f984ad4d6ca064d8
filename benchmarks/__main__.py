"""``python -m benchmarks``: measure, and write the tables of benchmarks/README.md."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from benchmarks import coverage, results

_CACHE = Path(__file__).parent / ".models"


@click.group()
def main() -> None:
    """Measurements of edge-sdk against what a user would do by hand, as ratios in one run."""


@main.command("coverage")
@click.argument("kind", type=click.Choice(["keras", "pytorch"]))
@click.option("--only", help="One model; the results file is left alone.")
def coverage_command(kind: str, only: str | None) -> None:
    """Convert every architecture to three precisions."""
    rows = []
    for row in coverage.keras_rows(_CACHE, only) if kind == "keras" else coverage.pytorch_rows(only):
        rows.append(row)
        click.echo(_in_words(row))
        if only is None:
            results.write(f"coverage_{kind}", rows, recipes=coverage.RECIPES)


def _in_words(row: dict[str, Any]) -> str:
    cells = [f"{k} {v['sqnr_db']} dB{'' if v['verified'] else ' REJECTED'}" for k, v in row["results"].items()]
    return f"{row['model']}: {', '.join(cells)} ({row['seconds']} s)"


if __name__ == "__main__":
    main()
