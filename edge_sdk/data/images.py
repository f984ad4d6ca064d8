"""A folder of images as samples of one image input."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from edge_sdk.errors import CalibrationError, MissingDependencyError
from edge_sdk.signature import TensorSpec, shape_text

SUFFIXES = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"})
_MODES = {1: "L", 3: "RGB", 4: "RGBA"}


@dataclass(frozen=True)
class ImageOptions:
    """How pixels become values: ``(pixel * scale - mean) / std``, per channel.

    Attributes:
        resize: ``stretch`` to the input's size, or ``crop`` the centre after scaling the shorter side.
        scale: factor on the 0..255 pixel; None for what the model is found to want, 1/255 where it does not tell.
        mean: one value, or one for each channel; in units of the scaled pixel.
        std: likewise.
        order: ``rgb`` or ``bgr``.
    """

    resize: Literal["stretch", "crop"] = "stretch"
    scale: float | None = None
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    order: Literal["rgb", "bgr"] = "rgb"

    @property
    def factor(self) -> float:
        """On the 0..255 pixel."""
        return 1 / 255 if self.scale is None else self.scale

    def __str__(self) -> str:
        return f"{self.resize}, {self.order}, (pixel * {self.factor:.6g} - {list(self.mean)}) / {list(self.std)}"


def holds_images(path: Path) -> bool:
    """Whether a path is a folder, or one picture by its name."""
    return path.is_dir() or (path.suffix.lower() in SUFFIXES and path.is_file())


def image_files(folder: Path) -> list[Path]:
    """Images below the folder, in sorted order; of one picture itself.

    Raises:
        CalibrationError: there are none.
    """
    if folder.is_file():
        return [folder]
    found = sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())
    if not found:
        raise CalibrationError(
            f"{folder}: no images in this folder", hint=f"known suffixes: {', '.join(sorted(SUFFIXES))}"
        )
    return found


def class_folders(folder: Path, files: list[Path]) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """Each image's class by its subfolder, and the subfolders' names; both empty where there are none.

    Sorted names are classes 0, 1, ..., as Keras' ``image_dataset_from_directory`` and torchvision's ``ImageFolder``
    number them; names that are all numbers are the classes themselves. A folder with images beside subfolders has none.
    """
    if folder.is_file():
        return (), ()
    tops = [file.relative_to(folder).parts for file in files]
    if any(len(parts) < 2 for parts in tops):
        return (), ()
    names = sorted({parts[0] for parts in tops})
    numbered = all(name.isdigit() for name in names)
    places = {name: int(name) if numbered else place for place, name in enumerate(names)}
    return tuple(places[parts[0]] for parts in tops), tuple(names)


def image_samples(files: list[Path], spec: TensorSpec, options: ImageOptions) -> Iterator[npt.NDArray[Any]]:
    """Yields one image at a time, without the batch axis, in the input's layout and dtype."""
    height, width, channels = image_extents(spec)
    for name, values in (("mean", options.mean), ("std", options.std)):
        if len(values) not in (1, channels):
            raise CalibrationError(
                f"image {name} has {len(values)} values, but input `{spec.name}` has {channels} channels"
            )
    for file in files:
        pixels = _load(file, height, width, channels, options.resize)
        yield _normalise(pixels, spec, options)


def image_extents(spec: TensorSpec) -> tuple[int, int, int]:
    """Height, width and channels of an image input.

    Raises:
        CalibrationError: the input is not an image of 1, 3 or 4 channels.
    """
    if len(spec.shape) == 4:
        _, *extents = spec.shape
        if spec.layout == "NCHW":
            channels, height, width = extents
        else:
            height, width, channels = extents
        if channels in _MODES and height and width:
            return height, width, channels
    raise CalibrationError(
        f"a folder of images was given, but input `{spec.name}` has shape {shape_text(spec.shape)}",
        hint="an image input has four dimensions and 1, 3 or 4 channels; give a .npz otherwise",
    )


def read_picture(file: Path) -> npt.NDArray[np.uint8]:
    """An image as it is: uint8 [height, width, 3], RGB, upright.

    Raises:
        CalibrationError: it cannot be read.
        MissingDependencyError: Pillow is not installed.
    """
    return np.asarray(_picture(file, _MODES[3]), np.uint8)


def _picture(file: Path, mode: str) -> Any:
    try:
        from PIL import Image, ImageOps, UnidentifiedImageError
    except ImportError as error:
        raise MissingDependencyError("pillow", extra="images", why="reading a folder of images") from error
    try:
        with Image.open(file) as image:
            return ImageOps.exif_transpose(image).convert(mode)
    except (OSError, UnidentifiedImageError) as error:
        raise CalibrationError(f"{file}: not a readable image: {error}") from error


def _load(file: Path, height: int, width: int, channels: int, resize: str) -> npt.NDArray[np.float32]:
    picture = _picture(file, _MODES[channels])
    from PIL import Image, ImageOps

    bilinear = Image.Resampling.BILINEAR
    if resize == "crop":
        picture = ImageOps.fit(picture, (width, height), bilinear)
    else:
        picture = picture.resize((width, height), bilinear)
    return np.asarray(picture, np.float32).reshape(height, width, channels)


def _normalise(pixels: npt.NDArray[np.float32], spec: TensorSpec, options: ImageOptions) -> npt.NDArray[Any]:
    if options.order == "bgr":
        pixels = pixels[..., ::-1]
    if not np.issubdtype(np.dtype(spec.dtype), np.integer):
        mean, std = np.array(options.mean, np.float32), np.array(options.std, np.float32)
        pixels = (pixels * np.float32(options.factor) - mean) / std
    if spec.layout == "NCHW":
        pixels = pixels.transpose(2, 0, 1)
    return np.ascontiguousarray(pixels, np.dtype(spec.dtype))
