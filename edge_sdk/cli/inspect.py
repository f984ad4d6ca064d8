"""``edge-sdk inspect``."""

from __future__ import annotations

from pathlib import Path

import click

from edge_sdk.cli.screen import Screen, command


@command(short_help="Show what is inside a .tflite file.")
@click.argument("artifact", type=click.Path(path_type=Path))
def inspect(screen: Screen, artifact: Path) -> None:
    """Show what is inside ARTIFACT: signatures, what computes in which type, leftovers, mistakes, runtime needed.

    Reads the file itself; no engine is needed or trusted.
    """
    from edge_sdk.artifact.model import read_artifact
    from edge_sdk.artifact.note import note_of
    from edge_sdk.artifact.summary import summarize, summary_as_json
    from edge_sdk.checks.lint.linting import lint
    from edge_sdk.report.checking import lint_text
    from edge_sdk.report.text import inspect_text

    read = read_artifact(artifact)
    summary, note, found = summarize(read), note_of(read), lint(read)
    data = {**summary_as_json(read, summary), "note": note, "lint": [finding.as_json() for finding in found]}
    mistakes = f"\n{text}" if (text := lint_text(found)) else ""
    screen.result(data, inspect_text(read, summary, note) + mistakes)
