"""`convert --profile`: the recipe that is chosen, the check at the end, and the file that Vela makes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from edge_sdk.artifact import read_artifact
from edge_sdk.converters import Workers, convert
from edge_sdk.converters.compilers import vela as vela_module
from edge_sdk.converters.device import choose_recipe
from edge_sdk.errors import CalibrationError, UnknownDeviceError
from edge_sdk.profile.reading import find_profile, profile_names
from tests.contract import samples_for
from tests.converters.sources.test_front_ends import CNN_IN
from tests.store import KERAS, write


@pytest.mark.parametrize(
    ("profile", "recipe", "weights", "io"),
    [
        ("pixel-8", "float16", "per_channel", "float32"),
        ("imx93", "static_wi8_ai8_io8", "per_channel", "int8"),
        ("coral-usb", "static_wi8_ai8_io8", "per_channel", "int8"),
        ("imx8m-plus", "static_wi8_ai8", "per_channel", "float32"),
        ("stm32mp257", "static_wi8_ai8_per_tensor", "per_tensor", "float32"),
        ("amlogic-a311d", "static_wi8_ai8_per_tensor", "per_tensor", "float32"),
        ("raspberry-pi-4", "static_wi8_ai8", "per_channel", "float32"),
        ("beaglebone-black", "static_wi8_ai8", "per_channel", "float32"),
    ],
)
def test_recipe_that_serves_the_device(profile: str, recipe: str, weights: str, io: str) -> None:
    choice = choose_recipe(find_profile(profile))
    assert (choice.recipe.name, choice.recipe.weights.granularity, choice.recipe.io) == (recipe, weights, io)
    assert profile in choice.reason


def test_every_device_is_served() -> None:
    assert all(choose_recipe(find_profile(name)).recipe for name in profile_names())


def test_no_data_names_why_int8_was_chosen(tmp_path: Path) -> None:
    expected = (
        r"recipe static_wi8_ai8_io8 \(chosen for imx93: its first delegate, ethos_u on npu, .*\) needs calibration data"
    )
    with pytest.raises(CalibrationError, match=expected):
        convert(tmp_path / "absent.keras", tmp_path / "m.tflite", profile="imx93")


def test_unknown_device_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(UnknownDeviceError, match="did you mean `imx93`"):
        convert(tmp_path / "absent.keras", tmp_path / "m.tflite", profile="imx933")


def model(workers: Workers, folder: Path) -> str:
    return write(workers, KERAS, "save", name="cnn", path=str(folder / "cnn.keras"))


def made(folder: Path, workers: Workers, **options: Any) -> Any:
    options = {"timing": False, "workers": workers, "calibration": samples_for(CNN_IN), **options}
    return convert(model(workers, folder), folder / "m.tflite", **options)


@pytest.mark.keras
@pytest.mark.ethos_u
def test_ethos_u_gets_integers_and_a_compiled_file(tmp_path: Path, workers: Workers) -> None:
    report = made(tmp_path, workers, profile="imx93")
    assert report.verified
    assert report.fits
    assert report.recipe == "static_wi8_ai8_io8"
    assert {tensor.dtype for tensor in report.artifact.signature.inputs.values()} == {"int8"}
    assert report.check.delegates[0].vela.on_cpu == ()
    assert report.compiled == str(tmp_path / "m_vela.tflite")
    assert {"CUSTOM:ethos-u"} <= {op.name for op in read_artifact(report.compiled).main.ops}
    (finding,) = [finding for finding in report.findings if finding.rule == "vela-file-not-run"]
    assert "it was not run" in finding.message
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cnn.keras", "m.tflite", "m_vela.tflite"]


@pytest.mark.keras
@pytest.mark.ethos_u
def test_recipe_that_is_named_is_kept_and_judged(tmp_path: Path, workers: Workers) -> None:
    (tmp_path / "m_vela.tflite").write_bytes(b"of another day")
    report = made(tmp_path, workers, profile="imx93", recipe="float32")
    assert report.verified
    assert not report.fits
    assert (tmp_path / "m.tflite").exists()
    rules = {finding.rule: finding.message for finding in report.findings}
    assert "the one that is there is of another conversion" in rules["vela-places-nothing"]
    assert "npu-takes-nothing" in {finding.rule for finding in report.check.findings}
    assert report.compiled is None
    assert report.choice == ""


@pytest.mark.keras
def test_without_vela_the_plain_file_is_made_and_it_is_said(
    tmp_path: Path, workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vela_module, "vela_version", lambda: None)
    report = made(tmp_path, workers, profile="imx93")
    (finding,) = [finding for finding in report.findings if finding.rule == "vela-not-asked"]
    assert finding.hint == "pip install 'edge-sdk[ethos-u]'"
    assert not (tmp_path / "m_vela.tflite").exists()


@pytest.mark.keras
def test_one_scale_for_all_weights_where_the_npu_knows_no_others(tmp_path: Path, workers: Workers) -> None:
    report = made(tmp_path, workers, profile="stm32mp257", min_sqnr_db=5)
    weights = [tensor for tensor in read_artifact(tmp_path / "m.tflite").main.tensors if tensor.dtype == "int8"]
    assert all(len(tensor.quantization.scale) == 1 for tensor in weights if tensor.quantization)
    assert report.verified
    vx = report.check.delegates[0]
    assert "device-per-tensor-only" not in {obstacle.rule for obstacle in vx.obstacles}


@pytest.mark.keras
@pytest.mark.ethos_u
@pytest.mark.slow
def test_command_chooses_says_why_and_ends_with_the_check(tmp_path: Path, workers: Workers) -> None:
    source, out = model(workers, tmp_path), tmp_path / "out"
    out.mkdir()
    command = [sys.executable, "-m", "edge_sdk", "convert", source, "-o", str(out), "--profile", "imx93", "--no-timing"]
    done = subprocess.run([*command, "-r", "float32", "--json"], capture_output=True, text=True, check=False)
    assert done.returncode == 3, done.stderr
    said = json.loads(done.stdout)
    assert said["check"]["profile"] == "imx93"
    assert (out / "cnn_float32.tflite").exists()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "(chosen for imx93: its first delegate, ethos_u on npu, takes int8, at the ends too)" in done.stderr
