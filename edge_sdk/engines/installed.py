"""The engines that can run a .tflite file, in the order they are looked for."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from edge_sdk.engines.source import ModelSource
from edge_sdk.errors import MissingDependencyError, RecipeError, nearest

ENGINES: dict[str, str] = {
    "ai-edge-litert": "ai_edge_litert.interpreter",
    "tflite-runtime": "tflite_runtime.interpreter",
}
"""Distribution name to the module that holds its ``Interpreter``."""


@dataclass(frozen=True)
class Engine:
    """An installed engine."""

    name: str
    version: str
    module: ModuleType

    def __str__(self) -> str:
        return f"{self.name} {self.version}"

    def interpreter(
        self,
        model: ModelSource,
        *,
        threads: int,
        default_delegates: bool,
        preserve_all_tensors: bool,
        delegates: Sequence[Any] = (),
    ) -> Any:
        """A new interpreter with tensors allocated.

        Args:
            model: verified, for engines crash on damaged files.
            threads: CPU threads.
            default_delegates: whether XNNPACK may take ops (the engine's default).
            preserve_all_tensors: keep intermediate values readable after a run; costs memory.
            delegates: objects that ``load_delegate`` of this engine returned, or that look the same.
        """
        resolver = self.module.OpResolverType
        kind = resolver.AUTO if default_delegates else resolver.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        made = self.module.Interpreter(
            **model.as_argument(),
            num_threads=threads,
            experimental_op_resolver_type=kind,
            experimental_preserve_all_tensors=preserve_all_tensors,
            experimental_delegates=list(delegates) or None,
        )
        made.allocate_tensors()
        return made


def find_engine(name: str | None = None) -> Engine:
    """The engine of that name, or the first that is installed.

    Raises:
        MissingDependencyError: it, or any, is not installed.
        RecipeError: no engine has that name.
    """
    if name is not None and name not in ENGINES:
        raise RecipeError(f"unknown engine `{name}`{nearest(name, ENGINES)}", hint=f"one of {', '.join(ENGINES)}")
    for candidate in [name] if name else ENGINES:
        try:
            module = importlib.import_module(ENGINES[candidate])
        except ImportError:
            continue
        return Engine(candidate, _version(candidate), module)
    missing = name or next(iter(ENGINES))
    extra = "tflite-runtime" if missing == "tflite-runtime" else "runtime"
    raise MissingDependencyError(missing, extra=extra, why="running a .tflite file")


def _version(distribution: str) -> str:
    # Imported here, for it takes as long as all the rest of the runtime.
    from importlib import metadata

    return metadata.version(distribution)
