"""``edge-sdk android``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from edge_sdk.cli.screen import OK, UNFIT, Screen, command

APP_DELEGATES = ("auto", "xnnpack", "cpu", "gpu", "nnapi")
"""What the demo app can be asked for."""


@click.group(short_help="The Android demo app: build, check, install, benchmark.")
def android() -> None:
    """The Android demo app: built without Android Studio, checked before it is installed, and driven over adb."""


@command(name="build", short_help="One signed APK from the demo's sources and your models.")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="The APK to write.")
@click.option(
    "--bundle",
    "bundles",
    multiple=True,
    type=click.Path(path_type=Path),
    help="An .edge bundle or .tflite file that the app carries; may be repeated.",
)
@click.option("--abi", "abis", multiple=True, metavar="ABI", help="Native code for this ABI; may be repeated.")
@click.option(
    "--trusted-key",
    "trusted_keys",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Public key (PEM); may be repeated. The app then opens only bundles that one of them signed.",
)
@click.option("--keystore", type=click.Path(path_type=Path), help="Sign with a key of yours; else the debug key.")
@click.option("--key-alias", help="Name of the key in the keystore.")
@click.option("--key-password", metavar="env:NAME|file:PATH", help="Where the keystore's password is.")
def build_command(
    screen: Screen,
    output: Path,
    bundles: tuple[Path, ...],
    abis: tuple[str, ...],
    trusted_keys: tuple[Path, ...],
    keystore: Path | None,
    key_alias: str | None,
    key_password: str | None,
) -> int:
    """Build the demo app as one signed APK.

    Needs a JDK. With ANDROID_HOME set, its build tools are taken; else apksigner from Debian, and the rest from Maven
    Central: fetched once, held against the hashes in android_demo/deps.lock. The same inputs give the same bytes.
    Exit code 3 if the app's engine lacks an op of a model: the APK is there, and that model will not load.

    edge-sdk android build --bundle digits.edge -o demo.apk
    """
    from edge_sdk.android.building import build
    from edge_sdk.android.signing import user_key
    from edge_sdk.report.android import build_text

    given = (keystore, key_alias, key_password)
    if any(given) and not all(given):
        raise click.UsageError("--keystore, --key-alias and --key-password go together")
    key = user_key(keystore, key_alias, key_password) if keystore and key_alias and key_password else None
    report = build(output, bundles=bundles, abis=abis, key=key, trusted_keys=trusted_keys, progress=screen)
    screen.result(report.as_json(), build_text(report))
    return OK if report.is_fit else UNFIT


@command(name="check", short_help="What would go wrong with an APK on a phone?")
@click.argument("apk", type=click.Path(path_type=Path))
@click.option(
    "--try-in",
    "python",
    type=click.Path(path_type=Path),
    metavar="PYTHON",
    help="An interpreter with the TensorFlow of that APK: each model is loaded and run in it.",
)
def check_command(screen: Screen, apk: Path, python: Path | None) -> int:
    """What would go wrong with APK on a phone? Any app that carries models will do; none of its code is run.

    Manifest, signature, page alignment of every native library in the ELF file and in the APK, ABIs, models stored
    uncompressed, classes that Android cannot run, op versions of each model against the engine inside, size by part.
    Op versions are necessary and not sufficient: --try-in runs each model, on zeros, in a TensorFlow of that version.
    Exit code 3 if something would fail.
    """
    from edge_sdk.android.checking import check_apk
    from edge_sdk.report.android import check_text

    report = check_apk(apk, python=python)
    screen.result(report.as_json(), check_text(report))
    return OK if report.is_fit else UNFIT


_serial = click.option("--serial", default="", metavar="S", help="Of the device, where adb lists several.")


@command(name="install", short_help="Install an APK on a phone, over adb.")
@click.argument("apk", type=click.Path(path_type=Path))
@_serial
def install_command(screen: Screen, apk: Path, serial: str) -> None:
    """Install APK on the device that your adb lists, over an older version if there is one.

    edge-sdk android install demo.apk --serial 28111FDH200ABC
    """
    from edge_sdk.android.driving import install

    done = install(apk, serial=serial, progress=screen)
    screen.result(done.as_json(), f"{done.package} {done.version_name} is installed on {done.address}")


@command(name="benchmark", short_help="Measure a model in the app on a phone, over adb.")
@click.argument("model")
@_serial
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write the result as JSON.")
@click.option(
    "--delegate",
    type=click.Choice(APP_DELEGATES),
    default="auto",
    show_default=True,
    help="Only this one, and no fallback.",
)
@click.option("--delegate-option", "delegate_options", multiple=True, metavar="KEY=VALUE", help="May be repeated.")
@click.option("--threads", type=click.IntRange(1, 64), default=1, show_default=True, help="On the CPU.")
@click.option("--runs", type=click.IntRange(1, 1_000_000), help="At least so many queries.")
@click.option("--seconds", type=click.FloatRange(0, 3600), help="At least so long.")
@click.option("--warm-up", type=click.IntRange(0, 100_000), help="Queries before; default: until latency has settled.")
@click.option("--quotable", is_flag=True, help="1,024 queries and 60 s at least, as MLPerf asks.")
@click.option("--policy", metavar="POLICY", help="What it may run on, such as gpu=require; see `edge-sdk run`.")
@click.option("--variant", metavar="ID", help="Of a bundle.")
@click.option("--timeout", "timeout_s", type=click.FloatRange(1), default=1800.0, show_default=True, help="Seconds.")
def benchmark_command(
    screen: Screen,
    model: str,
    serial: str,
    output: Path | None,
    delegate_options: tuple[str, ...],
    quotable: bool,
    timeout_s: float,
    **asked: Any,
) -> int:
    """Measure MODEL in the demo app on the device that your adb lists.

    MODEL is an .edge or .tflite file here, which is pushed by its hash and removed afterwards, or app:NAME for one that
    the app carries. The result has the form of `edge-sdk benchmark`'s. Exit code 3 if it is INVALID; says why.

    edge-sdk android benchmark model.edge --delegate gpu --runs 200 -o result.json
    """
    from edge_sdk.android.driving import Asked, benchmark, listing
    from edge_sdk.files import check_writable, write_bytes
    from edge_sdk.report.android import benchmark_text

    if quotable and (asked["runs"] or asked["seconds"] is not None):
        raise click.UsageError("--quotable goes without --runs and --seconds")
    if output is not None:
        check_writable(output)
    wanted = Asked(model, delegate_options=listing(delegate_options), mode="quotable" if quotable else None, **asked)
    result = benchmark(wanted, serial=serial, timeout_s=timeout_s, progress=screen)
    data = result.as_json()
    if output is not None:
        write_bytes(output, (json.dumps(data, indent=1) + "\n").encode())
    screen.result(data, benchmark_text(result))
    return OK if result.valid else UNFIT


for _command in (build_command, check_command, install_command, benchmark_command):
    android.add_command(_command)
