"""The engine's own kernels, without XNNPACK: slower, and always there. The reference that others are held against."""

from __future__ import annotations

from edge_sdk.engines.interpreter import InterpreterExecutor
from edge_sdk.engines.options import DelegateOptions
from edge_sdk.engines.source import ModelSource


def open_executor(model: ModelSource, options: DelegateOptions) -> InterpreterExecutor:
    """Opens a model on the engine's own kernels.

    Raises:
        ModelError: the engine refuses the model.
    """
    return InterpreterExecutor(model, options, default_delegates=False)
