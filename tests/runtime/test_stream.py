"""Preparing ahead: order, back-pressure, errors in their turn, and an end in every case."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from edge_sdk import Runner, Session
from edge_sdk.errors import PolicyError, SignatureError
from edge_sdk.runtime.stream import ahead


def preparing() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "edge-sdk prepare"]


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    yield
    end = time.monotonic() + 5
    while preparing() and time.monotonic() < end:
        time.sleep(0.01)
    assert not preparing()


def test_order_is_kept() -> None:
    assert list(ahead(range(50), lambda n: n * n, 3)) == [n * n for n in range(50)]
    assert list(ahead([], None, 1)) == []


def test_no_more_is_prepared_than_may_wait() -> None:
    prepared = []

    def prepare(number: int) -> int:
        prepared.append(number)
        return number

    stream = ahead(itertools.count(), prepare, 3)
    for taken in range(5):
        assert next(stream) == taken
        time.sleep(0.05)
        # Three wait, and one more is in the thread's hand.
        assert len(prepared) <= taken + 1 + 3 + 1
    stream.close()
    assert not preparing()


def test_preparing_and_running_overlap() -> None:
    """While one is run the next is prepared: each run here ends only when the next preparation has begun."""
    begun = [threading.Event() for _ in range(20)]

    def prepare(number: int) -> int:
        begun[number].set()
        return number

    for number in ahead(range(20), prepare, 2):
        assert begun[min(number + 1, 19)].wait(30)


def test_error_of_the_source_comes_in_its_turn() -> None:
    def source() -> Iterator[int]:
        yield 1
        yield 2
        raise OSError("the camera is gone")

    stream = ahead(source(), None, 1)
    assert [next(stream), next(stream)] == [1, 2]
    with pytest.raises(OSError, match="the camera is gone"):
        next(stream)


def test_error_of_preparing_comes_in_its_turn() -> None:
    stream = ahead([1, 0, 2], lambda n: 1 / n, 2)
    assert next(stream) == 1
    with pytest.raises(ZeroDivisionError):
        next(stream)


def test_waiting_must_be_possible() -> None:
    with pytest.raises(PolicyError, match="waiting: expected 1 or more, got 0"):
        next(ahead([1], None, 0))


@pytest.mark.runtime
def test_run_many_gives_what_run_gives(tflite: Path) -> None:
    images = np.random.default_rng(0).standard_normal((20, 8, 8, 3)).astype(np.float32)
    runner = Runner(tflite)
    with Session.open(tflite) as session:
        outputs = list(session.run_many(images, prepare=lambda one: {"image": one[None]}))
        expected = [runner.run({"image": one[None]})["scores"] for one in images]
        np.testing.assert_array_equal([one["scores"] for one in outputs], expected)
        with pytest.raises(SignatureError, match="expected shape"):
            list(session.run_many([{"image": images[0]}]))


@pytest.mark.runtime
@pytest.mark.parametrize("where", ["run", "stream"])
def test_interrupt_ends_with_a_usable_session_and_no_thread(tflite: Path, where: str) -> None:
    """SIGINT in the middle of a loop: KeyboardInterrupt once; the session runs on and closes, the process ends."""
    loops = {
        "run": "while True:\n            session.run({'image': x})",
        "stream": "for _ in session.run_many(iter(lambda: {'image': x}, None)):\n            pass",
    }
    script = (
        "import sys, threading\nimport numpy as np\nfrom edge_sdk import Session\n"
        "x = np.ones((1, 8, 8, 3), np.float32)\n"
        "with Session.open(sys.argv[1]) as session:\n"
        "    try:\n        print('ready', flush=True)\n"
        f"        {loops[where]}\n"
        "    except KeyboardInterrupt:\n"
        "        print(session.run({'image': x})['scores'].shape, threading.active_count())\n"
        "print('closed')\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", script, str(tflite)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        time.sleep(0.3)
        os.kill(child.pid, signal.SIGINT)
        out, err = child.communicate(timeout=60)
    finally:
        child.kill()
    assert (child.returncode, out) == (0, "(1, 5) 1\nclosed\n"), err
