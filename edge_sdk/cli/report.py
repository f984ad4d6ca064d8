"""``edge-sdk report``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from edge_sdk.cli.screen import OK, UNFIT, Screen, command


@command(short_help="Make a page of what a command wrote with --json, or of what changed between two.")
@click.argument("result", type=click.Path(path_type=Path), metavar="RESULT.json")
@click.argument("other", type=click.Path(path_type=Path), required=False, metavar="[LATER.json]")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="The page; default: beside it, as .html.")
@click.option(
    "--model-explorer",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write node data for Model Explorer there, a file for each measure, instead of a page.",
)
@click.option(
    "--perfetto",
    metavar="TRACE.json",
    type=click.Path(path_type=Path),
    help="Write the times of ops there as a trace for ui.perfetto.dev, instead of a page.",
)
@click.option("--fail-if-worse", is_flag=True, help="Of two results: exit code 3 if a number became worse.")
def report(
    screen: Screen,
    result: Path,
    other: Path | None,
    output: Path | None,
    model_explorer: Path | None,
    perfetto: Path | None,
    fail_if_worse: bool,
) -> int:
    """Make one self-contained HTML page of RESULT.json: it loads nothing, runs nothing, and can be mailed.

    RESULT.json is what convert, check, compare, benchmark or optimize wrote with --json; `--html PAGE` of those
    commands makes the same page, to the byte. With LATER.json, a result of the same command, the page says what is
    better, what is worse, and which findings came and went; numbers whose intervals overlap are neither.

    \b
    edge-sdk convert model.keras -o model.tflite -r int8 --calibration data.npz --json > result.json
    edge-sdk report result.json -o result.html
    edge-sdk report last_week.json today.json -o change.html --fail-if-worse
    edge-sdk report result.json --model-explorer nodes/
    """
    if model_explorer or perfetto:
        if other or output:
            raise click.UsageError("--model-explorer and --perfetto are of one result, and make no page")
        _export(screen, result, model_explorer, perfetto)
        return OK
    if fail_if_worse and other is None:
        raise click.UsageError("--fail-if-worse is of two results: RESULT.json LATER.json")
    from edge_sdk.files import check_writable, write_bytes
    from edge_sdk.report.html.diff import Change, changes
    from edge_sdk.report.html.kinds import page_of, page_of_both, read_result

    first, changed = read_result(result), tuple[Change, ...]()
    later = read_result(other) if other else None
    target = output or (other or result).with_suffix(".html")
    check_writable(target)
    if other is None or later is None:
        page = page_of(first, str(result))
    else:
        both = first, later, (str(result), str(other))
        page, changed = page_of_both(*both), changes(*both)
    write_bytes(target, page.html().encode())
    told = {"page": str(target), "size_bytes": target.stat().st_size, "verdict": page.verdict.words}
    worse = [one for one in changed if one.state == "worse"]
    lines = [f"{target}: {page.verdict.words}", *(f"  worse: {one}" for one in worse)]
    screen.result(told | {"changes": [asdict(one) for one in changed]}, "\n".join(lines))
    return UNFIT if worse and fail_if_worse else OK


def _export(screen: Screen, result: Path, model_explorer: Path | None, perfetto: Path | None) -> None:
    from edge_sdk.report.exports import write_model_explorer, write_trace
    from edge_sdk.report.html.kinds import read_result, whole

    data = read_result(result)
    written: list[Path] = []
    with whole(str(result)):
        if model_explorer:
            written += write_model_explorer(data, model_explorer)
        if perfetto:
            write_trace(data, perfetto)
            written.append(perfetto)
    files = [str(path) for path in written]
    screen.result({"files": files}, "\n".join(files))
