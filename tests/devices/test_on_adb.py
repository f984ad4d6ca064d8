"""``--on adb://SERIAL``: on Android the demo app measures; a Linux board behind adb is a board."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from edge_sdk.measure.records import Benchmark
from tests.devices.phone import Phone
from tests.devices.ready import ROOT, invoke, make_ready, only_what_was_there, saying
from tests.devices.test_ssh import eventually

ADDRESS = "ssh://board"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--quick",), "--delegate=auto --threads=1 --mode=quick"),
        ((), "--delegate=auto --threads=1 --mode=quotable"),
        (("--runs", "100", "--delegate", "gpu", "--threads", "4"), "--delegate=gpu --threads=4 --runs=100"),
        (("--seconds", "2", "--policy", "gpu=require"), "--seconds=2.0 --policy=gpu=require"),
    ],
)
def test_on_android_the_app_measures(
    phone: Phone, model: Path, tmp_path: Path, words: tuple[str, ...], told: str
) -> None:
    kept = tmp_path / "r.json"
    done = invoke("benchmark", model, *words, "--on", "adb://S1", "-o", kept)
    assert done.exit_code == 0, done.output
    assert json.loads(kept.read_text())["environment_info"]["platform"] == "android"
    assert told in phone.asked()[-1]
    assert "adb://S1" in done.stdout
    assert not list(phone.folder.glob("tmp/**/*")), "nothing stays on the phone"


def test_a_phone_beside_a_board(phone: Phone, home: Path, model: Path, tmp_path: Path, measured: Benchmark) -> None:
    make_ready(home, tmp_path / "there", saying(measured.as_json()))
    done = invoke("benchmark", model, "--quick", "--on", ADDRESS, "--on", "adb://S1", "--json")
    assert done.exit_code == 0, done.output
    kinds = [one["benchmark"]["build_info"]["kind"] for one in json.loads(done.stdout)["devices"]]
    assert kinds == ["python", "android-app"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--threads", "1", "--threads", "2"), "it takes one number of threads at a time, got 2"),
        (("--delegate", "npu"), "it has no delegate `npu`"),
        (("--sustained", "5", "--ops"), "it has no --sustained; it has no --ops"),
        (("--threads", "65"), "it runs on 64 threads at most"),
        (("--input", "x.npz"), "it has no --input"),
    ],
)
def test_what_the_app_does_not_do_is_told(phone: Phone, model: Path, words: tuple[str, ...], told: str) -> None:
    done = invoke("benchmark", model, *words, "--on", "adb://S1")
    assert done.exit_code == 1
    assert f"adb://S1: on Android the demo app measures, and {told}" in done.stderr
    assert "edge-sdk android benchmark --help" in done.stderr
    assert not (phone.folder / "am").exists()


def test_ctrl_c_ends_the_app(phone: Phone, model: Path) -> None:
    """To the whole group, as a terminal sends it, while the app measures and has no result yet."""
    (phone.folder / "result").unlink()
    command = [sys.executable, "-m", "edge_sdk", "benchmark", str(model), "--on", "adb://S1"]
    child = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, start_new_session=True)
    assert eventually(lambda: (phone.folder / "am").exists() and phone.asked()[0] == "start")
    os.killpg(child.pid, signal.SIGINT)
    _, said = child.communicate(timeout=30)
    assert child.returncode == 130, said
    assert phone.asked() == ["force-stop", "dev.edgesdk.demo"]
    assert not list(phone.folder.glob("tmp/**/*")), "nothing stays on the phone"


def test_other_commands_are_not_for_android(phone: Phone, model: Path) -> None:
    for words in (("run", model, "--input", model, "--on", "adb://S1"), ("devices", "prepare", "adb://S1")):
        done = invoke(*words)
        assert done.exit_code == 1
        assert "adb://S1: on Android the demo app is what runs, not Python" in done.stderr
        assert "edge-sdk benchmark MODEL --on adb://S1" in done.stderr


def test_a_linux_board_behind_adb_is_a_board(
    phone: Phone, model: Path, tmp_path: Path, measured: Benchmark, monkeypatch: pytest.MonkeyPatch
) -> None:
    phone.be_a_linux_board()
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "root"))
    home = tmp_path / "root/.cache/edge-sdk"
    assert "adb://S1 is not prepared" in invoke("benchmark", model, "--on", "adb://S1").stderr
    make_ready(home, tmp_path / "there", saying(measured.as_json()))
    done = invoke("benchmark", model, "--on", "adb://S1", "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout) == measured.as_json()
    assert only_what_was_there(home)
