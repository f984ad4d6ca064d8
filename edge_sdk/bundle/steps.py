"""Pre- and post-processing as data: what each step is. FORMAT.md defines their arithmetic, ``processing`` does it."""

# Annotations are read by edge_sdk.bundle.strict and so are not postponed.
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Fit = Literal["stretch", "crop", "pad", "shorter"]
Method = Literal["bilinear", "nearest"]
CastType = Literal["float32", "float16", "uint8", "int8", "int16", "int32", "int64"]


@dataclass(frozen=True)
class Resize:
    """To ``height`` x ``width``; ``antialias`` widens the bilinear kernel where the picture shrinks, as Pillow does.

    ``crop`` keeps the centre, ``pad`` fills up with ``pad_value``, ``shorter`` scales the shorter side to ``height``.
    """

    op: Literal["resize"]
    height: int
    width: int
    fit: Fit
    method: Method
    antialias: bool
    pad_value: int


@dataclass(frozen=True)
class CenterCrop:
    """The middle ``height`` x ``width`` pixels."""

    op: Literal["center_crop"]
    height: int
    width: int


@dataclass(frozen=True)
class Channels:
    """From RGB to this order, or to one channel of luma."""

    op: Literal["channels"]
    order: Literal["rgb", "bgr", "gray"]


@dataclass(frozen=True)
class Normalize:
    """``(value * scale - mean) / std`` in float32; ``mean`` and ``std`` have one value, or one for each channel."""

    op: Literal["normalize"]
    scale: float
    mean: tuple[float, ...]
    std: tuple[float, ...]


@dataclass(frozen=True)
class Layout:
    """HWC to ``chw``, or left as it is."""

    op: Literal["layout"]
    order: Literal["hwc", "chw"]


@dataclass(frozen=True)
class Cast:
    """To a dtype: rounded half to even and saturated where it is an integer."""

    op: Literal["cast"]
    dtype: CastType


@dataclass(frozen=True)
class Batch:
    """A new first axis of one."""

    op: Literal["batch"]


@dataclass(frozen=True)
class Softmax:
    """Over the last axis."""

    op: Literal["softmax"]


@dataclass(frozen=True)
class Sigmoid:
    """Of each value."""

    op: Literal["sigmoid"]


@dataclass(frozen=True)
class ArgMax:
    """Index of the largest value of the last axis, the first of equals."""

    op: Literal["argmax"]


@dataclass(frozen=True)
class TopK:
    """The ``k`` largest of the last axis that reach ``min_score``, the largest first, of equals the first."""

    op: Literal["top_k"]
    k: int
    min_score: float


MAX_STEPS = 32
MAX_PIXELS = 1 << 24
"""Of a resized picture: a step that asks for more is a mistake, or meant to exhaust memory."""

PreStep = Resize | CenterCrop | Channels | Normalize | Layout | Cast | Batch
PostStep = Softmax | Sigmoid | ArgMax | TopK


@dataclass(frozen=True)
class InputProcessing:
    """How one input's values are made; an ``image`` starts as uint8 [height, width, 3], RGB, upright."""

    name: str
    kind: Literal["image", "values"]
    steps: tuple[PreStep, ...]


@dataclass(frozen=True)
class OutputProcessing:
    """What is made of one output's real values."""

    name: str
    steps: tuple[PostStep, ...]


@dataclass(frozen=True)
class Processing:
    """Of all inputs and outputs of which something is said."""

    inputs: tuple[InputProcessing, ...]
    outputs: tuple[OutputProcessing, ...]

    def input(self, name: str) -> InputProcessing | None:
        """How an input's values are made; None where nothing is said."""
        return next((one for one in self.inputs if one.name == name), None)

    def output(self, name: str) -> OutputProcessing | None:
        """What is made of an output; None where nothing is said."""
        return next((one for one in self.outputs if one.name == name), None)


def faults(processing: Processing) -> Iterator[str]:
    """What types alone cannot say: each fault in words."""
    for what, named in (("inputs", processing.inputs), ("outputs", processing.outputs)):
        if len({one.name for one in named}) != len(named):
            yield f"{what}: a name is there twice"
        for one in named:
            if len(one.steps) > MAX_STEPS:
                yield f"{what}: `{one.name}` has {len(one.steps)} steps, at most {MAX_STEPS} are allowed"
            yield from (f"{what}: `{one.name}`: {words}" for words in map(_fault, one.steps) if words)


def _fault(step: PreStep | PostStep) -> str:
    if isinstance(step, Resize | CenterCrop):
        if step.height < 1 or step.width < 1 or step.height * step.width > MAX_PIXELS:
            return f"{step.op} to {step.height}x{step.width}, expected 1 to {MAX_PIXELS} pixels"
        if isinstance(step, Resize) and step.fit == "shorter" and step.height != step.width:
            return f"resize of the shorter side to {step.height} or {step.width}: both must be the same"
        if isinstance(step, Resize) and not 0 <= step.pad_value <= 255:
            return f"pad_value {step.pad_value} is no 8-bit value"
    if isinstance(step, Normalize) and (not step.mean or not step.std or not all(step.std)):
        return "normalize needs a mean, and a std that is not 0"
    if isinstance(step, TopK) and step.k < 1:
        return f"top_k of {step.k}, expected 1 or more"
    return ""
