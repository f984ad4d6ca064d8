"""``--on``: a command's own command line, run on a device, and what comes back."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from edge_sdk.measure.measuring import measure
from edge_sdk.measure.plan import Plan
from edge_sdk.measure.records import Benchmark
from edge_sdk.progress import Silent
from tests.devices.ready import ROOT, invoke, make_ready, only_what_was_there, saying
from tests.devices.sshd import Server
from tests.devices.test_ssh import eventually, left, runs
from tests.measure.simulated import Model, Simulation

ADDRESS = "ssh://board"
drawn = pytest.mark.skipif(not find_spec("matplotlib"), reason="pip install 'edge-sdk[report]'")


# --- run ------------------------------------------------------------------------------------------------------------


@pytest.mark.runtime
def test_a_run_there_gives_what_a_run_here_gives(home: Path, model: Path, tmp_path: Path) -> None:
    make_ready(home, tmp_path / "there")
    data, here, there = tmp_path / "in.npz", tmp_path / "here.npz", tmp_path / "there.npz"
    np.savez(data, image=np.random.default_rng(0).standard_normal((3, 8, 8, 3)).astype(np.float32))
    assert invoke("run", model, "--input", data, "-o", here).exit_code == 0
    receipt = tmp_path / "receipt.json"
    words = ("--input", data, "-o", there, "--receipt", receipt, "--threads", 2, "--on", ADDRESS, "--json")
    done = invoke("run", model, *words)
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    assert (said["on"], said["output"]) == (ADDRESS, str(there))
    with np.load(here) as one, np.load(there) as other:
        assert one.files == other.files
        for name in one.files:
            np.testing.assert_allclose(one[name], other[name], rtol=1e-6)
    assert json.loads(receipt.read_text())["openings"]
    assert only_what_was_there(home)


@pytest.mark.runtime
@pytest.mark.images
def test_a_folder_of_images_goes_there(home: Path, model: Path, tmp_path: Path) -> None:
    from PIL import Image

    photos = tmp_path / "my photos"
    photos.mkdir()
    for index in range(2):
        pixels = np.random.default_rng(index).integers(0, 256, (8, 8, 3), np.uint8)
        Image.fromarray(pixels).save(photos / f"{index}.png")
    make_ready(home, tmp_path / "there")
    outputs = {}
    for on in ((), ("--on", ADDRESS)):
        target = tmp_path / f"{len(on)}.npz"
        done = invoke("run", model, "--input", photos, "--image-mean", "0.5", "-o", target, *on)
        assert done.exit_code == 0, done.output
        outputs[bool(on)] = np.load(target)["scores"]
    np.testing.assert_allclose(outputs[True], outputs[False], rtol=1e-6)


_TELL_AND_FAIL = """
import json, os, sys
print(json.dumps([sys.argv, os.listdir()]), file=sys.stderr)
print(json.dumps({"error": "ModelError", "message": "no"}))
sys.exit(1)
"""


def test_the_command_line_there_is_what_the_user_wrote(home: Path, model: Path, tmp_path: Path) -> None:
    """Files by names of their own beside each other, values as they are, and nothing that nobody asked for."""
    there = make_ready(home, tmp_path / "there", _TELL_AND_FAIL)
    other = tmp_path / "other"
    other.mkdir()
    for name in ("-key.pem", "a model.tflite"):
        (other / name).write_text(name)
    words = ("--input", other / "a model.tflite", "--delegate", "xnnpack", "--delegate", "cpu", "--raw", "--threads", 2,
             "--trusted-key", other / "-key.pem", "--image-mean", "0.5,0.25,1/3", "--policy", "cpu=forbid")  # fmt: skip
    done = invoke("run", model, *words, "--on", ADDRESS)
    assert done.exit_code == 1
    assert "error: ssh://board: no" in done.stderr
    line = next(line for line in done.stderr.splitlines() if line.startswith("ssh://board: ["))
    argv, listed = json.loads(line.removeprefix("ssh://board: "))
    assert argv[:3] == [str(there), "run", "a model.tflite"]
    assert sorted(listed) == ["-key.pem", "1-a model.tflite", "a model.tflite"]
    options = argv[3:]
    assert options[options.index("--input") + 1] == "1-a model.tflite"
    assert options[options.index("--trusted-key") + 1] == "./-key.pem"
    assert [float(one) for one in options[options.index("--image-mean") + 1].split(",")] == [0.5, 0.25, 1 / 3]
    assert [options[at + 1] for at, word in enumerate(options) if word == "--delegate"] == ["xnnpack", "cpu"]
    assert {"--raw", "--json"} <= set(options)
    assert not {"--on", "--engine", "--quiet"} & set(options)


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("--on", ADDRESS, "--on", "ssh://board2"), 2, "this takes one --on"),
        (("--on", ADDRESS, "--profile", "mine.toml"), 2, "it must be the ID of a built-in one"),
        (("--on", ADDRESS, "--input", "mine.py:samples"), 2, "a function of yours does not run there"),
        (("--on", "ssh://board/x"), 1, "expected ssh://user@host:port"),
        (("--on", ADDRESS), 1, "error: ssh://board is not prepared"),
    ],
)
def test_what_cannot_be_run_there(server: Server, model: Path, words: tuple[str, ...], code: int, message: str) -> None:
    done = invoke("run", model, "--input", model, *words)
    assert done.exit_code == code, done.output
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert left(server) == []


@pytest.mark.parametrize(
    ("does", "message"),
    [
        ("import os; os.kill(os.getpid(), 9)", "edge-sdk run ended there: it died of SIGKILL"),
        ("import os; os.kill(os.getpid(), 4)", "it died of SIGILL (an instruction that this CPU does not have)"),
        ("print('half a resu'); raise SystemExit(0)", "edge-sdk run failed there: status 0"),
        ("import sys; sys.exit('no module named numpy')", "edge-sdk run failed there: no module named numpy"),
        (saying({"a": 1}, 2), "edge-sdk run failed there: status 2"),
        (saying({"receipt": {}}), "there is no file"),
    ],
    ids=["killed", "illegal", "half", "broken", "usage", "no output"],
)
def test_what_goes_wrong_there(home: Path, model: Path, tmp_path: Path, does: str, message: str) -> None:
    make_ready(home, tmp_path / "there", does)
    target = tmp_path / "out.npz"
    done = invoke("run", model, "--input", model, "-o", target, "--on", ADDRESS)
    assert done.exit_code == 1, done.output
    assert f"error: {ADDRESS}: " in done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not target.exists()
    assert only_what_was_there(home)


@pytest.mark.parametrize("absent", ["none.tflite", "none.npz", "none.pem"])
def test_a_file_that_is_not_here(home: Path, tmp_path: Path, absent: str) -> None:
    make_ready(home, tmp_path / "there", "")
    for name in {"none.tflite", "none.npz", "none.pem"} - {absent}:
        (tmp_path / name).write_text(name)
    words = ("--input", tmp_path / "none.npz", "--trusted-key", tmp_path / "none.pem", "--on", ADDRESS)
    done = invoke("run", tmp_path / "none.tflite", *words)
    assert done.exit_code == 1
    assert f"{absent}: there is no such file" in done.stderr
    assert only_what_was_there(home)


# --- benchmark ------------------------------------------------------------------------------------------------------


@pytest.mark.runtime
def test_a_real_benchmark_here_and_there(home: Path, model: Path, tmp_path: Path) -> None:
    make_ready(home, tmp_path / "there")
    words = ("--runs", 20, "--seconds", 0.1, "--on", "local", "--on", ADDRESS)
    done = invoke("benchmark", model, *words, "--json", "--quiet")
    assert done.exit_code in (0, 3), done.output
    for one in json.loads(done.stdout)["devices"]:
        (found,) = one["benchmark"]["results"]
        assert found["performance_run"]["measured_samples"] >= 20
        assert found["backend_settings"]["model_path"] == "a model.tflite"


@drawn
def test_one_device_gives_all_that_this_machine_gives(
    home: Path, model: Path, tmp_path: Path, measured: Benchmark
) -> None:
    make_ready(home, tmp_path / "there", saying(measured.as_json()))
    kept, page, pictures = tmp_path / "r.json", tmp_path / "r.html", tmp_path / "pictures"
    pictures.mkdir()
    done = invoke("benchmark", model, "--on", ADDRESS, "-o", kept, "--html", page, "--pictures", pictures)
    assert done.exit_code == 0, done.output
    assert json.loads(kept.read_text()) == measured.as_json()
    assert page.read_text().count("<svg") == len(list(pictures.iterdir())) == 2
    assert done.stdout.startswith(f"{ADDRESS}\n")
    assert only_what_was_there(home)


@drawn
def test_a_page_shows_one_device(server: Server, model: Path, tmp_path: Path) -> None:
    page = tmp_path / "r.html"
    done = invoke("benchmark", model, "--on", ADDRESS, "--on", "local", "--html", page)
    assert done.exit_code == 2
    assert "--html and --pictures show one device" in done.stderr
    assert not page.exists()


def test_one_that_fails_does_not_stop_the_other(home: Path, model: Path, tmp_path: Path, measured: Benchmark) -> None:
    named = replace(measured, environment_info=replace(measured.environment_info, model_name="Raspberry Pi 5"))
    make_ready(home, tmp_path / "there", saying(named.as_json()))
    kept = tmp_path / "r.json"
    bad = ("--on", "ssh://no-such-host.invalid", "--on", "nonsense://x")
    done = invoke("benchmark", model, *bad, "--on", ADDRESS, "-o", kept)
    assert done.exit_code == 1
    unknown, nonsense, good = json.loads(kept.read_text())["devices"]
    assert "there is no host of this name" in unknown["error"]["message"]
    assert "is no address of a device" in nonsense["error"]["message"]
    assert (good["address"], good["benchmark"], good["error"]) == (ADDRESS, named.as_json(), None)
    assert "Raspberry Pi 5 (ssh://board)  model " in done.stdout
    assert "ssh://no-such-host.invalid: error: " in done.stdout
    assert done.stdout.count("  hint: ") == 2


def test_a_table_of_several_has_reasons_and_comparisons(home: Path, model: Path, tmp_path: Path) -> None:
    simulation = Simulation(tmp_path / "machine", hog=lambda at: 1.0)
    pair = [Model(simulation, 5.0, name="base"), Model(simulation, 6.0, name="candidate")]
    subjects = [one.subject() for one in pair]
    spoilt = measure(subjects, Plan("custom", 100, 0.5), machine=simulation.machine(), progress=Silent())
    make_ready(home, tmp_path / "there", saying(spoilt.as_json(), 3))
    done = invoke("benchmark", model, "--on", ADDRESS, "--on", "ssh://board2")
    assert done.exit_code == 3, done.output
    for address in (ADDRESS, "ssh://board2"):
        assert re.search(rf"^{address} +candidate ", done.stdout, re.MULTILINE)
        assert f"{address}: candidate: INVALID\n  because   other programs kept 1.0" in done.stdout
        assert f"{address}: candidate against base: INVALID, slower\n  ratio     1.2" in done.stdout


def test_the_only_one_fails_as_a_command_does(server: Server, model: Path, tmp_path: Path) -> None:
    kept = tmp_path / "r.json"
    done = invoke("benchmark", model, "--on", ADDRESS, "-o", kept, "--json")
    assert done.exit_code == 1
    assert "error: ssh://board is not prepared" in done.stderr
    assert json.loads(done.stdout)["error"] == "DeviceError"
    assert not kept.exists()


def test_an_invalid_result_there_is_exit_code_3(home: Path, model: Path, tmp_path: Path, measured: Benchmark) -> None:
    one = measured.results[0]
    spoilt = replace(measured, results=(replace(one, validity=replace(one.validity, valid=False)),))
    make_ready(home, tmp_path / "there", saying(spoilt.as_json(), 3))
    assert invoke("benchmark", model, "--on", ADDRESS).exit_code == 3


def test_a_result_in_another_form_is_none(home: Path, model: Path, tmp_path: Path, measured: Benchmark) -> None:
    make_ready(home, tmp_path / "there", saying(measured.as_json() | {"results": [{"benchmark_id": 1}]}))
    done = invoke("benchmark", model, "--on", ADDRESS)
    assert done.exit_code == 1
    assert "ssh://board: not a benchmark result: " in done.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--on", ADDRESS), "--on names a device twice"),
        (("--input", "mine.py:samples"), "a function of yours does not run there"),
        (("--profile", "mine.toml"), "it must be the ID of a built-in one"),
    ],
)
def test_what_cannot_be_measured_there(server: Server, model: Path, words: tuple[str, ...], message: str) -> None:
    done = invoke("benchmark", model, "--on", ADDRESS, *words)
    assert done.exit_code == 2
    assert message in done.stderr


@pytest.mark.parametrize("twice", [False, True], ids=["one device", "two devices"])
def test_ctrl_c_ends_it_on_all_devices_and_cleans_them(
    server: Server, home: Path, model: Path, tmp_path: Path, twice: bool
) -> None:
    """To the whole group, as a terminal sends it."""
    make_ready(home, tmp_path / "there", "import time; time.sleep(300.375)")
    kept = tmp_path / "r.json"
    others = ("--on", "ssh://board2") if twice else ()
    command = [sys.executable, "-m", "edge_sdk", "benchmark", model, "--on", ADDRESS, *others, "-o", kept]
    child = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, start_new_session=True)
    words = f"{tmp_path / 'there'} benchmark"
    assert eventually(lambda: runs(words) and len(list(home.glob("jobs/*/*"))) == 1 + twice)
    os.killpg(child.pid, signal.SIGINT)
    _, said = child.communicate(timeout=30)
    assert child.returncode == 130, said
    assert b"interrupted" in said
    assert b"Traceback" not in said
    assert not kept.exists()
    assert only_what_was_there(home), "clean by the time that the command ends"
    assert eventually(lambda: not runs(words))
    assert eventually(lambda: not runs(f"ssh -F {server.folder}")), "a connection was left open"
