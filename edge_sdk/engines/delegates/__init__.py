"""Delegates: each is a module that opens a model in its own way. A file and a line in ``DELEGATES`` add one."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable

from edge_sdk.engines.executor import Executor
from edge_sdk.engines.options import DelegateOptions
from edge_sdk.engines.source import ModelSource
from edge_sdk.errors import RecipeError, nearest

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
