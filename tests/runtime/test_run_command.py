"""``edge-sdk run`` on a device: delegates, policies, profiles, bundles, the receipt; one line where it fails."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from edge_sdk import Runner
from edge_sdk.cli import cli
from edge_sdk.parity.labelled import by_label

pytestmark = pytest.mark.runtime


def invoke(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, ["run", *map(str, arguments), "--quiet"], prog_name="edge-sdk")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "x.npz"
    np.savez(path, image=np.random.default_rng(0).standard_normal((3, 8, 8, 3)).astype(np.float32))
    return path


def test_outputs_and_receipt_are_written(tflite: Path, data: Path, tmp_path: Path) -> None:
    outputs, receipt = tmp_path / "y.npz", tmp_path / "r.json"
    result = invoke(tflite, "--input", data, "-o", outputs, "--receipt", receipt, "--delegate", "xnnpack")
    assert result.exit_code == 0, result.output
    assert "receipt: " in result.output
    assert "xnnpack on cpu" in result.output
    runner = Runner(tflite)
    expected = [runner.run({"image": one[None]})["scores"] for one in np.load(data)["image"]]
    np.testing.assert_array_equal(np.load(outputs)["scores"], expected)
    assert json.loads(receipt.read_text())["asked"]["delegates"] == ["xnnpack"]


def test_json_holds_the_receipt(tflite: Path, data: Path, fake: Callable[..., None]) -> None:
    fake(gpu="absent", nnapi="wrong")
    result = invoke(tflite, "--input", data, "--profile", "pixel-8", "--json")
    attempts: list[dict[str, Any]] = json.loads(result.stdout)["receipt"]["openings"][0]["attempts"]
    assert [(one["candidate"], one["outcome"]) for one in attempts] == [
        ("gpu", "unavailable"), ("nnapi", "wrong-results"), ("xnnpack", "chosen"), ("cpu", "not-tried"),
    ]  # fmt: skip


@pytest.mark.images
def test_accuracy_is_told_where_subfolders_are_classes(tflite: Path, tmp_path: Path) -> None:
    """Held to a count of our own; the file's scores are of ten classes, whose numbers the folders bear."""
    from PIL import Image

    generator = np.random.default_rng(0)
    runner, expected = Runner(tflite), 0
    for place in range(12):
        pixels = generator.integers(0, 255, (8, 8, 3), np.uint8)
        best = int(runner.run({"image": (pixels / np.float32(255)).astype(np.float32)[None]})["scores"].argmax())
        label = best if place % 3 else (best + 1) % 2
        expected += label == best
        (tmp_path / "photos" / str(label)).mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(tmp_path / "photos" / str(label) / f"{place}.png")
    result = invoke(tflite, tmp_path / "photos")
    assert f"accuracy: {expected / 12:.2%} of 12 samples" in result.stdout, result.output
    told = json.loads(invoke(tflite, tmp_path / "photos", "--json").stdout)["accuracy"]
    assert told == {"output": "scores", "samples": 12, "share": pytest.approx(expected / 12)}


def test_classes_are_numbered_as_labels_are() -> None:
    assert by_label((0, 0, 1), ("cat", "dog"), ("dog", "mouse", "cat")) == (2, 2, 0)
    assert by_label((0, 1), ("cat", "cow"), ("dog", "cat")) == (0, 1), "not all are labels"
    assert by_label((7, 3), ("3", "7"), ("7", "3")) == (7, 3), "numbers are the classes themselves"
    assert by_label((), (), ("dog",)) == ()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--delegate", "gpu"], 1, "error: no device is plugged in\nhint: plug it in\n"),
        (["--policy", "npu=require"], 1, "error: the policy admits no way to run it: xnnpack not-required"),
        (["--policy", "npu=requir"], 1, "error: policy: npu: expected require, prefer, allow, forbid, got 'requir'"),
        (["--profile", "pixel-88"], 1, "error: unknown device `pixel-88`, did you mean `pixel-8`"),
        (["--delegate", "auto", "--delegate", "gpu"], 2, "--delegate auto stands alone"),
        (["--delegate", "external:x.so", "--delegate-option", "x"], 2, "expected KEY=VALUE"),
        (["--variant", "int8"], 1, "is no bundle: it has no variant `int8`"),
        (["--engine", "litert"], 1, "error: unknown engine `litert`"),
    ],
)
def test_failure_is_one_line_and_writes_nothing(
    tflite: Path, data: Path, fake: Callable[..., None], arguments: list[str], code: int, message: str
) -> None:
    fake(gpu="absent")
    result = invoke(tflite, "--input", data, "-o", data.with_name("y.npz"), *arguments)
    assert result.exit_code == code
    assert message in result.stderr
    assert "Traceback" not in result.output
    assert not data.with_name("y.npz").exists()


@pytest.mark.images
def test_images_for_a_bundle_go_through_its_own_processing(tflite: Path, tmp_path: Path) -> None:
    from PIL import Image

    from edge_sdk.bundle.asked import ProcessingOptions
    from edge_sdk.bundle.creating import create_bundle
    from edge_sdk.data.images import ImageOptions

    folder, outputs = tmp_path / "photos", tmp_path / "y.npz"
    folder.mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(folder / "a.png")
    (tmp_path / "labels.txt").write_text("ant\nbee\ncat\ndog\nelk\n")
    images = ImageOptions(scale=1 / 255, mean=(0.5,), std=(0.25,))
    asked = ProcessingOptions(images=images, labels={"scores": tmp_path / "labels.txt"}, top_k=2)
    create_bundle([tflite], tmp_path / "m.edge", processing=asked)
    result = invoke(tmp_path / "m.edge", "--input", folder, "-o", outputs)
    assert result.exit_code == 0, result.output
    values = ((pixels / 255 - 0.5) / 0.25).astype(np.float32)[None]
    np.testing.assert_allclose(
        np.load(outputs)["scores"][0], Runner(tflite).run({"image": values})["scores"], rtol=1e-4
    )
    assert any(f"{name}: " in result.output for name in ("ant", "bee", "cat", "dog", "elk"))
    # Options of one's own replace it.
    result = invoke(tmp_path / "m.edge", "--input", folder, "-o", outputs, "--image-scale", "1")
    raw = pixels.astype(np.float32)[None]
    np.testing.assert_allclose(np.load(outputs)["scores"][0], Runner(tflite).run({"image": raw})["scores"], rtol=1e-4)
