"""What a session adds to the bare engine: per run, at import, and after an attempt that failed. Taken in turn."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import latency
from edge_sdk import Session
from edge_sdk.runtime import find_engine
from tests.graphs import conv_model

_RESAMPLES = 1000
# At random, for a run takes about as long as a time slice of the scheduler: in turn, the slices would favour one side.
_ORDER = np.random.default_rng(1)
# A process: opens a session and then, for each line it is sent, times so many runs and answers with microseconds.
_WORKER = """
import sys, time
import numpy as np
from edge_sdk import Session
from edge_sdk.engines.delegates import DELEGATES
if sys.argv[2] == "after failures":
    DELEGATES |= {"gpu": "tests.runtime.fakes:wrong", "npu": "tests.runtime.fakes:dying"}
names = ("gpu", "npu", "xnnpack") if sys.argv[2] == "after failures" else ("xnnpack",)
session = Session.open(sys.argv[1], delegate=names)
assert session.receipt.opening.chosen.candidate == "xnnpack"
inputs = {spec.name: np.ones(spec.static_shape, spec.dtype) for spec in session.inputs}
print("ready", flush=True)
for line in sys.stdin:
    begin = time.perf_counter()
    for _ in range(int(line)):
        session.run(inputs)
    print(1e6 * (time.perf_counter() - begin) / int(line), flush=True)
"""
# The import of the engine is timed first, what comes on top of it second.
_IMPORTS = {
    "import edge_sdk.runtime": "import edge_sdk.runtime",
    "from edge_sdk.runtime import Session": "from edge_sdk.runtime import Session",
}


def rows(cache: Path, seconds: float, say: Callable[[str], None]) -> list[dict[str, Any]]:
    """All figures.

    Args:
        cache: where models are kept.
        seconds: for each comparison.
        say: hears of each row.
    """
    big = cache / "latency_mobilenet_v2_ours.tflite"
    if not big.exists():
        latency.files("mobilenet_v2", cache)
    small = cache / "runtime_small.tflite"
    small.write_bytes(conv_model(side=4))
    made = []
    for row in (
        *_per_run("MobileNetV2 int8 224x224", big, seconds, inner=1),
        *_per_run("a 3-op model", small, seconds / 4, inner=200),
        _after_failures("MobileNetV2 int8 224x224", big, seconds),
        *_imports(),
    ):
        made.append(row)
        say(f"{row['what']}: {row['base_us']} us, {row['ours_us']} us, ratio {row['ratio']} {row['ratio_95']}")
    return made


def _per_run(name: str, path: Path, seconds: float, *, inner: int) -> Iterator[dict[str, Any]]:
    bare = find_engine().module.Interpreter(model_path=str(path), num_threads=1)
    bare.allocate_tensors()
    into = [details["index"] for details in bare.get_input_details()]
    outof = [details["index"] for details in bare.get_output_details()]
    with Session.open(path, delegate="xnnpack") as session:
        views = session.views()
        generator = np.random.default_rng(0)
        inputs = {s.name: generator.standard_normal(s.static_shape).astype(s.dtype) for s in session.inputs}
        values = list(inputs.values())

        def by_hand() -> None:
            for index, array in zip(into, values, strict=True):
                bare.set_tensor(index, array)
            bare.invoke()
            [bare.get_tensor(index) for index in outof]

        def by_hand_in_place() -> None:
            for index, array in zip(into, values, strict=True):
                bare.tensor(index)()[:] = array
            bare.invoke()
            [bare.tensor(index)().max() for index in outof]

        def in_place() -> None:
            for view, array in zip(views.inputs.values(), values, strict=True):
                view[:] = array
            views.run()
            [view.max() for view in views.outputs.values()]

        yield _row(f"{name}: Session.run", by_hand, lambda: session.run(inputs), seconds, inner)
        yield _row(f"{name}: views", by_hand_in_place, in_place, seconds, inner)


def _row(
    what: str, base: Callable[[], object], ours: Callable[[], object], seconds: float, inner: int
) -> dict[str, Any]:
    samples: list[list[float]] = []
    for _ in range(10):
        base(), ours()
    deadline = time.perf_counter() + seconds
    while time.perf_counter() < deadline:
        pair = [0.0, 0.0]
        for side in _ORDER.permutation(2):
            pair[side] = _timed((base, ours)[side], inner)
        samples.append(pair)
    return _summary(what, samples)


def _timed(function: Callable[[], object], inner: int) -> float:
    begin = time.perf_counter()
    for _ in range(inner):
        function()
    return 1e6 * (time.perf_counter() - begin) / inner


def _after_failures(name: str, path: Path, seconds: float) -> dict[str, Any]:
    """Two processes in turn: one whose session opened after two delegates failed in it, and one that never tried."""
    with ExitStack() as stack:
        fresh, marked = (stack.enter_context(_worker(path, kind)) for kind in ("fresh", "after failures"))
        samples: list[list[float]] = []
        deadline = time.perf_counter() + seconds
        while time.perf_counter() < deadline:
            pair = [0.0, 0.0]
            for side in _ORDER.permutation(2):
                pair[side] = (fresh, marked)[side](1)
            samples.append(pair)
    return _summary(f"{name}: Session.run after two failed delegates, against a process that tried none", samples)


@contextmanager
def _worker(path: Path, kind: str) -> Iterator[Callable[[int], float]]:
    command = [sys.executable, "-c", _WORKER, str(path), kind]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    if child.stdin is None or child.stdout is None:
        raise RuntimeError("no pipes")
    stdin, stdout = child.stdin, child.stdout

    def ask(runs: int) -> float:
        stdin.write(f"{runs}\n")
        stdin.flush()
        return float(stdout.readline())

    try:
        if stdout.readline() != "ready\n":
            raise RuntimeError(f"the process {kind} did not start")
        yield ask
    finally:
        stdin.close()
        child.wait()
        stdout.close()


def _imports(rounds: int = 15) -> Iterator[dict[str, Any]]:
    for what, statement in _IMPORTS.items():
        samples = [_import_once(statement) for _ in range(rounds)]
        yield _summary(f"`{what}` on top of the engine, processor time", samples)


def _import_once(statement: str) -> list[float]:
    """Microseconds of processor time of the engine's own import, and of both."""
    code = (
        "import json, time\na = time.process_time()\nimport ai_edge_litert.interpreter\nb = time.process_time()\n"
        f"{statement}\nc = time.process_time()\nprint(json.dumps([1e6 * (b - a), 1e6 * (c - a)]))"
    )
    # Compiled files are what an installed package has.
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, env=environment)
    took: list[float] = json.loads(done.stdout)
    return took


def _summary(what: str, samples: Sequence[Sequence[float]]) -> dict[str, Any]:
    """Medians, their ratio, and 95 % of it by bootstrap over rounds."""
    pairs = np.array(samples)
    base, ours = np.median(pairs, axis=0)
    picks = np.random.default_rng(0).integers(0, len(pairs), (_RESAMPLES, len(pairs)))
    resampled = np.median(pairs[picks], axis=1)
    low, high = np.percentile(resampled[:, 1] / resampled[:, 0], [2.5, 97.5])
    return {
        "what": what,
        "base_us": round(float(base), 2),
        "ours_us": round(float(ours), 2),
        "more_us": round(float(ours - base), 2),
        "ratio": round(float(ours / base), 4),
        "ratio_95": [round(float(low), 4), round(float(high), 4)],
        "rounds": len(pairs),
    }
