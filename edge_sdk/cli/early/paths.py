"""What can be known to be wrong before a toolchain is imported: paths and spelling, told in the first half second."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterable
from pathlib import Path

from edge_sdk.errors import CalibrationError, EdgeSdkError, ModelError, RecipeError, nearest

_MODELS = "a .keras, .h5, .pt2, .onnx, .tflite or frozen .pb file, a SavedModel folder, or file.py:function"
_SOUND = (".wav", ".mp3", ".flac", ".ogg", ".m4a")
_NPY = b"\x93NUMPY"


def check_source(source: str) -> None:
    """Whether the source is there, and of a kind that is read.

    Raises:
        ModelError: it is not.
    """
    _check_there(source, ModelError, f"a model is {_MODELS}")
    path = Path(source)
    if path.suffix == ".edge":
        raise ModelError(
            f"{source}: is a bundle, and a model is asked for",
            hint="a bundle is a ZIP: `unzip -l` lists the .tflite file of each variant; "
            "`edge-sdk run`, `benchmark` and `check` take bundles",
        )
    if path.is_dir() and not (path / "saved_model.pb").is_file():
        raise ModelError(f"{source}: this folder holds no saved_model.pb", hint=f"a model is {_MODELS}")


def check_data(option: str, data: str | None) -> None:
    """Whether data is there, and is what its name says.

    Args:
        option: that named it.
        data: a path or ``file.py:function``; None passes.

    Raises:
        CalibrationError: it is not.
    """
    if data is None:
        return
    hint = f"{option} is a .npz, a .npy, an image or a folder of images, or file.py:function"
    _check_there(data, CalibrationError, hint)
    path = Path(data)
    if path.suffix.lower() in _SOUND:
        raise CalibrationError(
            f"{data}: sound is not read, for a model takes frames or features of it",
            hint=f"compute them as in training, and save them as arrays: {hint}",
        )
    _check_kind(data, hint)
    if path.suffix == ".npz" and path.is_file() and not zipfile.is_zipfile(path):
        raise CalibrationError(f"{path}: not a whole .npz file", hint="write it with numpy.savez")
    if path.suffix == ".npy" and path.is_file() and not _begins_with(path, _NPY):
        raise CalibrationError(f"{path}: not a whole .npy file", hint="write it with numpy.save")


def _check_kind(data: str, hint: str) -> None:
    path = Path(data)
    if not path.is_file() or path.suffix in (".npz", ".npy"):
        return
    from edge_sdk.data.images import SUFFIXES

    if path.suffix.lower() not in SUFFIXES:
        raise CalibrationError(f"{data}: unknown kind of data `{path.suffix}`", hint=hint)


def _begins_with(path: Path, start: bytes) -> bool:
    with path.open("rb") as file:
        return file.read(len(start)) == start


def check_patterns(option: str, patterns: Iterable[str]) -> None:
    """Whether regular expressions can be read.

    Raises:
        RecipeError: one cannot.
    """
    for pattern in patterns:
        try:
            re.compile(pattern)
        except re.error as error:
            raise RecipeError(f"{option} `{pattern}`: not a regular expression: {error}") from error


def _check_there(named: str, kind: type[EdgeSdkError], hint: str) -> None:
    path = Path(named.rpartition(":")[0] if re.search(r"\.py:\w+$", named) else named)
    if path.exists():
        return
    folder = path.parent
    if not folder.is_dir():
        raise kind(f"{named}: no such file or folder: there is no folder {folder}", hint=hint)
    others = [one.name for one in folder.iterdir()]
    close = nearest(path.name, others)
    raise kind(f"{named}: no such file or folder{close}", hint=hint)
