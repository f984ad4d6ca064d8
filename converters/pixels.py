"""How pixels of a folder of images reach a model, in words."""

from __future__ import annotations

from pathlib import Path

from edge_sdk.findings import Finding


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
