"""How pixels of a folder of images reach a model: as its first ops tell, and said in words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from edge_sdk.artifact.model import Artifact
from edge_sdk.data.images import ImageOptions
from edge_sdk.data.wanted import pixel_scale
from edge_sdk.findings import Finding
from edge_sdk.signature import TensorSpec


@dataclass(frozen=True)
class Fed:
    """What was found of a model's pixels.

    Attributes:
        images: how they are fed: as asked, or as the model wants them.
        findings: what to say of it; empty where no images are fed, or their scale was asked for.
        unscaled: names of inputs that want values from 0 to 255.
    """

    images: ImageOptions
    findings: tuple[Finding, ...] = ()
    unscaled: tuple[str, ...] = ()


def feed_pixels(
    artifacts: Iterable[Artifact], specs: Sequence[TensorSpec], images: ImageOptions, data: Iterable[object]
) -> Fed:
    """Images as the model wants them, where the first ops of one of its files tell.

    Args:
        artifacts: files of the model, with the names of ``specs``; the first that tells is believed.
        specs: the model's inputs.
        images: as asked for; a scale in it is taken as it is.
        data: what samples are read from; only folders of images have pixels.
    """
    files = tuple(artifacts)
    folders = [one for one in data if is_folder(one)]
    # A .tflite does not say which of its inputs are images; that a folder of images is given for its only one does.
    only = bool(folders) and len(specs) == 1
    wanted = {spec.name: _told(files, spec.name) for spec in specs if spec.layout or only}
    if not folders or images.scale is not None or len(wanted) != 1:
        return Fed(images, unscaled=tuple(name for name, scale in wanted.items() if scale == 1))
    ((name, scale),) = wanted.items()
    # A mean or deviation that the user gives is in units of pixels divided by 255, and so says the scale as well.
    told = scale is not None or (images.mean, images.std) == ((0.0,), (1.0,))
    findings = (pixels_told(name, scale),) if told else ()
    return Fed(replace(images, scale=1.0), findings, (name,)) if scale == 1 else Fed(images, findings)


def _told(artifacts: Sequence[Artifact], name: str) -> float | None:
    scales = (pixel_scale(artifact, name) for artifact in artifacts if name in artifact.signature.inputs)
    return next((scale for scale in scales if scale is not None), None)


def is_folder(data: object) -> bool:
    """Whether data is a folder of images."""
    return isinstance(data, str | Path) and Path(data).is_dir()


def pixels_told(name: str, scale: float | None) -> Finding:
    """What the report says of the pixels of an input; ``scale`` is what the model is found to want, None if unknown."""
    where = f"input `{name}`"
    if scale == 1:
        return Finding(
            "images-as-the-model-wants", "info", "it scales pixels itself: images are fed as 0 to 255", where
        )
    if scale is not None:
        return Finding(
            "images-as-the-model-wants", "info", "it takes values from 0 to 1: pixels are divided by 255", where
        )
    return Finding(
        "images-scaling-assumed",
        "warning",
        "nothing in the model says how it wants pixels: they are divided by 255",
        where,
        "give what it was trained on with --image-scale, --image-mean and --image-std",
    )
