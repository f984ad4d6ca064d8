"""Folders of images as DATA."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_sdk.data import ImageOptions, open_data
from edge_sdk.errors import CalibrationError
from edge_sdk.signature import TensorSpec
from tests.core.test_data import IMAGE, TABLE, read_all


def write_images(folder: Path, count: int = 3, size: tuple[int, int] = (10, 6)) -> None:
    from PIL import Image

    folder.mkdir()
    for index in range(count):
        pixels = np.random.default_rng(index).integers(0, 256, (size[1], size[0], 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{index}.png")


@pytest.mark.images
def test_folder_of_images(tmp_path: Path) -> None:
    write_images(tmp_path / "photos")
    source = open_data(tmp_path / "photos", (IMAGE,))
    samples = list(source.samples())
    assert source.count == 3
    assert samples[0]["image"].shape == (1, 4, 4, 3)
    assert 0 <= samples[0]["image"].min() <= samples[0]["image"].max() <= 1
    assert "3 images" in source.description


@pytest.mark.images
def test_image_options_are_applied(tmp_path: Path) -> None:
    write_images(tmp_path / "photos", size=(4, 4))
    plain = read_all(tmp_path / "photos", IMAGE)[0]["image"]
    options = ImageOptions(mean=(0.5, 0.25, 0.0), std=(0.5, 1.0, 2.0), order="bgr")
    changed = read_all(tmp_path / "photos", IMAGE, images=options)[0]["image"]
    expected = (plain[..., ::-1] - np.array([0.5, 0.25, 0.0])) / np.array([0.5, 1.0, 2.0])
    np.testing.assert_allclose(changed, expected, rtol=1e-5, atol=1e-6)
    nchw = TensorSpec("image", (1, 3, 4, 4), "float32", "NCHW")
    moved = read_all(tmp_path / "photos", nchw)[0]["image"]
    np.testing.assert_array_equal(moved, plain.transpose(0, 3, 1, 2))


@pytest.mark.images
def test_integer_image_input_takes_pixels_as_they_are(tmp_path: Path) -> None:
    write_images(tmp_path / "photos", size=(4, 4))
    spec = TensorSpec("image", (1, 4, 4, 3), "uint8", "NHWC")
    pixels = read_all(tmp_path / "photos", spec)[0]["image"]
    assert pixels.dtype == np.uint8
    assert pixels.max() > 1


@pytest.mark.images
@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (TABLE, "a folder of images was given, but input `table` has shape"),
        (TensorSpec("image", (1, 4, 4, 7), "float32", None), "a folder of images was given"),
    ],
)
def test_images_for_another_input_are_refused(tmp_path: Path, spec: TensorSpec, message: str) -> None:
    write_images(tmp_path / "photos")
    with pytest.raises(CalibrationError, match=message):
        open_data(tmp_path / "photos", (spec,))


@pytest.mark.images
def test_folder_without_images_and_broken_image(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(CalibrationError, match="no images"):
        open_data(tmp_path / "empty", (IMAGE,))
    write_images(tmp_path / "photos")
    (tmp_path / "photos" / "1.png").write_bytes(b"not a picture")
    with pytest.raises(CalibrationError, match=r"1.png: not a readable image"):
        read_all(tmp_path / "photos", IMAGE)
