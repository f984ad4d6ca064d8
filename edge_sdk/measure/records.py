"""What a benchmark found, as it is written: one record for Python, for the Android app and for what reads either.

Names and units are MLPerf Mobile's where it has the same thing (``mobile_app_open``: ``ExtendedResult``, its
``results`` and ``loadgen_info``; durations and latencies there are seconds). What it lacks carries its unit in its
name. All here is *measured*, but what :attr:`BackendInfo.delegated_told_by` calls predicted. A value that is not known
is left out, never 0 or null.
``schema.json`` beside this file is the published JSON Schema, written from these classes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, Final, Literal

from edge_sdk.measure.timed import Figure, Memory, OpProfile, PerformanceRun, Sustained, WarmUp
from edge_sdk.rows import Tabular

SCHEMA: Final = "edge-sdk-benchmark/1"
RunMode = Literal["quotable", "quick", "custom", "sustained"]
Verdict = Literal["faster", "slower", "equal", "undecided"]


@dataclass(frozen=True)
class MetaInfo:
    """Which result this is.

    Attributes:
        uuid: a new one for each result.
        creation_date: ISO 8601 with its offset, at the end of the run.
        run_mode: ``quotable`` asks for MLPerf's 1,024 queries and 60 s; ``quick`` for less, and its numbers are not to
            be quoted; ``custom`` for what the user said; ``sustained`` runs for minutes, to see them drift.
    """

    uuid: str
    creation_date: str
    run_mode: RunMode


@dataclass(frozen=True)
class BuildInfo:
    """What measured: ``app`` is ``edge-sdk`` or the Android application's id; ``kind`` tells a shell from an app."""

    app: str
    version: str
    kind: Literal["python", "android-app"]


@dataclass(frozen=True)
class EnvironmentInfo:
    """The device. ``props`` are the system's own properties, such as ``ro.soc.model`` of Android."""

    platform: Literal["linux", "android", "other"]
    os_version: str
    model_name: str
    arch: str
    cpus: int
    manufacturer: str | None = None
    model_code: str | None = None
    board_code: str | None = None
    proc_cpuinfo_soc_name: str | None = None
    total_memory_bytes: int | None = None
    python: str | None = None
    props: Mapping[str, str] | None = None


@dataclass(frozen=True)
class BackendSettings:
    """What was asked for.

    Attributes:
        accelerator_code: ``cpu``, ``gpu``, ``npu`` or ``dsp``.
        delegate: ``auto`` or its name.
        framework: ``TFLite``.
        model_path: as the user named it.
        model_sha256: of the .tflite that ran, of a bundle the variant's.
        batch_size: samples in one query: the first extent of the first input.
        threads: on the CPU, of each replica.
        replicas: interpreters that ran side by side; left out where there was one.
        variant: of a bundle.
        extra_settings: anything else, such as the library of an external delegate.
    """

    accelerator_code: str
    delegate: str
    framework: str
    model_path: str
    model_sha256: str
    model_bytes: int
    batch_size: int
    threads: int
    variant: str | None = None
    replicas: int | None = None
    extra_settings: Mapping[str, str] | None = None


@dataclass(frozen=True)
class BackendInfo:
    """What ran, as the receipt has it.

    Attributes:
        backend_name: engine and version.
        delegate_name: the delegate that runs.
        accelerator_name: the hardware that it runs on.
        delegated_ops: of ``ops`` of the main subgraph, how many the delegate took.
        delegated_mac_share: its share of multiply-accumulates, 0 to 1.
        delegated_told_by: ``measured`` if the engine said so, ``predicted`` if rules did.
        self_test: how outputs were checked before anything was timed.
        notes: the receipt's.
    """

    backend_name: str
    delegate_name: str
    accelerator_name: str
    ops: int | None = None
    delegated_ops: int | None = None
    partitions: int | None = None
    delegated_mac_share: float | None = None
    delegated_told_by: Literal["measured", "predicted"] | None = None
    self_test: str | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Reason:
    """Why a result is INVALID. ``rule`` is a stable kebab-case id; ``message`` has what was measured and the limit."""

    rule: str
    message: str
    hint: str = ""


@dataclass(frozen=True)
class Validity:
    """VALID if there is no reason against it."""

    valid: bool
    reasons: tuple[Reason, ...] = ()


@dataclass(frozen=True)
class Result:
    """One model with one delegate and one number of threads.

    Attributes:
        benchmark_id: unique within the file; comparisons refer to it.
        benchmark_name: for people.
        loadgen_scenario: a query begins when the one before is done. ``MultiStream``: a query is a run of each replica,
            side by side.
        min_duration: seconds that were asked for.
        min_samples: queries that were asked for.
        init_ms: opening the model in the engine, without self-tests.
        first_run_ms: the first query after that.
    """

    benchmark_id: str
    benchmark_name: str
    loadgen_scenario: Literal["SingleStream", "MultiStream"]
    backend_settings: BackendSettings
    backend_info: BackendInfo
    warm_up: WarmUp
    performance_run: PerformanceRun
    validity: Validity
    min_duration: float
    min_samples: int
    memory: Memory | None = None
    init_ms: float | None = None
    first_run_ms: float | None = None
    op_profile: OpProfile | None = None
    sustained: Sustained | None = None


