"""XNNPACK: the engines apply it by themselves when a model is loaded. Here it is made sure that they did."""

from __future__ import annotations

from edge_sdk.errors import DelegateUnavailableError
from edge_sdk.runtime.delegates import DelegateOptions
from edge_sdk.runtime.interpreter import InterpreterExecutor
from edge_sdk.runtime.source import ModelSource
from edge_sdk.runtime.xnnpack_int8 import int8_xnnpack, needs_switch


def open_executor(model: ModelSource, options: DelegateOptions) -> InterpreterExecutor:
    """Opens a model with XNNPACK on the engine's interpreter.

    Raises:
        DelegateUnavailableError: XNNPACK took no op: it is not in this build of the engine, or not for these types.
        ModelError: the engine refuses the model.
    """
    switched = needs_switch(model, options.engine)
    own = int8_xnnpack(options.threads) if switched else None
    made = InterpreterExecutor(model, options, default_delegates=own is None, delegates=[own] if own else ())
    if switched:
        made.notes += (_of_switch(options, works=own is not None),)
    if options.cache_dir is not None:
        made.notes += (f"no weight cache: the Interpreter of {options.engine} offers none",)
    if made.placement().delegated:
        return made
    made.close()
    raise DelegateUnavailableError(
        f"XNNPACK took none of the {len(model.artifact.main.ops)} ops of {model.name} on {made.engine}",
        hint="`edge-sdk check` says why for each op; tflite-runtime for armv7l holds no XNNPACK at all",
    )


def _of_switch(options: DelegateOptions, *, works: bool) -> str:
    if works:
        return f"XNNPACK's int8 kernels were switched on: {options.engine} leaves them off"
    return f"XNNPACK's int8 kernels cannot be switched on: this build of {options.engine} does not export them"
