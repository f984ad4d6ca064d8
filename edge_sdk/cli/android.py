"""``edge-sdk android``."""

from __future__ import annotations

from pathlib import Path

import click

from edge_sdk.cli.screen import OK, UNFIT, Screen, command


@click.group(short_help="The Android demo app: build, check.")
def android() -> None:
    """The Android demo app: built without Android Studio, and checked before it is installed."""


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
@click.option("--keystore", type=click.Path(path_type=Path), help="Sign with a key of yours; else the debug key.")
@click.option("--key-alias", help="Name of the key in the keystore.")
@click.option("--key-password", metavar="env:NAME|file:PATH", help="Where the keystore's password is.")
def build_command(
    screen: Screen,
    output: Path,
    bundles: tuple[Path, ...],
    abis: tuple[str, ...],
    keystore: Path | None,
    key_alias: str | None,
    key_password: str | None,
) -> None:
    """Build the demo app as one signed APK.

    Needs a JDK. With ANDROID_HOME set, its build tools are taken; else apksigner from Debian, and the rest from Maven
    Central: fetched once, held against the hashes in android_demo/deps.lock. The same inputs give the same bytes.

    edge-sdk android build --bundle digits.edge -o demo.apk
    """
    from edge_sdk.android.building import build
    from edge_sdk.android.signing import user_key
    from edge_sdk.report.android import build_text

    given = (keystore, key_alias, key_password)
    if any(given) and not all(given):
        raise click.UsageError("--keystore, --key-alias and --key-password go together")
    key = user_key(keystore, key_alias, key_password) if keystore and key_alias and key_password else None
    report = build(output, bundles=bundles, abis=abis, key=key, progress=screen)
    screen.result(report.as_json(), build_text(report))


@command(name="check", short_help="What would go wrong with an APK on a phone?")
@click.argument("apk", type=click.Path(path_type=Path))
def check_command(screen: Screen, apk: Path) -> int:
    """What would go wrong with APK on a phone? Any app that carries models will do; nothing of it is run.

    Manifest, signature, page alignment of every native library in the ELF file and in the APK, ABIs, models stored
    uncompressed, classes that Android cannot run, op versions of each model against the engine inside, size by part.
    Exit code 3 if something would fail.
    """
    from edge_sdk.android.checking import check_apk
    from edge_sdk.report.android import check_text

    report = check_apk(apk)
    screen.result(report.as_json(), check_text(report))
    return OK if report.is_fit else UNFIT


for _command in (build_command, check_command):
    android.add_command(_command)
