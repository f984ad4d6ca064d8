"""Files on which the engine dies take a child with them, and a session says so; what is fine is tried once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from edge_sdk import Runner, Session, create_bundle
from edge_sdk.converters.search.running import run_rows
from edge_sdk.converters.workers.worker import Worker
from edge_sdk.engines import trying
from edge_sdk.engines.observe import observe
from edge_sdk.errors import ConversionError, ModelError
from edge_sdk.measure.side_by_side import time_side_by_side
from edge_sdk.parity.alone import losses_alone
from edge_sdk.parity.histograms import worst_histograms
from edge_sdk.parity.localize import compare_tensors
from edge_sdk.parity.ops import check_ops
from tests.graphs import Graph, conv_model, options

pytestmark = pytest.mark.runtime


@pytest.fixture(autouse=True)
def nothing_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("EDGE_SDK_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(trying, "_HERE", {})
    return iter(())


def split_into_none() -> bytes:
    """``SPLIT`` whose options say 0 parts, by which its kernel divides."""
    graph = Graph()
    x, y = graph.tensor("x", (2, 2)), graph.tensor("y", (2, 2))
    axis = graph.constant("axis", np.array(0, np.int32))
    graph.op("SPLIT", (axis, x), (y,), options("SplitOptions", num_splits=0))
    return graph.finish((x,), (y,))


def test_engine_that_dies_of_a_file_takes_no_program_with_it(tmp_path: Path) -> None:
    path = tmp_path / "split.tflite"
    path.write_bytes(split_into_none())
    with pytest.raises(ModelError, match=r"crashes with SIG\w+ while \w+ it with \w+, which would have ended") as told:
        Session.open(path, delegate="xnnpack")
    assert "split.tflite" in str(told.value)
    # The engine's own kernels refuse it in words, and nothing else is left to try.
    with pytest.raises(ModelError, match=r"refuses the file: .*split\.cc"):
        Session.open(path)
    # So it would have been: that is what the trial is for.
    script = "import sys; from edge_sdk import Session; Session.open(sys.argv[1], try_first=False)"
    done = subprocess.run([sys.executable, "-c", script, path], capture_output=True, check=False, timeout=120)
    assert done.returncode < 0


def test_outcome_is_remembered_by_hash_and_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    content = conv_model()
    with Session.open(content) as session:
        assert "it was tried in a child process first" in session.receipt.opening.chosen.notes
    monkeypatch.setattr(trying, "_HERE", {})
    monkeypatch.setattr(trying._TRIALS, "ask", lambda *given: pytest.fail("it is known"))
    with Session.open(content) as session:
        assert session.receipt.opening.chosen.notes == ()
    with pytest.raises(pytest.fail.Exception, match="it is known"):
        Session.open(conv_model(seed=1))
    with Session.open(conv_model(seed=1), try_first=False):
        pass


def test_read_only_home_and_dead_trials_do_no_harm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("EDGE_SDK_CACHE", str(tmp_path / "file"))
    Session.open(conv_model(seed=2)).close()
    child = trying._TRIALS._child
    assert child is not None
    os.kill(child.pid, signal.SIGKILL)
    Session.open(conv_model(seed=3)).close()
    assert trying._TRIALS._child is not child


def test_trials_end_with_their_parent() -> None:
    script = (
        "import os, sys; from edge_sdk import Session; from edge_sdk.engines import trying\n"
        "Session.open(bytes.fromhex(sys.stdin.read())); print(trying._TRIALS._child.pid, flush=True)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    given = conv_model(seed=4).hex()
    done = subprocess.run([sys.executable, "-c", script], input=given, capture_output=True, text=True, check=False)
    child = Path("/proc") / done.stdout.strip()
    end = time.monotonic() + 10
    while child.exists() and "Z" not in (child / "stat").read_text().split()[2] and time.monotonic() < end:
        time.sleep(0.05)
    assert not child.exists() or "Z" in (child / "stat").read_text().split()[2]


def test_runners_and_bundles_try_a_file_too(tmp_path: Path) -> None:
    path = tmp_path / "split.tflite"
    path.write_bytes(split_into_none())
    with pytest.raises(ModelError, match="which would have ended this program"):
        Runner(path)
    with pytest.raises(ModelError, match=r"which would have ended|refuses the file"):
        create_bundle([path], tmp_path / "a.edge")
    assert not (tmp_path / "a.edge").exists()


# Functions that open a file for their caller, each told the path of one.
_OPENING: dict[str, Callable[[str], object]] = {
    "Runner": Runner,
    "compare_tensors": lambda path: compare_tensors(path, path, []),
    "worst_histograms": lambda path: worst_histograms(path, path, list, []),
    "observe": lambda path: observe(path, []),
    "check_ops": lambda path: check_ops(Path(path).read_bytes(), []),
    "losses_alone": lambda path: list(
        losses_alone(Path(path).read_bytes(), Path(path).read_bytes(), [], list, Path(path).parent)
    ),
    "time_side_by_side": lambda path: time_side_by_side([path, path], seconds=0.01),
    "run_rows": lambda path: run_rows(path, "", [], "", {}, {}),
}


@pytest.mark.parametrize("name", _OPENING)
def test_no_function_opens_what_was_not_tried(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "any.tflite"
    path.write_bytes(conv_model(seed=5))
    monkeypatch.setattr(trying._TRIALS, "ask", lambda *given: "crashes with SIGSEGV while running it with cpu")
    with pytest.raises(ModelError, match="crashes with SIGSEGV while running it with cpu, which would have ended"):
        _OPENING[name](str(path))


def test_a_worker_tries_nothing_and_dies_for_its_parent(tmp_path: Path) -> None:
    path = tmp_path / "split.tflite"
    path.write_bytes(split_into_none())
    with Worker(tmp_path / "worker") as worker:
        assert worker.function("edge_sdk.engines.trying:is_risked", "asking") is True
        with pytest.raises(ConversionError, match=r"the worker process died while opening it \(killed by SIG\w+\)"):
            worker.function("edge_sdk.engines.runner:Runner", "opening it", path=str(path))
    assert not trying.is_risked()
