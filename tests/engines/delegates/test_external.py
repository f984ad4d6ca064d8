"""External delegates: one written in C that works, and everything that a board may have instead of it.

The failures are those that both engines were seen to die or give misleading errors of.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from edge_sdk.engines import library as external
from edge_sdk.engines.delegates import open_with
from edge_sdk.engines.executor import Executor
from edge_sdk.engines.installed import find_engine
from edge_sdk.engines.interpreter import InterpreterExecutor
from edge_sdk.engines.options import DelegateOptions
from edge_sdk.engines.probe import Trial, try_in_child
from edge_sdk.engines.source import open_source
from edge_sdk.errors import DelegateUnavailableError
from edge_sdk.runtime import Session
from edge_sdk.runtime.candidates import Candidate

pytestmark = pytest.mark.runtime
ROOT = Path(__file__).parents[3]


def opened(model: Path, library: str | Path | None, options: Mapping[str, str] | None = None) -> Executor:
    chosen = DelegateOptions(
        find_engine(), library=None if library is None else str(library), library_options=options or {}
    )
    return open_with("external", open_source(model), chosen)


def run(executor: Executor, seed: int = 0) -> npt.NDArray[np.float32]:
    values = np.random.default_rng(seed).standard_normal((1, 8, 8, 4)).astype(np.float32)
    executor.write({"x": values})
    executor.invoke()
    (output,) = executor.read().values()
    return np.asarray(output, np.float32)


def test_takes_its_ops_and_computes_them(models: Path, libraries: Path) -> None:
    """XNNPACK takes the convolutions behind it, and is not counted as its work."""
    executor = opened(models / "residual.tflite", libraries / "good.so")
    assert isinstance(executor, InterpreterExecutor)
    placement = executor.placement()
    assert placement is not None
    assert (placement.ops, placement.delegated, placement.partitions) == (6, (1, 3, 5), 3)
    assert len(InterpreterExecutor.delegate_rows(executor)) > 3
    reference = open_with("cpu", open_source(models / "residual.tflite"), DelegateOptions(find_engine()))
    # Sums of 36 products of values below 100 in float32, in another order: 36 * 100 * 2^-24.
    np.testing.assert_allclose(run(executor), run(reference), atol=2.2e-4, rtol=0)


def test_options_reach_it(models: Path, libraries: Path) -> None:
    placement = opened(models / "residual.tflite", libraries / "good.so", {"limit": "2"}).placement()
    assert placement is not None
    assert placement.delegated == (1, 3)


def test_wrong_results_come_through_for_a_self_test_to_find(models: Path, libraries: Path) -> None:
    right, wrong = (
        run(opened(models / "residual.tflite", libraries / "good.so", options)) for options in ({}, {"mode": "wrong"})
    )
    # Every ADD is off by 1, and what follows adds to that.
    assert np.abs(wrong - right).mean() > 0.5


def test_a_session_refuses_wrong_results_and_runs_on_the_cpu(models: Path, libraries: Path) -> None:
    wrong = Candidate("external", "npu", library=str(libraries / "good.so"), options={"mode": "wrong"})
    with Session.open(models / "residual.tflite", delegate=[wrong, "xnnpack"]) as session:
        attempts = session.receipt.opening.attempts
    assert [one.outcome for one in attempts] == ["wrong-results", "chosen"]
    with pytest.raises(DelegateUnavailableError):
        Session.open(models / "residual.tflite", delegate=wrong)


@pytest.mark.parametrize(
    ("library", "options", "message"),
    [
        ("good.so", {"mode": "null"}, "failed while starting its driver: test delegate: no device /dev/test0"),
        ("good.so", {"mode": "null_silent"}, "failed while starting its driver: it gives no reason"),
        ("good.so", {"color": "red"}, "failed while starting its driver: test delegate: unknown option color"),
        ("unsafe.so", {"mode": "null"}, "failed while starting its driver: test delegate: no device /dev/test0"),
        ("good.so", {"mode": "fail_prepare"}, "failed while preparing the model: test delegate: out of device memory"),
        (
            "good.so",
            {"mode": "fail_invoke"},
            "failed while running the model once: test delegate: the device went away",
        ),
        ("good.so", {"mode": "crash_create"}, "crashed with SIGABRT while starting its driver"),
        ("good.so", {"mode": "crash_prepare"}, "crashed with SIGSEGV while preparing the model"),
        ("good.so", {"mode": "crash_invoke"}, "crashed with SIGSEGV while running the model once"),
        ("good.so", {"mode": "crash_destroy"}, "crashed with SIGSEGV while closing it"),
        ("good.so", {"limit": "0"}, "took none of the 6 ops of"),
        ("missing.so", {}, "cannot be read: No such file or directory"),
        ("other.so", {}, r"is built for (aarch64|x86_64) \(64 bits\), and this process is"),
        ("text.so", {}, "cannot be loaded: not a shared library: it does not begin with an ELF header"),
        ("truncated.so", {}, "cannot be loaded: truncated: "),
        ("needy.so", {}, "needs libgone.so, which is not there"),
        ("empty.so", {}, "is no external delegate: it does not export tflite_plugin_create_delegate and"),
    ],
)
def test_each_failure_is_one_clear_error(
    library: str, options: dict[str, str], message: str, models: Path, libraries: Path
) -> None:
    with pytest.raises(DelegateUnavailableError, match=message) as caught:
        opened(models / "residual.tflite", libraries / library, options)
    assert caught.value.hint
    assert "\n" not in str(caught.value)


def test_no_library_is_named(models: Path) -> None:
    with pytest.raises(DelegateUnavailableError, match="needs a library, and none was named"):
        opened(models / "residual.tflite", None)


def test_a_bare_name_is_the_loaders_to_find(models: Path) -> None:
    with pytest.raises(
        DelegateUnavailableError, match=r"the loader finds no libedgetpu_of_nobody\.so\.1 for this machine"
    ):
        opened(models / "residual.tflite", "libedgetpu_of_nobody.so.1")
    with pytest.raises(DelegateUnavailableError, match=r"libc\.so\.6 is no external delegate"):
        opened(models / "residual.tflite", "libc.so.6")


def test_a_bare_name_is_found_where_the_loader_looks(models: Path, libraries: Path) -> None:
    """LD_LIBRARY_PATH is read when a process starts, so one is started."""
    script = (
        "import sys; from pathlib import Path; from tests.engines.delegates.test_external import opened\n"
        "print(opened(Path(sys.argv[1]), 'good.so').placement().partitions)"
    )
    environment = {**os.environ, "LD_LIBRARY_PATH": str(libraries)}
    command = [sys.executable, "-c", script, str(models / "residual.tflite")]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "3\n"


def test_a_driver_that_hangs_is_ended(models: Path, libraries: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(external, "TIMEOUT_S", 3.0)
    began = time.monotonic()
    with pytest.raises(DelegateUnavailableError, match="did not return within 3 s while starting its driver"):
        opened(models / "residual.tflite", libraries / "good.so", {"mode": "hang_create"})
    assert time.monotonic() - began < 30


SIGNALS = {"ctrl-c": signal.SIGINT, "kill": signal.SIGKILL}


@pytest.mark.parametrize("how", SIGNALS)
def test_a_driver_that_hangs_does_not_outlive_us(how: str, models: Path, libraries: Path, tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from tests.engines.delegates.test_external import opened\n"
        "opened(Path(sys.argv[1]), sys.argv[2], {'mode': 'hang_create'})"
    )
    command = [sys.executable, "-c", script, str(models / "residual.tflite"), str(libraries / "good.so")]
    running = subprocess.Popen(
        command, cwd=ROOT, env={**os.environ, "TMPDIR": str(tmp_path)}, stderr=subprocess.DEVNULL
    )
    until = time.monotonic() + 60
    try:
        while not children(running.pid) and time.monotonic() < until:
            time.sleep(0.05)
        (child,) = children(running.pid)
        running.send_signal(SIGNALS[how])
        assert running.wait(timeout=60) in (1, 130, -SIGNALS[how])
    finally:
        running.kill()
    while runs(child) and time.monotonic() < until:
        time.sleep(0.05)
    assert not runs(child)
    assert how == "kill" or not list(tmp_path.iterdir())


def runs(process: str) -> bool:
    """Whether it is there and no zombie: an orphan is another process's to reap."""
    try:
        return Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def children(parent: int) -> list[str]:
    """Processes that it started."""
    return Path(f"/proc/{parent}/task/{parent}/children").read_text(encoding="ascii").split()


