"""``edge-sdk check``."""

from __future__ import annotations

from pathlib import Path

import click

from edge_sdk.cli.screen import OK, UNFIT, Screen, command


@command(name="check", short_help="Will a .tflite file fit a device, and where would each op run?")
@click.argument("artifact", type=click.Path(path_type=Path))
@click.option(
    "--profile", required=True, metavar="ID", help="Device; see `profiles list`, or a .toml file of your own."
)
@click.option("--delegate", "delegates", multiple=True, metavar="RULES", help="Ask only these rules; may be repeated.")
def check_command(screen: Screen, artifact: Path, profile: str, delegates: tuple[str, ...]) -> int:
    """Will ARTIFACT fit a device, and where would each op run? Predicted offline from rules; nothing is run.

    For each delegate of the device, in the order in which a runtime should try them: which ops it takes, why the
    others stay outside, and how often values cross. Then memory, and the runtimes' op versions. Exit code 3 if the
    file does not fit.

    edge-sdk check model.tflite --profile pixel-8
    """
    from edge_sdk.artifact.model import read_artifact
    from edge_sdk.checks.checking import check
    from edge_sdk.profile.reading import find_profile
    from edge_sdk.report.checking import check_text

    report = check(read_artifact(artifact), find_profile(profile), delegates=delegates)
    screen.result(report.as_json(), check_text(report))
    return OK if report.fits else UNFIT
