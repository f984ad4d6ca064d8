"""``threads="auto"``: how many CPU threads serve a model best is measured where it runs, once, and remembered.

More threads are often slower: of a small model they wait for each other longer than they compute.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge_sdk.engines.executor import Executor
from edge_sdk.errors import OutputError
from edge_sdk.files import write_bytes
from edge_sdk.folders import cache_folder
from edge_sdk.runtime.cores import Cores
from edge_sdk.version import __version__

# Fewer threads leave cores to others: more must be faster by so much.
_MARGIN = 0.05
_ROUNDS = 3
_ROUND_S, _ROUND_RUNS = 0.04, 3


@dataclass(frozen=True)
class Settled:
    """What was found to be best.

    Attributes:
        threads: so many.
        run_ms: median of a run with each number that was measured.
    """

    threads: int
    run_ms: Mapping[int, float]

    def words(self, *, remembered: bool, pinned: bool) -> str:
        """For a receipt."""
        times = ", ".join(f"{count}: {took:.3g} ms" for count, took in sorted(self.run_ms.items()))
        when = "earlier on this machine" if remembered else "now"
        kept = "; those that the engine starts stay on the big cores" if pinned else ""
        return f"threads=auto took {self.threads} (measured {when}: {times}){kept}"


def choices(cores: Cores, replicas: int) -> tuple[int, ...]:
    """Numbers of threads that are worth measuring: 1, 2, 4 and the big cores, as far as there are cores for all."""
    most = max(1, len(cores.usable) // replicas)
    return tuple(sorted(count for count in {1, 2, 4, len(cores.big)} if 1 <= count <= most))


def measured(executors: Mapping[int, Executor], inputs: Mapping[str, npt.NDArray[np.generic]]) -> Settled:
    """Times a model that is open with each number of threads, in turn.

    Args:
        executors: by number of threads.
        inputs: raw values, by name.

    Raises:
        ModelError: it does not run on them.
    """
    for executor in executors.values():
        executor.write(inputs)
        executor.invoke()
    medians: dict[int, list[float]] = {count: [] for count in executors}
    for _ in range(_ROUNDS):
        for count, executor in executors.items():
            medians[count].append(_median_ms(executor))
    return _settled({count: min(found) for count, found in medians.items()})


def key_of(parts: Sequence[str], cores: Cores, replicas: int) -> str:
    """Under which an answer is remembered: the model, the engine and the delegate in ``parts``, and this machine."""
    from edge_sdk.profile.detect import machine_name, this_isa

    arch, isa = this_isa()
    here = [machine_name(), arch, *sorted(isa), f"{len(cores.usable)}/{len(cores.big)}/{replicas}", __version__]
    return hashlib.sha256("\n".join([*parts, *here]).encode("utf-8", "surrogateescape")).hexdigest()


def recall(key: str) -> Settled | None:
    """What was found under this key; None if nothing was."""
    with contextlib.suppress(OSError, ValueError, AttributeError, TypeError):
        found = json.loads((cache_folder("threads") / key).read_text(encoding="utf-8"))
        return _settled({int(count): float(took) for count, took in found.items()})
    return None


def remember(key: str, found: Settled) -> None:
    """For the next opening; a read-only home only means that it is measured again."""
    with contextlib.suppress(OSError, OutputError, RuntimeError):
        place = cache_folder("threads") / key
        place.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(place, json.dumps(found.run_ms).encode())


def _settled(run_ms: Mapping[int, float]) -> Settled:
    enough = (1 + _MARGIN) * min(run_ms.values())
    return Settled(min(count for count, took in run_ms.items() if took <= enough), run_ms)


def _median_ms(executor: Executor) -> float:
    took: list[float] = []
    while len(took) < _ROUND_RUNS or sum(took) < 1e3 * _ROUND_S:
        began = time.perf_counter()
        executor.invoke()
        took.append(1e3 * (time.perf_counter() - began))
    return float(np.median(took[1:]))
