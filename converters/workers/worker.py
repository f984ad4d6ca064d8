"""A child process that does the heavy and the fragile: loading frameworks, third-party converters, quantizers.

They crash, print, write files where they stand and try the network. In a child of its own a crash is an error with
a name, output goes to a log, the folder is thrown away, and connections are refused (``child``).

Requests and answers are JSON, one a line, over two pipes. A worker holds at most one *subject*, an object made by
:meth:`Worker.make`, and answers calls of its methods, or of plain functions.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from edge_sdk.converters.workers.start_up import is_start_up
from edge_sdk.errors import ConversionError, error_from_json
from edge_sdk.progress import Progress, Silent
from edge_sdk.tied import kill_at_close
from edge_sdk.version import PACKAGE

_LOG_LINES = 15
Counted = Callable[[int], None]


class Worker:
    """One child process with a folder of its own. Close it, or use it as a context manager.

    Args:
        folder: its working directory; made if absent. Its output goes to ``worker.log`` there.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.owner: object = None
        """Who made the subject; to be set by whoever calls :meth:`make`."""
        self._log = folder / "worker.log"
        self._pending: list[str] = []
        self._number = 0
        requests_out, self._requests = os.pipe()
        answers_in, answers_out = os.pipe()
        # Nothing is ever written to it: its end is the end of this process, and ends the worker.
        life, self._life = os.pipe()
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own module in our own interpreter
                [sys.executable, "-m", "edge_sdk.converters.workers.child", str(answers_out), str(life)],
                stdin=requests_out,
                stdout=log,
                stderr=log,
                cwd=folder,
                env=_environment(folder),
                pass_fds=[answers_out, life],
                start_new_session=True,
            )
        # By us, for the worker has not come to it while it starts.
        kill_at_close(life, self._process.pid)
        os.close(requests_out)
        os.close(answers_out)
        os.close(life)
        self._answers = os.fdopen(answers_in, encoding="utf-8")

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process.poll() is None

    def preload(self, *modules: str) -> None:
        """Begins to import modules, without waiting; a failure shows in the call that needs them."""
        self._send({"preload": modules})

    def make(self, reference: str, doing: str, /, **arguments: Any) -> None:
        """Makes the subject: calls ``module:Class`` with the arguments."""
        self.owner = None
        self._ask({"make": reference, "arguments": arguments}, doing, Silent())

    def method(self, name: str, doing: str, /, progress: Counted | None = None, **arguments: Any) -> Any:
        """Calls a method of the subject.

        Args:
            name: of the method.
            doing: what it does, in words that complete "... died while ...".
            progress: called with the counts that the method reports.
            arguments: plain data.

        Raises:
            EdgeSdkError: what the method raised.
            ConversionError: the process died, or the method raised anything else.
        """
        return self._ask({"method": name, "arguments": arguments}, doing, _Counts(progress))

    def function(
        self, reference: str, doing: str, /, progress: Counted | Progress | None = None, **arguments: Any
    ) -> Any:
        """Calls ``module:function``; arguments and errors as :meth:`method`.

        ``progress`` may hear of parts of the call, too, of which a function tells by
        :class:`~edge_sdk.converters.workers.child.ToParent`.
        """
        hears = _Counts(progress) if progress is None or callable(progress) else progress
        return self._ask({"function": reference, "arguments": arguments}, doing, hears)

    def log_tail(self) -> str:
        """The last lines that the worker and its tools printed, without what they say whenever they start."""
        text = self._log.read_text(encoding="utf-8", errors="replace") if self._log.exists() else ""
        return "\n".join([line for line in text.splitlines() if not is_start_up(line)][-_LOG_LINES:])

    def close(self) -> None:
        """Ends the process and whatever it started."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for end in (self._requests, self._life):
            with contextlib.suppress(OSError):
                os.close(end)
        self._requests = self._life = -1
        self._answers.close()

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _send(self, request: dict[str, Any]) -> int:
        self._number += 1
        line = json.dumps({"id": self._number, **request}, default=str) + "\n"
        # A dead child shows when its answer is read.
        with contextlib.suppress(BrokenPipeError):
            os.write(self._requests, line.encode())
        return self._number

    def _ask(self, request: dict[str, Any], doing: str, progress: Progress) -> Any:
        number = self._send(request)
        for answer in self._lines():
            if answer["id"] != number:
                continue
            if "stage" in answer:
                progress.stage(answer["stage"])
            elif "progress" in answer:
                progress.count(answer["progress"], answer.get("of"))
            elif "error" in answer:
                raise self._error(answer["error"], doing)
            else:
                return answer["result"]
        raise self._death(doing)

    def _lines(self) -> Iterator[dict[str, Any]]:
        for line in self._answers:
            yield json.loads(line)

    def _error(self, data: dict[str, Any], doing: str) -> Exception:
        if "error" in data:
            error = error_from_json(data)
            if isinstance(error, ConversionError) and not error.log_tail:
                error.log_tail = self.log_tail()
            return error
        return ConversionError(
            f"{data['type']} while {doing}: {data['message']}", tool=data["tool"], log_tail=data["traceback"]
        )

    def _death(self, doing: str) -> ConversionError:
        status = self._process.wait()
        how = f"killed by {signal.Signals(-status).name}" if status < 0 else f"exit status {status}"
        hint = "not enough memory is the usual cause of SIGKILL" if status == -signal.SIGKILL else None
        return ConversionError(f"the worker process died while {doing} ({how})", log_tail=self.log_tail(), hint=hint)


class _Counts:
    """Hears of counts alone."""

    def __init__(self, counted: Counted | None) -> None:
        self._counted = counted

    def stage(self, name: str) -> None:
        """Ignored."""

    def count(self, done: int, total: int | None) -> None:  # noqa: ARG002 - whoever counts alone knows it
        if self._counted:
            self._counted(done)


def _environment(folder: Path) -> dict[str, str]:
    """The user's own, plus: this edge_sdk, this environment's programs, quiet and CPU-only frameworks.

    What compilers and tools leave in temporary folders goes with the worker's own.
    """
    leavings = folder / "tmp"
    leavings.mkdir(exist_ok=True)
    root = PACKAGE.parent
    # A checkout may not be installed; site-packages must not come before the standard library.
    checkout = [] if root.name in ("site-packages", "dist-packages") else [str(root)]
    paths = [*checkout, *filter(None, [os.environ.get("PYTHONPATH")])]
    programs = [str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]
    return {
        # Threads that wait by spinning take each other's cores where those are busy: 32 runs of MobileNetV2 in PyTorch
        # took 87 s instead of 1.8 beside other work, and without it take no longer.
        "OMP_WAIT_POLICY": "PASSIVE",
        **os.environ,
        "PYTHONPATH": os.pathsep.join(paths),
        "PATH": os.pathsep.join(programs),
        "TMPDIR": str(leavings.absolute()),
        "TORCHINDUCTOR_CACHE_DIR": str((leavings / "torchinductor").absolute()),
        "TRITON_CACHE_DIR": str((leavings / "triton").absolute()),
        "PYTHONUNBUFFERED": "1",
        "TF_CPP_MIN_LOG_LEVEL": "2",
        "CUDA_VISIBLE_DEVICES": "",
        "KERAS_BACKEND": "tensorflow",
        "HF_HUB_OFFLINE": "1",
    }
