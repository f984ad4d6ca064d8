"""How a source is opened and lowered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, TypedDict

from edge_sdk.converters.sources.source import SourceOptions


class OpeningOptions(TypedDict, total=False):
    """How a source is opened and lowered."""

    batch: int | None
    """For an open first dimension; 1."""
    shapes: Mapping[str, Sequence[int]]
    """Input name to whole shape, for other open dimensions."""
    dtypes: Mapping[str, str]
    """Input name to dtype, for a module without example inputs."""
    fixed: Mapping[str, Sequence[float]]
    """Input name of an ONNX or frozen graph to its numbers in row-major order, or one for all: no input any more."""
    ends: Sequence[str]
    """Values inside an ONNX or frozen graph that are the file's outputs, instead of the graph's own."""
    signature: str | None
    """Key of a SavedModel's signature."""
    layout: Literal["nhwc", "source"]
    """``nhwc`` (the default) puts the channels of image inputs last; ``source`` leaves inputs as they are."""
    lowering: str
    """For PyTorch: ``auto``, ``onnx2tf`` or ``litert-torch``."""
    trust_source: bool
    """Load files that could run code they carry."""


def source_options_from(options: OpeningOptions) -> SourceOptions:
    """The part that says how to open the source."""
    return SourceOptions(
        batch=options.get("batch"),
        shapes={name: tuple(shape) for name, shape in options.get("shapes", {}).items()},
        dtypes=dict(options.get("dtypes", {})),
        fixed={name: tuple(numbers) for name, numbers in options.get("fixed", {}).items()},
        ends=tuple(options.get("ends", ())),
        signature=options.get("signature"),
        layout=options.get("layout", "nhwc"),
        lowering=options.get("lowering", "auto"),
        trust=options.get("trust_source", False),
    )
