"""Delegates that fail in chosen ways, to be put into ``DELEGATES``; they run on the engine's interpreter."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from edge_sdk.engines.executor import EnginePlacement
from edge_sdk.engines.interpreter import InterpreterExecutor
from edge_sdk.engines.options import DelegateOptions
from edge_sdk.engines.source import ModelSource
from edge_sdk.errors import DelegateUnavailableError, ModelError

OPEN: list[Fake] = []
"""What was opened and is not closed yet."""


class Fake(InterpreterExecutor):
    """An interpreter that claims to be an accelerator."""

    def __init__(self, model: ModelSource, options: DelegateOptions, *, share: float = 1.0) -> None:
        super().__init__(model, options)
        self._taken = round(share * len(model.artifact.main.ops))
        OPEN.append(self)

    def placement(self) -> EnginePlacement:
        ops = len(self._model.artifact.main.ops)
        return EnginePlacement(ops, tuple(range(ops - self._taken, ops)), 1)

    def close(self) -> None:
        if self in OPEN:
            OPEN.remove(self)
        super().close()


class _Wrong(Fake):
    def read(self) -> dict[str, Any]:
        return {name: values * 0 + 3 for name, values in super().read().items()}


class _Slow(Fake):
    def invoke(self) -> None:
        time.sleep(0.005)
        super().invoke()


class _TenthSlower(Fake):
    def invoke(self) -> None:
        began = time.perf_counter()
        super().invoke()
        end = began + 1.1 * (time.perf_counter() - began)
        while time.perf_counter() < end:
            pass


class _Dying(Fake):
    def invoke(self) -> None:
        raise ModelError("the driver lost the device")


class _Interrupted(Fake):
    def invoke(self) -> None:
        raise KeyboardInterrupt


def good(model: ModelSource, options: DelegateOptions) -> Fake:
    return Fake(model, options)


def partial(model: ModelSource, options: DelegateOptions) -> Fake:
    return Fake(model, options, share=0.4)


def wrong(model: ModelSource, options: DelegateOptions) -> Fake:
    return _Wrong(model, options)


def slow(model: ModelSource, options: DelegateOptions) -> Fake:
    return _Slow(model, options)


def tenth_slower(model: ModelSource, options: DelegateOptions) -> Fake:
    return _TenthSlower(model, options)


def dying(model: ModelSource, options: DelegateOptions) -> Fake:
    return _Dying(model, options)


def interrupted(model: ModelSource, options: DelegateOptions) -> Fake:
    return _Interrupted(model, options)


def absent(model: ModelSource, options: DelegateOptions) -> Fake:
    raise DelegateUnavailableError("no device is plugged in", hint="plug it in")


class Unplaced(Fake):
    """Says nothing of who took which op."""

    def placement(self) -> None:  # type: ignore[override]
        return None


def unplaced(model: ModelSource, options: DelegateOptions) -> Fake:
    return Unplaced(model, options)


def refusing(model: ModelSource, options: DelegateOptions) -> Fake:
    raise ModelError("the engine refuses the file: Encountered unresolved custom op: ethos-u")


def _scaled(model: ModelSource, row: int, factor: float) -> ModelSource:
    """The model with a row of its weights ``w`` multiplied: what another order of adding does, or a wrong kernel."""
    from edge_sdk.artifact.tree import pack_tree, parse_tree
    from edge_sdk.engines.source import source_of

    root, _ = parse_tree(model.content)
    tensor = next(one for one in root.subgraphs[0].tensors if one.name == "w")
    weights = np.frombuffer(bytes(root.buffers[tensor.buffer].data), np.float32).reshape(tensor.shape).copy()
    weights[row] *= np.float32(factor)
    root.buffers[tensor.buffer].data = np.frombuffer(weights.tobytes(), np.uint8)
    return source_of(pack_tree(root), name=model.name)


def rounding(model: ModelSource, options: DelegateOptions) -> Fake:
    """Computes as the CPU does, but for the last bits."""
    return Fake(_scaled(model, 1, 1 + 1e-5), options)


def skewed(model: ModelSource, options: DelegateOptions) -> Fake:
    """Is wrong before anything is decided."""
    return Fake(_scaled(model, 1, 1.5), options)


class _Choosing(Fake):
    """Computes right, and picks the wrong place."""

    def read(self) -> dict[str, Any]:
        return {n: v * 0 + 2 if v.dtype.kind == "i" else v for n, v in super().read().items()}


def choosing(model: ModelSource, options: DelegateOptions) -> Fake:
    return _Choosing(model, options)


def lessening(model: ModelSource, options: DelegateOptions) -> Fake:
    """As the CPU, but for the last bits of the first row: of two equal values the second is the larger."""
    return Fake(_scaled(model, 0, 1 - 1e-5), options)


class _Shuffling(Fake):
    """Computes right, and gives the two rows of whatever it selected in the other order."""

    def read(self) -> dict[str, Any]:
        return {n: np.flip(v, v.shape.index(2)) if 2 in v.shape else v for n, v in super().read().items()}


def shuffling(model: ModelSource, options: DelegateOptions) -> Fake:
    return _Shuffling(model, options)
