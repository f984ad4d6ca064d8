"""Names, shapes and types of a model's inputs and outputs, whatever the model is written in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sdk.errors import SignatureError, nearest

Arrays = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class TensorSpec:
    """One input or output.

    Attributes:
        name: as the source model calls it.
        shape: extents, batch first where there is one; None where the source leaves a dimension open.
        dtype: numpy's name, for example ``float32``.
        layout: ``NHWC`` or ``NCHW`` for images, None for all else.
    """

    name: str
    shape: tuple[int | None, ...]
    dtype: str
    layout: str | None = None

    @property
    def static_shape(self) -> tuple[int, ...]:
        """The shape, which must have no open dimension."""
        if any(extent is None for extent in self.shape):
            raise ValueError(f"{self} has open dimensions")
        return tuple(int(extent or 0) for extent in self.shape)

    def __str__(self) -> str:
        return f"{self.name}: {self.dtype}{shape_text(self.shape)}"

    def as_json(self) -> dict[str, Any]:
        """Plain data, read back by :func:`spec_from_json`."""
        return asdict(self)


def spec_from_json(data: Mapping[str, Any]) -> TensorSpec:
    """The inverse of :meth:`TensorSpec.as_json`."""
    return TensorSpec(data["name"], tuple(data["shape"]), data["dtype"], data["layout"])


def shape_text(shape: Iterable[int | None]) -> str:
    """``[1, 224, 224, 3]``, with ``?`` for an open dimension."""
    return "[" + ", ".join("?" if extent is None else str(extent) for extent in shape) + "]"


def find_spec(specs: Iterable[TensorSpec], name: str, what: str) -> TensorSpec:
    """The spec of that name.

    Raises:
        SignatureError: there is none; names the nearest.
    """
    by_name = {spec.name: spec for spec in specs}
    if name not in by_name:
        raise SignatureError(
            f"{what} `{name}` does not exist{nearest(name, by_name)}", hint=f"the names are: {', '.join(by_name)}"
        )
    return by_name[name]


def fix_shapes(
    specs: Iterable[TensorSpec], *, batch: int | None, given: Mapping[str, tuple[int, ...]]
) -> tuple[TensorSpec, ...]:
    """Closes open dimensions: a given shape first, then ``batch`` (1 if None) for an open first dimension.

    Raises:
        SignatureError: a given shape contradicts the model, names no input, or a dimension stays open.
    """
    specs = tuple(specs)
    for name in given:
        find_spec(specs, name, "input")
    fixed = tuple(_fix(spec, batch, given.get(spec.name)) for spec in specs)
    still_open = [spec for spec in fixed if None in spec.shape]
    if still_open:
        named = ", ".join(f"`{spec.name}` ({spec.dtype}{shape_text(spec.shape)})" for spec in still_open)
        many = len(still_open) > 1
        asked = " ".join(f"--input {spec.name}={_to_fill(spec)}" for spec in still_open)
        raise SignatureError(
            f"input{'s' * many} {named} {'have' if many else 'has'} open dimensions besides the batch",
            hint=f"give {'their shapes' if many else 'its shape'}: {asked}",
        )
    return fixed


def _to_fill(spec: TensorSpec) -> str:
    return ",".join("SIZE" if extent is None else str(extent) for extent in spec.shape)


def _fix(spec: TensorSpec, batch: int | None, given: tuple[int, ...] | None) -> TensorSpec:
    if given is not None:
        agrees = len(given) == len(spec.shape) and all(
            own in (None, extent) for own, extent in zip(spec.shape, given, strict=True)
        )
        if not agrees:
            raise SignatureError(
                f"input `{spec.name}`: expected shape {shape_text(spec.shape)}, got {shape_text(given)}",
                hint="only dimensions shown as ? can be chosen",
            )
        return replace(spec, shape=given)
    if not spec.shape:
        return spec
    if spec.shape[0] is None:
        return replace(spec, shape=(batch or 1, *spec.shape[1:]))
    if batch is not None and spec.shape[0] != batch:
        raise SignatureError(
            f"input {spec} has a fixed first dimension, so a batch of {batch} cannot be chosen",
            hint="export the model with an open batch dimension, or leave --batch out",
        )
    return spec


def check_arrays(specs: Iterable[TensorSpec], arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    """Checks that arrays are what the signature says: names, shapes, dtypes.

    Raises:
        SignatureError: the first difference, with what was expected and what was given.
    """
    specs = tuple(specs)
    if not isinstance(arrays, Mapping):
        raise SignatureError(f"inputs: expected a mapping of names to arrays, got {type(arrays).__name__}")
    known = {spec.name for spec in specs}
    for name in arrays:
        if name not in known:
            find_spec(specs, name, "input")
    for spec in specs:
        if spec.name not in arrays:
            raise SignatureError(f"input `{spec.name}` is missing", hint=f"the model takes {_listing(specs)}")
        array = arrays[spec.name]
        same_shape = len(array.shape) == len(spec.shape) and all(
            own in (None, extent) for own, extent in zip(spec.shape, array.shape, strict=True)
        )
        if not same_shape:
            raise SignatureError(
                f"input `{spec.name}`: expected shape {shape_text(spec.shape)}, got {shape_text(array.shape)}"
            )
        if array.dtype != np.dtype(spec.dtype):
            raise SignatureError(f"input `{spec.name}`: expected dtype {spec.dtype}, got {array.dtype}")


def _listing(specs: tuple[TensorSpec, ...]) -> str:
    return "; ".join(str(spec) for spec in specs)
