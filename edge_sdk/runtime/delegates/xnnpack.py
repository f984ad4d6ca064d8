"""XNNPACK: the engines apply it by themselves when a model is loaded. Here it is made sure that they did."""

from __future__ import annotations

from edge_sdk.errors import DelegateUnavailableError
from edge_sdk.runtime.delegates import DelegateOptions
from edge_sdk.runtime.interpreter import InterpreterExecutor
from edge_sdk.runtime.source import ModelSource


def open_executor(model: ModelSource, options: DelegateOptions) -> InterpreterExecutor:
    """Opens a model with XNNPACK on the engine's interpreter.

    Raises:
        DelegateUnavailableError: XNNPACK took no op: it is not in this build of the engine, or not for these types.
        ModelError: the engine refuses the model.
    """
    made = InterpreterExecutor(model, options, default_delegates=True)
    if options.cache_dir is not None:
        made.notes += (f"no weight cache: the Interpreter of {options.engine} offers none",)
    if made.placement().delegated:
        return made
    made.close()
    raise DelegateUnavailableError(
        f"XNNPACK took none of the {len(model.artifact.main.ops)} ops of {model.name} on {made.engine}",
        hint="`edge-sdk check` says why for each op; tflite-runtime gives it float ops only",
    )
