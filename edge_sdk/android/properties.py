"""``android.properties``: what the app is called and which systems it is for. Gradle reads the same file."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from edge_sdk.errors import RecipeError

ABIS = ("arm64-v8a", "armeabi-v7a", "x86_64", "x86")
"""Of the engine's AARs."""


@dataclass(frozen=True)
class AppProperties:
    """What ``android.properties`` says; API levels are Android's numbers, such as 26."""

    application_id: str
    min_sdk: int
    target_sdk: int
    compile_sdk: int
    version_code: int
    version_name: str
    tflite: str
    abis: tuple[str, ...]


def project() -> Path:
    """The folder ``android_demo/``, in a checkout or in an installed wheel."""
    return Path(str(resources.files("edge_sdk") / "android_demo"))


def read_properties(folder: Path) -> AppProperties:
    """Reads ``android.properties`` of a project.

    Raises:
        RecipeError: a key is missing, or a value is not of its kind.
    """
    path = folder / "android.properties"
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise RecipeError(f"{path}: cannot be read: {error.strerror}") from error
    found = dict(line.split("=", 1) for line in map(str.strip, lines) if line and not line.startswith("#"))
    try:
        return AppProperties(
            application_id=found["applicationId"],
            min_sdk=int(found["minSdk"]),
            target_sdk=int(found["targetSdk"]),
            compile_sdk=int(found["compileSdk"]),
            version_code=int(found["versionCode"]),
            version_name=found["versionName"],
            tflite=found["tflite"],
            abis=check_abis(found["abis"].split(",")),
        )
    except KeyError as error:
        raise RecipeError(f"{path}: {error.args[0]} is missing") from error
    except ValueError as error:
        raise RecipeError(f"{path}: {error}") from error


def check_abis(names: list[str]) -> tuple[str, ...]:
    """The names, if the engine is built for all of them.

    Raises:
        RecipeError: one is not among :data:`ABIS`.
    """
    for name in names:
        if name not in ABIS:
            raise RecipeError(f"no engine for the ABI `{name}`", hint=f"one or more of {', '.join(ABIS)}")
    return tuple(names)
