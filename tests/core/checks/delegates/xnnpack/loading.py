"""Run as a script: which files the installed engine loads, one line of JSON for each; see test_loading_oracle.py."""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Callable, Iterator
from typing import Any

from edge_sdk.artifact.schema import schema
from edge_sdk.engines.installed import find_engine
from tests.core.artifact.op_version_oracle import NOT_BUILTIN, accepts, model_with_op
from tests.core.checks.memory.arena_graphs import MODELS
from tests.core.children import in_child

BEYOND = 12
"""Versions of each op that are tried; the newest runtimes know up to 14, and only of FULLY_CONNECTED."""


def probes() -> Iterator[tuple[str, bytes]]:
    """One op of each kind and version."""
    for code, name in schema().enums["BuiltinOperator"].items():
        if name not in NOT_BUILTIN:
            yield from ((f"{name} {version}", model_with_op(code, version)) for version in range(1, BEYOND + 1))


def models() -> Iterator[tuple[str, bytes]]:
    """Whole graphs, made by code."""
    return ((name, build()) for name, build in MODELS.items())


def main() -> None:
    interpreter = find_engine().module.Interpreter
    files = list(FILES[sys.argv[1]]())
    for start in range(0, len(files), BEYOND):
        some = files[start : start + BEYOND]
        # A fork costs more than what is asked in it; where the engine dies each file gets its own.
        answers = in_child(functools.partial(_answers, interpreter, some))
        for name, loads in answers or [(n, in_child(functools.partial(accepts, interpreter, c))) for n, c in some]:
            print(json.dumps([name, loads]), flush=True)


def _answers(interpreter: Any, files: list[tuple[str, bytes]]) -> list[tuple[str, bool]]:
    return [(name, accepts(interpreter, content)) for name, content in files]


FILES: dict[str, Callable[[], Iterator[tuple[str, bytes]]]] = {"probes": probes, "models": models}


if __name__ == "__main__":
    main()
