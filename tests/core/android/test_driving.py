"""The app driven over adb, on a phone that is a folder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from edge_sdk.android import driving
from edge_sdk.android.driving import Asked, benchmark
from edge_sdk.cli import cli
from edge_sdk.errors import DeviceError, DeviceLostError, ModelError, TargetError
from tests.devices.phone import Phone, ready_phone, result
from tests.graphs import conv_model


@pytest.fixture
def phone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Phone:
    return ready_phone(tmp_path / "phone", monkeypatch)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A file here."""
    path = tmp_path / "a model.tflite"
    path.write_bytes(conv_model())
    return path


def test_a_file_here_is_pushed_measured_and_removed(phone: Phone, model: Path, tmp_path: Path) -> None:
    output = tmp_path / "r1.json"
    words = [str(model), "--delegate", "gpu", "--runs", "100", "--threads", "4", "-o", str(output)]
    done = _run("benchmark", *words, "--delegate-option", "precision=float32")
    assert done.exit_code == 0, done.output
    assert json.loads(output.read_text())["results"][0]["performance_run"]["measured_samples"] == 100
    assert "digits: gpu on gpu, p50 2 ms (1.9 to 2.1)" in done.stdout
    words = phone.asked()
    assert words[:6] == ["start", "-W", "-S", "-n", "dev.edgesdk.demo/dev.edgesdk.demo.HeadlessActivity", "--es"]
    line = words[-1]
    assert "--delegate=gpu --threads=4 --runs=100 " in line
    assert line.endswith(" --delegate-option=precision=float32")
    assert "--model=" + str(phone.folder / "tmp/edge-sdk/files") in line
    assert not list(phone.folder.glob("tmp/**/*")), "nothing stays on the phone"
    assert not list(phone.folder.glob("sdcard/**/*.json"))


def test_a_model_that_the_app_carries(phone: Phone) -> None:
    done = _run("benchmark", "app:digits.edge", "--json")
    assert json.loads(done.stdout)["environment_info"]["model_name"] == "M"
    assert "--model=app:digits.edge " in phone.asked()[-1]


def test_an_invalid_result_is_told(phone: Phone) -> None:
    phone.write("result", json.dumps(result(valid=False)))
    done = _run("benchmark", "app:digits.edge")
    assert done.exit_code == 3
    assert "INVALID (throttled): hot" in done.stdout


def test_the_apps_own_error(phone: Phone) -> None:
    said = {
        "schema": driving.ERROR_SCHEMA,
        "error": "DelegateUnavailableError",
        "message": "gpu: no",
        "hint": "xnnpack",
    }
    phone.write("result", json.dumps(said))
    with pytest.raises(TargetError, match="adb://S1: DelegateUnavailableError: gpu: no") as caught:
        benchmark(Asked("app:digits.edge", delegate="gpu"))
    assert caught.value.hint == "xnnpack"


def test_a_result_of_another_run_is_not_taken(phone: Phone) -> None:
    phone.write("result", json.dumps(result(uuid="old")))
    with pytest.raises(ModelError, match="the result is of run old"):
        benchmark(Asked("app:digits.edge"))


def test_a_result_in_another_form(phone: Phone) -> None:
    table = result()
    del table["results"][0]["performance_run"]["latency_ms"]["p50"]
    phone.write("result", json.dumps(table))
    with pytest.raises(ModelError, match="p50"):
        benchmark(Asked("app:digits.edge"))


def test_a_driver_takes_the_app_with_it(phone: Phone) -> None:
    (phone.folder / "result").unlink()
    phone.write("dead", "")
    with pytest.raises(
        TargetError, match=r"ended without a result \(delegate gpu\): F DEBUG: signal 11 in libGLES_mali"
    ):
        benchmark(Asked("app:digits.edge", delegate="gpu"))


def test_no_result_in_time_ends_the_app(phone: Phone) -> None:
    (phone.folder / "result").unlink()
    with pytest.raises(DeviceError, match=r"no result within 0\.5 s"):
        benchmark(Asked("app:digits.edge"), timeout_s=0.5)
    assert phone.asked() == ["force-stop", "dev.edgesdk.demo"]


@pytest.mark.parametrize("at", ["pm path", "push", "chmod", "am start", "pidof", "cat "])
def test_a_link_that_is_lost(phone: Phone, model: Path, at: str) -> None:
    phone.write("dies-at", at)
    with pytest.raises(DeviceLostError, match="lost"):
        benchmark(Asked(str(model)))


def test_the_app_is_not_there_or_does_not_start(phone: Phone) -> None:
    phone.write("am-says", "Error: Activity class {dev.edgesdk.demo/x} does not exist.")
    with pytest.raises(TargetError, match="does not start: Error: Activity class"):
        benchmark(Asked("app:digits.edge"))
    phone.script("bin/pm", "#!/bin/sh\nexit 1\n")
    with pytest.raises(TargetError, match=r"dev\.edgesdk\.demo is not installed"):
        benchmark(Asked("app:digits.edge"))


@pytest.mark.parametrize(
    ("devices", "words"),
    [
        ("", "adb lists no device"),
        ("S1 device\nS2 device\n", "adb lists 2 devices"),
        ("S1 unauthorized\n", "has not authorised"),
        ("S1 offline\n", "is offline"),
    ],
)
def test_devices_that_are_not_ready(phone: Phone, devices: str, words: str) -> None:
    phone.write("devices", devices)
    done = _run("benchmark", "app:digits.edge")
    assert done.exit_code == 1
    assert words in done.stderr
    assert "hint:" in done.stderr


def test_a_serial_chooses(phone: Phone) -> None:
    phone.write("devices", "S1 device\nS2 device\n")
    assert _run("benchmark", "app:digits.edge", "--serial", "S2").exit_code == 0
    assert "'-s', 'S2'" in (phone.folder / "heard").read_text()
    assert "knows no device `S3`" in _run("benchmark", "app:digits.edge", "--serial", "S3").stderr


def test_bad_usage(phone: Phone, tmp_path: Path) -> None:
    assert "there is no such file" in _run("benchmark", "nothing.edge").stderr
    (tmp_path / "model.onnx").write_bytes(b"x")
    assert "expected an .edge bundle" in _run("benchmark", str(tmp_path / "model.onnx")).stderr
    assert _run("benchmark", "app:x", "--runs", "0").exit_code == 2
    assert _run("benchmark", "app:x", "--quotable", "--runs", "5").exit_code == 2
    assert "expected KEY=VALUE" in _run("benchmark", "app:x", "--delegate-option", "precision").stderr


@pytest.mark.parametrize("error", [KeyboardInterrupt, DeviceError("no")])
def test_what_nobody_waits_for_is_ended_and_leaves_nothing(phone: Phone, error: BaseException) -> None:
    (phone.folder / "result").unlink()

    def sleep(_: float) -> None:
        raise error

    with pytest.raises((KeyboardInterrupt, DeviceError)):
        benchmark(Asked("app:digits.edge"), sleep=sleep)
    assert phone.asked() == ["force-stop", "dev.edgesdk.demo"]


def _run(*words: str) -> Result:
    return CliRunner().invoke(cli, ["android", *words])
