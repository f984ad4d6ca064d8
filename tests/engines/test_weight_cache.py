"""XNNPACK's packed weights in a file: made once, mapped afterwards, and never believed when damaged."""

from __future__ import annotations

import os
import re
import resource
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from edge_sdk.engines import compiled
from edge_sdk.errors import DelegateUnavailableError
from edge_sdk.runtime import Session
from edge_sdk.runtime.receipt import Attempt
from edge_sdk.signature import Arrays
from tests.engines.models import l2_model, residual_model
from tests.graphs import Graph, conv_model, options

HAS_FILES = find_spec("ai_edge_litert") is not None and find_spec("ai_edge_litert.cpu_options") is not None
pytestmark = pytest.mark.runtime
with_files = pytest.mark.skipif(not HAS_FILES, reason="needs LiteRT from 2.2 on; `make test-accelerators` has it")


def run(model: Path | bytes, cache: Path | None) -> tuple[Arrays, Attempt]:
    with Session.open(model, delegate="xnnpack", cache_dir=cache) as session:
        generator = np.random.default_rng(1)
        shapes = {one.name: [extent or 1 for extent in one.shape] for one in session.inputs}
        inputs = {name: generator.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}
        return session.run(inputs), session.receipt.openings[0].chosen


def same(found: Arrays, expected: Arrays) -> bool:
    """To the bit: the same kernels on the same weights."""
    return all(np.array_equal(found[name], expected[name]) for name in expected)


def files(folder: Path) -> tuple[Path, Path]:
    weights, beside = sorted(folder.iterdir(), key=lambda path: path.suffix, reverse=True)
    return weights, beside


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "residual.tflite"
    path.write_bytes(residual_model())
    return path


@with_files
def test_made_once_and_mapped_afterwards(model: Path, tmp_path: Path) -> None:
    cache = tmp_path / "new" / "cache"
    expected, plain = run(model, None)
    cold, first = run(model, cache)
    weights, beside = files(cache)
    stamp = (weights.stat().st_ino, weights.stat().st_mtime_ns, beside.stat().st_mtime_ns)
    warm, second = run(model, cache)
    assert same(cold, expected)
    assert same(warm, expected)
    assert not plain.notes
    assert first.notes[0] == f"packed weights are mapped from {weights}, made now: there was none"
    assert second.notes[0] == f"packed weights are mapped from {weights}"
    assert stamp == (weights.stat().st_ino, weights.stat().st_mtime_ns, beside.stat().st_mtime_ns)
    assert second.placement is not None
    assert second.placement.told_by == "predicted"
    assert second.self_test is not None
    assert second.self_test.result == "passed"
    subprocess.run(["sha256sum", "--check", "--strict", beside.name], cwd=cache, check=True, capture_output=True)


@with_files
def test_each_model_has_its_own_file_also_from_memory(model: Path, tmp_path: Path) -> None:
    other = conv_model()
    expected, _ = run(other, None)
    run(model, tmp_path / "cache")
    found, attempt = run(other, tmp_path / "cache")
    assert same(found, expected)
    assert "made now: there was none" in attempt.notes[0]
    assert len(list((tmp_path / "cache").iterdir())) == 4


def _flipped(content: bytes) -> bytes:
    """Each byte between what looks like a header and a table, so that weights are hit."""
    quarter = len(content) // 4
    return content[:quarter] + bytes(byte ^ 255 for byte in content[quarter : 3 * quarter]) + content[3 * quarter :]


