"""From beginning to end: a wheel of this checkout goes over a real ssh to an emulated board, is started there, verifies
a bundle and runs it for float and int8; outputs are those of x86.

The shell that sshd starts is this machine's; the Python that it runs is the board's.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from edge_sdk.cli import cli
from edge_sdk.devices import open_device
from edge_sdk.devices.prepare import prepared
from edge_sdk.runtime import Session
from tests.boards.board import ROOT, make_board, system_is_made
from tests.boards.opening import inputs_of
from tests.devices.sshd import SSHD, Server, running
from tests.engines.models import MODELS

SYSTEMS = {"arm64": ("cortex-a53", "accelerators.txt"), "armhf-tflite": ("cortex-a7", "tflite-runtime.txt")}
pytestmark = [
    pytest.mark.boards,
    pytest.mark.slow,
    pytest.mark.skipif(
        not (find_spec("openvino") and SSHD and all(map(system_is_made, SYSTEMS))),
        reason="make test-boards sets up the emulated boards, and needs openssh-server",
    ),
]
OTHER_CORES = {"arm64": ("cortex-a72", "cortex-a76"), "armhf-tflite": ("cortex-a15",)}
ADDRESS = "ssh://board"
FLOAT, INT8 = "residual", "int8"
RUNS = 3


@dataclass(frozen=True)
class Ready:
    """A board that `devices prepare` made ready, bundles to run, and what x86 computes."""

    system: str
    server: Server
    said: dict[str, Any]
    folder: Path

    def run(self, name: str, *options: str) -> Any:
        """Outputs of the board."""
        target = self.folder / f"{name}.out.npz"
        done = edge_sdk("run", self.bundle(name), "--input", self.inputs(name), "-o", target, "--raw", *options)
        return only_output(target), done

    def bundle(self, name: str) -> Path:
        return self.folder / f"{name}.edge"

    def inputs(self, name: str) -> Path:
        return self.folder / f"{name}.npz"


def bound(name: str, outputs: Any) -> float:
    """Float: three blocks of sums of 36 products, so 3 * 36 roundings of 2^-24 of the largest value; int8: one step."""
    return 1 if name == INT8 else 3 * 36 * float(np.abs(outputs).max()) * 2.0**-24


def only_output(path: Path) -> Any:
    arrays = np.load(path)
    (name,) = arrays.files
    return arrays[name]


def edge_sdk(*arguments: object, status: int = 0) -> dict[str, Any]:
    done = CliRunner().invoke(cli, [*map(str, arguments), "--json", "--quiet"])
    assert done.exit_code == status, done.output
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.fixture(scope="module", params=SYSTEMS)
def ready(request: pytest.FixtureRequest, wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ready]:
    folder = tmp_path_factory.mktemp(request.param)
    cpu, constraints = SYSTEMS[request.param]
    (folder / "wheels").mkdir()
    shutil.copy(wheel, folder / "wheels")
    board = make_board(request.param, cpu, folder / "board", bare=True)
    with running(folder / "sshd") as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("EDGE_SDK_SSH", server.ssh)
        patch.setenv("PIP_CONSTRAINT", str(ROOT / "constraints" / constraints))
        said = edge_sdk("devices", "prepare", ADDRESS, "--python", board.python, "--wheels", folder / "wheels")
        found = Ready(request.param, server, said, folder)
        for name in (FLOAT, INT8):
            _make(found, name)
        yield found


def _make(ready: Ready, name: str) -> None:
    model = ready.folder / f"{name}.tflite"
    model.write_bytes(MODELS[name]())
    with Session.open(model, values="raw") as session:
        samples = [inputs_of(session, seed) for seed in range(RUNS)]
    np.savez(ready.inputs(name), **{key: np.stack([one[key] for one in samples]) for key in samples[0]})
    edge_sdk("bundle", "create", model, "-o", ready.bundle(name))


def test_it_runs_what_fits_it(ready: Ready) -> None:
    wheels = " ".join(ready.said["wheels"])
    assert f"edge_sdk-{ready.said['edge_sdk']}-py3-none-any.whl" in wheels
    if ready.system == "arm64":
        assert ready.said["engine"].startswith("ai-edge-litert 2.3")
        assert "aarch64" in wheels
    else:
        assert ready.said["engine"] == "tflite-runtime 2.14.0"
        assert "armv7l" in wheels
        assert list(ready.said["own"]) == ["numpy"], "none is published: Debian's"
        assert any("ai-edge-litert" in reason for reason in ready.said["refused"])


@pytest.mark.parametrize("name", [FLOAT, INT8])
def test_a_bundle_is_verified_and_run_there(ready: Ready, name: str) -> None:
    there, said = ready.run(name, "--on", ADDRESS)
    here, _ = ready.run(name)
    assert said["on"] == ADDRESS
    assert said["receipt"]["openings"][-1]["chosen"]["engine"] == ready.said["engine"]
    assert here.shape[0] == RUNS
    assert np.abs(there.astype(np.float64) - here.astype(np.float64)).max() <= bound(name, here)
    with open_device(ADDRESS) as device, device.job() as job:
        placed = job.place(ready.bundle(name))
        done = job.run([*prepared(device).command, "bundle", "verify", placed, "--json"])
    assert done.status == 0, done.stderr
    assert not list(ready.server.home.glob("edge-sdk/files/*")), "what was pushed is gone"


def test_other_cores_compute_the_same(ready: Ready) -> None:
    for cpu in OTHER_CORES[ready.system]:
        _check_core(ready, cpu)


def _check_core(ready: Ready, cpu: str) -> None:
    board = make_board(ready.system, cpu, ready.folder / cpu, bare=True)
    for name in (FLOAT, INT8):
        expected, _ = ready.run(name, "--on", ADDRESS)
        with open_device(ADDRESS) as device, device.job() as job:
            command = [str(board.python), prepared(device).folder]
            bundle, data = job.place(ready.bundle(name)), job.place(ready.inputs(name))
            assert job.run([*command, "bundle", "verify", bundle]).status == 0
            done = job.run([*command, "run", bundle, "--input", data, "--raw", "-o", "out.npz"])
            assert done.status == 0, done.stderr
            device.pull(f"{job.folder}/out.npz", ready.folder / "out.npz")
        there = only_output(ready.folder / "out.npz")
        assert np.abs(there.astype(np.float64) - expected).max() <= bound(name, expected)


def test_a_failure_there_is_told_as_one_here(ready: Ready) -> None:
    broken = ready.folder / "broken.edge"
    broken.write_bytes(ready.bundle(FLOAT).read_bytes()[:-2000])
    said = edge_sdk("run", broken, "--input", ready.inputs(FLOAT), "--on", ADDRESS, status=1)
    assert said["message"].startswith(f"{ADDRESS}: broken.edge")
    assert said["error"] == "BundleFormatError"


def test_one_that_fails_does_not_stop_the_other(ready: Ready) -> None:
    options = ("--runs", 5, "--seconds", 0.2, "--max-seconds", 30)
    model = ready.folder / f"{INT8}.tflite"
    said = edge_sdk("benchmark", model, *options, "--on", ADDRESS, "--on", "ssh://nobody.invalid", status=1)
    board, nobody = said["devices"]
    assert nobody["benchmark"] is None
    assert "there is no host of this name" in nobody["error"]["message"]
    assert board["error"] is None
    (result,) = board["benchmark"]["results"]
    assert result["performance_run"]["measured_samples"] >= 5
    assert board["benchmark"]["environment_info"]["arch"] == ("aarch64" if ready.system == "arm64" else "armv7l")


def test_a_second_time_nothing_is_copied(ready: Ready) -> None:
    program = ready.said["program"]
    again = edge_sdk(
        "devices", "prepare", ADDRESS, "--python", program, "--wheels", ready.folder / "wheels", "--offline"
    )
    # Why an engine was passed over is said in pip's words the first time, in those of an offline folder the second.
    assert again | {"refused": []} == ready.said | {"refused": []}
    assert bool(again["refused"]) == bool(ready.said["refused"])
