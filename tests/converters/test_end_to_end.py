"""The commands as a user types them, the demo, and models of the kinds that converters get wrong."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_sdk.artifact import read_artifact
from edge_sdk.checks.lint.linting import lint
from edge_sdk.converters import Workers, convert_all
from tests.contract import samples_for
from tests.converters.sources.test_front_ends import CNN_IN
from tests.store import KERAS, write

ROOT = Path(__file__).parents[2]
TORCH_ZOO = ROOT / "benchmarks" / "models" / "pytorch.py"


def edge_sdk(*arguments: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "edge_sdk", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd)


@pytest.mark.keras
@pytest.mark.slow
def test_convert_to_several_recipes_with_images_and_report(tmp_path: Path, workers: Workers) -> None:
    from PIL import Image

    path = write(workers, KERAS, "save", name="cnn", path=str(tmp_path / "net.keras"))
    photos, out = tmp_path / "photos", tmp_path / "out"
    photos.mkdir()
    out.mkdir()
    for index in range(20):
        pixels = np.random.default_rng(index).integers(0, 256, (20, 20, 3), np.uint8)
        Image.fromarray(pixels).save(photos / f"{index:02}.png")
    options: list[str | Path] = [
        "-r",
        "fp16",
        "-r",
        "int8",
        "--calibration",
        photos,
        "--image-mean",
        "0.5",
        "--image-std",
        "0.25",
    ]
    done = edge_sdk("convert", path, "-o", out, *options, "--report", tmp_path / "report.json", "--json")
    assert done.returncode == 0, done.stderr
    assert sorted(p.name for p in out.iterdir()) == ["net_float16.tflite", "net_static_wi8_ai8.tflite"]
    printed = json.loads(done.stdout)
    assert printed == json.loads((tmp_path / "report.json").read_text())
    half, int8 = printed["conversions"]
    assert half["verified"]
    assert int8["verified"]
    assert int8["calibration"]["count"] == 20
    assert "20 images" in int8["calibration"]["description"]
    assert next(f["rule"] for f in int8["findings"] if f["severity"] == "warning") == "calibration-few-samples"
    # Float, and int8 with and without the float island in which its softmax is.
    assert len(int8["timings_measured"]) == 3
    assert "quantize to static_wi8_ai8" in done.stderr


@pytest.mark.keras
@pytest.mark.slow
def test_convert_says_unverified_in_the_first_line(tmp_path: Path, workers: Workers) -> None:
    path = write(workers, KERAS, "save", name="cnn", path=str(tmp_path / "net.keras"))
    np.savez(tmp_path / "c.npz", **{k: np.concatenate([s[k] for s in samples_for(CNN_IN)]) for k in CNN_IN})
    arguments: list[str | Path] = [
        "convert",
        path,
        "-o",
        tmp_path / "q.tflite",
        "-r",
        "int8",
        "--calibration",
        tmp_path / "c.npz",
    ]
    arguments += ["--min-sqnr-db", "90", "--quiet", "--no-timing"]
    failed = edge_sdk(*arguments)
    assert failed.returncode == 3
    assert failed.stdout == ""
    assert failed.stderr.splitlines()[0].startswith("error: static_wi8_ai8: refused: accuracy lost: output `scores`")
    assert not (tmp_path / "q.tflite").exists()
    kept = edge_sdk(*arguments, "--keep-unverified")
    assert kept.returncode == 0
    assert kept.stdout.startswith("UNVERIFIED, accuracy lost (")
    assert (tmp_path / "q.tflite").exists()


@pytest.mark.keras
@pytest.mark.torch
@pytest.mark.slow
def test_demo(demo: tuple[Path, list[Any]]) -> None:
    folder, rows = demo
    assert [(row["model"], row["recipe"]) for row in rows] == [
        (model, recipe)
        for model in ("keras", "torch")
        for recipe in ("float32", "float16", "dynamic_wi8_afp32", "static_wi8_ai8")
    ]
    for row in rows:
        assert row["verified"]
        assert row["source_test_accuracy"] > 0.97
        # 540 test images: one image is 0.19 points; int8 may lose a few of them.
        assert abs(row["test_accuracy"] - row["source_test_accuracy"]) <= 0.01
        assert complaints(folder / f"digits_{row['model']}_{row['recipe']}.tflite") == set()
    int8 = [row for row in rows if row["recipe"] == "static_wi8_ai8"]
    # XNNPACK has no 8-bit softmax: convert leaves it in float, behind the last product.
    assert {op.split()[0] for row in int8 for op in row["artifact"]["float_ops"]} <= {"SOFTMAX"}
    step = edge_sdk("inspect", "digits_keras_static_wi8_ai8.tflite", cwd=folder)
    assert step.returncode == 0


def complaints(path: Path) -> set[str]:
    """Rules by which lint calls a file wrong; islands of float are what convert made for XNNPACK's sake."""
    found = {finding.rule for finding in lint(read_artifact(path)) if finding.severity != "info"}
    return found - {"float-island"}


SLICE = {
    "mobilenet_v3": 15.0,
    "unet": 15.0,
    "detector": 15.0,
    "lstm_bidirectional": 15.0,
    "transformer_encoder": 15.0,
    "recommender": 15.0,
    "super_resolution": 15.0,
}


@pytest.mark.torch
@pytest.mark.slow
@pytest.mark.parametrize("name", SLICE)
def test_structures_that_converters_get_wrong(tmp_path: Path, workers: Workers, name: str) -> None:
    """A slice of the coverage table in benchmarks/: float32, float16 and int8 of each."""
    specs = workers.get("source-python").function("tests.converters.test_end_to_end:describe", "looking", name=name)
    inputs = {key: (tuple(shape), dtype) for key, (shape, dtype) in specs.items()}
    recipes = ("float32", "float16", "static_wi8_ai8")
    outputs = {recipe: tmp_path / f"{recipe}.tflite" for recipe in recipes}
    options: Any = {"calibration": samples_for(inputs), "workers": workers, "timing": False}
    for report in convert_all(f"{TORCH_ZOO}:{name}", outputs, **options):
        assert report.verified
        assert all(row.has_power for row in report.parity)
        assert min(row.sqnr_db for row in report.parity) >= SLICE[name]
    assert read_artifact(tmp_path / "static_wi8_ai8.tflite").signature.inputs.keys() == inputs.keys()
    found = {recipe: complaints(path) for recipe, path in outputs.items()}
    assert found == {recipe: set() for recipe in recipes}


def describe(name: str) -> dict[str, Any]:
    import importlib.util

    spec = importlib.util.spec_from_file_location("pytorch_zoo", TORCH_ZOO)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["pytorch_zoo"] = module
    spec.loader.exec_module(module)
    _, inputs = module.MODELS[name]()
    return {k: (list(v.shape), str(v.dtype).removeprefix("torch.")) for k, v in inputs.items()}
