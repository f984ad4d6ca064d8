"""``edge-sdk check``."""

from __future__ import annotations

from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edge_sdk.cli.options import html_option, image_options, pixel_options
from edge_sdk.cli.options.html import check_page_path, write_html
from edge_sdk.cli.screen import OK, UNFIT, Screen, command

if TYPE_CHECKING:
    from edge_sdk.checks.lint.scene import LintFinding
    from edge_sdk.data.images import ImageOptions


@command(name="check", short_help="Will a .tflite file fit a device, and where would each op run?")
@click.argument("artifact", type=click.Path(path_type=Path), required=False)
@click.option("--profile", metavar="ID", help="Device; see `profiles list`, or a .toml file of your own.")
@click.option("--delegate", "delegates", multiple=True, metavar="RULES", help="Ask only these rules; may be repeated.")
@click.option("--data", help="Run the file on it here and look at its activations: as for `compare`.")
@click.option("--samples", type=click.IntRange(1), default=32, show_default=True, help="How many samples of --data.")
@pixel_options
@html_option
@click.option("--verbose", "-v", is_flag=True, help="Every op, reason and finding.")
@click.option("--explain", metavar="RULE", help="What a rule id means and what to do; `all` lists them.")
def check_command(
    screen: Screen,
    artifact: Path | None,
    profile: str | None,
    delegates: tuple[str, ...],
    verbose: bool,
    explain: str | None,
    data: str | None,
    samples: int,
    html: Path | None,
    **pixels: Any,
) -> int:
    """Will ARTIFACT fit a device, and where would each op run? Predicted offline from rules; only --data runs it.

    For each delegate of the device, in the order in which a runtime should try them: which ops it takes, why the
    others stay outside, how often values cross, and the smallest changes that would help. Then memory, the runtimes'
    op versions, and mistakes in the file itself. Exit code 3 if the file does not fit.

    \b
    edge-sdk check model.tflite --profile pixel-8
    edge-sdk check --explain shared-scale
    """
    if explain is not None:
        return _explain(screen, explain)
    if artifact is None or profile is None:
        raise click.UsageError("check needs ARTIFACT and --profile ID, or --explain RULE")
    from edge_sdk.artifact.model import read_artifact
    from edge_sdk.checks.checking import check
    from edge_sdk.profile.reading import find_profile
    from edge_sdk.report.checking import check_text

    check_page_path(html)
    read, device = read_artifact(artifact), find_profile(profile)
    measured = _measured(screen, artifact, data, samples, image_options(pixels)) if data is not None else ()
    report = check(read, device, delegates=delegates, measured=measured)
    write_html(report.as_json(), html)
    screen.result(report.as_json(), check_text(report, verbose=verbose))
    return OK if report.fits else UNFIT


def _measured(screen: Screen, artifact: Path, data: str, count: int, images: ImageOptions) -> tuple[LintFinding, ...]:
    from edge_sdk.checks.lint.activations import input_specs, measure
    from edge_sdk.data.opening import open_data
    from edge_sdk.engines.runner import Runner

    runner = Runner(artifact, preserve_all_tensors=True)
    source = open_data(data, input_specs(runner.artifact), images=images)
    screen.stage(f"running {artifact} on {source.description}")
    total = min(count, source.count or count)
    return measure(runner, islice(source.samples(), count), progress=lambda done: screen.count(done, total))


def _explain(screen: Screen, rule: str) -> int:
    from edge_sdk.checks.explaining import KINDS, explanations
    from edge_sdk.errors import nearest
    from edge_sdk.report.checking import explanation_text

    known = explanations()
    if rule in known:
        screen.result(asdict(known[rule]), explanation_text(known[rule]))
        return OK
    listing = [f"{kind}: {', '.join(r for r in known if known[r].kind == kind)}" for kind in KINDS]
    if rule == "all":
        screen.result({"rules": [asdict(one) for one in known.values()]}, "\n".join(listing))
        return OK
    raise click.BadParameter(
        f"unknown rule `{rule}`{nearest(rule, known)}\n" + "\n".join(listing), param_hint="--explain"
    )
