"""``edge-sdk report``."""

from __future__ import annotations

from pathlib import Path

import click

from edge_sdk.cli.screen import Screen, command


@command(short_help="Make a page of what a command wrote with --json.")
@click.argument("result", type=click.Path(path_type=Path), metavar="RESULT.json")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="The page; default: beside it, as .html.")
def report(screen: Screen, result: Path, output: Path | None) -> None:
    """Make one self-contained HTML page of RESULT.json: it loads nothing, runs nothing, and can be mailed.

    RESULT.json is what convert, check, compare or benchmark wrote with --json; `--html PAGE` of those commands makes
    the same page, to the byte.

    \b
    edge-sdk convert model.keras -o model.tflite -r int8 --calibration data.npz --json > result.json
    edge-sdk report result.json -o result.html
    """
    from edge_sdk.files import check_writable
    from edge_sdk.report.html.kinds import page_of, read_result, write_page

    target = output or result.with_suffix(".html")
    check_writable(target)
    data = read_result(result)
    page_of(data, str(result))
    write_page(data, target)
    screen.result({"page": str(target), "size_bytes": target.stat().st_size}, str(target))
