"""What a session would find on this machine: engines, delegates, instructions, memory. Only engines are loaded."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from edge_sdk.engines.compiled import check_engine, check_weight_file
from edge_sdk.engines.cpu_features import has_atomics
from edge_sdk.engines.delegates.npu import asked
from edge_sdk.engines.installed import ENGINES, Engine, find_engine
from edge_sdk.engines.options import DelegateOptions
from edge_sdk.errors import DelegateUnavailableError, MissingDependencyError
from edge_sdk.runtime.memory import limits

_UNTRIED = "not tried: a session tries it with its model, in a child process"


@dataclass(frozen=True)
class Found:
    """One thing a session may use: whether it is there, and what there is to say of it."""

    name: str
    words: str
    present: bool = True


@dataclass(frozen=True)
class Here:
    """This machine as the runtime sees it.

    Attributes:
        engines: all that are known, in the order in which they are looked for.
        delegates: of the first engine; none without one.
        has_lse: whether the CPU has the atomic instructions that LiteRT's CompiledModel needs; true but on old arm64.
        free_bytes: limit to what it leaves this process.
    """

    engines: tuple[Found, ...]
    delegates: tuple[Found, ...]
    has_lse: bool
    free_bytes: dict[str, int]


def look() -> Here:
    """Looks around; reads files only, but for the engines, which it imports."""
    engines = tuple(_engines())
    first = next((one.name for one in engines if one.present), None)
    return Here(
        engines=engines,
        delegates=tuple(_delegates(find_engine(first))) if first else (),
        has_lse=has_atomics(),
        free_bytes={limit.name: limit.free_bytes for limit in limits()},
    )


def _engines() -> Iterator[Found]:
    for name in ENGINES:
        try:
            yield Found(name, find_engine(name).version)
        except MissingDependencyError as error:
            yield Found(name, error.hint or "not installed", present=False)


def _delegates(engine: Engine) -> Iterator[Found]:
    options = DelegateOptions(engine)
    yield _xnnpack(engine)
    yield _checked("weight cache", lambda: check_weight_file(options), "`cache_dir` keeps packed weights in a file")
    yield _checked("gpu", lambda: check_engine(options, "gpu", "libLiteRt*GpuAccelerator.*"), _UNTRIED)
    yield _checked("npu", lambda: asked(options), _UNTRIED)
    yield from _libraries()
    yield Found("nnapi", "Android apps only", present=False)


def _xnnpack(engine: Engine) -> Found:
    if engine.name == "tflite-runtime" and platform.machine().startswith("armv7"):
        return Found("xnnpack", f"{engine} was built without it for armv7l", present=False)
    return Found("xnnpack", f"in {engine}")


def _checked(name: str, check: Callable[[], object], words: str) -> Found:
    try:
        check()
    except DelegateUnavailableError as error:
        return Found(name, str(error).removeprefix(f"{name}: "), present=False)
    return Found(name, words)


def _libraries() -> Iterator[Found]:
    from edge_sdk.profile.detect import found_delegates

    libraries = [one.library for one in found_delegates() if one.library]
    for library in libraries:
        yield Found(f"external:{library}", _UNTRIED)
    if not libraries:
        yield Found("external", "no known library in the usual folders; external:PATH names another", present=False)
