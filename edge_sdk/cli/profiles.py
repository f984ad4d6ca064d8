"""``edge-sdk profiles``."""

from __future__ import annotations

import typing
from pathlib import Path

import click

from edge_sdk.cli.options.completing import device_ids
from edge_sdk.cli.screen import OK, UNFIT, Screen, command
from edge_sdk.profile.records import Kind
from edge_sdk.profile.rule_sets import rule_set_names


@click.group(short_help="Device profiles: list, show, validate, detect.")
def profiles() -> None:
    """Device profiles: what a device is, as data, with the source of every number.

    ID is a built-in profile, or a .toml file of your own.
    """


@command(name="list", short_help="All built-in profiles.")
@click.option("--kind", type=click.Choice(typing.get_args(Kind)), help="Only devices of this kind.")
@click.option("--delegate", type=click.Choice(rule_set_names()), help="Only devices with these rules.")
def list_command(screen: Screen, kind: str | None, delegate: str | None) -> None:
    """All built-in profiles, a line each."""
    from edge_sdk.profile.reading import find_profile, profile_names
    from edge_sdk.report.profiles import list_text

    found = [
        profile
        for profile in map(find_profile, profile_names())
        if kind in (None, profile.device.kind)
        and (delegate is None or delegate in [one.rules for one in profile.device.delegates])
    ]
    screen.result({"profiles": [profile.as_json() for profile in found]}, list_text(found))


@command(name="show", short_help="One profile, and where its numbers come from.")
@click.argument("profile", metavar="ID", shell_complete=device_ids)
def show_command(screen: Screen, profile: str) -> None:
    """One profile: chip, memory, system, runtimes, delegates, and where each number comes from."""
    from edge_sdk.profile.reading import find_profile
    from edge_sdk.report.profiles import show_text

    found = find_profile(profile)
    screen.result(found.as_json(), show_text(found))


@command(name="validate", short_help="Check profile files.")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
def validate_command(screen: Screen, paths: tuple[Path, ...]) -> int:
    """Check profile files or folders (none: the built-in ones) and list every fault, a line each.

    A file's chip is built in, or lies in socs/ beside it. Exit code 3 if there are faults.
    """
    from edge_sdk.profile.reading import validate

    faults = {name: list(found) for name, found in validate(paths)}
    lines = [f"{name}: {fault}" for name, found in faults.items() for fault in found]
    count = (
        f"{len(faults)} profile{'' if len(faults) == 1 else 's'}, {len(lines)} fault{'' if len(lines) == 1 else 's'}"
    )
    screen.result({"faults": faults}, "\n".join([*lines, count]))
    return UNFIT if lines else OK


@command(name="detect", short_help="A draft profile of this machine, or of a device.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Folder to write ID.toml and socs/ID.toml to.")
@click.option("--on", metavar="ADDRESS", help="Of that device: ssh://user@host:port or adb://SERIAL.")
@click.option("--calibrate", is_flag=True, help="Time its kernels too, into calibration/ID.json beside the profile.")
def detect_command(screen: Screen, output: Path | None, on: str | None, calibrate: bool) -> int | None:
    """A draft profile of the machine this runs on, or of a device: device tree, cpuinfo, memory, libraries.

    What cannot be found is left open with a comment; `profiles validate` then asks for it. Nothing is loaded or run,
    but with --calibrate: see `edge-sdk devices calibrate`.
    """
    if calibrate and output is None:
        raise click.UsageError("--calibrate writes a table beside the profile: give -o FOLDER too")
    from edge_sdk.files import check_writable, write_bytes
    from edge_sdk.profile.detect import detect

    if on:
        from edge_sdk.devices.detecting import detect_on

        draft = detect_on(on)
    else:
        draft = detect()
    files = {f"{draft.id}.toml": draft.device, f"socs/{draft.id}.toml": draft.soc}
    if output is not None:
        targets = {output / name: text for name, text in files.items()}
        for target in targets:
            check_writable(target)
        for target, text in targets.items():
            write_bytes(target, text.encode())
    shown = "\n".join(f"# {name}\n{text}" for name, text in files.items())
    code = (
        _calibrated(screen, on or "local", output / "calibration" / f"{draft.id}.json")
        if calibrate and output
        else None
    )
    screen.result({"id": draft.id, "files": files}, shown if output is None else "\n".join(map(str, targets)))
    return code


def _calibrated(screen: Screen, address: str, target: Path) -> int:
    """Writes the table; what is INVALID is written as that."""
    from edge_sdk.cli.calibrating import calibrated
    from edge_sdk.report.timing import calibrated_text

    target.parent.mkdir(parents=True, exist_ok=True)
    found = calibrated(screen, address, target)
    screen.say(calibrated_text(found, target))
    return OK if found.valid else UNFIT


for _command in (list_command, show_command, validate_command, detect_command):
    profiles.add_command(_command)
