"""What TFLite Metadata says of a model, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from edge_sdk.errors import ModelError

NAME = "TFLITE_METADATA"
"""Name of the file's metadata entry, as the official tools have it."""
IDENTIFIER = b"M001"
MIN_RUNTIME_VERSION = "min_runtime_version"

FileKind = Literal["DESCRIPTIONS", "TENSOR_AXIS_LABELS", "TENSOR_VALUE_LABELS", "VOCABULARY"]


class MetadataError(ModelError):
    """The file cannot take metadata, or holds some that cannot be read."""


@dataclass(frozen=True)
class Normalization:
    """``(pixel - mean) / std`` on pixels of 0 to 255; one value, or one for each channel."""

    mean: tuple[float, ...]
    std: tuple[float, ...]


@dataclass(frozen=True)
class AssociatedFile:
    """A file that is packed behind the model; ``kind`` is the schema's name for what it is."""

    name: str
    content: bytes
    kind: FileKind
    description: str = ""


@dataclass(frozen=True)
class TensorNotes:
    """What is said of one input or output.

    Attributes:
        description: for people.
        image: ``rgb`` or ``grayscale`` for a picture, None for all else.
        normalization: how pixels become values.
        score_threshold: values below it are nothing.
        files: labels and the like.
    """

    description: str = ""
    image: Literal["rgb", "grayscale"] | None = None
    normalization: Normalization | None = None
    score_threshold: float | None = None
    files: tuple[AssociatedFile, ...] = ()


@dataclass(frozen=True)
class ModelFacts:
    """What is said of the model; tensors that ``inputs`` and ``outputs`` leave out have a name and nothing more."""

    name: str = ""
    description: str = ""
    version: str = ""
    author: str = ""
    license: str = ""
    inputs: Mapping[str, TensorNotes] = field(default_factory=dict)
    outputs: Mapping[str, TensorNotes] = field(default_factory=dict)
