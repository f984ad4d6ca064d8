"""Any library that offers ``tflite_plugin_create_delegate``: Edge TPU, VX, Teflon, Arm NN and others.

Such libraries are drivers of their makers, and broken ones kill the process that loads them. So the file is read
first (:mod:`edge_sdk.engines.elf`), then all of it is tried in a child process: load, create, prepare this very model,
run, destroy. Only then does this process load it. XNNPACK may take the ops that the library leaves.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from edge_sdk.engines.elf import BrokenLibraryError, Library, read_library, this_machine
from edge_sdk.engines.executor import Arithmetic
from edge_sdk.engines.installed import ENGINES, Engine
from edge_sdk.engines.interpreter import InterpreterExecutor
from edge_sdk.engines.options import DelegateOptions
from edge_sdk.engines.probe import TIMEOUT_S, Trial, try_in_child
from edge_sdk.engines.probe_child import Step
from edge_sdk.engines.source import ModelSource
from edge_sdk.engines.xnnpack_int8 import int8_xnnpack, needs_switch
from edge_sdk.errors import DelegateUnavailableError

_ENTRY_POINTS = ("tflite_plugin_create_delegate", "tflite_plugin_destroy_delegate")
_LOADING = "loading the library"
_HINT = "its driver or device may be absent or busy, or an option may be wrong: its maker's own tools can tell"
# What the engine adds to any driver's reason.
_RESTORED = "Restored original execution plan after delegate application failure."


def open_library(
    library: str, model: ModelSource, options: DelegateOptions, *, arithmetic: Arithmetic
) -> ExternalExecutor:
    """Opens a model with a library whose arithmetic is known.

    Raises:
        DelegateUnavailableError: the library is missing, of another architecture, truncated, without the entry points
            or what it depends on; or its driver refused, crashed or hung; or it took no op.
        ModelError: the engine refuses the model.
    """
    check_library(library)
    rows = _tried(library, model, options)
    try:
        delegate = options.engine.module.load_delegate(library, dict(options.library_options))
    except (OSError, AttributeError, ValueError) as error:
        raise DelegateUnavailableError(
            f"{library} loaded in a child process and not in this one: {' '.join(str(error).split())}",
            hint="another process may hold the device, or a library loaded here may clash with it",
        ) from error
    return ExternalExecutor(model, options, delegate, arithmetic=arithmetic, rows=rows)


class ExternalExecutor(InterpreterExecutor):
    """An interpreter with an external delegate, and XNNPACK behind it.

    Args:
        model: what to open.
        options: the engine and threads.
        delegate: what the engine's ``load_delegate`` returned.
        arithmetic: of its float ops.
        rows: how many rows of the engine's list of ops the library made when XNNPACK had not yet made any.
    """

    def __init__(
        self, model: ModelSource, options: DelegateOptions, delegate: Any, *, arithmetic: Arithmetic, rows: int
    ) -> None:
        int8 = int8_xnnpack(options.threads) if needs_switch(model, options.engine) else None
        super().__init__(model, options, delegates=[delegate, *filter(None, [int8])], arithmetic=arithmetic)
        self._rows = rows

    def delegate_rows(self) -> list[Mapping[str, Any]]:
        """The library's alone: it is applied when the interpreter is made, XNNPACK only when tensors are allocated."""
        return super().delegate_rows()[: self._rows]


def check_library(library: str) -> None:
    """Reads a library's file. A bare name is left to the loader, which knows where to look.

    Raises:
        DelegateUnavailableError: it is not there, or not one that this process can load.
    """
    if "/" not in library:
        return
    path = Path(library)
    try:
        found = read_library(path)
    except BrokenLibraryError as error:
        raise DelegateUnavailableError(
            f"{library} cannot be loaded: {error}", hint="copy it again from its maker"
        ) from error
    except OSError as error:
        raise DelegateUnavailableError(f"{library} cannot be read: {error.strerror}", hint="check the path") from error
    _check_machine(library, found)
    missing = [name for name in _ENTRY_POINTS if name not in found.exported]
    if missing:
        raise _no_entry_points(library, " and ".join(missing))


