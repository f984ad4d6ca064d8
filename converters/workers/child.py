"""The child's side of :mod:`edge_sdk.converters.workers.worker`: reads requests on stdin, answers on a pipe."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import gc
import importlib
import json
import os
import pkgutil
import select
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TextIO

from edge_sdk.engines.trying import risk_this_process
from edge_sdk.errors import ConversionError, EdgeSdkError, OutputError

_TRACEBACK_LINES = 12
# fcntl.h of Linux; Python names it from 3.14 on.
_F_SETSIG = 10
_serving = False
_tell: Callable[[dict[str, Any]], None] = lambda message: None  # noqa: E731 - replaced for each request


class NetworkRefusedError(OSError):
    """A tool tried to reach the network; nothing is downloaded at run time."""


def in_worker() -> bool:
    """Whether this process is a worker, and so may be risked."""
    return _serving


def report_progress(done: int) -> None:
    """Tells the parent how far the running call is; does nothing outside of a worker."""
    _tell({"progress": done})


class ToParent:
    """Progress of the running call, told to the parent; nobody hears it outside of a worker."""

    def stage(self, name: str) -> None:
        """A part of the call begins."""
        _tell({"stage": name})

    def count(self, done: int, total: int | None) -> None:
        """``done`` of ``total`` steps of the part are done."""
        _tell({"progress": done, "of": total})


@contextlib.contextmanager
def running(tool: str, doing: str) -> Iterator[None]:
    """Turns whatever a wrapped third-party tool raises into a ConversionError that names the tool and version."""
    try:
        yield
    except EdgeSdkError:
        raise
    except Exception as error:  # tools raise anything
        raise ConversionError(
            f"{tool} failed while {doing}: {type(error).__name__}: {first_line(error)}",
            tool=tool,
            version=tool_version(tool),
            log_tail=_trace(error),
        ) from error


@contextlib.contextmanager
def working_in(folder: str | Path) -> Iterator[None]:
    """Another working directory for the block: where a tool writes beside itself, or the user's code reads."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def tool_version(tool: str) -> str | None:
    """The installed version of a distribution, or None."""
    from importlib import metadata

    try:
        return metadata.version(tool)
    except metadata.PackageNotFoundError:
        return None


def first_line(error: BaseException) -> str:
    """The first line of an error's text that says something."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__


def main() -> None:
    """Serves requests until the parent closes its end."""
    global _serving  # noqa: PLW0603 - set once, when the process begins to serve
    _serving = True
    risk_this_process()
    _end_with_parent(int(sys.argv[2]))
    answers = os.fdopen(int(sys.argv[1]), "w", encoding="utf-8")
    # Tools that start programs of their own must not hold the parent's pipe open.
    os.set_inheritable(answers.fileno(), False)  # noqa: FBT003 - its only form
    sys.addaudithook(_refuse_network)
    subject: list[Any] = []
    for line in sys.stdin:
        request = json.loads(line)
        _answer(answers, request["id"], _outcome(answers, request, subject))


def _end_with_parent(life: int) -> None:
    """The kernel ends this process, and what it started, when the parent's end of a pipe is closed, however that came.

    Not a thread: it would wait for a converter that holds the interpreter's lock for seconds.
    """
    if sys.platform == "linux":
        os.set_inheritable(life, False)  # noqa: FBT003 - its only form
        fcntl.fcntl(life, fcntl.F_SETOWN, -os.getpgrp())
        fcntl.fcntl(life, _F_SETSIG, signal.SIGKILL)
        fcntl.fcntl(life, fcntl.F_SETFL, fcntl.fcntl(life, fcntl.F_GETFL) | os.O_ASYNC)
        # It may be gone by now, and then tells nobody.
        if select.select([life], [], [], 0)[0]:
            raise SystemExit(1)


def _outcome(answers: TextIO, request: dict[str, Any], subject: list[Any]) -> dict[str, Any]:
    global _tell  # noqa: PLW0603 - one request at a time
    _tell = lambda message: _answer(answers, request["id"], message)  # noqa: E731
    try:
        return {"result": _perform(request, subject)}
    except EdgeSdkError as error:
        return {"error": error.as_json()}
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            full = OutputError(f"no space left for temporary files in {Path.cwd()}", hint="free space, or set TMPDIR")
            return {"error": full.as_json()}
        return {"error": _unexpected(error)}
    except Exception as error:  # this is the process boundary
        return {"error": _unexpected(error)}


def _perform(request: dict[str, Any], subject: list[Any]) -> Any:
    if "preload" in request:
        _import_all(request["preload"])
        return None
    arguments = request["arguments"]
    if "make" in request:
        subject[:] = [pkgutil.resolve_name(request["make"])(**arguments)]
        return None
    if "method" in request:
        return getattr(subject[0], request["method"])(**arguments)
    return pkgutil.resolve_name(request["function"])(**arguments)


def _import_all(modules: list[str]) -> None:
    """What a toolchain makes while it is imported stays: to look for garbage among it takes a quarter of the import."""
    gc.disable()
    try:
        for module in modules:
            # What is missing is said by the call that needs it.
            with contextlib.suppress(ImportError):
                importlib.import_module(module)
    finally:
        gc.freeze()
        gc.enable()


def _answer(answers: TextIO, number: int, content: dict[str, Any]) -> None:
    answers.write(json.dumps({"id": number, **content}, default=str) + "\n")
    answers.flush()


def _unexpected(error: Exception) -> dict[str, Any]:
    return {"type": type(error).__name__, "message": first_line(error), "tool": None, "traceback": _trace(error)}


def _trace(error: BaseException) -> str:
    lines = "".join(traceback.format_exception(error)).splitlines()
    return "\n".join(lines[-_TRACEBACK_LINES:])


def _refuse_network(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "socket.connect" and isinstance(arguments[1], tuple):
        raise NetworkRefusedError(errno.ENETUNREACH, f"connection to {arguments[1][0]} refused: workers are offline")
    if event in ("socket.getaddrinfo", "socket.gethostbyname"):
        raise NetworkRefusedError(errno.ENETUNREACH, f"look-up of {arguments[0]} refused: workers are offline")


if __name__ == "__main__":
    # As a module of its own name, so that report_progress and running are the same objects for all.
    from edge_sdk.converters.workers import child

    child.main()
