"""What is measured: a model with a delegate and a number of threads, opened anew for every sitting."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from edge_sdk.engines.sequence import CallSequence
from edge_sdk.measure import memory
from edge_sdk.measure.records import BackendInfo, BackendSettings
from edge_sdk.measure.timed import Memory
from edge_sdk.runtime.candidates import Candidate
from edge_sdk.runtime.session import Session
from edge_sdk.signature import Arrays


@dataclass(frozen=True)
class About:
    """What is known of a subject once it is open."""

    settings: BackendSettings
    info: BackendInfo
    init_ms: float | None = None
    first_run_ms: float | None = None
    memory: Memory | None = None


class Opened(Protocol):
    """A subject that can be run."""

    @property
    def about(self) -> About:
        """What is known of it."""

    def run(self) -> None:
        """One query: returns when its outputs can be read."""

    def close(self) -> None:
        """Frees it."""


@dataclass(frozen=True)
class Subject:
    """What is measured.

    Attributes:
        id: unique among those measured together.
        name: for people.
        open: opens it anew.
    """

    id: str
    name: str
    open: Callable[[], Opened]


class OpenSession:
    """A subject that is a session."""

    def __init__(
        self, session: Session, about: About, inputs: Arrays | None, sequence: CallSequence | None = None
    ) -> None:
        self.about = about
        self._session = session
        self.run = session.stage(inputs) if sequence is None else sequence.stage(next(sequence.drawn(count=1, seed=0)))

    def close(self) -> None:
        """Closes the session."""
        self._session.close()


def session_subject(
    model: str | Path,
    delegate: str | Candidate,
    threads: int | Literal["auto"],
    *,
    replicas: int = 1,
    inputs: Callable[[Session], Arrays] | None = None,
    calls: Sequence[str] = (),
    **options: Any,
) -> Subject:
    """A subject that opens a session.

    Args:
        model: a .tflite or a bundle.
        delegate: ``auto`` or one.
        threads: on the CPU.
        replicas: that run side by side; one query is then a run of each.
        inputs: what to run on, from the open session; None for the self-test's.
        calls: signatures that are one query together, on seeded inputs.
        options: of ``Session.open``.
    """
    wanted = delegate.name if isinstance(delegate, Candidate) else delegate
    name = f"{Path(model).name}, {wanted}, {threads} thread{'' if threads == 1 else 's'}"
    name += f", {replicas} replicas" if replicas > 1 else ""

    if calls:
        name += f", {' then '.join(calls)}"
        options = options | {"keep_state": True}

    def opened() -> OpenSession:
        with memory.around() as taken:
            session = Session.open(model, delegate=delegate, threads=threads, replicas=replicas, **options)
        try:
            about = _about(session, str(model), delegate, taken.memory)
            sequence = session.sequence(calls) if calls else None
            return OpenSession(session, about, inputs(session) if inputs else None, sequence)
        except BaseException:
            session.close()
            raise

    return Subject(name, name, opened)


def _about(session: Session, model: str, delegate: str | Candidate, taken: Memory | None) -> About:
    receipt = session.receipt
    opening, chosen = receipt.opening, receipt.opening.chosen
    placement = chosen.placement
    extra: Mapping[str, str] = delegate.options if isinstance(delegate, Candidate) else {}
    settings = BackendSettings(
        accelerator_code=chosen.accelerator,
        delegate=delegate.name if isinstance(delegate, Candidate) else delegate,
        framework="TFLite",
        model_path=model,
        model_sha256=opening.sha256,
        model_bytes=_model_bytes(session, model, opening.variant),
        batch_size=int(session.inputs[0].shape[0] or 1) if session.inputs and session.inputs[0].shape else 1,
        threads=chosen.threads,
        replicas=opening.replicas if opening.replicas > 1 else None,
        variant=opening.variant,
        extra_settings=dict(extra) or None,
    )
    info = BackendInfo(
        backend_name=chosen.engine or "",
        delegate_name=chosen.candidate,
        accelerator_name=chosen.accelerator,
        ops=placement.ops if placement else None,
        delegated_ops=placement.delegated if placement else None,
        partitions=placement.partitions if placement else None,
        delegated_mac_share=placement.mac_share if placement else None,
        delegated_told_by=placement.told_by if placement else None,
        self_test=str(chosen.self_test) if chosen.self_test else None,
        notes=chosen.notes,
    )
    return About(settings, info, chosen.init_ms, chosen.first_run_ms, taken)


def _model_bytes(session: Session, model: str, variant: str | None) -> int:
    if session.bundle is not None and variant is not None:
        return len(session.bundle.model(variant))
    return Path(model).stat().st_size
