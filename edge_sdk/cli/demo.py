"""``edge-sdk demo``."""

from __future__ import annotations

from pathlib import Path

import click

from edge_sdk.cli.screen import Screen, command


@command(long=True, short_help="Train on digits, convert to four precisions, show the table.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default=Path("demo_output"),
    show_default=True,
    help="Folder, made if absent.",
)
def demo(screen: Screen, output: Path) -> None:
    """Train a small CNN on scikit-learn's digits in Keras and in PyTorch, and convert both to four precisions.

    Shows test accuracy, size, time and error of every file.
    """
    from edge_sdk.converters.demo import run_demo
    from edge_sdk.files import check_writable
    from edge_sdk.report.demo import demo_table, next_steps

    output = output.absolute()
    if not output.exists():
        check_writable(output)
        output.mkdir()
    check_writable(output / "digits.tflite")
    rows = list(run_demo(output, screen))
    tables = [demo_table([row for row in rows if row.model == model]) for model in ("keras", "torch")]
    text = "\n\n".join([*tables, next_steps(output)])
    screen.result({"files": [row.as_json() for row in rows], "folder": str(output)}, text)
