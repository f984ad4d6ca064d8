"""A file tried once where it can do no harm: engines crash on files that are well-formed and make no sense.

Reading (``edge_sdk.artifact``) keeps out what points nowhere. What kernels do with the rest nobody can read off a file:
an RNN without options, or weights in blocks that a kernel does not expect, end the process with SIGSEGV. So a file that
no trusted key has signed is opened and run once in a child process, before it is opened in the caller's.

The child has the engine loaded and makes a copy of itself for each file: the first trial costs what starting Python and
the engine costs, each one more what opening and running the file costs. It ends ten seconds after its last trial, or
with its parent. What came of a trial is remembered by the file's hash, the engine and the delegates.
"""

from __future__ import annotations

import atexit
import contextlib
import hashlib
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from edge_sdk.artifact.compute import macs
from edge_sdk.engines.installed import Engine
from edge_sdk.engines.probe import environment
from edge_sdk.engines.source import ModelSource
from edge_sdk.errors import ModelError, OutputError
from edge_sdk.files import replacing
from edge_sdk.folders import cache_folder
from edge_sdk.tied import kill_at_close
from edge_sdk.version import __version__

# What takes longer than a slow core needs to read and pack the weights and for the multiply-accumulates hangs.
_BASE_S: Final = 5.0
_MACS_PER_S: Final = 5e7
_PACKED_PER_S: Final = 2e6
_START_S: Final = 60.0
_FINE: Final = "fine"
# Too little memory, or too much else to do, at that moment.
_NOT_ITS_FAULT: Final = ("SIGKILL", "did not return")
_MOST_REMEMBERED: Final = 4096
_risked = False
# glibc fills memory that it hands out and takes back with other bytes than 0: what a kernel reads before it was written
# then kills the child, and not by chance the caller.
_PERTURBED: Final = {"MALLOC_PERTURB_": "165"}


def risk_this_process() -> None:
    """Says that this process is a child whose end is no more than an error to its parent: it tries no file first."""
    global _risked  # noqa: PLW0603 - set once, as the process begins to serve
    _risked = True


def is_risked() -> bool:
    """Whether this process is such a child."""
    return _risked


def try_once(model: ModelSource, engine: Engine, delegates: Sequence[str], threads: int) -> str:
    """Tries a file, unless it is known; what is to be said of it, empty where it was known to be fine.

    Args:
        model: the file.
        engine: that is to open it.
        delegates: names of those that run in this very process, such as ``cpu`` and ``xnnpack``.
        threads: CPU threads.

    Raises:
        ModelError: the engine crashes or hangs on it.
    """
    key = f"{model.artifact.sha256}-{model.artifact.signature.key}-{engine.name}-{engine.version}-{','.join(delegates)}"
    known = _known(key)
    if known is None:
        try:
            known = _TRIALS.ask(model, engine, delegates, threads)
        except OSError as error:
            return f"it was not tried in a child process first, for none starts ({error})"
        if not any(word in known for word in _NOT_ITS_FAULT):
            _remember(key, known)
        if known == _FINE:
            return "it was tried in a child process first"
    if known != _FINE:
        raise ModelError(
            f"{model.name}: {engine} {known}, which would have ended this program",
            hint="the file is damaged, or has what this engine's kernels do not expect: convert it again, or take "
            "another engine",
        )
    return ""


