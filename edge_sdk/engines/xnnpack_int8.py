"""XNNPACK's int8 kernels on tflite-runtime 2.14, which leaves them off: MobileNetV2 takes 6 ms instead of 57 (x86-64).

Its default delegate has no flags set, and Python offers none. But its x86-64 and aarch64 builds export the delegate's C
functions (`tensorflow/lite/delegates/xnnpack/xnnpack_delegate.h` of 2.14), so one with the flags set is made here. The
armv7l build holds no XNNPACK at all.
"""

from __future__ import annotations

import ctypes
import importlib
from typing import Any

from edge_sdk.artifact.compute import compute_type
from edge_sdk.engines.installed import Engine
from edge_sdk.engines.source import ModelSource

_ENGINE = "tflite-runtime"
_LIBRARY = "tflite_runtime._pywrap_tensorflow_interpreter_wrapper"
_SIGNED, _UNSIGNED = 1, 2


class _Options(ctypes.Structure):
    """The beginning of TfLiteXNNPackDelegateOptions; the rest is room for members that are left as they are."""

    _fields_ = (("threads", ctypes.c_int32), ("flags", ctypes.c_uint32), ("rest", ctypes.c_uint8 * 120))


class Int8Xnnpack:
    """A delegate as ``Interpreter(experimental_delegates=...)`` takes it; it must not outlive its interpreter's use.

    Raises:
        AttributeError: the library does not export what is needed.
    """

    def __init__(self, library: ctypes.PyDLL, threads: int) -> None:
        default, create, self._delete = (
            library.TfLiteXNNPackDelegateOptionsDefault,
            library.TfLiteXNNPackDelegateCreate,
            library.TfLiteXNNPackDelegateDelete,
        )
        default.restype, create.restype = _Options, ctypes.c_void_p
        create.argtypes, self._delete.argtypes = (ctypes.POINTER(_Options),), (ctypes.c_void_p,)
        options = default()
        options.threads = threads
        options.flags |= _SIGNED | _UNSIGNED
        self._pointer = create(ctypes.byref(options))

    def _get_native_delegate_pointer(self) -> Any:
        return self._pointer

    def __del__(self) -> None:
        if getattr(self, "_pointer", None):
            self._delete(self._pointer)
            self._pointer = None


def needs_switch(model: ModelSource, engine: Engine) -> bool:
    """Whether this engine would keep ops of this model from XNNPACK for being quantized."""
    graph = model.artifact.main
    return engine.name == _ENGINE and any(compute_type(graph, op) in ("int8", "uint8") for op in graph.ops)


def int8_xnnpack(threads: int) -> Int8Xnnpack | None:
    """XNNPACK with its int8 kernels switched on; None where tflite-runtime's library does not offer it."""
    library = importlib.import_module(_LIBRARY)
    try:
        return Int8Xnnpack(ctypes.PyDLL(str(library.__file__)), threads)
    except AttributeError:
        return None
