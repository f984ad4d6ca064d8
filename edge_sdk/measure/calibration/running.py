"""``edge-sdk devices calibrate local``: kernels and small networks timed one after the other, the machine watched."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

import numpy as np

from edge_sdk.checks.delegates.xnnpack.kernels import cpu_kernels
from edge_sdk.checks.timing.table import SCHEMA, Subject, Table, Timed
from edge_sdk.checks.timing.work import RULES, Workload, workload
from edge_sdk.engines.installed import Engine, find_engine
from edge_sdk.engines.interpreter import InterpreterExecutor
from edge_sdk.engines.options import DelegateOptions
from edge_sdk.engines.seeded_inputs import seeded_inputs
from edge_sdk.engines.source import ModelSource, source_of
from edge_sdk.errors import MeasurementError, ModelError
from edge_sdk.measure.calibration.kept import Kept
from edge_sdk.measure.calibration.kernels import Kernel, kernels
from edge_sdk.measure.calibration.networks import networks
from edge_sdk.measure.clock import Clock, jumps
from edge_sdk.measure.conditions import Watch
from edge_sdk.measure.machine import Machine, environment
from edge_sdk.measure.records import Conditions, Look, Reason, plain
from edge_sdk.measure.statistics import Samples, latency_ms, quantile, reach
from edge_sdk.measure.steady import settle
from edge_sdk.measure.taking import Taken, Turn, batch_for, overhead_ns, take
from edge_sdk.measure.timed import WarmUp
from edge_sdk.measure.validity import machine_reasons, sample_reasons
from edge_sdk.profile.detect import this_cores, this_isa
from edge_sdk.progress import Progress, Silent
from edge_sdk.runtime.memory import limits

# A file is timed for a tenth of a second once it has settled, which takes three twentieths.
_TIMED_NS, _PATIENCE_S = 100_000_000, 1.0
_FEWEST_SAMPLES, _MOST_SAMPLES = 12, 2000
_FASTEST = 0.1
TRIES = 3
"""Of a file that is disturbed."""
_LOOK_S = 1.0
# So many may stay noisy before the whole table is no use.
_NOISY_SHARE = 0.05
_ANCHOR_DRIFT = 0.05


def calibrate(
    *,
    engine: str | None = None,
    threads: int = 1,
    kept: Kept | None = None,
    machine: Machine | None = None,
    progress: Progress | None = None,
    wanted: Sequence[Kernel] = (),
) -> Table:
    """Times all kernels on this machine; some four minutes.

    Args:
        engine: see :func:`~edge_sdk.engines.installed.find_engine`.
        threads: of the engine.
        kept: where what is done is kept while it runs, so that an interrupted calibration is taken up again.
        machine: for tests.
        progress: hears of stages.
        wanted: other kernels, for tests; none for all.

    Raises:
        MissingDependencyError: there is no engine.
        MeasurementError: what is kept is of another device, engine, number of threads or plan.
    """
    found = find_engine(engine)
    here = machine or Machine()
    listed = list(wanted) or [*kernels(), *networks()]
    return _Calibrating(found, threads, here, listed, progress or Silent(), kept or Kept()).table()


def sampled(
    source: ModelSource, options: DelegateOptions, clock: Clock, *, plain: bool = False
) -> tuple[Samples, WarmUp]:
    """Times one file until it has settled, and for a tenth of a second after that.

    Args:
        source: the file.
        options: the engine and its threads.
        clock: what times.
        plain: without XNNPACK.

    Returns:
        Latencies in ms, shape (n,), in order; and how the warm-up went.
    """
    executor = InterpreterExecutor(source, options, default_delegates=not plain)
    try:
        executor.write(seeded_inputs(source.artifact)[0])
        warm_up, query_ns = settle(executor.invoke, clock, patience_s=_PATIENCE_S)
        taken = Taken(batch_for(query_ns, overhead_ns(clock)))
        count = max(_FEWEST_SAMPLES, int(_TIMED_NS / max(1.0, query_ns * taken.batch)))
        take(Turn(executor.invoke, taken, min(count, _MOST_SAMPLES), 0), clock)
        return np.frombuffer(taken.took, np.float64) / 1e6, warm_up
    finally:
        executor.close()


def fastest(samples: Samples) -> float:
    """What the fastest tenth of runs stay within, in the unit of the samples: what disturbs a run only ever adds to it.

    On a quiet machine it is the median less a per cent or two.
    """
    return quantile(samples, _FASTEST)


def judged(kernel: Kernel, load: Workload, samples: Samples, warm_up: WarmUp) -> Timed:
    """A file's time as a table has it, and why it cannot be believed.

    Args:
        kernel: what was timed.
        load: what it has to do.
        samples: latencies in ms, shape (n,), in order.
        warm_up: how it went.
    """
    latency = latency_ms(samples)
    reasons = sample_reasons(samples, latency, warm_up, sustained=False)
    return Timed(
        id=kernel.id,
        group=kernel.group,
        us=round(fastest(samples) * 1e3, 4),
        spread=None if (half := reach(latency.p50)) is None else round(half, 4),
        partitions=load.partitions,
        border_bytes=load.border_bytes,
        work=tuple(one.work for one in load.ops if one.work is not None),
        reasons=tuple(f"{reason.rule}: {reason.message}" for reason in reasons),
    )


def this_subject(engine: Engine, threads: int, machine: Machine | None = None) -> Subject:
    """What a table of this machine holds for."""
    here = machine or Machine()
    seen = environment(here)
    arch, isa = this_isa()
    return Subject(
        device=seen.model_name,
        soc=seen.proc_cpuinfo_soc_name or "",
        arch=seen.arch,
        cpus=seen.cpus,
        engine=engine.name,
        version=engine.version,
        threads=threads,
        kernels=cpu_kernels(arch, isa, this_cores()).name,
    )


class _Calibrating:
    """One calibration while it runs."""

    def __init__(
        self,
        engine: Engine,
        threads: int,
        machine: Machine,
        listed: Sequence[Kernel],
        progress: Progress,
        kept: Kept,
    ) -> None:
        if engine.name not in RULES:
            raise MeasurementError(f"{engine} is none that times are predicted for: {', '.join(RULES)}")
        self._options = DelegateOptions(engine, threads)
        self._machine, self._clock = machine, machine.clock
        self._listed, self._progress = listed, progress
        self._watch = Watch(machine.root)
        self._subject = this_subject(engine, threads, machine)
        self._plan = plan_of(listed)
        self._kept = kept
        self._looks: list[Look] = []
        self._refused: dict[str, str] = {}
        self._begin = self._clock.read()
        self._looked_s = 0.0

    def table(self) -> Table:
        self._watch.look(0.0, self._now_s())
        self._looks.append(self._look())
        done = self._kept.begin(self._subject, self._plan)
        self._progress.stage(f"time {len(self._listed) - len(done)} of {len(self._listed)} kernels: {self._subject}")
        anchors = [self._anchor()]
        for place, kernel in enumerate(self._listed):
            if kernel.id not in done:
                self._try(kernel, done)
            self._progress.count(place + 1, len(self._listed))
            if self._now_s() - self._looked_s >= _LOOK_S:
                self._looks.append(self._look())
        self._repeat(done)
        anchors.append(self._anchor())
        made = self._report([done[kernel.id] for kernel in self._listed if kernel.id in done], anchors)
        self._kept.forget()
        return made

    def _try(self, kernel: Kernel, done: dict[str, Timed]) -> None:
        """An older engine lacks an op or two, a small board room for some: nothing is predicted of them then."""
        free = min((limit.free_bytes for limit in limits()), default=kernel.needs_bytes)
        if free < kernel.needs_bytes:
            needs = f"needs {kernel.needs_bytes >> 20} MiB, and {free >> 20} MiB are free"
            self._refused[kernel.id] = needs
            return
        try:
            done[kernel.id] = self._timed(kernel)
        except ModelError as error:
            self._refused[kernel.id] = str(error)
            return
        self._kept.add(done[kernel.id])

    def _repeat(self, done: dict[str, Timed]) -> None:
        """What was disturbed is timed again, when the disturbance may have passed."""
        for _ in range(TRIES - 1):
            noisy = [kernel for kernel in self._listed if kernel.id in done and done[kernel.id].reasons]
            if noisy:
                self._progress.stage(f"time {len(noisy)} again that were disturbed")
            for kernel in noisy:
                again = self._timed(kernel)
                if not again.reasons or again.us < done[kernel.id].us:
                    done[kernel.id] = again

    def _timed(self, kernel: Kernel) -> Timed:
        source = source_of(kernel.build(), name=kernel.id)
        engine = self._options.engine
        load = workload(source.artifact, engine.name, engine.version, plain=kernel.plain)
        samples, warm_up = sampled(source, self._options, self._clock, plain=kernel.plain)
        return judged(kernel, load, samples, warm_up)

    def _anchor(self) -> float:
        """The first kernel, timed at both ends: a clock that changed in between shows in it. Microseconds."""
        return self._timed(self._listed[0]).us

    def _look(self) -> Look:
        now = self._now_s()
        self._looked_s = now
        return self._watch.look(now - self._begin.now_s, now)

    def _report(self, timed: Sequence[Timed], anchors: Sequence[float]) -> Table:
        end, after = self._clock.read(), self._look()
        reasons, notes = jumps(self._begin, end)
        before, *during = self._looks
        conditions = Conditions(before, tuple(during), after, self._watch.not_seen(after), tuple(notes))
        reasons = [*reasons, *machine_reasons(conditions, cpus=self._machine.cpus, sustained=False)]
        reasons += of_the_whole(timed, anchors)
        return Table(
            schema=SCHEMA,
            subject=self._subject,
            creation_date=end.datetime,
            plan=self._plan,
            valid=not reasons,
            reasons=tuple(f"{reason.rule}: {reason.message}" for reason in reasons),
            conditions=plain(conditions),
            timed=tuple(timed),
            refused=self._refused,
            seconds=round(end.now_s - self._begin.now_s, 1),
        )

    def _now_s(self) -> float:
        return self._clock.now_ns() / 1e9


def of_the_whole(timed: Sequence[Timed], anchors: Sequence[float]) -> Iterator[Reason]:
    """Why no time of a table can be believed: too many files disturbed, or the first kernel's time has moved.

    Args:
        timed: all files.
        anchors: of the first kernel, at the beginning and at the end, microseconds.
    """
    noisy = [one for one in timed if one.reasons]
    if len(noisy) > _NOISY_SHARE * len(timed):
        yield Reason(
            "noisy",
            f"{len(noisy)} of {len(timed)} kernels could not be timed, the limit is {_NOISY_SHARE:.0%}; such as "
            f"{noisy[0].id}: {noisy[0].reasons[0]}",
            "measure on a quieter machine",
        )
    if abs(anchors[-1] / anchors[0] - 1) > _ANCHOR_DRIFT:
        yield Reason(
            "drift",
            f"the same kernel took {anchors[0]:.1f} us at the beginning and {anchors[-1]:.1f} us at the end, the limit "
            f"is {_ANCHOR_DRIFT:.0%}",
            "let the device cool down",
        )


def plan_of(listed: Sequence[Kernel]) -> str:
    """A hash of what is to be timed."""
    return hashlib.sha256("\n".join(kernel.id for kernel in listed).encode()).hexdigest()[:16]
