"""``edge-sdk devices calibrate``: kernel times of a device, from which `check` predicts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edge_sdk.cli.screen import UNFIT, Screen, command

if TYPE_CHECKING:
    from edge_sdk.checks.timing.table import Table
    from edge_sdk.devices import Device

# Before each finished kernel's JSON on a device's stderr, so that what is lost with the link is little.
MARK = "calibrated: "


@command(long=True, name="calibrate", short_help="Time kernels on a device, so that `check` can predict files there.")
@click.argument("address")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write the table there, as JSON.")
@click.option(
    "--threads", type=click.IntRange(1), default=1, show_default=True, help="Of the engine; one table for each."
)
@click.option("--engine", help="ai-edge-litert or tflite-runtime; default: the first that is installed.")
@click.option(
    "--partial",
    type=click.Path(path_type=Path),
    help="Kernels that are done, while it runs: an interrupted calibration goes on from it. Default: OUTPUT.partial.",
)
@click.option("--tell", is_flag=True, hidden=True)
def calibrate_command(
    screen: Screen,
    address: str,
    output: Path | None,
    threads: int,
    engine: str | None,
    partial: Path | None,
    tell: bool,
) -> int | None:
    """Time some thousand kernels and small networks on ADDRESS (local, ssh://user@host:port) in about four minutes.

    On adb://SERIAL the demo app times them, in one process; it must be installed there (`edge-sdk android install`).

    The table belongs to that device, engine version and number of threads. Rules are the benchmark's own: where other
    programs, the clock or heat disturbed the times it is INVALID (exit code 3) and nothing predicts from it.

    \b
    edge-sdk devices calibrate local -o here.json
    edge-sdk devices calibrate ssh://pi@raspberrypi.local --threads 4 -o pi.json
    edge-sdk devices calibrate adb://R5CT30 -o phone.json
    edge-sdk check model.tflite --profile raspberry-pi-4 --calibration-table pi.json
    """
    from edge_sdk.report.timing import calibrated_text

    found = calibrated(screen, address, output, threads=threads, engine=engine, partial=partial, tell=tell)
    screen.result(found.as_json(), calibrated_text(found, output))
    return None if found.valid else UNFIT


def calibrated(
    screen: Screen,
    address: str,
    output: Path | None,
    *,
    threads: int = 1,
    engine: str | None = None,
    partial: Path | None = None,
    tell: bool = False,
) -> Table:
    """Times kernels on a device, and writes the table; see :func:`calibrate_command`."""
    from edge_sdk.checks.timing.table import write_table
    from edge_sdk.files import check_writable

    if output is not None:
        check_writable(output)
        partial = partial or output.parent / f"{output.name}.partial"
    if address == "local":
        found = _here(screen, threads, engine, partial, tell=tell)
    else:
        found = _there(screen, address, threads, engine, partial)
    if output is not None:
        write_table(found, output)
    return found


def _here(screen: Screen, threads: int, engine: str | None, partial: Path | None, *, tell: bool) -> Table:
    from edge_sdk.measure.calibration.kept import Kept
    from edge_sdk.measure.calibration.running import calibrate

    def told(line: str) -> None:
        if tell:
            click.echo(f"{MARK}{line}", err=True)

    return calibrate(engine=engine, threads=threads, kept=Kept(partial, told), progress=screen)


def _there(screen: Screen, address: str, threads: int, engine: str | None, partial: Path | None) -> Table:
    from edge_sdk.checks.timing.table import parse_written
    from edge_sdk.devices import open_device
    from edge_sdk.devices.remote import Pushed, Task, run_there

    words: list[str | Pushed] = ["calibrate", "local", "--tell", "--threads", str(threads)]
    words += ["--engine", engine] if engine else []
    words += ["--partial", Pushed(partial)] if partial is not None and partial.exists() else []

    def heard(line: str) -> None:
        if not line.startswith(MARK):
            screen.say(f"{address}: {line}")
        elif partial is not None:
            with partial.open("a", encoding="utf-8") as file:
                file.write(line.removeprefix(MARK) + "\n")

    with open_device(address) as device:
        if device.runs_apps_only:
            return _in_app(screen, device, threads, engine, partial)
        screen.stage(f"calibrate {device.address}")
        found = run_there(device, Task("devices", (), tuple(words)), lines=heard)
    if partial is not None:
        partial.unlink(missing_ok=True)
    return parse_written(json.loads(json.dumps(found)), where=address)


def _in_app(screen: Screen, device: Device, threads: int, engine: str | None, partial: Path | None) -> Table:
    from edge_sdk.android.calibrating import calibrate_there
    from edge_sdk.checks.timing.work import APP_ENGINE
    from edge_sdk.errors import DeviceError
    from edge_sdk.measure.calibration.kept import Kept

    if engine not in (None, APP_ENGINE):
        raise DeviceError(
            f"{device.address}: on Android the demo app times kernels, with its own {APP_ENGINE}; --engine {engine} is "
            "for boards",
            address=device.address,
            hint="leave --engine out",
        )
    return calibrate_there(device, threads=threads, kept=Kept(partial), progress=screen)


@command(name="translate", short_help="Times measured on one device to another of its family.")
@click.argument("result", type=click.Path(path_type=Path))
@click.option(
    "--pair",
    "pairs",
    nargs=2,
    multiple=True,
    required=True,
    type=click.Path(path_type=Path),
    metavar="HERE THERE",
    help="The same files measured on both, as `benchmark -o` writes it; may be repeated. Five files or more in all.",
)
def translate_command(screen: Screen, result: Path, pairs: tuple[tuple[Path, Path], ...]) -> None:
    """Translate RESULT, measured on one device, to another of its family, by a fit from files measured on both.

    Nothing is translated between families: there the same fit is off by a fifth and more.

    \b
    edge-sdk benchmark m1.tflite m2.tflite m3.tflite m4.tflite m5.tflite --on ssh://pi4 -o pi4.json
    edge-sdk benchmark m1.tflite m2.tflite m3.tflite m4.tflite m5.tflite --on ssh://pi5 -o pi5.json
    edge-sdk benchmark new.tflite --on ssh://pi4 -o new.json
    edge-sdk devices translate new.json --pair pi4.json pi5.json
    """
    from dataclasses import asdict

    from edge_sdk.measure.schema import load_benchmark
    from edge_sdk.measure.translating import translate
    from edge_sdk.report.timing import translated_text

    read = [(load_benchmark(here), load_benchmark(there)) for here, there in pairs]
    found = translate(load_benchmark(result), read)
    screen.result(asdict(found), translated_text(found))
