"""Folders that tell classes, and files that name them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_sdk.artifact.model import read_artifact
from edge_sdk.converters import Workers, convert
from edge_sdk.data.images import ImageOptions, class_folders, image_files
from edge_sdk.data.opening import DataSource
from edge_sdk.data.store import SampleStore, spool
from edge_sdk.engines.runner import Runner
from edge_sdk.errors import BundleError, SignatureError
from edge_sdk.metadata.reading import packed_files
from edge_sdk.parity.labelled import labelled
from edge_sdk.report.text import conversion_text
from edge_sdk.signature import TensorSpec


def test_subfolders_are_classes_in_sorted_order(tmp_path: Path) -> None:
    for name in ("b/1.png", "a/2.png", "a/x/3.png"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    files = image_files(tmp_path)
    assert class_folders(tmp_path, files) == ((0, 0, 1), ("a", "b"))
    (tmp_path / "loose.png").touch()
    assert class_folders(tmp_path, image_files(tmp_path)) == ((), ())
    (tmp_path / "n/7").mkdir(parents=True)
    (tmp_path / "n/7/1.png").touch()
    assert class_folders(tmp_path / "n", image_files(tmp_path / "n")) == ((7,), ("7",)), "numbers are the classes"


def test_classes_stay_with_their_samples(tmp_path: Path) -> None:
    spec = TensorSpec("x", (1, 1), "float32")
    rows = [{"x": np.full((1, 1), place, np.float32)} for place in range(50)]
    source = DataSource("rows", 50, lambda: iter(rows), tuple(place % 7 for place in range(50)))
    store, _ = spool(source, [spec], tmp_path / "s", limit=20, seed=3)
    assert [int(one["x"][0, 0]) % 7 for one in store] == list(store.classes)
    assert SampleStore.open(tmp_path / "s") == store
    held = store.hold_out(0.5, 5, 0)
    assert [int(one["x"][0, 0]) % 7 for one in held.others()] == list(held.classes_of_others())


def test_what_is_counted() -> None:
    def scores(*best: int) -> list[dict[str, Any]]:
        return [{"y": np.eye(3, dtype=np.float32)[[one]]} for one in best]

    found = labelled([0, 1, 2, 2], zip(scores(0, 1, 2, 0), scores(0, 0, 2, 0), strict=True))
    assert found is not None
    assert (found.source, found.file, found.samples, found.classes) == (0.75, 0.5, 4, 3)
    assert not found.is_chance
    assert labelled([0, 5], zip(scores(0, 1), scores(0, 1), strict=True)) is None, "class 5 of three scores"


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A dozen pictures of three classes."""
    from PIL import Image

    generator = np.random.default_rng(0)
    for place in range(12):
        path = tmp_path / "photos" / "abc"[place % 3] / f"{place}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(generator.integers(0, 256, (8, 8, 3), np.uint8)).save(path)
    return tmp_path / "photos"


@pytest.mark.runtime
@pytest.mark.images
def test_accuracy_before_and_after(tflite: Path, photos: Path, tmp_path: Path, workers: Workers) -> None:
    images = ImageOptions(scale=1 / 255)
    report = convert(tflite, tmp_path / "out.tflite", recipe="float32", data=photos, images=images, workers=workers)
    assert report.labelled is not None
    from PIL import Image

    runner = Runner(tflite)
    right = 0
    for path in image_files(photos):
        values = np.asarray(Image.open(path), np.float32)[None] / np.float32(255)
        right += int(runner.run({"image": values})["scores"].argmax()) == "abc".index(path.parent.name)
    assert report.labelled.source == report.labelled.file == right / 12
    assert f"accuracy    {right / 12:.2%} in the source" in conversion_text(report)
    assert report.as_json()["labelled"]["classes"] == 3


@pytest.mark.runtime
def test_labels_go_into_the_file(tflite: Path, tmp_path: Path, workers: Workers) -> None:
    names = ["ant", "bee", "cat", "dog", "eel"]
    (tmp_path / "labels.txt").write_text("\n".join(names) + "\n")
    target = tmp_path / "out.tflite"
    report = convert(tflite, target, recipe="float32", labels={"": tmp_path / "labels.txt"}, workers=workers)
    assert report.labels == tuple(names)
    assert report.artifact.sha256 == read_artifact(target).sha256
    (file,) = packed_files(target.read_bytes())
    assert file.content.decode().split() == names


@pytest.mark.runtime
def test_labels_that_do_not_fit_are_refused(tflite: Path, tmp_path: Path, workers: Workers) -> None:
    (tmp_path / "few.txt").write_text("one\n")
    with pytest.raises(SignatureError, match="1 labels for output `scores`, which has 5 values"):
        convert(tflite, tmp_path / "o.tflite", labels={"": tmp_path / "few.txt"}, workers=workers)
    with pytest.raises(SignatureError, match="no output `score`, did you mean `scores`"):
        convert(tflite, tmp_path / "o.tflite", labels={"score": tmp_path / "few.txt"}, workers=workers)
    with pytest.raises(BundleError, match="cannot be read"):
        convert(tflite, tmp_path / "o.tflite", labels={"": tmp_path / "none.txt"}, workers=workers)
    assert not (tmp_path / "o.tflite").exists()
