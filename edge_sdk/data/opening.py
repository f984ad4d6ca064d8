"""What a user calls DATA, opened as a stream of samples."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sdk.data.arrays import ArrayFile, array_files
from edge_sdk.data.functions import call, is_function_reference, load_function
from edge_sdk.data.images import ImageOptions, class_folders, holds_images, image_extents, image_files, image_samples
from edge_sdk.errors import CalibrationError, nearest
from edge_sdk.signature import Arrays, TensorSpec, shape_text

Data = str | Path | Mapping[str, Any] | Iterable[Any]
_FORMS = "a .npz, a .npy, an image or a folder of images, or file.py:function"


@dataclass(frozen=True)
class DataSource:
    """A stream of samples that can be begun once.

    Attributes:
        description: where the samples come from and how they were made, for reports.
        count: how many there are; None where only the end will tell.
        samples: begins the stream.
        classes: of each sample, an index, where the data tells: a folder with a subfolder for each; else empty.
        class_names: of those subfolders, sorted.
        drawn: whether they are made up by a seed, for want of data.
    """

    description: str
    count: int | None
    samples: Callable[[], Iterator[Arrays]]
    classes: tuple[int, ...] = ()
    class_names: tuple[str, ...] = ()
    drawn: bool = False


def open_data(data: Data, specs: Sequence[TensorSpec], *, images: ImageOptions | None = None) -> DataSource:
    """Opens DATA for inputs of static shape; names, shapes and dtypes of files are checked at once.

    Args:
        data: a path to ``.npz`` (arrays named after the inputs, samples along the first axis), ``.npy`` (one
            input), a folder of images (one image input) or ``file.py:function``; or in Python the same as a dict
            of arrays, or an iterable of samples, each a dict, an array (one input), or a sequence in input order.
        specs: the inputs.
        images: how pixels become values.

    Raises:
        CalibrationError: absent, unreadable, or another name, shape or dtype than the signature's.
    """
    if isinstance(data, str | Path):
        return _open_path(str(data), specs, images or ImageOptions())
    if isinstance(data, Mapping):
        arrays = {name: _InMemory(np.asarray(value)) for name, value in data.items()}
        return _from_arrays("arrays in memory", arrays, specs)
    return DataSource("a Python iterable", None, lambda: _from_items(data, specs))


def _open_path(text: str, specs: Sequence[TensorSpec], images: ImageOptions) -> DataSource:
    if is_function_reference(text):
        return _from_function(text, specs)
    path = Path(text)
    if holds_images(path):
        return _from_images(path, specs, images)
    if not path.exists():
        raise CalibrationError(f"{path}: no such file or folder", hint=f"DATA is {_FORMS}")
    if path.suffix not in (".npz", ".npy"):
        raise CalibrationError(f"{path}: unknown kind of data `{path.suffix}`", hint=f"DATA is {_FORMS}")
    files = array_files(path)
    if path.suffix == ".npy":
        if len(specs) != 1:
            raise CalibrationError(
                f"{path}: a .npy file holds one array, but the model has {len(specs)} inputs",
                hint=f"save a .npz with the arrays {', '.join(s.name for s in specs)}",
            )
        files = {specs[0].name: files[""]}
    return _from_arrays(str(path), files, specs)


def _from_function(reference: str, specs: Sequence[TensorSpec]) -> DataSource:
    function = load_function(reference, error=CalibrationError)
    result = call(function, reference, CalibrationError)
    if isinstance(result, np.ndarray) and len(specs) == 1:
        result = {specs[0].name: result}
    if not isinstance(result, Mapping | Iterable):
        raise CalibrationError(
            f"{reference} returned {type(result).__name__}",
            hint="return a dict of arrays, or yield samples as dicts of input name to array",
        )
    opened = open_data(result, specs)
    return DataSource(reference, opened.count, opened.samples)


def _from_images(folder: Path, specs: Sequence[TensorSpec], options: ImageOptions) -> DataSource:
    if len(specs) != 1:
        raise CalibrationError(
            f"{folder}: a folder of images feeds one input, but the model has {len(specs)}",
            hint="pass a .npz or file.py:function with all inputs",
        )
    spec, files = specs[0], image_files(folder)
    height, width, _ = image_extents(spec)
    count = _batches(len(files), spec, str(folder))

    def samples() -> Iterator[Arrays]:
        rows = image_samples(files, spec, options)
        return ({spec.name: batch} for batch in _batched(rows, spec))

    what = folder if folder.is_file() else f"{len(files)} images of {folder}"
    classes, names = class_folders(folder, files) if count == len(files) else ((), ())
    return DataSource(f"{what} at {width}x{height}, {options}", count, samples, classes, names)


@dataclass(frozen=True)
class _InMemory:
    array: npt.NDArray[Any]

    @property
    def shape(self) -> tuple[int, ...]:
        return self.array.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.array.dtype

    def rows(self) -> Iterator[npt.NDArray[Any]]:
        return iter(self.array)


def _from_arrays(
    description: str, arrays: Mapping[str, ArrayFile | _InMemory], specs: Sequence[TensorSpec]
) -> DataSource:
    by_name = {spec.name: spec for spec in specs}
    for name in arrays:
        if name not in by_name:
            raise CalibrationError(
                f"{description}: `{name}` is not an input of the model{nearest(name, by_name)}",
                hint=f"the inputs are: {'; '.join(str(spec) for spec in specs)}",
            )
    counts: dict[str, int] = {}
    for spec in specs:
        if spec.name not in arrays:
            raise CalibrationError(
                f"{description}: no array for input `{spec.name}`{nearest(spec.name, arrays)}",
                hint=f"it has {', '.join(arrays) or 'none'}",
            )
        counts[spec.name] = count_samples(description, arrays[spec.name], spec)
    if len(set(counts.values())) > 1:
        listing = ", ".join(f"{name}: {count}" for name, count in counts.items())
        raise CalibrationError(f"{description}: inputs have different numbers of samples ({listing})")

    def samples() -> Iterator[Arrays]:
        streams = [_stream(arrays[spec.name], spec) for spec in specs]
        return (dict(zip(by_name, row, strict=True)) for row in zip(*streams, strict=True))

    return DataSource(description, next(iter(counts.values()), 0), samples)


def count_samples(where: str, array: ArrayFile | _InMemory, spec: TensorSpec) -> int:
    """Number of samples in the array; checks its dtype and shape."""
    if array.dtype != np.dtype(spec.dtype):
        raise CalibrationError(
            f"{where}: input `{spec.name}` expects {spec.dtype}, got {array.dtype}",
            hint=f"save it as .astype('{spec.dtype}')",
        )
    shape = spec.static_shape
    if array.shape[1:] == shape:
        return array.shape[0]
    if shape and array.shape[1:] == shape[1:]:
        return _batches(array.shape[0], spec, where)
    expected = shape_text((None, *shape[1:])) if shape else "[?]"
    raise CalibrationError(
        f"{where}: input `{spec.name}` expects {expected} with samples along the first axis, "
        f"got {shape_text(array.shape)}",
        hint=_layout_hint(array.shape, spec),
    )


def _layout_hint(shape: tuple[int, ...], spec: TensorSpec) -> str | None:
    if len(shape) == 4 and len(spec.shape) == 4:
        _, a, b, c = shape
        if spec.layout == "NCHW" and (c, a, b) == spec.shape[1:]:
            return "this looks like NHWC, and NCHW is taken here: save it as .transpose(0, 3, 1, 2)"
        if spec.layout == "NHWC" and (b, c, a) == spec.shape[1:]:
            return (
                "this looks like NCHW, and NHWC is taken here, as phones give pictures: save it as "
                ".transpose(0, 2, 3, 1); `convert --layout source` keeps a PyTorch model's NCHW"
            )
    return None


def _stream(array: ArrayFile | _InMemory, spec: TensorSpec) -> Iterator[npt.NDArray[Any]]:
    whole = array.shape[1:] == spec.static_shape
    return array.rows() if whole else _batched(array.rows(), spec)


def _batches(rows: int, spec: TensorSpec, where: str) -> int:
    batch = spec.static_shape[0]
    if rows % batch:
        raise CalibrationError(
            f"{where}: {rows} rows for input `{spec.name}` do not fill batches of {batch}",
            hint=f"give a multiple of {batch}",
        )
    return rows // batch


def _batched(rows: Iterator[npt.NDArray[Any]], spec: TensorSpec) -> Iterator[npt.NDArray[Any]]:
    batch = spec.static_shape[0]
    while group := list(islice(rows, batch)):
        yield np.stack(group)


def _from_items(items: Iterable[Any], specs: Sequence[TensorSpec]) -> Iterator[Arrays]:
    for index, item in enumerate(items):
        yield _as_sample(item, specs, index)


def _as_sample(item: Any, specs: Sequence[TensorSpec], index: int) -> Arrays:
    if isinstance(item, Mapping):
        named = dict(item)
    elif isinstance(item, list | tuple) and len(item) == len(specs):
        named = {spec.name: value for spec, value in zip(specs, item, strict=True)}
    elif len(specs) == 1:
        named = {specs[0].name: item}
    else:
        raise CalibrationError(
            f"sample {index} is {type(item).__name__}, but the model has {len(specs)} inputs",
            hint="yield dicts of input name to array",
        )
    arrays = {name: np.asarray(value) for name, value in named.items()}
    for spec in specs:
        if spec.name in arrays and (1, *arrays[spec.name].shape) == spec.shape:
            arrays[spec.name] = arrays[spec.name][np.newaxis]
    return arrays
