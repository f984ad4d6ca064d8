"""XNNPACK with a file of packed weights against without: load, first run, heap; each in a process of its own, in turn.

Needs LiteRT from 2.2 on: ``.venv-accelerators/bin/python -m benchmarks weights FILE...``. The load is processor time,
the first in its process; that of the file that is mapped holds our own check of its SHA-256. Heap is what glibc's
``mallinfo2`` counts until the first run is over; anonymous memory is the kernel's ``RssAnon``, which cannot be dropped;
LiteRT's library is most of the mapped files.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edge_sdk.engines.compiled import Ask, CompiledExecutor
from edge_sdk.engines.delegates import open_with
from edge_sdk.engines.executor import Executor
from edge_sdk.engines.installed import find_engine
from edge_sdk.engines.options import DelegateOptions
from edge_sdk.engines.source import ModelSource, open_source
from tests.core.checks.memory.heap_oracle import used_bytes

_RUNS = 60
_NUMBERS = ("load_ms", "heap_kib", "anonymous_kib", "files_kib", "run_ms")


def _interpreter(model: ModelSource, _: Path) -> Executor:
    return open_with("xnnpack", model, DelegateOptions(find_engine()))


def _no_file(model: ModelSource, _: Path) -> Executor:
    return CompiledExecutor(model, DelegateOptions(find_engine()), Ask("cpu"), None, arithmetic="float32")


def _file(model: ModelSource, cache: Path) -> Executor:
    return open_with("xnnpack", model, DelegateOptions(find_engine(), cache_dir=cache))


WAYS: Mapping[str, Callable[[ModelSource, Path], Executor]] = {
    "Interpreter": _interpreter,
    "CompiledModel, packs": _no_file,
    "CompiledModel, maps the file": _file,
}


def rows(files: Sequence[Path], rounds: int) -> list[dict[str, Any]]:
    """Medians for each file and way; the file of weights is made before the first round."""
    return [row for path in files for row in _rows(path, rounds)]


def _rows(path: Path, rounds: int) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as cache:
        _measured("CompiledModel, maps the file", path, cache)
        found: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
        for _ in range(rounds):
            for way in WAYS:
                found[way].append(_measured(way, path, cache))
        size = next(Path(cache).glob("*.xnnpack")).stat().st_size
    facts = {"model": path.stem, "weights_kib": size // 1024}
    return [{**facts, "way": way, **_medians(found[way])} for way in WAYS]


def _medians(found: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {name: round(statistics.median(one[name] for one in found), 3) for name in _NUMBERS}


def _measured(way: str, path: Path, cache: str) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.weights", way, str(path), cache]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    answer: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return answer


def _measure(way: str, path: Path, cache: Path) -> dict[str, float]:
    # Imports are paid before.

    model = open_source(path)
    inputs = {name: np.zeros(t.shape, t.dtype) for name, t in model.artifact.signature.inputs.items()}
    before, heap, began = _resident(), used_bytes(), time.process_time()
    executor = WAYS[way](model, cache)
    load_ms = (time.process_time() - began) * 1e3
    _run_ms(executor, inputs)
    heap, after = used_bytes() - heap, _resident()
    took = [_run_ms(executor, inputs) for _ in range(_RUNS)]
    executor.close()
    return {
        "load_ms": load_ms,
        "heap_kib": heap / 1024,
        "anonymous_kib": after["RssAnon:"] - before["RssAnon:"],
        "files_kib": after["RssFile:"] - before["RssFile:"],
        "run_ms": statistics.median(took),
    }


def _run_ms(executor: Executor, inputs: Mapping[str, Any]) -> float:
    began = time.perf_counter()
    executor.write(inputs)
    executor.invoke()
    executor.read()
    return (time.perf_counter() - began) * 1e3


def _resident() -> dict[str, int]:
    lines = (line.split() for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines())
    return {words[0]: int(words[1]) for words in lines if words[0] in ("RssAnon:", "RssFile:")}


if __name__ == "__main__":
    print(json.dumps(_measure(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))))
