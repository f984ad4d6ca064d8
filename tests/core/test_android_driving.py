"""The app driven over adb: a script in adb's place, with a phone's commands beside it and its files in a folder."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from edge_sdk.android import driving
from edge_sdk.android.driving import Asked, benchmark
from edge_sdk.cli import cli
from edge_sdk.errors import DeviceError, DeviceLostError, ModelError, TargetError
from tests.graphs import conv_model

# What adb does, as far as it is used: /sdcard and /data/local/tmp lie in the phone's folder.
_ADB = """#!{python}
import os, pathlib, shutil, subprocess, sys
phone = pathlib.Path({phone!r})
words = sys.argv[1:]
(phone / "heard").open("a").write(repr(words) + "\\n")
def here(text):
    return text.replace("/sdcard", f"{{phone}}/sdcard").replace("/data/local/tmp", f"{{phone}}/tmp")
if words[0] == "devices":
    print("List of devices attached\\n" + (phone / "devices").read_text())
    sys.exit(0)
words = words[2:]
if (phone / "dies-at").exists() and (phone / "dies-at").read_text() in " ".join(words):
    sys.exit(0)  # as adb does when its daemon dies
if words[0] == "shell":
    environment = dict(os.environ, PATH=f"{{phone}}/bin:" + os.environ["PATH"])
    sys.exit(subprocess.run(["setsid", "-w", "sh", "-c", here(words[-1])], env=environment).returncode)
if words[0] == "push":
    shutil.copy(words[1], here(words[2]))
if words[0] == "install":
    answer = phone / "install"
    sys.exit(print(answer.read_text(), file=sys.stderr) or 1) if answer.exists() else print("Success")
"""
_AM = """#!{python}
import json, pathlib, re, shlex, sys
phone = pathlib.Path({phone!r})
(phone / "am").write_text(json.dumps(sys.argv[1:]))
if sys.argv[1] != "start":
    sys.exit(0)
asked = dict(re.findall(r"--([a-z-]+)=(\\S+)", sys.argv[-1]))
if (phone / "am-says").exists():
    print((phone / "am-says").read_text())
    sys.exit(0)
if (phone / "result").exists():
    table = json.loads((phone / "result").read_text())
    if "meta" in table:
        table["meta"]["uuid"] = table["meta"]["uuid"] or asked["run-id"]
    folder = phone / "sdcard/Android/data/dev.edgesdk.demo/files"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / asked["out"]).write_text(json.dumps(table))
"""


class Phone:
    """A folder that stands for a phone."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("bin", "tmp", "sdcard"):
            (folder / name).mkdir(parents=True)
        self.write("devices", "S1 device product:p model:M\n")
        self.script("bin/pm", "#!/bin/sh\necho package:/data/app/base.apk\n")
        self.script("bin/pidof", f"#!/bin/sh\n[ -e {folder}/dead ] || echo 4711\n")
        self.script("bin/logcat", "#!/bin/sh\necho 'F DEBUG: signal 11 in libGLES_mali.so'\n")
        self.script("bin/am", _AM)
        self.script("adb/adb", _ADB)

    def write(self, name: str, text: str) -> None:
        """A file of the phone's."""
        (self.folder / name).write_text(text, encoding="utf-8")

    def script(self, name: str, text: str) -> None:
        """A program of the phone's, or beside it."""
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text.replace("{python}", sys.executable).replace("{phone!r}", repr(str(self.folder)))
                        .replace("{{", "{").replace("}}", "}"), encoding="utf-8")  # fmt: skip
        path.chmod(0o755)

    def asked(self) -> list[str]:
        """The words that ``am`` got."""
        words: list[str] = json.loads((self.folder / "am").read_text())
        return words


@pytest.fixture
def phone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Phone:
    """With the app on it, whose benchmark succeeds."""
    found = Phone(tmp_path / "phone")
    monkeypatch.setenv("PATH", str(found.folder / "adb"), prepend=":")
    monkeypatch.delenv("ANDROID_SERIAL", raising=False)
    found.write("result", json.dumps(result()))
    return found


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A file here."""
    path = tmp_path / "a model.tflite"
    path.write_bytes(conv_model())
    return path


def result(*, uuid: str = "", valid: bool = True) -> dict[str, Any]:
    """As the app writes it; tests/android/test_robolectric.py holds the app's own against the schema."""
    run = {
        "start_datetime": "2026-01-01T00:00:00+00:00",
        "measured_duration": 0.2,
        "measured_samples": 100,
        "throughput": {"value": 500.0},
        "loadgen_info": {
            "query_count": 100,
            "latency_mean": 0.002,
            "is_min_duration_met": True,
            "is_min_query_met": True,
            "is_result_valid": valid,
        },
        "latency_ms": {"mean": {"value": 2.0}, "p50": {"value": 2.0, "low": 1.9, "high": 2.1}, "min": 1.0, "max": 3.0,
                       "stddev": 0.1},
    }  # fmt: skip
    return {
        "schema": "edge-sdk-benchmark/1",
        "meta": {"uuid": uuid, "creation_date": "2026-01-01T00:00:00+00:00", "run_mode": "custom"},
        "build_info": {"app": "dev.edgesdk.demo", "version": "0.1.0", "kind": "android-app"},
        "environment_info": {"platform": "android", "os_version": "15 (API 35)", "model_name": "M", "arch": "arm64-v8a",
                             "cpus": 8},
        "results": [
            {
                "benchmark_id": "1",
                "benchmark_name": "digits",
                "loadgen_scenario": "SingleStream",
                "backend_settings": {"accelerator_code": "gpu", "delegate": "gpu", "framework": "TFLite",
                                     "model_path": "m", "model_sha256": "0" * 64, "model_bytes": 1, "batch_size": 1,
                                     "threads": 1},
                "backend_info": {"backend_name": "tensorflow-lite 2.16.1", "delegate_name": "gpu",
                                 "accelerator_name": "gpu"},
                "warm_up": {"detected": True, "queries": 30, "duration_ms": 60.0, "why": "it settled"},
                "performance_run": run,
                "validity": {"valid": valid, "reasons": [] if valid else [{"rule": "throttled", "message": "hot"}]},
                "min_duration": 0.0,
                "min_samples": 100,
            }
        ],
        "conditions": {"before": {"at_s": -1.0}, "during": [], "after": {"at_s": 0.2}},
    }  # fmt: skip


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


def _run(*words: str) -> Result:
    return CliRunner().invoke(cli, ["android", *words])
