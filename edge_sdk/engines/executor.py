"""What every way of running a model offers: the seam between delegates, which open one, and sessions, which run it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

Arithmetic = Literal["float32", "float16", "bfloat16"]
"""What float ops are computed in."""


@dataclass(frozen=True)
class EnginePlacement:
    """Where the ops of the main subgraph went, as the engine itself tells after loading: *measured*, not predicted.

    Attributes:
        ops: of the main subgraph.
        delegated: indices of those that the delegate took; None where the engine does not say which.
        partitions: rows of ops that the delegate runs without handing back; None where the engine does not say.
        count: how many the delegate took, where the engine counts them and does not say which; else None.
    """

    ops: int
    delegated: tuple[int, ...] | None
    partitions: int | None
    count: int | None = None


class Executor(Protocol):
    """One model opened in one engine with one delegate. Not thread-safe.

    Values are raw: of the file's own dtypes and shapes. The caller checks both before :meth:`write`, for some engines
    take arrays that are too small without a word. A run that fails raises ``ModelError``.

    Attributes:
        engine: name and version, such as ``ai-edge-litert 2.3.0``.
        arithmetic: of its float ops.
        notes: what a user should know of how it was opened, a sentence each; they go into the receipt.
        shapes: of the outputs, as the engine has them; None for an extent that is only known after a run.
    """

    engine: str
    arithmetic: Arithmetic
    notes: tuple[str, ...]
    shapes: dict[str, tuple[int | None, ...]]

    def write(self, inputs: Mapping[str, npt.NDArray[np.generic]]) -> None:
        """Copies values into the inputs, by name."""

    def invoke(self) -> None:
        """Runs once, and returns when the outputs can be read: asynchronous accelerators are waited for."""

    def reset(self) -> None:
        """Sets all state back to how it was when the model was opened; nothing where it keeps none."""

    def read(self) -> dict[str, npt.NDArray[Any]]:
        """Copies of the outputs, by name."""

    def views(self) -> tuple[dict[str, npt.NDArray[Any]], dict[str, npt.NDArray[Any]]] | None:
        """Inputs and outputs as views of the engine's own memory, valid until closed; None where there are none."""

    def beside(self, key: str) -> Executor:
        """Another signature of the same open model, with the same state; closed with this one.

        Raises:
            SignatureError: there is no such signature.
            TargetError: what runs cannot do that.
        """

    def placement(self) -> EnginePlacement | None:
        """Where the ops went; None where the engine says nothing of it."""

    def close(self) -> None:
        """Frees the engine's memory, in the order it wants; twice is harmless."""