@with_files
@pytest.mark.parametrize(
    "damage",
    [_flipped, lambda content: content[: len(content) // 2], lambda content: b"", lambda content: b"\xff" * 5000],
    ids=["flipped", "truncated", "empty", "foreign"],
)
def test_damaged_file_is_made_anew(damage: Callable[[bytes], bytes], model: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    expected, _ = run(model, cache)
    weights, _ = files(cache)
    good = weights.read_bytes()
    weights.write_bytes(damage(good))
    found, attempt = run(model, cache)
    assert same(found, expected)
    assert attempt.notes[0].endswith("made now: the SHA-256 beside it was another")
    assert len(weights.read_bytes()) == len(good)
    assert run(model, cache)[1].notes[0] == f"packed weights are mapped from {weights}"


@with_files
def test_file_without_its_hash_is_made_anew(model: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    run(model, cache)
    files(cache)[1].unlink()
    assert "made now: it could not be read: No such file" in run(model, cache)[1].notes[0]


@with_files
def test_whole_file_in_a_folder_that_cannot_be_written(model: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    run(model, cache)
    cache.chmod(0o500)
    try:
        assert run(model, cache)[1].notes[0].startswith("packed weights are mapped from ")
    finally:
        cache.chmod(0o700)


@with_files
def test_no_folder_and_no_cache_is_a_note(model: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder", encoding="utf-8")
    expected, _ = run(model, None)
    found, attempt = run(model, tmp_path / "file" / "cache")
    assert same(found, expected)
    assert attempt.notes == (f"no weight cache: {tmp_path}/file/cache: cannot be made: Not a directory",)
    assert attempt.placement is not None
    assert attempt.placement.told_by == "measured"


@with_files
def test_full_disk_kills_a_child_and_leaves_nothing(model: Path, tmp_path: Path) -> None:
    """LiteRT aborts where it cannot write; a limit on the size of files stands for a full disk."""
    run(model, tmp_path / "whole")
    limit = files(tmp_path / "whole")[0].stat().st_size - 1
    assert model.stat().st_size < limit, "the child's copy of the model must fit"
    script = (
        "import sys; from edge_sdk.runtime import Session\n"
        "with Session.open(sys.argv[1], delegate='xnnpack', cache_dir=sys.argv[2]) as session:\n"
        "    print(session.receipt.openings[0].chosen.notes)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(model), str(tmp_path / "full")],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    # It fails or dies, as the write that finds no room has it.
    assert re.search("no weight cache: LiteRT (failed|crashed with SIGABRT) while ", done.stdout)
    assert not list((tmp_path / "full").iterdir())


@with_files
def test_model_of_which_xnnpack_takes_nothing(tmp_path: Path) -> None:
    """CompiledModel would run it with TFLite's own kernels and say nothing."""
    with pytest.raises(DelegateUnavailableError, match="XNNPACK took none of the 1 ops"):
        run(l2_model(), tmp_path / "cache")
    assert not list((tmp_path / "cache").iterdir())


@with_files
def test_cpu_that_compiled_model_dies_on(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled, "has_atomics", lambda: False)
    _, attempt = run(model, tmp_path / "cache")
    assert attempt.notes[0].startswith("no weight cache: xnnpack: this CPU lacks the atomic instructions (LSE)")
    assert not (tmp_path / "cache").exists()


def test_engine_without_such_files_says_so(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    _, attempt = run(model, tmp_path / "cache")
    assert any("offers none: LiteRT's CompiledModel does since 2.2" in note for note in attempt.notes)
    assert not (tmp_path / "cache").exists()


def test_state_needs_the_interpreter(tmp_path: Path) -> None:
    """Its state would survive the self-test."""
    graph = Graph()
    x, state, y = graph.tensor("x", (1, 1)), graph.tensor("state", (1, 2)), graph.tensor("y", (1, 1))
    weights = graph.constant("weights", np.ones((1, 1), np.float32))
    times = graph.constant("times", np.ones((1, 2), np.float32))
    total = graph.tensor("total", (1, 1))
    graph.node.tensors[state].is_variable = True
    graph.op("SVDF", (x, weights, times, -1, state), (y,), options("SVDFOptions", rank=1))
    graph.op("ADD", (y, y), (total,), options("AddOptions"))
    one = {"x": np.ones((1, 1), np.float32)}
    with Session.open(
        graph.finish((x,), (total,)), delegate="xnnpack", cache_dir=tmp_path / "cache", keep_state=True
    ) as session:
        assert [float(session.run(one)["total"][0, 0]) for _ in range(3)] == [2.0, 4.0, 4.0]
        notes = session.receipt.openings[0].chosen.notes
    assert any(note.startswith("no weight cache: ") for note in notes)
