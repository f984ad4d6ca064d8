"""Commands take what their users have: one picture, a bundle, a model before it is converted."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from edge_sdk.bundle.creating import create_bundle
from edge_sdk.bundle.options import Golden
from edge_sdk.cli import cli
from edge_sdk.converters import Workers
from edge_sdk.converters.describing import describe_source
from edge_sdk.report.html.kinds import page_of
from edge_sdk.report.sources import source_text
from tests.store import KERAS, ONNX, write


def invoke(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, [str(argument) for argument in arguments], prog_name="edge-sdk")


@pytest.mark.runtime
@pytest.mark.images
def test_run_takes_one_picture_by_its_place_or_by_name(tflite: Path, tmp_path: Path) -> None:
    from PIL import Image

    photo = tmp_path / "photo.JPG"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)).save(photo)
    placed, named = (invoke("run", tflite, *words, "--json", "-q") for words in ([photo], ["--input", photo]))
    assert placed.exit_code == named.exit_code == 0, placed.stderr
    one, other = json.loads(placed.stdout), json.loads(named.stdout)
    assert one["outputs"] == other["outputs"]
    assert one["data"]["count"] == 1
    assert str(photo) in one["data"]["description"]


def test_run_says_what_is_missing_or_given_twice(tflite: Path, tmp_path: Path) -> None:
    for words in ([tflite], [tflite, "a.npz", "--input", "b.npz"]):
        done = invoke("run", *words)
        assert done.exit_code == 2
        assert "give DATA once" in done.stderr
    done = invoke("run", "photo.jpg", "model.tflite")
    assert done.exit_code == 2
    assert "the model comes first" in done.stderr


@pytest.fixture
def bundle(tflite: Path, tmp_path: Path) -> Path:
    path = tmp_path / "model.edge"
    create_bundle([tflite], path, golden=Golden(samples=0))
    return path


def test_check_takes_a_bundle_and_checks_each_variant(bundle: Path, tmp_path: Path) -> None:
    done = invoke("check", bundle, "--profile", "pixel-8", "--json", "--html", tmp_path / "page.html")
    assert done.exit_code == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["fits"] is True
    assert [one["artifact"] for one in told["variants"]] == [f"{bundle}:conv"]
    assert (tmp_path / "page.html").read_text() == page_of(told).html()
    text = invoke("check", bundle, "--profile", "pixel-8").stdout
    assert text.startswith(f"{bundle}: 1 of 1 variants are predicted to fit pixel-8")
    assert "memory      at least" in text
    assert invoke("check", bundle, "--profile", "pixel-8", "--data", "x.npz").exit_code == 2


def test_inspect_takes_a_bundle(bundle: Path) -> None:
    assert invoke("inspect", bundle).stdout == invoke("bundle", "inspect", bundle).stdout


@pytest.mark.keras
def test_inspect_describes_a_keras_model(tmp_path: Path, workers: Workers) -> None:
    path = write(workers, KERAS, "save", name="cnn", path=str(tmp_path / "model.keras"))
    facts = describe_source(path, workers=workers)
    text = source_text(facts)
    assert text.startswith(f"{path}: keras 3")
    assert f"edge-sdk convert {path}" in text.splitlines()[-1]
    assert facts.as_json()["inputs"][0]["layout"] == "NHWC"


@pytest.mark.onnx
def test_inspect_describes_an_onnx_model_on_the_command_line(tmp_path: Path, workers: Workers) -> None:
    path = write(workers, ONNX, "save_gelu", order="erf", path=str(tmp_path / "model.onnx"))
    done = invoke("inspect", path, "--json", "-q")
    assert done.exit_code == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["kind"] == "onnx"
    assert told["inputs"]
    assert told["outputs"]
