"""The child's side of :mod:`edge_sdk.engines.trying`: has the engine loaded, and forks for each file."""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import json
import os
import resource
import select
import signal
import socket
import sys
import time
from typing import Any

from edge_sdk.engines.delegates import open_with
from edge_sdk.engines.executor import Executor
from edge_sdk.engines.installed import find_engine
from edge_sdk.engines.options import DelegateOptions
from edge_sdk.engines.seeded_inputs import seeded_inputs
from edge_sdk.engines.source import ModelSource, open_source

_IDLE_S = 10.0
# What a trial imports, once here and not in each copy.
_USED = (
    "edge_sdk.checks.memory.need",
    "edge_sdk.engines.delegates.cpu",
    "edge_sdk.engines.delegates.xnnpack",
    "numpy.random",
)
_PR_SET_PDEATHSIG = 1
_LOOK_S = 0.002


def main() -> None:
    """Answers requests on the socket until its other end is closed, or nobody asks any more."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    link = socket.socket(fileno=int(sys.argv[1]))
    find_engine(sys.argv[2])
    for module in _USED:
        importlib.import_module(module)
    while select.select([link], [], [], _IDLE_S)[0]:
        message, descriptors, _, _ = socket.recv_fds(link, 1 << 16, 1)
        if not message:
            return
        outcome = _tried(json.loads(message), descriptors[0], link)
        os.close(descriptors[0])
        link.send(json.dumps({"outcome": outcome}).encode())


def _tried(request: dict[str, Any], descriptor: int, link: socket.socket) -> str:
    """``fine``, or how the copy of this process died."""
    said, telling = os.pipe()
    child = os.fork()
    if child == 0:
        _try(request, descriptor, telling)
    os.close(telling)
    death = _waited(child, request["seconds"], link)
    with os.fdopen(said, "rb") as steps:
        step = steps.read().decode("utf-8", "replace").splitlines()
    return f"{death} while {step[-1] if step else 'starting'}" if death else "fine"


def _try(request: dict[str, Any], descriptor: int, telling: int) -> None:
    """In the copy; never returns. An error is an answer like any other: it will be raised where the file is opened."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    with contextlib.suppress(Exception):
        source = open_source(f"/proc/self/fd/{descriptor}")
        if request["signature"] is not None:
            source = source.with_signature(request["signature"])
        for delegate in request["delegates"]:
            with contextlib.suppress(Exception):
                _use(source, delegate, request, telling)
    os._exit(0)


def _use(source: ModelSource, delegate: str, request: dict[str, Any], telling: int) -> None:
    def step(doing: str) -> None:
        os.write(telling, f"{doing} with {delegate}\n".encode())

    step("opening it")
    executor = open_with(delegate, source, DelegateOptions(find_engine(request["engine"]), threads=request["threads"]))
    step("running it")
    _run(source, executor)
    step("closing it")
    executor.close()


def _run(source: ModelSource, executor: Executor) -> None:
    for inputs in seeded_inputs(source.artifact):
        executor.write(inputs)
        executor.invoke()
        executor.read()
    executor.views()


def _waited(child: int, seconds: float, link: socket.socket) -> str | None:
    """How it died; None if it ended by itself. Ends it when its time is over, or when nobody waits for it any more."""
    end = time.monotonic() + seconds
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return _death(status)
        if time.monotonic() > end:
            _kill(child)
            return f"did not return within {seconds:.3g} s"
        if select.select([link], [], [], _LOOK_S)[0] and not link.recv(1, socket.MSG_PEEK):
            _kill(child)
            raise SystemExit(0)


def _kill(child: int) -> None:
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def _death(status: int) -> str | None:
    code = os.waitstatus_to_exitcode(status)
    if code == 0:
        return None
    try:
        return f"crashes with {signal.Signals(-code).name}" if code < 0 else f"ends the process with status {code}"
    except ValueError:
        return f"crashes with signal {-code}"


if __name__ == "__main__":
    main()