def test_no_room_for_the_trial_is_told(models: Path, libraries: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(libraries / "no_such_folder"))
    with pytest.raises(DelegateUnavailableError, match=r"no room for its files: .*No such file or directory"):
        opened(models / "residual.tflite", libraries / "good.so", {"limit": "1"})


def test_what_passed_is_not_tried_again_and_a_new_file_is(
    models: Path, libraries: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = []

    def counting(*about: Any, **more: Any) -> Trial:
        tried.append(about)
        return try_in_child(*about, **more)

    monkeypatch.setattr(external, "try_in_child", counting)
    library = tmp_path / "driver.so"
    library.write_bytes((libraries / "good.so").read_bytes())
    for _ in range(2):
        opened(models / "residual.tflite", library)
    assert len(tried) == 1
    library.unlink()
    library.write_bytes((libraries / "empty.so").read_bytes())
    with pytest.raises(DelegateUnavailableError, match="is no external delegate"):
        opened(models / "residual.tflite", library)


def test_a_failed_attempt_leaves_nothing_behind(models: Path, libraries: Path, tmp_path: Path) -> None:
    """No library mapped, no child, no core file, no folder in the temporary directory."""
    script = f"""
import os, pathlib, tempfile
from tests.engines.delegates.test_external import opened
for mode in ("crash_create", "fail_prepare"):
    try:
        opened(pathlib.Path({str(models / "residual.tflite")!r}), {str(libraries / "good.so")!r}, {{"mode": mode}})
    except Exception as error:
        print(type(error).__name__)
print("good.so" in pathlib.Path("/proc/self/maps").read_text(), os.listdir(tempfile.gettempdir()))
try:
    print(os.waitpid(-1, os.WNOHANG))
except ChildProcessError:
    print("no child")
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:4] == ["DelegateUnavailableError"] * 2 + ["False []", "no child"]
