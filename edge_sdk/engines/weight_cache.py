"""Weights as XNNPACK packs them, in a file that the next start maps instead of packing them again.

LiteRT's CompiledModel takes such a file since 2.2; the Interpreter of no engine does. What was seen in 2.3.0, and what
is done about it here:

* It believes the weights behind a good header: one flipped byte gives wrong results without a word. So the file's
  SHA-256 stands beside it, as ``sha256sum`` prints it, and without the right one the file is made anew.
* It writes in place, and ends the process where the disk is full. So a child process makes the file, under another name
  that is changed when the file is whole. This process only reads.

That is against damage. Somebody who may write in the folder could replace both files; the self-test is left then.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from edge_sdk.engines.compiled import Ask, CompiledExecutor, check_model, check_weight_file
from edge_sdk.engines.compiled_trial import use_compiled_model
from edge_sdk.engines.installed import find_engine
from edge_sdk.engines.interpreter import InterpreterExecutor
from edge_sdk.engines.options import DelegateOptions
from edge_sdk.engines.probe import try_in_child
from edge_sdk.engines.probe_child import Step
from edge_sdk.engines.source import ModelSource, open_source
from edge_sdk.errors import DelegateUnavailableError, OutputError
from edge_sdk.files import replacing, write_bytes

_CHUNK = 1 << 20


def open_cached(model: ModelSource, options: DelegateOptions, folder: Path) -> CompiledExecutor:
    """Opens a model with XNNPACK and its weight file, which is made where there is none that is whole.

    Raises:
        DelegateUnavailableError: this engine, CPU or model cannot have one, and why.
        OutputError: there is none yet, and the folder cannot be written.
    """
    check_weight_file(options)
    check_model(model, "xnnpack")
    path = folder / _name(model, options)
    why = _fault(path)
    if why is not None:
        _make(path, model, options)
    made = CompiledExecutor(model, options, _ask(options, path), None, arithmetic="float32")
    note = f"packed weights are mapped from {path}" + (f", made now: {why}" if why else "")
    made.notes = (note, "it runs in LiteRT's CompiledModel, which does not tell which ops XNNPACK took")
    return made


def _make(path: Path, model: ModelSource, options: DelegateOptions) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{path.parent}: cannot be made: {error.strerror}") from error
    with replacing(path) as temporary:
        trial = try_in_child(f"{__name__}:make_weights", model.content, {"ask": _ask(options, temporary).as_json()})
        if trial.result is None or trial.death:
            raise trial.unavailable("LiteRT")
        if not trial.result["taken"]:
            raise DelegateUnavailableError(f"XNNPACK took no op of {model.name}")
        line = _line(temporary, name=path.name)
    write_bytes(_beside(path), line.encode("ascii"))


def make_weights(model: str, step: Step, ask: dict[str, Any]) -> dict[str, Any]:
    """In a child process: the file, and in ``taken`` how many ops XNNPACK takes, which only the Interpreter tells."""
    use_compiled_model(model, step, ask)
    step("asking what XNNPACK took")
    options = DelegateOptions(find_engine("ai-edge-litert"), threads=ask["threads"])
    executor = InterpreterExecutor(open_source(model), options)
    placement = executor.placement()
    return {"taken": len(placement.delegated or ()) if placement else 0}


def _fault(path: Path) -> str | None:
    """Why a weight file cannot be used; None if it is the one that its SHA-256 was taken of."""
    if not path.exists():
        return "there was none"
    try:
        expected = _beside(path).read_text(encoding="ascii", errors="replace")
        return None if expected == _line(path, name=path.name) else "the SHA-256 beside it was another"
    except OSError as error:
        return f"it could not be read: {error.strerror}"


def _ask(options: DelegateOptions, weights: Path) -> Ask:
    return Ask("cpu", threads=options.threads, weights=str(weights.absolute()))


def _name(model: ModelSource, options: DelegateOptions) -> str:
    """One file for each model, engine and kind of CPU: all three decide how weights are packed."""
    from edge_sdk.profile.detect import this_isa

    arch, isa = this_isa()
    cpu = hashlib.sha256(" ".join(sorted(isa)).encode()).hexdigest()[:8]
    return f"{model.artifact.sha256}-{options.engine.name}-{options.engine.version}-{arch}-{cpu}.xnnpack"


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")


def _line(path: Path, *, name: str) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return f"{digest.hexdigest()}  {name}\n"
