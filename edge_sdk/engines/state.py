"""What a run in an engine's ``Interpreter`` leaves behind for the next, and how it is set back."""

from __future__ import annotations

from typing import Any

from edge_sdk.artifact.variables import Variables
from edge_sdk.errors import ModelError


class State:
    """Variables of one interpreter, shared by all signatures that run in it.

    Variable tensors the engine itself resets. Of resource variables it only knows how they are set for the first time,
    by the subgraph that CALL_ONCE names: that one is run again.
    """

    def __init__(self, interpreter: Any) -> None:
        self._interpreter = interpreter
        self._assigned: frozenset[str] = frozenset()
        self._inits: dict[int, frozenset[str]] = {}

    def reset(self) -> None:
        """As in an interpreter that was just opened."""
        self._interpreter.reset_all_variables()
        calls = self._interpreter._interpreter
        for subgraph in self._inits:
            # CALL_ONCE lets its memory go.
            calls.AllocateTensors(subgraph)
            calls.Invoke(subgraph)
        self._assigned = frozenset().union(*self._inits.values())

    def check(self, needed: Variables, where: str) -> None:
        """Before a run.

        Raises:
            ModelError: it would read a variable that nothing has set: the engine's memory for it is undefined.
        """
        initial = frozenset().union(*needed.inits.values())
        unset = sorted(needed.needs - initial - self._assigned)
        if unset:
            raise ModelError(
                f"{where} reads variable `{unset[0].strip('/')}`, which nothing has set yet",
                hint="run the signature that sets it first, in a session opened with keep_state=True",
            )

    def ran(self, done: Variables) -> None:
        """After a run."""
        self._inits.update(done.inits)
        self._assigned |= done.gives
