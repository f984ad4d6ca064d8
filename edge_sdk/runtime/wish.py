"""What is to be opened, and how."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edge_sdk.engines.installed import Engine
from edge_sdk.engines.options import DelegateOptions
from edge_sdk.engines.source import ModelSource
from edge_sdk.runtime.candidates import Candidate
from edge_sdk.runtime.memory import MemoryBudget, Need, predicted_need
from edge_sdk.runtime.policy import Policy
from edge_sdk.runtime.selftest import trial_bytes

if TYPE_CHECKING:
    from edge_sdk.bundle.golden import GoldenCase, SequenceCases


@dataclass(frozen=True)
class Subject:
    """A model to open: its variant, golden cases and sequences where it is from a bundle, none of them of a bare file.

    ``is_trusted`` is true of a bundle that a trusted key has signed; ``notes`` say why this variant of it, where it has
    some that were compiled for a chip.
    """

    model: ModelSource
    variant: str | None = None
    cases: tuple[GoldenCase, ...] = ()
    is_trusted: bool = False
    sequences: tuple[SequenceCases, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Wish:
    """How a model is to be opened.

    Attributes:
        subject: the model for each candidate: a GPU may get another variant of a bundle than a CPU.
        candidates: what may be tried, in order.
        policy: the contract.
        engine: where.
        threads: CPU threads; None for what is measured to be best.
        replicas: so many interpreters of the one that is chosen.
        cache_dir: see :class:`~edge_sdk.engines.options.DelegateOptions`.
        keep_state: likewise; the model is opened anew for it when it was tried, so that it starts from nothing.
        budget: that all sessions of this process share; None for no such limit.
        try_first: whether a file that nobody vouches for is tried once in a child process.
    """

    subject: Callable[[Candidate], Subject]
    candidates: tuple[Candidate, ...]
    policy: Policy
    engine: Engine
    threads: int | None = 1
    replicas: int = 1
    cache_dir: Path | None = None
    keep_state: bool = False
    budget: MemoryBudget | None = None
    try_first: bool = True

    def need(self, candidate: Candidate, subject: Subject) -> Need:
        """Memory, predicted."""
        drawn = 0 if subject.cases else trial_bytes(subject.model.artifact)
        return predicted_need(subject.model, delegate=candidate.delegate, trial_bytes=drawn)

    def options(self, candidate: Candidate, threads: int) -> DelegateOptions:
        """What a delegate is told."""
        return DelegateOptions(
            engine=self.engine,
            threads=threads,
            library=candidate.library,
            library_options=candidate.options,
            cache_dir=self.cache_dir,
        )
