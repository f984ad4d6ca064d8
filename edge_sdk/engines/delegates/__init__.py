"""Delegates: each is a module that opens a model in its own way. A file and a line in ``DELEGATES`` add one."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from edge_sdk.engines.executor import Executor
from edge_sdk.engines.installed import Engine
from edge_sdk.engines.source import ModelSource
from edge_sdk.errors import RecipeError, nearest

if TYPE_CHECKING:
    from edge_sdk.profile.records import Precision

DELEGATES: dict[str, str] = {
    "xnnpack": "edge_sdk.engines.delegates.xnnpack:open_executor",
    "gpu": "edge_sdk.engines.delegates.gpu:open_executor",
    "npu": "edge_sdk.engines.delegates.npu:open_executor",
    "nnapi": "edge_sdk.engines.delegates.nnapi:open_executor",
    "external": "edge_sdk.engines.delegates.external:open_executor",
    "cpu": "edge_sdk.engines.delegates.cpu:open_executor",
}
"""Name to ``module:function``. The function takes a :class:`ModelSource` and :class:`DelegateOptions` and returns an
:class:`~edge_sdk.engines.executor.Executor`, or raises ``DelegateUnavailableError`` with why; what it opened before it
failed is closed, and nothing it did may slow or change what is opened next. It is imported when it is used; the module
imports no engine at its top."""


@dataclass(frozen=True)
class DelegateOptions:
    """How to open a model with a delegate.

    Attributes:
        engine: the engine that was found; a delegate that needs another raises.
        threads: CPU threads, for what runs on the CPU.
        library: path or name of an external delegate's library.
        library_options: keys and values that it is given.
        precision: lowest that float ops may be computed in; None leaves it to the delegate.
        cache_dir: folder for files of packed weights (:mod:`edge_sdk.engines.weight_cache`); None for no files.
        keep_state: leave the state of recurrent ops alone between runs; else it is reset before each.
    """

    engine: Engine
    threads: int = 1
    library: str | None = None
    library_options: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    precision: Precision | None = None
    cache_dir: Path | None = None
    keep_state: bool = False


def open_with(delegate: str, model: ModelSource, options: DelegateOptions) -> Executor:
    """Opens a model with a delegate.

    Raises:
        DelegateUnavailableError: the delegate cannot be had here, or not for this model, and why.
        ModelError: the engine refuses the model.
        RecipeError: no delegate has that name.
    """
    if delegate not in DELEGATES:
        raise RecipeError(f"unknown delegate `{delegate}`{nearest(delegate, DELEGATES)}", hint=_listing())
    opens: Callable[[ModelSource, DelegateOptions], Executor] = pkgutil.resolve_name(DELEGATES[delegate])
    return opens(model, options)


def _listing() -> str:
    return f"one of {', '.join(DELEGATES)}"
