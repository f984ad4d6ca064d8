"""A process that makes files of models: its toolchain is imported once, each model has a child of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any

from benchmarks.corpus.forked import ChildError, forked

_ROOT = Path(__file__).parents[2]


def serve(make: Callable[[str, str], Any], *, seconds: float, memory_bytes: int) -> None:
    """Answers each ``family name`` on stdin with a line of JSON: ``value``, or ``error`` and why.

    Args:
        make: called in a child; returns what JSON has.
        seconds: after which a child is stopped.
        memory_bytes: of heap that it may map.
    """
    for line in sys.stdin:
        try:
            answer = {"value": forked(partial(make, *line.split()), seconds=seconds, memory_bytes=memory_bytes)}
        except ChildError as error:
            answer = {"error": str(error)}
        print(json.dumps(answer), flush=True)


class Served:
    """The other end; begun at the first question.

    Args:
        command: that serves.
    """

    def __init__(self, command: Sequence[str]) -> None:
        self._command = list(command)
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Served:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait()

    def ask(self, family: str, name: str) -> Any:
        """What the process makes of a model.

        Raises:
            ChildError: it made nothing, or the process ended.
        """
        if self._process is None:
            self._process = subprocess.Popen(
                self._command,
                cwd=_ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
        process = self._process
        if process.stdin is None or process.stdout is None:
            raise ValueError("a process without pipes")
        process.stdin.write(f"{family} {name}\n")
        process.stdin.flush()
        answer = process.stdout.readline()
        if not answer:
            self._process = None
            raise ChildError(f"`{' '.join(self._command[1:])}` ended with {process.wait()}")
        found: dict[str, Any] = json.loads(answer)
        if "error" in found:
            raise ChildError(found["error"])
        return found["value"]
