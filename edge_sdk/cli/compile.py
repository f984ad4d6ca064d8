"""``edge-sdk compile``."""

from __future__ import annotations

from pathlib import Path

import click

from edge_sdk.cli.screen import OK, Screen, command


@command(name="compile", short_help="A .tflite file for a device's NPU, ahead of time.")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--profile", metavar="ID", help="Device; see `profiles list`, or a .toml file of your own.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="File to write; default: beside FILE.")
@click.option("--soc", metavar="CHIP", help="Over the profile's; COMPILER:CHIP, such as qualcomm:SM8650, needs none.")
@click.option(
    "--accept-license", "accepted", multiple=True, metavar="COMPILER", help="You accept its licence; may be repeated."
)
@click.option("--env", type=click.Path(path_type=Path), help="Python environment that holds the compiler.")
@click.option("--time-limit", type=click.FloatRange(1), default=900.0, show_default=True, help="Seconds.")
@click.option("--verbose", "-v", is_flag=True, help="Every op.")
def compile_command(
    screen: Screen,
    file: Path,
    profile: str | None,
    output: Path | None,
    soc: str | None,
    accepted: tuple[str, ...],
    env: Path | None,
    time_limit: float,
    verbose: bool,
) -> int:
    """Compile FILE, a .tflite, for the NPU of a device. The compiler's own answer is the placement that is shown.

    Compilers: vela (Arm Ethos-U), qualcomm (Hexagon). Each is an extra that you install, runs offline in a child
    process, and comes under its vendor's licence. Exit code 3 if it ends well with nothing on the NPU.

    \b
    edge-sdk compile model.tflite --profile imx93
    edge-sdk compile model.tflite --profile xiaomi-14 --accept-license qualcomm
    edge-sdk compile model.tflite --soc qualcomm:SM8550 --env ~/qualcomm-venv --accept-license qualcomm
    """
    from edge_sdk.converters.compilers import CompileOptions, compile_file
    from edge_sdk.profile.reading import find_profile
    from edge_sdk.report.compiling import compilation_text

    device = find_profile(profile) if profile is not None else None
    options = CompileOptions(device, soc, accepted, env, time_limit)
    made = compile_file(file, output, options, screen)
    screen.result({"output": str(made.output), **made.compilation.as_json()}, compilation_text(made, verbose=verbose))
    return OK
