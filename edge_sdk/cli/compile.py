"""``edge-sdk compile``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from edge_sdk.cli.options import image_options, pixel_options
from edge_sdk.cli.options.completing import device_ids
from edge_sdk.cli.screen import OK, Screen, command


@command(long=True, name="compile", short_help="A .tflite file for a device's NPU, ahead of time.")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--profile",
    metavar="ID",
    shell_complete=device_ids,
    help="Device; see `profiles list`, or a .toml file of your own.",
)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="File to write; default: beside FILE.")
@click.option("--soc", metavar="CHIP", help="Over the profile's; COMPILER:CHIP, such as qualcomm:SM8650, needs none.")
@click.option(
    "--accept-license", "accepted", multiple=True, metavar="COMPILER", help="You accept its licence; may be repeated."
)
@click.option("--env", type=click.Path(path_type=Path), help="Python environment that holds the compiler.")
@click.option("--time-limit", type=click.FloatRange(1), default=900.0, show_default=True, help="Seconds.")
@click.option(
    "--emulate", type=click.IntRange(1), metavar="N", help="Compare N samples, NPU emulated here, with the CPU."
)
@click.option("--data", help="What to emulate on: as for `compare`; default: random inputs from a seed.")
@pixel_options
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
    emulate: int | None,
    data: str | None,
    verbose: bool,
    **pixels: Any,
) -> int:
    """Compile FILE, a .tflite, for the NPU of a device. The compiler's own answer is the placement that is shown.

    Compilers: vela (Arm Ethos-U), qualcomm (Hexagon), rockchip (.rknn). Each is an extra that you install, runs offline
    in a child process, and comes under its vendor's licence. With --emulate, qualcomm's file runs in its vendor's
    emulation of the NPU: numbers as the NPU computes them, no times. Exit code 3 if it ends well with nothing on the
    NPU.

    \b
    edge-sdk compile model.tflite --profile imx93
    edge-sdk compile model.tflite --profile xiaomi-14 --accept-license qualcomm --emulate 4 --data samples.npz
    edge-sdk compile model.tflite --profile rk3588 --env ~/rknn-venv --accept-license rockchip
    edge-sdk compile model.tflite --soc qualcomm:SM8550 --env ~/qualcomm-venv --accept-license qualcomm
    """
    from edge_sdk.converters.compilers import CompileOptions, Trial, compile_file
    from edge_sdk.profile.reading import find_profile
    from edge_sdk.report.compiling import compilation_text

    device = find_profile(profile) if profile is not None else None
    if data is not None and emulate is None:
        raise click.UsageError("--data is what --emulate runs on: give --emulate N")
    images = image_options(pixels)
    trial = None if emulate is None else Trial(emulate, data, images)
    options = CompileOptions(device, soc, accepted, env, time_limit, trial)
    made = compile_file(file, output, options, screen)
    screen.result(made.as_json(), compilation_text(made, verbose=verbose))
    return OK
