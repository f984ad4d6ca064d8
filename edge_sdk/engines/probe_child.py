"""The child's side of :mod:`edge_sdk.engines.probe`: one function called, its steps and its end told in a file."""

from __future__ import annotations

import ctypes
import json
import os
import pkgutil
import resource
import signal
import sys
from collections.abc import Callable
from typing import Any

# linux/prctl.h
_PR_SET_PDEATHSIG = 1
Step = Callable[[str], None]
"""Tells what comes next, in words that complete "crashed while"."""


def main() -> None:
    """Runs the request on standard input."""
    _die_with(int(sys.argv[2]))
    # The crash is expected; a core file of it in the user's folder is not.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    answers = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
    request = json.loads(sys.stdin.buffer.read())
    step: Step = lambda doing: _tell(answers, {"step": doing})  # noqa: E731 - one line, one use
    try:
        result = pkgutil.resolve_name(request["function"])(request["model"], step, **request["arguments"])
    except Exception as error:  # this is the process boundary
        _tell(answers, {"error": type(error).__name__, "message": one_line(error)})
    else:
        _tell(answers, {"result": result})


def _die_with(parent: int) -> None:
    """A driver that hangs would outlive a parent that is killed."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        # It may be gone by now, and then tells nobody.
        if os.getppid() != parent:
            raise SystemExit(1)


def one_line(error: BaseException) -> str:
    """An error's text without line breaks."""
    return " ".join(str(error).split())


def _tell(answers: int, message: dict[str, Any]) -> None:
    os.write(answers, json.dumps(message).encode() + b"\n")


if __name__ == "__main__":
    main()
