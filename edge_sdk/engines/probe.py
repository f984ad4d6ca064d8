"""Something fragile tried in a child process first: a driver that crashes or hangs takes the child with it, not us.

The child runs one function (``edge_sdk.engines.probe_child``) with the model on its standard input. It says at each
step what it is about to do, so that a death has a place.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

from edge_sdk.errors import DelegateUnavailableError, OutputError
from edge_sdk.folders import temporary_folder
from edge_sdk.tied import tied
from edge_sdk.version import PACKAGE

TIMEOUT_S: Final = 300.0
"""A GPU's first run compiles its shaders: 24 s for MobileNetV2 on a software GPU and two cores."""
_LOG_BYTES = 1 << 20
_MODEL = "model.tflite"
_KILLED_HINT = "not enough memory is the usual cause of SIGKILL"


@dataclass(frozen=True)
class Trial:
    """How a try in a child process went.

    Attributes:
        result: what the function returned, as plain data; None if it did not get that far.
        error: class name and message of what it raised; None if it raised nothing.
        death: how the process died, such as ``crashed with SIGSEGV``; None if it ended by itself.
        step: what it was doing when it ended.
        log: what the driver and the engine printed, to standard output and error alike.
    """

    result: dict[str, Any] | None
    error: tuple[str, str] | None
    death: str | None
    step: str
    log: str

    @property
    def last_words(self) -> str:
        """The last line printed that reads like an error, else an empty string."""
        lines = [line.strip() for line in self.log.splitlines() if line.strip()]
        telling = [line for line in lines if not line.startswith(("INFO:", "I0000", "WARNING:", "Traceback"))]
        return telling[-1] if telling else ""

    def unavailable(self, what: str, *, hint: str | None = None) -> DelegateUnavailableError:
        """The error for a user: what died or failed, and where."""
        if self.death:
            last = f"; it last said: {self.last_words}" if self.last_words else ""
            killed = _KILLED_HINT if "SIGKILL" in self.death else None
            return DelegateUnavailableError(f"{what} {self.death} while {self.step}{last}", hint=killed or hint)
        message = f": {self.error[1]}" if self.error and self.error[1] else ""
        return DelegateUnavailableError(f"{what} failed while {self.step}{message}", hint=hint)


def try_in_child(
    function: str, model: bytes | memoryview, arguments: Mapping[str, Any], *, timeout_s: float = TIMEOUT_S
) -> Trial:
    """Runs a function where it can do no harm.

    Args:
        function: ``module:function``; called with the model's path, a callback that takes the next step's name, and the
            arguments by name.
        model: the .tflite file's bytes.
        arguments: plain data.
        timeout_s: after which the child is ended.

    Raises:
        DelegateUnavailableError: this Python cannot start a process of its own kind, or there is no room for its files.
    """
    if not sys.executable:
        raise DelegateUnavailableError(
            "a delegate is tried in a child process first, and this Python does not know its own program",
            hint="set sys.executable to a Python that has edge-sdk",
        )
    with _folder(model) as folder:
        request = {"function": function, "model": str(folder / _MODEL), "arguments": dict(arguments)}
        return _run(folder, request, timeout_s)


@contextlib.contextmanager
def _folder(model: bytes | memoryview) -> Iterator[Path]:
    """A temporary folder that holds the model."""
    with contextlib.ExitStack() as stack:
        try:
            folder = stack.enter_context(temporary_folder("probe"))
            (folder / _MODEL).write_bytes(model)
        except (OSError, OutputError) as error:
            raise DelegateUnavailableError(
                f"a delegate is tried in a child process first, and there is no room for its files: {error}",
                hint="free space, or set TMPDIR",
            ) from error
        yield folder


def _run(folder: Path, request: dict[str, Any], timeout_s: float) -> Trial:
    # Files, not pipes: a driver may leave a process behind that holds a pipe open for ever.
    answers, log = folder / "answers", folder / "log"
    answers.touch()
    with log.open("wb") as output, _started(answers, output) as child:
        death = _wait(child, json.dumps(request).encode(), timeout_s)
    return _trial(answers.read_bytes(), death, log)


@contextlib.contextmanager
def _started(answers: Path, output: IO[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    """The child; it and whatever it started end with the block, also on Ctrl-C, and with this process."""
    command = [sys.executable, "-m", "edge_sdk.engines.probe_child", str(answers), str(os.getpid())]
    with contextlib.ExitStack() as stack:
        try:
            child = stack.enter_context(
                tied(command, stdin=subprocess.PIPE, stdout=output, stderr=output, env=environment())
            )
        except OSError as error:
            raise DelegateUnavailableError(
                f"a delegate is tried in a child process first, and {sys.executable} does not start: {error.strerror}"
            ) from error
        yield child


def _wait(child: subprocess.Popen[bytes], request: bytes, timeout_s: float) -> str | None:
    try:
        child.communicate(request, timeout=timeout_s)
    except subprocess.TimeoutExpired:
        return f"did not return within {timeout_s:g} s"
    if child.returncode == 0:
        return None
    # Emulators report a guest's signal as the shell does: 128 and its number.
    number = -child.returncode if child.returncode < 0 else child.returncode - 128
    try:
        return f"crashed with {signal.Signals(number).name}"
    except ValueError:
        return f"ended the process with status {child.returncode}"


def _trial(answers: bytes, death: str | None, log: Path) -> Trial:
    messages = [json.loads(line) for line in answers.splitlines()]
    steps = [message["step"] for message in messages if "step" in message]
    final: dict[str, Any] = next((m for m in messages if "step" not in m), {})
    error = (final["error"], final["message"]) if "error" in final else None
    with log.open("rb") as file:
        text = file.read(_LOG_BYTES).decode("utf-8", "replace")
    # What died after it had told its error died of the error.
    return Trial(final.get("result"), error, None if error else death, steps[-1] if steps else "starting", text)


def environment() -> dict[str, str]:
    """The user's own, and this edge_sdk where it is a checkout."""
    root = PACKAGE.parent
    checkout = [] if root.name in ("site-packages", "dist-packages") else [str(root)]
    paths = [*checkout, *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, **({"PYTHONPATH": os.pathsep.join(paths)} if paths else {})}