class _Trials:
    """The process that tries files; one for this process, started when it is needed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._link: socket.socket | None = None
        self._child: subprocess.Popen[bytes] | None = None
        self._owner = 0
        # Its end is the end of this process, and ends the other.
        self._life = -1

    def ask(self, model: ModelSource, engine: Engine, delegates: Sequence[str], threads: int) -> str:
        """``fine``, or how the engine died, in words that follow its name."""
        request = {"engine": engine.name, "delegates": list(delegates), "threads": threads, "seconds": _patience(model)}
        request["signature"] = model.artifact.entry
        with self._lock, _descriptor(model) as descriptor:
            for attempt in (1, 2):
                try:
                    return self._asked(request, descriptor)
                except (BrokenPipeError, ConnectionError):
                    # It ends by itself when it has nothing to do.
                    self._forget()
                    if attempt == 2:
                        raise
        raise AssertionError("not reached")

    def _asked(self, request: dict[str, Any], descriptor: int) -> str:
        link = self._linked(request["engine"])
        link.settimeout(_START_S + request["seconds"])
        socket.send_fds(link, [json.dumps(request).encode()], [descriptor])
        answer = link.recv(1 << 16)
        if not answer:
            raise ConnectionError("it ended")
        return str(json.loads(answer)["outcome"])

    def _linked(self, engine: str) -> socket.socket:
        if self._owner != os.getpid():
            # After a fork the link is the parent's.
            self._link = self._child = None
            self._life = -1
        if self._link is None or self._child is None or self._child.poll() is not None:
            self._forget()
            self._start(engine)
        if self._link is None:
            raise AssertionError("it was started")
        return self._link

    def _start(self, engine: str) -> None:
        if not sys.executable or not hasattr(os, "memfd_create"):
            raise OSError("this needs Linux, and a Python that knows its own program")
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        life, self._life = os.pipe()
        with theirs:
            self._child = subprocess.Popen(  # noqa: S603 - our own module in our own interpreter
                [sys.executable, "-m", "edge_sdk.engines.trying_child", str(theirs.fileno()), engine],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=[theirs.fileno(), life],
                env=environment() | _PERTURBED,
                start_new_session=True,
            )
            kill_at_close(life, self._child.pid)
        os.close(life)
        self._link, self._owner = ours, os.getpid()

    def close(self) -> None:
        """Ends the process, if it is this one's."""
        with self._lock:
            if self._owner == os.getpid():
                self._forget()

    def _forget(self) -> None:
        if self._link is not None:
            self._link.close()
        if self._life >= 0:
            os.close(self._life)
        if self._child is not None:
            # The end of its link, or of ours, ends it.
            self._child.wait()
        self._link = self._child = None
        self._life = -1


_TRIALS = _Trials()
atexit.register(_TRIALS.close)


def _patience(model: ModelSource) -> float:
    work = sum(macs(graph, op) for graph, op in model.artifact.all_ops())
    return _BASE_S + work / _MACS_PER_S + len(model.content) / _PACKED_PER_S


@contextlib.contextmanager
def _descriptor(model: ModelSource) -> Iterator[int]:
    """An open file with the model's bytes."""
    if model.path is not None:
        descriptor = os.open(model.path, os.O_RDONLY | os.O_CLOEXEC)
    else:
        descriptor = os.memfd_create("edge-sdk-model", os.MFD_CLOEXEC)
    try:
        if model.path is None:
            with os.fdopen(os.dup(descriptor), "wb") as file:
                file.write(model.content)
        yield descriptor
    finally:
        os.close(descriptor)


_HERE: dict[str, str] = {}


def _known(key: str) -> str | None:
    if key in _HERE:
        return _HERE[key]
    with contextlib.suppress(OSError, UnicodeDecodeError, RuntimeError):
        _HERE[key] = _path(key).read_text(encoding="utf-8")
    return _HERE.get(key)


def _remember(key: str, outcome: str) -> None:
    _HERE[key] = outcome
    # A read-only home only means that the file is tried again by the next program.
    with contextlib.suppress(OSError, OutputError, RuntimeError):
        place = _path(key)
        place.parent.mkdir(parents=True, exist_ok=True)
        others = list(place.parent.iterdir())
        for old in others if len(others) >= _MOST_REMEMBERED else ():
            old.unlink(missing_ok=True)
        with replacing(place) as temporary:
            temporary.write_text(outcome, encoding="utf-8")


def _path(key: str) -> Path:
    return cache_folder("tried") / hashlib.sha256(f"{key}-{__version__}".encode("utf-8", "surrogateescape")).hexdigest()
