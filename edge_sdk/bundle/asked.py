"""From what a user asks for to steps: image options, labels, a ranking, or a file with all steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge_sdk.bundle import strict
from edge_sdk.bundle.manifest import Port, VariantSignature
from edge_sdk.bundle.steps import (
    Batch,
    Cast,
    Channels,
    InputProcessing,
    Layout,
    Normalize,
    OutputProcessing,
    PostStep,
    PreStep,
    Processing,
    Resize,
    Softmax,
    TopK,
    faults,
)
from edge_sdk.data.images import ImageOptions
from edge_sdk.errors import BundleError, nearest

_COLOURS = (1, 3)


@dataclass(frozen=True)
class ProcessingOptions:
    """What goes into a bundle beside the models.

    Attributes:
        images: how the one image input is made of a picture; None says nothing of it.
        labels: output name to a file with a name for each index, a line each; the name "" stands for the one output.
        softmax: outputs with labels or a ranking hold logits.
        top_k: how many of the largest to show; None for no ranking.
        min_score: those at least.
        file: JSON with `inputs` and `outputs`, in the manifest's own form, instead of all above but the labels.
    """

    images: ImageOptions | None = None
    labels: Mapping[str, Path] | None = None
    softmax: bool = False
    top_k: int | None = None
    min_score: float = 0.0
    file: Path | None = None


def processing(asked: ProcessingOptions, signature: VariantSignature) -> Processing:
    """How each input is made and what is made of each output; those of which nothing is known are left out.

    Raises:
        BundleError: a name that does not exist; or no image input, more than one, or one of other channels.
    """
    if asked.file is None:
        return Processing(_inputs(asked, signature), _outputs(asked, signature))
    given = _read_file(asked.file)
    for what, found, ports in (
        ("input", [one.name for one in given.inputs], signature.inputs),
        ("output", [one.name for one in given.outputs], signature.outputs),
    ):
        _check_names(what, found, ports)
    return given


def labels(asked: ProcessingOptions, signature: VariantSignature) -> dict[str, tuple[str, ...]]:
    """Output name to a name for each index.

    Raises:
        BundleError: an output does not exist, or has another number of values than there are labels.
    """
    made = {}
    for given, path in (asked.labels or {}).items():
        name, found = _output_name(given, signature), read_labels(path)
        shape = next(port.shape for port in signature.outputs if port.name == name)
        if shape and shape[-1] != len(found):
            raise BundleError(
                f"{path}: {len(found)} labels for output `{name}`, which has {shape[-1]} values in its last axis",
                hint="one line for each index, also for a background class",
            )
        made[name] = found
    return made


def _inputs(asked: ProcessingOptions, signature: VariantSignature) -> tuple[InputProcessing, ...]:
    if asked.images is None:
        return ()
    pictures = [port for port in signature.inputs if image_layout(port) is not None]
    if len(pictures) != 1:
        shapes = ", ".join(f"{port.name} {list(port.shape)}" for port in signature.inputs)
        raise BundleError(
            f"image options need one image input of 1 or 3 channels, the model has {len(pictures)}: {shapes}",
            hint="describe the inputs with --processing FILE",
        )
    return (InputProcessing(pictures[0].name, "image", image_steps(asked.images, pictures[0])),)


def _outputs(asked: ProcessingOptions, signature: VariantSignature) -> tuple[OutputProcessing, ...]:
    """The ranking, for outputs with labels, or where there are none for all that have classes."""
    named = [_output_name(name, signature) for name in asked.labels or {}]
    classes = [port.name for port in signature.outputs if port.shape and port.shape[-1] > 1]
    steps = _ranking(asked)
    return tuple(OutputProcessing(name, steps) for name in named or classes) if steps else ()


def check_files(asked: ProcessingOptions) -> None:
    """Raises what reading the files would: before the work that needs them."""
    for path in (asked.labels or {}).values():
        read_labels(path)
    if asked.file is not None:
        _read_file(asked.file)


def image_layout(port: Port) -> str | None:
    """``hwc`` or ``chw`` for an input that can be a picture of 1 or 3 channels, else None."""
    if len(port.shape) != 4 or port.shape[0] != 1:
        return None
    if port.shape[3] in _COLOURS:
        return "hwc"
    return "chw" if port.shape[1] in _COLOURS else None


def image_steps(options: ImageOptions, port: Port) -> tuple[PreStep, ...]:
    """The same as the converter does to a folder of images, step by step."""
    layout = image_layout(port)
    channels, height, width = port.shape[1:] if layout == "chw" else (port.shape[3], *port.shape[1:3])
    for name, values in (("mean", options.mean), ("std", options.std)):
        if len(values) not in (1, channels):
            raise BundleError(f"image {name} has {len(values)} values, but input `{port.name}` has {channels} channels")
    real = "float32" if port.scale is not None else port.dtype
    steps: list[PreStep] = [Channels("channels", "gray")] if channels == 1 else []
    steps.append(Resize("resize", height, width, options.resize, "bilinear", antialias=True, pad_value=0))
    if options.order == "bgr" and channels == 3:
        steps.append(Channels("channels", "bgr"))
    if real.startswith("float"):
        steps.append(Normalize("normalize", options.factor, options.mean, options.std))
    if layout == "chw":
        steps.append(Layout("layout", "chw"))
    return (*steps, strict.read(Cast, {"op": "cast", "dtype": real}), Batch("batch"))


def read_labels(path: Path) -> tuple[str, ...]:
    """Lines of a label file.

    Raises:
        BundleError: unreadable, not UTF-8, empty, or a line is blank.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise BundleError(f"{path}: the labels cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise BundleError(f"{path}: the labels are not UTF-8: {error.reason} at byte {error.start}") from error
    lines = [line.strip() for line in text.removesuffix("\n").split("\n")]
    blank = next((place for place, line in enumerate(lines, 1) if not line), None)
    if blank is not None:
        raise BundleError(f"{path}: line {blank} of the labels is blank", hint="one line for each index, in order")
    return tuple(lines)


def label_file(labels: Sequence[str]) -> bytes:
    """The member with labels, a line each."""
    return "".join(f"{label}\n" for label in labels).encode()


def _ranking(asked: ProcessingOptions) -> tuple[PostStep, ...]:
    steps: tuple[PostStep, ...] = (Softmax("softmax"),) if asked.softmax else ()
    return (*steps, TopK("top_k", asked.top_k, asked.min_score)) if asked.top_k else steps


def _output_name(name: str, signature: VariantSignature) -> str:
    names = [port.name for port in signature.outputs]
    if not name and len(names) == 1:
        return names[0]
    if name not in names:
        what = f"no output `{name}`{nearest(name, names)}" if name else f"{len(names)} outputs"
        raise BundleError(f"labels: the model has {what}", hint=f"--labels NAME=FILE with one of {', '.join(names)}")
    return name


def _read_file(path: Path) -> Processing:
    try:
        made = strict.read(Processing, strict.load(path.read_bytes()))
    except OSError as error:
        raise BundleError(f"{path}: cannot be read: {error.strerror}") from error
    except strict.StrictError as error:
        hint = "edge_sdk/bundle/FORMAT.md lists the steps and their keys"
        raise BundleError(f"{path}: {error}", hint=hint) from error
    for fault in faults(made):
        raise BundleError(f"{path}: {fault}")
    return made


def _check_names(what: str, found: Sequence[str], ports: Sequence[Port]) -> None:
    names = [port.name for port in ports]
    for name in found:
        if name not in names:
            words = f"{what} `{name}` does not exist{nearest(name, names)}"
            raise BundleError(words, hint=f"it has {', '.join(names)}")
