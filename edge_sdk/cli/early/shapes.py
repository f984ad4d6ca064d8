"""Names, shapes and types of data against a model whose inputs can be read without its toolchain, in the first second.

What cannot be read so is left to the toolchain, which looks at the same things later.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_sdk.errors import CalibrationError, nearest

if TYPE_CHECKING:
    from edge_sdk.cli.early.inputs import Inputs
    from edge_sdk.data.arrays import ArrayFile
    from edge_sdk.data.images import ImageOptions
    from edge_sdk.signature import TensorSpec

_ARRAYS = (".npz", ".npy")


def check_shapes(
    source: str,
    *data: str | None,
    asked: Mapping[str, Any] | None = None,
    with_targets: bool = False,
) -> None:
    """Whether arrays in .npz and .npy files, and images, are what the model's inputs take.

    Args:
        source: a path; anything else passes.
        data: paths; None and ``file.py:function`` pass.
        asked: what the command was given: `shapes` of inputs, the `signature` of a SavedModel, inputs that are `fixed`,
            and how pixels of `images` become values.
        with_targets: arrays that are no inputs may be there: labels.

    Raises:
        CalibrationError: something is not.
        SignatureError: a shape that was given contradicts the model.
        MissingDependencyError: there are images, and nothing to read them with.
    """
    from edge_sdk.cli.early.inputs import inputs_of

    asked = asked or {}
    paths = [Path(one) for one in data if one and Path(one).exists()]
    if not paths or asked.get("fixed"):
        return
    known = inputs_of(Path(source), asked.get("signature"))
    if known is None:
        return
    known = replace(known, specs=tuple(_given(spec, asked.get("shapes") or {}) for spec in known.specs))
    for path in paths:
        if path.suffix in _ARRAYS:
            _check_arrays(path, known, with_targets=with_targets)
        elif known.all_are_here:
            _check_images(path, known.specs, asked.get("images"))


def _given(spec: TensorSpec, shapes: Mapping[str, tuple[int, ...]]) -> TensorSpec:
    """The input of the shape that the user gave; one that contradicts the model is refused here too."""
    from edge_sdk.signature import fix_shapes

    return fix_shapes([spec], batch=None, given={spec.name: shapes[spec.name]})[0] if spec.name in shapes else spec


def _check_arrays(path: Path, known: Inputs, *, with_targets: bool) -> None:
    from edge_sdk.data.arrays import array_files
    from edge_sdk.data.opening import count_samples

    arrays = array_files(path)
    if path.suffix == ".npy" and len(known.specs) == 1:
        arrays = {known.specs[0].name: arrays[""]}
    if known.all_are_here and path.suffix == ".npz":
        _check_names(path, arrays, known, with_targets=with_targets)
    for spec in known.specs:
        found = arrays.get(spec.name)
        filled = _filled(spec, found.shape) if found else None
        if found and filled:
            count_samples(str(path), found, filled)


def _check_names(path: Path, arrays: Mapping[str, ArrayFile], known: Inputs, *, with_targets: bool) -> None:
    names = [spec.name for spec in known.specs]
    hint = f"the inputs are: {'; '.join(map(str, known.specs))}"
    foreign = [name for name in arrays if name not in names]
    if foreign and not with_targets:
        raise CalibrationError(
            f"{path}: `{foreign[0]}` is not an input of the model{nearest(foreign[0], names)}", hint=hint
        )
    absent = [name for name in names if name not in arrays]
    if absent:
        raise CalibrationError(
            f"{path}: no array for input `{absent[0]}`{nearest(absent[0], arrays)}; "
            f"it has {', '.join(arrays) or 'none'}",
            hint=hint,
        )


def _check_images(path: Path, specs: Sequence[TensorSpec], options: ImageOptions | None) -> None:
    """That the model takes images, and that the first can be read as what it takes."""
    from edge_sdk.data.images import ImageOptions, holds_images, image_files, image_samples

    if not holds_images(path):
        return
    if len(specs) != 1:
        raise CalibrationError(
            f"{path}: a folder of images feeds one input, but the model has {len(specs)}",
            hint=f"pass a .npz or file.py:function with {', '.join(spec.name for spec in specs)}",
        )
    next(image_samples(image_files(path)[:1], specs[0], options or ImageOptions()))


def _filled(spec: TensorSpec, shape: tuple[int, ...]) -> TensorSpec | None:
    """The input with its open extents as the data has them; None where the data does not tell."""
    if not spec.shape or (None in spec.shape[1:] and len(shape) != len(spec.shape)):
        return None
    batch = spec.shape[0] or 1
    known = zip(spec.shape[1:], shape[1:], strict=False)
    rest = tuple(given if extent is None else extent for extent, given in known)
    return replace(spec, shape=(batch, *rest, *spec.shape[1 + len(rest) :]))