@dataclass(frozen=True)
class Look:
    """The machine at one moment.

    Attributes:
        at_s: seconds from the start of the timed queries; negative before.
        cpu_mhz: clock of each CPU that has one to tell, by number.
        cpu_limit_mhz: what the system lets it reach at that moment.
        on_cpu: the CPU that ran the last query.
        governor: of each CPU.
        temperature_c: of each sensor.
        load: CPUs that other programs kept busy since the look before, in CPUs.
        stolen: CPUs' worth of time that the hypervisor gave to others since then.
        waited_share: share of the time since then that this process was ready to run and was not let.
        throttle_events: of all CPUs, counted by the kernel since it started.
        cooling: state of each cooling device that is not off.
        thermal_status: Android's, 0 (none) to 6 (shutdown).
        thermal_headroom: Android's forecast, 1 being severe throttling.
        power_save: whether Android saves power.
        battery_percent: charge.
        plugged: whether it charges.
    """

    at_s: float
    cpu_mhz: Mapping[str, int] | None = None
    cpu_limit_mhz: Mapping[str, int] | None = None
    on_cpu: int | None = None
    governor: Mapping[str, str] | None = None
    temperature_c: Mapping[str, float] | None = None
    load: float | None = None
    stolen: float | None = None
    waited_share: float | None = None
    throttle_events: int | None = None
    cooling: Mapping[str, int] | None = None
    thermal_status: int | None = None
    thermal_headroom: float | None = None
    power_save: bool | None = None
    battery_percent: float | None = None
    plugged: bool | None = None


@dataclass(frozen=True)
class Conditions:
    """The machine before, during and after the timed queries.

    Attributes:
        not_seen: what this system does not tell, so that no rule could watch it.
        notes: what happened and does no harm to the numbers.
    """

    before: Look
    during: tuple[Look, ...]
    after: Look
    not_seen: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Comparison:
    """One result against the first, queries taken in turn.

    Attributes:
        base: ``benchmark_id``.
        candidate: likewise.
        ratio: the candidate's median latency over the base's, with its interval; where they differ in replicas, of the
            time per run.
        verdict: ``faster`` or ``slower`` if the whole interval lies beyond ``margin``, ``equal`` if it lies within,
            else ``undecided``: more time would tell.
        margin: a difference of less does not matter; a share, 0.02 unless the user says otherwise.
        sittings: how often both were opened anew, for where a model comes to lie in memory changes its speed.
        validity: of the comparison.
    """

    base: str
    candidate: str
    ratio: Figure
    verdict: Verdict
    margin: float
    sittings: int
    validity: Validity


@dataclass(frozen=True, repr=False)
class Benchmark(Tabular):
    """A whole result file."""

    schema: Literal["edge-sdk-benchmark/1"]
    meta: MetaInfo
    build_info: BuildInfo
    environment_info: EnvironmentInfo
    results: tuple[Result, ...]
    conditions: Conditions
    comparisons: tuple[Comparison, ...] = ()

    @property
    def valid(self) -> bool:
        """Whether every number in it can be believed."""
        verdicts = [one.validity for one in self.results] + [one.validity for one in self.comparisons]
        return all(one.valid for one in verdicts)

    def headline(self) -> str:
        """What was measured, where, and whether to believe it."""
        names = ", ".join(one.benchmark_name for one in self.results)
        return f"{names} on {self.environment_info.model_name}: {'valid' if self.valid else 'INVALID'}"

    def rows(self) -> list[dict[str, Any]]:
        """A row for each result; latencies in ms."""
        return [
            {
                "name": one.benchmark_name,
                "delegate": one.backend_info.delegate_name,
                "threads": one.backend_settings.threads,
                "p50_ms": one.performance_run.latency_ms.p50.value,
                "p50_low_ms": one.performance_run.latency_ms.p50.low,
                "p50_high_ms": one.performance_run.latency_ms.p50.high,
                "queries": one.performance_run.measured_samples,
                "valid": one.validity.valid,
            }
            for one in self.results
        ]

    def as_json(self) -> dict[str, Any]:
        """Plain data; what is not known is left out."""
        found: dict[str, Any] = plain(self)
        return found


def plain(value: Any) -> Any:
    """Records as plain data; what is not known is left out."""
    if is_dataclass(value) and not isinstance(value, type):
        listed = ((field.name, getattr(value, field.name)) for field in fields(value))
        return {name: plain(one) for name, one in listed if one is not None}
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, tuple | list):
        return [plain(one) for one in value]
    return value
