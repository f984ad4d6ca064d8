"""``edge-sdk devices``."""

from __future__ import annotations

from pathlib import Path

import click

from edge_sdk.cli.calibrating import calibrate_command, translate_command
from edge_sdk.cli.screen import FAILED, OK, Screen, command


@click.group(short_help="Devices to run on: list them, make a board ready, time its kernels.")
def devices() -> None:
    """Devices: this machine (local), boards (ssh://user@host:port) and Android devices (adb://SERIAL).

    ssh is your own, with its configuration, keys and agent; adb likewise. On Android the demo app is what runs, also
    for `edge-sdk benchmark --on adb://SERIAL`: see `edge-sdk android`.
    """


@command(name="list", short_help="What is there, and how much is free on it.")
@click.argument("addresses", nargs=-1, metavar="[ADDRESS]...")
def list_command(screen: Screen, addresses: tuple[str, ...]) -> int:
    """What devices say of themselves: model, system, CPU, free memory and storage, and whether edge-sdk is ready there.

    Without an ADDRESS: this machine, and all that adb lists. One that fails is told as that; exit code 1 if any did.
    """
    from edge_sdk.devices.listing import look_at_all
    from edge_sdk.report.devices import list_text

    found = look_at_all(addresses)
    screen.result({"devices": [one.as_json() for one in found]}, list_text(found))
    return FAILED if any(one.error for one in found) else OK


@command(name="prepare", short_help="Put edge-sdk and an engine that fits on a board.")
@click.argument("address")
@click.option("--python", metavar="PROGRAM", help="There; default: the first of python3, 3.13 ... 3.10.")
@click.option("--engine", help="ai-edge-litert or tflite-runtime; default: the first that fits.")
@click.option(
    "--wheels",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of wheels to choose from; pip puts there what is missing. Default: ~/.cache/edge-sdk/wheels.",
)
@click.option("--offline", is_flag=True, help="Use that folder only.")
@click.option("--remove", is_flag=True, help="Remove all that edge-sdk has there instead.")
def prepare_command(
    screen: Screen,
    address: str,
    python: str | None,
    engine: str | None,
    wheels: Path | None,
    offline: bool,
    remove: bool,
) -> None:
    """Put edge-sdk, an engine and what they need on ADDRESS, into one folder that `--remove` removes.

    Wheels are chosen on this machine for the Python, C library and CPU found there, by what their libraries really ask
    for. The board needs Python 3.10 or later; neither pip nor network. Then both are started there once.

    \b
    edge-sdk devices prepare ssh://pi@raspberrypi.local
    edge-sdk devices prepare ssh://board --wheels wheels/ --offline --engine tflite-runtime
    """
    from edge_sdk.devices import open_device
    from edge_sdk.devices.prepare import prepare
    from edge_sdk.devices.prepare import remove as removed
    from edge_sdk.report.devices import prepared_text

    with open_device(address) as device:
        if remove:
            removed(device)
            screen.result({"address": device.address, "removed": device.link.home}, f"removed {device.link.home}")
            return
        found = prepare(device, python=python, engine=engine, wheels=wheels, offline=offline, progress=screen)
        screen.result({"address": device.address, **found.as_json()}, prepared_text(device.address, found))


for _command in (list_command, prepare_command, calibrate_command, translate_command):
    devices.add_command(_command)
