"""What every way of running a model offers: the seam between delegates, which open one, and sessions, which use it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt


class Executor(Protocol):
    """One model opened in one engine with one delegate. Not thread-safe.

    Values are raw: of the file's own dtypes and shapes. The caller checks both before :meth:`write`, for some engines
    take arrays that are too small without a word.
    """

    def write(self, inputs: Mapping[str, npt.NDArray[np.generic]]) -> None:
        """Copies values into the inputs, by name."""

    def invoke(self) -> None:
        """Runs once, and returns when the outputs can be read: asynchronous accelerators are waited for."""

    def read(self) -> dict[str, npt.NDArray[Any]]:
        """Copies of the outputs, by name."""

    def views(self) -> tuple[dict[str, npt.NDArray[Any]], dict[str, npt.NDArray[Any]]] | None:
        """Inputs and outputs as views of the engine's own memory, valid until closed; None where there are none."""

    def close(self) -> None:
        """Frees the engine's memory, in the order it wants; twice is harmless."""
