"""Where a command's files go, where the user names a folder or nothing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click


class Target(click.ParamType):  # type: ignore[type-arg] # generic since click 8.2 only
    """A file to write, or a folder: one that is there, or a name that ends in a slash."""

    name = "path"

    def convert(self, value: Any, param: Any, ctx: Any) -> TargetPath:
        return (
            value if isinstance(value, TargetPath) else TargetPath(Path(value), named_folder=str(value).endswith("/"))
        )


class TargetPath:
    """What :class:`Target` reads; ``is_folder`` may become true while nothing is made yet."""

    def __init__(self, path: Path, *, named_folder: bool = False) -> None:
        self.path = path
        self.is_folder = named_folder or path.is_dir()


def converted_paths(source: str, output: TargetPath | None, recipes: Sequence[str]) -> list[Path]:
    """A path for each recipe: what was named; else ``SOURCE_RECIPE.tflite`` in the folder named, or beside the source.

    Args:
        source: of a conversion.
        output: what the user gave.
        recipes: resolved names.
    """
    if output is not None and not output.is_folder:
        if len(recipes) > 1:
            raise click.UsageError(
                f"{len(recipes)} recipes need a folder for --output, and {output.path} is a file's name: "
                f"`-o {output.path}/`, or leave it out"
            )
        return [output.path]
    folder = beside(source) if output is None else output.path
    return [folder / f"{stem_of(source)}_{recipe}.tflite" for recipe in recipes]


def stem_of(source: str) -> str:
    """``model`` of ``folder/model.keras``; the function of ``file.py:function``."""
    return source.rpartition(":")[2] if ".py:" in source else Path(source).stem


def beside(source: str) -> Path:
    """The folder that a source lies in."""
    return Path(source.rpartition(":")[0] if ".py:" in source else source).parent
