"""The child's side of :mod:`edge_sdk.measure.ops`: LiteRT's C library asked for its profile.

Python's own interface has no profiler. What is called here is exported and declared in LiteRT's public headers
(``litert/c``); no structure of theirs is read but the tensor type, which is passed on as it was received.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from pathlib import Path
from typing import Any

_CPU = 1
# LiteRtRankedTensorType: an element type and a layout of at most 8 dimensions, 72 bytes; with room to spare.
_TENSOR_TYPE_BYTES = 512
_Pointer = ctypes.c_void_p


class LiteRtError(RuntimeError):
    """A call returned another status than 0."""


def profile(path: str, step: Callable[[str], None], *, kernel_mode: int, threads: int, runs: int) -> dict[str, Any]:
    """Runs a model and returns LiteRT's own summary of where the time went.

    Args:
        path: of the .tflite.
        step: told what comes next.
        kernel_mode: LiteRT's: 0 with XNNPACK, 2 with its own kernels.
        threads: on the CPU.
        runs: to profile, after one that is not.
    """
    step("opening LiteRT's library")
    with _Model(_library(), path, kernel_mode, threads) as model:
        step("running")
        model.run(1)
        profiler = model.made("LiteRtCompiledModelGetProfiler", model.compiled)
        model.call("LiteRtStartProfiler", profiler)
        model.run(runs)
        model.call("LiteRtStopProfiler", profiler)
        step("reading the profile")
        summary = model.made("LiteRtGetProfileSummary", profiler, model.compiled)
        return {"summary": ctypes.string_at(summary.value or 0).decode("utf-8", "replace")}


def _library() -> ctypes.CDLL:
    import ai_edge_litert

    return ctypes.CDLL(str(Path(str(ai_edge_litert.__file__)).parent / "libLiteRt.so"))


class _Model:
    """A compiled model with its buffers; the process ends soon, and frees what is not closed here."""

    def __init__(self, library: ctypes.CDLL, path: str, kernel_mode: int, threads: int) -> None:
        self._library = library
        self._environment = self._environment_of()
        self._model = self.made("LiteRtCreateModelFromFile", self._environment, path.encode())
        options = self.made("LiteRtCreateOptions")
        self.call("LiteRtSetOptionsHardwareAccelerators", options, ctypes.c_int(_CPU))
        self._add(options, "runtime_options_string", "enable_profiling = true\n")
        self._add(options, "xnnpack", f"num_threads = {threads}\nkernel_mode = {kernel_mode}\n")
        self.compiled = self.made("LiteRtCreateCompiledModel", self._environment, self._model, options)
        signature = self.made("LiteRtGetModelSignature", self._model, ctypes.c_size_t(0))
        self._inputs = self._buffers(signature, "Input")
        self._outputs = self._buffers(signature, "Output")

    def __enter__(self) -> _Model:
        return self

    def __exit__(self, *_: object) -> None:
        self._library.LiteRtDestroyCompiledModel(self.compiled)
        self._library.LiteRtDestroyModel(self._model)
        self._library.LiteRtDestroyEnvironment(self._environment)

    def run(self, times: int) -> None:
        """Runs on whatever the inputs hold."""
        ins, outs = len(self._inputs), len(self._outputs)
        arguments = (ctypes.c_size_t(0), ctypes.c_size_t(ins), self._inputs, ctypes.c_size_t(outs), self._outputs)
        for _ in range(times):
            self.call("LiteRtRunCompiledModel", self.compiled, *arguments)

    def call(self, name: str, *arguments: Any) -> None:
        """Calls a function that returns a status."""
        status = getattr(self._library, name)(*arguments)
        if status:
            raise LiteRtError(f"{name} returned {status}")

    def made(self, name: str, *arguments: Any) -> Any:
        """Calls a function whose last argument receives a pointer."""
        pointer = _Pointer()
        self.call(name, *arguments, ctypes.byref(pointer))
        return pointer

    def _environment_of(self) -> Any:
        return self.made("LiteRtCreateEnvironment", ctypes.c_int(0), None)

    def _add(self, options: Any, kind: str, text: str) -> None:
        # LiteRT frees it with the function that it is given, so that it must be C's own memory.
        c = ctypes.CDLL(None)
        c.strdup.restype, c.strdup.argtypes = _Pointer, [ctypes.c_char_p]
        payload = _Pointer(c.strdup(text.encode()))
        opaque = self.made("LiteRtCreateOpaqueOptions", kind.encode(), payload, c.free)
        self.call("LiteRtAddOpaqueOptions", options, opaque)

    def _buffers(self, signature: Any, kind: str) -> Any:
        count = ctypes.c_size_t()
        self.call(f"LiteRtGetNumSignature{kind}s", signature, ctypes.byref(count))
        made = [self._buffer(signature, kind, ctypes.c_size_t(index)) for index in range(count.value)]
        return (_Pointer * len(made))(*made)

    def _buffer(self, signature: Any, kind: str, index: ctypes.c_size_t) -> Any:
        tensor = self.made(f"LiteRtGetSignature{kind}TensorByIndex", signature, index)
        described = ctypes.create_string_buffer(_TENSOR_TYPE_BYTES)
        self.call("LiteRtGetRankedTensorType", tensor, described)
        needs = self.made(f"LiteRtGetCompiledModel{kind}BufferRequirements", self.compiled, ctypes.c_size_t(0), index)
        return self.made("LiteRtCreateManagedTensorBufferFromRequirements", self._environment, described, needs)
