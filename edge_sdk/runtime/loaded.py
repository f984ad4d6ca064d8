"""A model that is open, and what it holds."""

from __future__ import annotations

from edge_sdk.engines.executor import Executor
from edge_sdk.runtime.memory import MemoryBudget


class Loaded:
    """An executor, and what it holds of a memory budget."""

    def __init__(self, executor: Executor, budget: MemoryBudget | None, ticket: int) -> None:
        self.executor = executor
        self._budget = budget
        self._ticket = ticket

    def close(self) -> None:
        """Frees both; twice is harmless."""
        self.executor.close()
        if self._budget is not None:
            self._budget.give_back(self._ticket)
