"""``edge_sdk.benchmark``: models, delegates and threads in all combinations, measured side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import islice, product
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from edge_sdk.errors import CalibrationError, MeasurementError
from edge_sdk.measure.measuring import measure
from edge_sdk.measure.ops import check_ops, with_ops
from edge_sdk.measure.plan import QUOTABLE, Plan
from edge_sdk.measure.records import Benchmark
from edge_sdk.measure.subjects import Subject, session_subject
from edge_sdk.progress import Progress, Silent
from edge_sdk.runtime.candidates import Candidate
from edge_sdk.runtime.session import Session
from edge_sdk.signature import Arrays

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from edge_sdk.data.opening import Data
    from edge_sdk.measure.options import BenchmarkOptions

_MOST = 16
Threads = int | Literal["auto"]


def benchmark(
    models: str | Path | Sequence[str | Path],
    *,
    delegates: str | Candidate | Sequence[str | Candidate] = "auto",
    threads: Threads | Sequence[Threads] = 1,
    replicas: int | Sequence[int] = 1,
    plan: Plan = QUOTABLE,
    progress: Progress | None = None,
    **options: Unpack[BenchmarkOptions],
) -> Benchmark:
    """Measures the latency of models on this machine.

    All combinations of models, delegates, threads and replicas are taken in turn, and each is compared with the first.

    Args:
        models: .tflite files or bundles.
        delegates: ``auto`` or names; each by itself, without fallback.
        threads: CPU threads, or ``auto``.
        replicas: interpreters that run side by side: one query is then a run of each.
        plan: how long; :data:`~edge_sdk.measure.plan.QUICK`, or :func:`~edge_sdk.measure.plan.make_plan`.
        progress: hears of stages.
        options: see :class:`~edge_sdk.measure.options.BenchmarkOptions`.

    Returns:
        Numbers with the conditions under which they were taken; ``valid`` is False where they cannot be believed.

    Raises:
        EdgeSdkError: a model cannot be opened as asked, or fails in a run.
        MeasurementError: nothing is named, or too much.
    """
    data, ops = options.pop("data", None), options.pop("ops", False)
    machine = options.pop("machine", None)
    listed = [models] if isinstance(models, str | Path) else list(models)
    named = [delegates] if isinstance(delegates, str | Candidate) else list(delegates)
    counts: list[Threads] = [threads] if isinstance(threads, int | str) else list(threads)
    abreast = [replicas] if isinstance(replicas, int) else list(replicas)
    combined = list(product(listed, named, counts, abreast))
    if not 0 < len(combined) <= _MOST:
        raise MeasurementError(f"expected 1 to {_MOST} combinations to measure, got {len(combined)}")
    if ops:
        check_ops([one if isinstance(one, str) else one.name for one in named], options.get("engine"))
    inputs = _inputs(data) if data is not None else None
    subjects = [session_subject(m, d, t, replicas=r, inputs=inputs, **options) for m, d, t, r in combined]
    found = measure(list(_unique(subjects)), plan, machine=machine, progress=progress or Silent())
    return with_ops(found, progress or Silent()) if ops else found


def _unique(subjects: Sequence[Subject]) -> Iterator[Subject]:
    """The same thing may be measured twice, to see what a difference of nothing looks like."""
    seen: dict[str, int] = {}
    for one in subjects:
        seen[one.id] = count = seen.get(one.id, 0) + 1
        name = one.name if count == 1 else f"{one.name} ({count})"
        yield replace(one, id=name, name=name)


def _inputs(data: Data) -> Callable[[Session], Arrays]:
    """The first sample of DATA."""
    from edge_sdk.data import open_data

    def first(session: Session) -> Arrays:
        source = open_data(data, session.inputs)
        for sample in islice(source.samples(), 1):
            return sample
        raise CalibrationError(f"{source.description}: holds no sample")

    return first
