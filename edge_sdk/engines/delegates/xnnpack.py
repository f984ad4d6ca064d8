"""XNNPACK: the engines apply it by themselves when a model is loaded. Here it is made sure that they did."""

from __future__ import annotations

from edge_sdk.engines.executor import Executor
from edge_sdk.engines.interpreter import InterpreterExecutor
from edge_sdk.engines.options import DelegateOptions
from edge_sdk.engines.source import ModelSource
from edge_sdk.engines.xnnpack_int8 import int8_xnnpack, needs_switch
from edge_sdk.errors import DelegateUnavailableError, OutputError


def open_executor(model: ModelSource, options: DelegateOptions) -> Executor:
    """Opens a model with XNNPACK: with a file of packed weights where ``cache_dir`` is given and the engine takes one.

    Raises:
        DelegateUnavailableError: XNNPACK took no op: it is not in this build of the engine, or not for these types.
        ModelError: the engine refuses the model.
    """
    if options.cache_dir is None:
        return _on_interpreter(model, options)
    from edge_sdk.engines.weight_cache import open_cached

    try:
        return open_cached(model, options, options.cache_dir)
    except (DelegateUnavailableError, OutputError) as error:
        made = _on_interpreter(model, options)
        made.notes += (f"no weight cache: {error}",)
        return made


def _on_interpreter(model: ModelSource, options: DelegateOptions) -> InterpreterExecutor:
    switched = needs_switch(model, options.engine)
    own = int8_xnnpack(options.threads) if switched else None
    made = InterpreterExecutor(model, options, default_delegates=own is None, delegates=[own] if own else ())
    if switched:
        made.notes += (_of_switch(options, works=own is not None),)
    placement = made.placement()
    if placement is None or placement.delegated:
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
