"""``edge-sdk check``."""

from __future__ import annotations

from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from edge_sdk.cli.options import html_option, image_options, pixel_options, signature_option, time_limit_option
from edge_sdk.cli.options.completing import device_ids
from edge_sdk.cli.options.html import check_page_path, write_html
from edge_sdk.cli.screen import OK, UNFIT, Screen, command

if TYPE_CHECKING:
    from edge_sdk.artifact.model import Artifact
    from edge_sdk.checks.lint.scene import LintFinding
    from edge_sdk.data.images import ImageOptions
    from edge_sdk.profile.records import DeviceProfile


@command(name="check", short_help="Will a .tflite file fit a device, and where would each op run?")
@click.argument("artifact", type=click.Path(path_type=Path), required=False)
@click.option(
    "--profile",
    metavar="ID",
    shell_complete=device_ids,
    help="Device; see `profiles list`, or a .toml file of your own.",
)
@click.option("--delegate", "delegates", multiple=True, metavar="RULES", help="Ask only these rules; may be repeated.")
@click.option("--data", help="Run the file on it here and look at its activations: as for `compare`.")
@click.option("--samples", type=click.IntRange(1), default=32, show_default=True, help="How many samples of --data.")
@click.option(
    "--calibration-table",
    "calibration",
    type=click.Path(path_type=Path),
    help="Predict times from it: what `devices calibrate` wrote. Default: calibration/ID.json beside the profile.",
)
@signature_option
@time_limit_option
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
    calibration: Path | None,
    signature: str | None,
    **pixels: Any,
) -> int:
    """Will ARTIFACT, a .tflite file or a bundle, fit a device, and where would each op run?

    Predicted offline from rules; only --data runs it.

    For each delegate of the device, in the order in which a runtime should try them: which ops it takes, why the
    others stay outside, how often values cross, and the smallest changes that would help. Then memory, the runtimes'
    op versions, and mistakes in the file itself. Exit code 3 if the file does not fit.

    With a calibration table also how long it takes, op by op, and whether float16, int8 or 4 bits would help.

    \b
    edge-sdk check model.tflite --profile pixel-8
    edge-sdk check model.tflite --calibration-table here.json
    edge-sdk check --explain shared-scale
    """
    if explain is not None:
        return _explain(screen, explain)
    if artifact is None or (profile is None and calibration is None):
        raise click.UsageError("check needs ARTIFACT and --profile ID or --calibration-table FILE, or --explain RULE")
    if profile is None:
        _refuse_without_profile(delegates, data, html)
    from edge_sdk.artifact.model import read_artifact
    from edge_sdk.checks.checking import check
    from edge_sdk.profile.reading import find_profile
    from edge_sdk.report.checking import check_text

    check_page_path(html)
    if artifact.suffix == ".edge":
        for given, option in ((data, "--data"), (calibration, "--calibration-table"), (signature, "--signature")):
            if given is not None:
                raise click.UsageError(f"{option} is for one file: take a variant out of the bundle")
        if profile is None:
            raise click.UsageError("a bundle is checked against a device: give --profile ID")
        return _check_bundle(screen, artifact, profile, delegates, verbose=verbose, html=html)
    if data is not None and signature is not None:
        raise click.UsageError("--data runs the default signature: no --signature beside it")
    read = read_artifact(artifact)
    read = read if signature is None else read.with_signature(signature)
    device = find_profile(profile) if profile is not None else None
    times = _times(read, device, profile, calibration, verbose=verbose)
    if device is None:
        screen.result({"artifact": str(artifact), **times.data}, times.text)
        return OK
    measured = _measured(screen, artifact, data, samples, image_options(pixels)) if data is not None else ()
    report = check(read, device, delegates=delegates, measured=measured)
    found = {**report.as_json(), **times.data}
    write_html(found, html)
    text = check_text(report, verbose=verbose)
    screen.result(found, "\n".join(filter(None, (text, times.text))))
    return OK if report.fits else UNFIT


class _Times(NamedTuple):
    """What a calibration table says of a file, for JSON and for people; empty without one."""

    data: dict[str, Any]
    text: str


def _times(
    artifact: Artifact, device: DeviceProfile | None, profile: str | None, calibration: Path | None, *, verbose: bool
) -> _Times:
    from edge_sdk.checks.timing.table import beside, check_belongs, read_table

    path = calibration or beside(profile or "")
    if path is None:
        return _Times({}, "")
    from edge_sdk.artifact.sound import formed
    from edge_sdk.checks.timing.helping import will_it_help
    from edge_sdk.checks.timing.predicting import Predictor
    from edge_sdk.report.timing import prediction_text

    table = read_table(path)
    if device is not None:
        check_belongs(table, device, where=str(path))
    predictor = Predictor(table)
    with formed(artifact.path):
        found, helps = predictor.predict(artifact), will_it_help(artifact, predictor)
    data = {"time": asdict(found), "will_it_help": [asdict(one) for one in helps]}
    return _Times(data, prediction_text(found, helps, verbose=verbose))


def _refuse_without_profile(delegates: tuple[str, ...], data: str | None, html: Path | None) -> None:
    for given, option in ((delegates, "--delegate"), (data, "--data"), (html, "--html")):
        if given:
            raise click.UsageError(f"{option} needs --profile ID: a calibration table predicts times alone")


def _check_bundle(
    screen: Screen, bundle: Path, profile: str, delegates: tuple[str, ...], *, verbose: bool, html: Path | None
) -> int:
    """Each variant; the bundle fits where one of them does, for a session takes that one."""
    from edge_sdk.bundle.reading import open_bundle
    from edge_sdk.checks.checking import check
    from edge_sdk.profile.reading import find_profile
    from edge_sdk.report.checking import check_text

    device = find_profile(profile)
    with open_bundle(bundle) as opened:
        names = [variant.id for variant in opened.manifest.variants]
        found = {name: check(opened.artifact(name), device, delegates=delegates) for name in names}
        texts = [check_text(report, verbose=verbose) for report in found.values()]
        reports = [{**report.as_json(), "artifact": f"{bundle}:{name}"} for name, report in found.items()]
    fitting = [name for name, report in found.items() if report.fits]
    words = f"{len(fitting)} of {len(names)} variants are predicted to fit {device.id}"
    data = {"bundle": str(bundle), "profile": device.id, "fits": bool(fitting), "variants": reports}
    write_html(data, html)
    screen.result(data, "\n\n".join([f"{bundle}: {words}", *texts]))
    return OK if fitting else UNFIT


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