def _no_entry_points(library: str, missing: str) -> DelegateUnavailableError:
    return DelegateUnavailableError(
        f"{library} is no external delegate: it does not export {missing}",
        hint="makers ship a library for this purpose beside the driver itself",
    )


def _check_machine(library: str, found: Library) -> None:
    machine, bits = this_machine()
    if (found.machine, found.bits) != (machine, bits):
        raise DelegateUnavailableError(
            f"{library} is built for {found.machine} ({found.bits} bits), and this process is {machine} ({bits} bits)",
            hint=f"take its maker's build for {machine}",
        )


_admitted: dict[str, int] = {}
"""What passed once in this process is not tried again: the same file, options, engine and model."""


def _tried(library: str, model: ModelSource, options: DelegateOptions) -> int:
    """Number of partitions the library makes of the model, seen in a child process."""
    arguments = {
        "library": library,
        "options": dict(options.library_options),
        "engine": options.engine.name,
        "threads": options.threads,
    }
    key = json.dumps([_identity(library), model.artifact.sha256, arguments], sort_keys=True)
    if key not in _admitted:
        trial = try_in_child(f"{__name__}:use_library", model.content, arguments, timeout_s=TIMEOUT_S)
        _admitted[key] = _checked(trial, library, model)
    return _admitted[key]


def _identity(library: str) -> list[int]:
    if "/" not in library:
        return []
    status = Path(library).stat()
    return [status.st_ino, status.st_size, status.st_mtime_ns]


def _checked(trial: Trial, library: str, model: ModelSource) -> int:
    if trial.error and trial.step == _LOADING:
        raise _not_loaded(library, trial.error[1])
    if trial.error and trial.error[0] == "AttributeError":
        raise _no_entry_points(library, trial.error[1].rpartition(" ")[2])
    if trial.error or trial.death:
        raise trial.unavailable(library, hint=_HINT)
    rows: int = (trial.result or {})["rows"]
    if not rows:
        raise DelegateUnavailableError(
            f"{library} took none of the {len(model.artifact.main.ops)} ops of {model.name}",
            hint="`edge-sdk check` says what delegates take; most NPUs want integer-only files",
        )
    return rows


def _not_loaded(library: str, message: str) -> DelegateUnavailableError:
    """The loader names what it did not find: the library, or one that it depends on."""
    name = message.split(":", maxsplit=1)[0]
    if "cannot open shared object file" in message and Path(name).name != Path(library).name:
        return DelegateUnavailableError(
            f"{library} needs {name}, which is not there", hint=f"install what brings {name}, or set LD_LIBRARY_PATH"
        )
    if "cannot open shared object file" in message:
        return DelegateUnavailableError(
            f"the loader finds no {library} for this machine ({this_machine()[0]})",
            hint="install the driver, or give the library's path",
        )
    return DelegateUnavailableError(f"{library} cannot be loaded: {message}")


def use_library(
    model: str, step: Step, library: str, options: Mapping[str, str], engine: str, threads: int
) -> dict[str, Any]:
    """In a child process: everything that a session would do with the library, once.

    Returns:
        ``rows``: the number of partitions that it runs.
    """
    found = Engine(engine, "", importlib.import_module(ENGINES[engine]))
    step(_LOADING)
    ctypes.CDLL(library)
    step("starting its driver")
    try:
        delegate = found.module.load_delegate(library, dict(options))
    except ValueError as error:
        reason = str(error).partition("\n")[2].strip()
        raise ValueError(reason or "it gives no reason") from None
    step("preparing the model")
    try:
        interpreter = found.module.Interpreter(model_path=model, num_threads=threads, experimental_delegates=[delegate])
    except RuntimeError as error:
        raise RuntimeError(str(error).replace(_RESTORED, "").strip()) from None
    rows = sum(row["op_name"] == "DELEGATE" for row in interpreter._get_ops_details())
    interpreter.allocate_tensors()
    step("running the model once")
    for row in interpreter.get_input_details():
        interpreter.set_tensor(row["index"], np.zeros(row["shape"], row["dtype"]))
    interpreter.invoke()
    step("closing it")
    del interpreter, delegate
    gc.collect()
    return {"rows": rows}
