"""Worker processes: errors with names, deaths with signals, no network, nothing left behind."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_sdk.converters.workers.child import ToParent, report_progress, running
from edge_sdk.converters.workers.worker import Worker
from edge_sdk.errors import CalibrationError, ConversionError, OutputError
from edge_sdk.progress import Parts

HERE = "tests.converters.workers.test_worker"


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[Worker]:
    with Worker(tmp_path / "worker") as made:
        yield made


class Subject:
    def __init__(self, start: int) -> None:
        self.value = start

    def add(self, number: int) -> int:
        self.value += number
        return self.value


def count_to(number: int) -> int:
    for done in range(1, number + 1):
        report_progress(done)
    return number


def work_in_parts() -> None:
    told = ToParent()
    told.stage("first")
    told.count(1, 2)
    told.stage("second")


def speak_and_fail() -> None:
    print("the last words")
    raise KeyError("what")


def fail_as_ours() -> None:
    raise CalibrationError("bad data", hint="fix it")


def fail_in_tool() -> None:
    with running("numpy", "doing sums"):
        raise ZeroDivisionError("division by zero")


def fill_the_disk() -> None:
    raise OSError(28, "No space left on device")


def connect(host: str) -> None:
    import socket

    socket.create_connection((host, 80), timeout=1)


def die(number: int) -> None:
    print("about to die", flush=True)
    os.kill(os.getpid(), number)


def test_subject_keeps_its_state(worker: Worker) -> None:
    worker.make(f"{HERE}:Subject", "making", start=1)
    assert worker.method("add", "adding", number=2) == 3
    assert worker.method("add", "adding", number=2) == 5


def test_works_in_a_folder_of_its_own(worker: Worker, tmp_path: Path) -> None:
    assert worker.function("os:getcwd", "asking") == str(tmp_path / "worker")


def test_progress_arrives_in_order(worker: Worker) -> None:
    seen: list[int] = []
    assert worker.function(f"{HERE}:count_to", "counting", progress=seen.append, number=5) == 5
    assert seen == [1, 2, 3, 4, 5]


def test_parts_of_a_call_are_told_with_their_stage(worker: Worker) -> None:
    heard: list[object] = []

    class Hears:
        def stage(self, name: str) -> None:
            heard.append(name)

        def count(self, done: int, total: int | None) -> None:
            heard.append((done, total))

    parts = Parts("quantize", Hears())
    worker.function(f"{HERE}:work_in_parts", "working", progress=parts)
    assert heard == ["quantize", "quantize: first", (1, 2), "quantize: second"]
    assert list(parts.ended()) == ["quantize", "quantize: first", "quantize: second"]


def test_last_words_are_the_tools_own(tmp_path: Path) -> None:
    """As TensorFlow 2.19 starts, and one line of a file that speaks at the start, too, but of something else."""
    started = """\
2026-11-30 13:29:25.056599: I tensorflow/core/util/port.cc:153] oneDNN custom operations are on. You may see
2026-11-30 13:29:35.3: E external/local_xla/xla/stream_executor/cuda/cuda_fft.cc:467] Unable to register cuFFT factory
WARNING: All log messages before absl::InitializeLog() is called are written to STDERR
E0000 00:00:1796045375.382343    1404 cuda_dnn.cc:8579] Unable to register cuDNN factory: Attempting to
W0000 00:00:1796045375.420878    1404 computation_placer.cc:177] computation placer already registered. Please
2026-11-30 13:29:25.15: I tensorflow/core/platform/cpu_feature_guard.cc:210] This TensorFlow binary is optimized to
To enable the following instructions: AVX2, rebuild TensorFlow with the appropriate compiler flags.
"""
    said = "E0000 00:00:1796045375.382343    1404 cuda_dnn.cc:8] no memory is left\nloc(callsite): error: no scale"
    with Worker(tmp_path / "worker") as worker:
        (tmp_path / "worker" / "worker.log").write_text(started + said)
        assert worker.log_tail() == said


def test_preload_does_not_wait_and_does_not_fail(worker: Worker) -> None:
    worker.preload("json", "no_such_module")
    assert worker.function("os:getpid", "asking") > 0


def test_our_errors_pass_through(worker: Worker) -> None:
    with pytest.raises(CalibrationError, match="bad data") as caught:
        worker.function(f"{HERE}:fail_as_ours", "failing")
    assert caught.value.hint == "fix it"


def test_foreign_error_names_what_was_done(worker: Worker) -> None:
    with pytest.raises(ConversionError, match="KeyError while speaking: 'what'") as caught:
        worker.function(f"{HERE}:speak_and_fail", "speaking")
    assert "speak_and_fail" in caught.value.log_tail
    assert "the last words" in worker.log_tail()
    assert worker.alive


def test_tool_error_names_tool_and_version(worker: Worker) -> None:
    import numpy as np

    with pytest.raises(ConversionError, match="numpy failed while doing sums: ZeroDivisionError") as caught:
        worker.function(f"{HERE}:fail_in_tool", "working")
    assert (caught.value.tool, caught.value.version) == ("numpy", np.__version__)


def test_full_temporary_folder_is_an_output_error(worker: Worker) -> None:
    with pytest.raises(OutputError, match="no space left for temporary files") as caught:
        worker.function(f"{HERE}:fill_the_disk", "writing")
    assert "TMPDIR" in (caught.value.hint or "")


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGABRT, signal.SIGKILL])
def test_death_names_the_signal_and_the_stage(worker: Worker, number: signal.Signals) -> None:
    with pytest.raises(ConversionError, match=rf"died while dying \(killed by {number.name}\)") as caught:
        worker.function(f"{HERE}:die", "dying", number=int(number))
    assert "about to die" in caught.value.log_tail
    assert ("memory" in (caught.value.hint or "")) == (number is signal.SIGKILL)
    assert not worker.alive
    with pytest.raises(ConversionError, match="died while trying again"):
        worker.function("os:getpid", "trying again")


@pytest.mark.parametrize("host", ["192.0.2.1", "example.com"])
def test_network_is_refused(worker: Worker, host: str) -> None:
    with pytest.raises(ConversionError, match="refused: workers are offline"):
        worker.function(f"{HERE}:connect", "connecting", host=host)


def test_children_of_a_worker_end_with_it(tmp_path: Path) -> None:
    with Worker(tmp_path / "worker") as worker:
        child = worker.function(f"{HERE}:start_sleeper", "starting")
        assert Path(f"/proc/{child}").exists()
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline and _runs(child):
        time.sleep(0.05)
    assert not _runs(child)


def start_sleeper() -> int:
    import subprocess

    return subprocess.Popen(["sleep", "60"]).pid


def _runs(process: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{process}/stat").read_text().split()[2]
    except (FileNotFoundError, ProcessLookupError):
        return False
