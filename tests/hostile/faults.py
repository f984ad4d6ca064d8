"""``python -m tests.hostile.faults``: commands that write, with a fault at each system call by which they do.

A program that is killed there leaves the old file or the new one; one that is told ENOSPC, EIO or EACCES ends with one
error line, and leaves the old file and nothing beside it. ``make faults`` tries calls of every kind, that is of every
call on every file that counts and on files of every folder and ending that do not; the tests try some.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

from tests.devices.sshd import running
from tests.graphs import conv_model
from tests.native import compiler

KILL, COUNT, TRACE = "kill", "0", "00"
ERRORS = ("ENOSPC", "EIO", "EACCES")
# Names that differ from run to run: of temporary files, of jobs and files by their hash, of processes.
_RANDOM = re.compile(r"(?<=\.)[a-z0-9_]{8}(?=\.|$)|^[a-z0-9_]{8}$|\d{3,}|[0-9a-f]{16,}|-[a-z0-9_]{8}(?=\.|$)|-\d+-\d+")
# Folders whose files are thrown away, or count only when their folder gets its name.
_SCRATCH = frozenset({"tmp", "unpacked", "__pycache__"})
_SCRATCH_MARK = "(scratch)"
_OLD = b"what was there before"
_ROOT = Path(__file__).parents[2]
_SECONDS = 300.0


@dataclass(frozen=True)
class Command:
    """A command line of ``edge-sdk``; ``{model}`` and ``{out}`` are paths.

    Attributes:
        words: of the command.
        made: names below ``{out}`` of what it writes.
        kept: of folders that it leaves there, and that the same command finds sound when it runs again.
        board: whether it works on ``ssh://board``, a real sshd whose programs meet the fault as well.
    """

    words: Sequence[str]
    made: Sequence[str]
    kept: Sequence[str] = ()
    board: bool = False


COMMANDS = {
    "bundle": Command(("bundle", "create", "{model}", "-o", "{out}/a.edge"), ("a.edge",)),
    "run": Command(
        ("run", "{model}", "--input", "{samples}", "-o", "{out}/y.npz", "--receipt", "{out}/r.json"), ("y.npz",)
    ),
    "convert": Command(("convert", "{model}", "-r", "float16", "-o", "{out}/a.tflite"), ("a.tflite",)),
    "weights": Command(
        (
            *("run", "{model}", "--input", "{samples}", "-o", "{out}/y.npz"),
            *("--delegate", "xnnpack", "--cache-dir", "{out}/weights"),
        ),
        ("y.npz",),
        kept=("weights",),
    ),
    "android": Command(
        ("android", "build", "--bundle", "{model}", "--abi", "arm64-v8a", "-o", "{out}/a.apk"), ("a.apk",)
    ),
    "prepare": Command(
        ("devices", "prepare", "ssh://board", "--python", sys.executable, "--offline", "--wheels", "{wheels}"),
        ("board/cache/edge-sdk/prepared.json",),
        kept=("board",),
        board=True,
    ),
}


@dataclass(frozen=True)
class Outcome:
    """What became of a run: how many calls there were, and what is wrong with it, if anything."""

    calls: int
    status: int
    fault: str


class Bench:
    """Runs one command again and again.

    Args:
        folder: to work in; made.
        command: the command.
        known: of a bench of the same command: what the calls are.

    Attributes:
        calls: how many there are without a fault.
        kinds: what each call does to which kind of file, to the calls' numbers.
    """

    calls: int
    kinds: dict[str, list[int]]

    def __init__(self, folder: Path, command: Command, known: Bench | None = None) -> None:
        folder.mkdir(exist_ok=True)
        self._folder = folder
        self._command = command
        self._library = folder / "faults.so"
        build = [compiler() or "cc", "-shared", "-fPIC", "-O1", "-o", self._library, _ROOT / "tests/native/faults.c"]
        subprocess.run([*map(str, build), "-ldl"], check=True)
        self._out, self._counter, self._trace = folder / "out", folder / "counter", folder / "trace"
        (folder / "m.tflite").write_bytes(conv_model())
        (folder / "wheels").mkdir()
        self._samples()
        first = self._whole(TRACE if known is None else COUNT)
        self._new = {name: (self._out / name).read_bytes() for name in command.made}
        self.calls = first.calls if known is None else known.calls
        self.kinds = _kinds(self._trace.read_text("utf-8", "replace"), self._out) if known is None else known.kinds

    def beside(self, folder: Path) -> Bench:
        """Another that runs at the same time."""
        return Bench(folder, self._command, self)

    def _whole(self, kind: str) -> Outcome:
        first = self.run(kind, 0)
        if first.fault:
            raise AssertionError(f"without a fault: {first}")
        return first

    def run(self, kind: str, at: int) -> Outcome:
        """The command with a fault of a kind (``kill``, or the name of an errno) at the ``at``-th call."""
        shutil.rmtree(self._out, ignore_errors=True)
        (self._out / "tmp").mkdir(parents=True)
        for name in self._command.made:
            (self._out / name).parent.mkdir(parents=True, exist_ok=True)
            (self._out / name).write_bytes(_OLD)
        self._counter.write_bytes(bytes(8))
        done = self._do(kind, at)
        calls = struct.unpack("=q", self._counter.read_bytes())[0]
        if kind in (COUNT, TRACE):
            return Outcome(calls, done.returncode, "" if done.returncode == 0 else done.stderr[-300:])
        return Outcome(calls, done.returncode, "; ".join([*self._faults(kind, done), *self._afterwards()]))

    def _do(self, kind: str, at: int) -> subprocess.CompletedProcess[str]:
        code = str(getattr(errno, kind)) if kind.startswith("E") else kind
        faults = {
            "LD_PRELOAD": str(self._library),
            "FAULT_ROOT": str(self._out),
            "FAULT_COUNTER": str(self._counter),
            "FAULT_KIND": code,
            "FAULT_AT": str(at),
            **({"FAULT_TRACE": str(self._trace)} if kind == TRACE else {}),
        }
        environment = os.environ | {
            **faults,
            "TMPDIR": str(self._out / "tmp"),
            "EDGE_SDK_CACHE": str(self._folder / "cache"),
            "PYTHONPATH": os.pathsep.join([str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]),
        }
        places = {"model": self._folder / "m.tflite", "samples": self._folder / "x.npz", "out": self._out}
        words = [word.format(**places, wheels=self._folder / "wheels") for word in self._command.words]
        with self._board(faults) as board:
            return subprocess.run(
                [sys.executable, "-W", "ignore", "-m", "edge_sdk", *words, "--quiet"],
                env={**environment, **board},
                capture_output=True,
                text=True,
                timeout=_SECONDS,
                check=False,
            )

    @contextlib.contextmanager
    def _board(self, faults: Mapping[str, str]) -> Iterator[dict[str, str]]:
        if not self._command.board:
            yield {}
            return
        with running(self._out / "board", environment=faults) as server:
            yield {"EDGE_SDK_SSH": server.ssh}

    def _afterwards(self) -> Iterator[str]:
        """What is kept serves the same command, or is made anew: never is it believed half."""
        if not self._command.kept:
            return
        done = self._do(COUNT, 0)
        if done.returncode:
            yield f"the next run ends with {done.returncode}: {done.stderr[-300:]}"
        for name, new in self._new.items():
            if (self._out / name).read_bytes() != new:
                yield f"the next run makes another {name}"

    def _faults(self, kind: str, done: subprocess.CompletedProcess[str]) -> Iterator[str]:
        found = {name: (self._out / name).read_bytes() for name in self._command.made if (self._out / name).exists()}
        for name in self._command.made:
            if name not in found:
                yield f"{name} is gone"
            elif found[name] not in (_OLD, self._new[name]):
                yield f"{name} is neither the old nor the new one ({len(found[name])} bytes)"
        if "Traceback" in done.stderr:
            yield f"a traceback: {done.stderr.splitlines()[-1]}"
        if kind == KILL:
            return
        lines = [line for line in done.stderr.splitlines() if line.startswith("error:")]
        if done.returncode == 0 and any(found.get(name) != new for name, new in self._new.items()):
            yield "it ended well without its file"
        if done.returncode not in (0, 1) or (done.returncode == 1 and len(lines) != 1):
            yield f"status {done.returncode}, {len(lines)} error lines: {done.stderr[-300:]}"
        known = (*self._command.made, *self._command.kept, "tmp", "r.json")
        left = sorted(one.name for one in self._out.iterdir() if one.name not in known)
        if left:
            yield f"left behind: {', '.join(left)}"

    def _samples(self) -> None:
        import numpy as np

        draw = np.random.default_rng(0)
        np.savez(self._folder / "x.npz", image=draw.standard_normal((2, 8, 8, 3)).astype(np.float32))


def _kinds(trace: str, out: Path) -> dict[str, list[int]]:
    """Calls that do the same to files of one kind, the calls that count first.

    What is thrown away with its folder, or unpacked beside the rest before it counts, is told apart by the folder and
    the ending: thousands of classes are written there, each as the last. What is kept is a kind for itself.
    """
    found: dict[str, list[int]] = {}
    for line in trace.splitlines():
        number, call, path = line.split(" ", 2)
        names = Path(path).relative_to(out).parts
        parts = [_RANDOM.sub("*", name) for name in names]
        if _SCRATCH.intersection(names):
            parts = [_SCRATCH_MARK, *parts[:-1][:3], f"*{Path(parts[-1]).suffix}"]
        found.setdefault(f"{call} {'/'.join(parts)}", []).append(int(number))
    return found


def _of_each_kind(kinds: Mapping[str, list[int]]) -> list[int]:
    """Of what counts the first and the last call, of the rest the first."""
    chosen = {calls[0] for calls in kinds.values()}
    chosen |= {calls[-1] for name, calls in kinds.items() if _SCRATCH_MARK not in name}
    return sorted(chosen, reverse=True)


def every(
    name: str, faults: Sequence[str], choose: Callable[[Bench], Sequence[int]], jobs: int = 1
) -> tuple[Counter[str], list[str]]:
    """Faults at calls of a command.

    Args:
        name: of the command.
        faults: their kinds.
        choose: which calls.
        jobs: how many at a time.

    Returns:
        How often each kind was tried, and what was wrong.
    """
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(jobs) as pool:
        bench = Bench(Path(folder) / "0", COMMANDS[name])
        benches: SimpleQueue[Bench] = SimpleQueue()
        benches.put(bench)
        for other in pool.map(lambda job: bench.beside(Path(folder) / str(job)), range(1, jobs)):
            benches.put(other)
        counts = Counter({"of calls": bench.calls, "of kinds of calls": len(bench.kinds)})

        def tried(task: tuple[int, str]) -> str:
            free = benches.get()
            outcome = free.run(task[1], task[0])
            benches.put(free)
            return f"{name}, {task[1]} at call {task[0]} of {bench.calls}: {outcome.fault}" if outcome.fault else ""

        tasks = [(at, kind) for at in choose(bench) for kind in faults]
        counts.update(kind for _, kind in tasks)
        return counts, [wrong for wrong in pool.map(tried, tasks) if wrong]


def main() -> int:
    """All commands, or those named."""
    parser = argparse.ArgumentParser()
    parser.add_argument("commands", nargs="*", default=list(COMMANDS), metavar="COMMAND", help=", ".join(COMMANDS))
    parser.add_argument("--step", type=int, default=1, help="Every so many calls.")
    parser.add_argument("--points", type=int, help="Instead: at so many calls.")
    parser.add_argument("--every-call", action="store_true", help="Instead: at all, not at those of each kind alone.")
    parser.add_argument("--jobs", type=int, default=1, help="How many at a time.")
    parser.add_argument("--kinds", nargs="*", default=[KILL, *ERRORS])
    asked = parser.parse_args()
    broken = 0

    def choose(bench: Bench) -> Sequence[int]:
        if asked.every_call or asked.points or asked.step > 1:
            step = max(1, bench.calls // asked.points) if asked.points else asked.step
            return range(bench.calls, 0, -step)
        return _of_each_kind(bench.kinds)

    for name in asked.commands:
        counts, wrong = every(name, asked.kinds, choose, asked.jobs)
        print(f"{name}: {dict(counts)}, {len(wrong)} wrong", *wrong, sep="\n  ", flush=True)
        broken += len(wrong)
    return int(broken > 0)


if __name__ == "__main__":
    sys.exit(main())
