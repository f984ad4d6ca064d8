"""Data that files are measured on: samples with or without labels, and their three parts.

What ranges are observed on, what the search looks at, and what only its answer is tried on never share a sample: the
best of many numbers taken on one set is too good on it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sdk.converters.options.training import TrainData
from edge_sdk.converters.train.data import ArrayBatches, open_training_data
from edge_sdk.data import open_data
from edge_sdk.data.functions import call, is_function_reference, load_function
from edge_sdk.data.images import SUFFIXES, ImageOptions, image_files
from edge_sdk.data.opening import DataSource
from edge_sdk.errors import CalibrationError
from edge_sdk.signature import TensorSpec

Rows = npt.NDArray[np.int64]
_CALIBRATION_SHARE, _MOST_CALIBRATION = 0.2, 200
_CONFIRM_SHARE = 0.5
"""Of what is not calibrated on: an answer is worth what unseen data can say of it, and a search needs no more."""
FEWEST = 20
"""Samples below which no comparison means anything."""


@dataclass(frozen=True)
class EvalData:
    """Samples, and their targets where they have some: one array, arrays by output name, or None."""

    source: DataSource
    targets: Any


@dataclass(frozen=True)
class Parts:
    """Places of samples: to calibrate on (none where other data serves), to search with, to confirm the answer on."""

    calibrate: Rows
    search: Rows
    confirm: Rows


def open_eval(data: TrainData, specs: Sequence[TensorSpec], outputs: Sequence[str], images: ImageOptions) -> EvalData:
    """Opens evaluation data.

    Args:
        data: a folder with a subfolder of images for each class (their sorted names are classes 0, 1, ...; names that
            are all numbers are the classes themselves), a folder of images, a ``.npz`` with inputs by name and labels
            beside them or without, a ``.npy``, ``file.py:function`` that returns such arrays, or the same in Python.
        specs: the model's inputs.
        outputs: the model's outputs.
        images: how pixels become values.

    Raises:
        CalibrationError: absent, unreadable, or of another name, shape or dtype than the signature's.
    """
    if isinstance(data, str) and is_function_reference(data):
        data = call(load_function(data, error=CalibrationError), data, CalibrationError)
    if isinstance(data, str | Path):
        path = Path(data)
        if path.is_dir():
            source = open_data(path, specs, images=images)
            return EvalData(source, _classes(path, image_files(path)))
        if path.suffix != ".npz":
            return EvalData(open_data(path, specs, images=images), None)
    if isinstance(data, str | Path | Mapping | tuple):
        opened = open_training_data(data, specs, outputs, batch_size=1, seed=0)
        if isinstance(opened, ArrayBatches):
            source = open_data(opened.inputs, specs)
            return EvalData(DataSource(opened.description, source.count, source.samples), opened.targets)
    raise CalibrationError(
        f"evaluation data is a {type(data).__name__}",
        hint="give a folder of images, a .npz, a dict of arrays or (inputs, targets)",
    )


def _classes(folder: Path, files: Sequence[Path]) -> npt.NDArray[np.int64] | None:
    """Each image's class by its subfolder; None for a flat folder."""
    names = sorted({file.relative_to(folder).parts[0] for file in files if len(file.relative_to(folder).parts) > 1})
    loose = [file for file in files if file.parent == folder]
    if not names:
        return None
    if loose:
        raise CalibrationError(
            f"{folder}: has images beside subfolders of images ({loose[0].name})",
            hint=f"move them into the subfolder of their class; images end in {', '.join(sorted(SUFFIXES))}",
        )
    numbered = all(name.isdigit() for name in names)
    places = {name: int(name) if numbered else place for place, name in enumerate(names)}
    return np.array([places[file.relative_to(folder).parts[0]] for file in files], np.int64)


def split(count: int, seed: int, *, calibrate: bool) -> Parts:
    """Parts of so many samples, by lot.

    Args:
        count: samples.
        seed: of the lot.
        calibrate: whether ranges are observed on a part of them; up to a fifth, 200 at most.

    Raises:
        CalibrationError: too few.
    """
    if count < FEWEST:
        raise CalibrationError(
            f"{count} samples to evaluate on, and fewer than {FEWEST} tell nothing", hint="give some hundreds"
        )
    order = np.random.default_rng(seed).permutation(count)
    first = min(_MOST_CALIBRATION, round(count * _CALIBRATION_SHARE)) if calibrate else 0
    rest = count - first
    last = count - round(rest * _CONFIRM_SHARE)
    return Parts(np.sort(order[:first]), order[first:last], np.sort(order[last:]))
