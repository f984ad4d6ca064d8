"""Times measured on one device to another of its family, by a fit from models that were measured on both: *translated*.

Two parameters on logarithms: ``log there = a + b log here``. Five-fold over models, such a fit from a Galaxy S24 was 5
to 7 % off on chips of its family in the rows of qai-hub-models 0.65.0, and 12 to 73 % on others: those are refused.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from edge_sdk.errors import MeasurementError
from edge_sdk.measure.records import Benchmark, EnvironmentInfo, Result
from edge_sdk.measure.statistics import Samples

FEWEST_PAIRS = 5
_COVERAGE = 0.9
_WIDEST = 2.0


@dataclass(frozen=True)
class Translated:
    """One result, as the other device would take it.

    Attributes:
        truth: always ``translated``.
        benchmark_id: of the result that was measured.
        measured_ms: there, its median.
        ms: on the other device; None where the interval would exceed a factor of two.
        low_ms: of the interval.
        high_ms: likewise.
        coverage: of that interval.
    """

    truth: Literal["translated"]
    benchmark_id: str
    measured_ms: float
    ms: float | None
    low_ms: float | None
    high_ms: float | None
    coverage: float


@dataclass(frozen=True)
class Translation:
    """Results of one device on another.

    Attributes:
        source: the device that was measured on.
        target: the other.
        pairs: how many models were measured on both.
        error: median of what each of these is off, predicted from the others; a share.
        results: one for each that was given.
    """

    source: str
    target: str
    pairs: int
    error: float
    results: tuple[Translated, ...]


def translate(wanted: Benchmark, pairs: Sequence[tuple[Benchmark, Benchmark]]) -> Translation:
    """Translates results.

    Args:
        wanted: measured on the first device.
        pairs: of the same files, measured on the first and on the other device.

    Raises:
        MeasurementError: too few models are in both; results are INVALID; devices are not those of the pairs, or of two
            families.
    """
    first, second = _devices(wanted, pairs)
    known = [pair for here, there in pairs for pair in _matched(here, there)]
    if len(known) < FEWEST_PAIRS:
        raise MeasurementError(
            f"{len(known)} results of {first.model_name} and {second.model_name} are of the same file, delegate and "
            f"threads, expected {FEWEST_PAIRS} or more",
            hint="measure more models on both: edge-sdk benchmark A.tflite B.tflite ... -o RESULT.json",
        )
    logs = np.log(np.array(known, np.float64))
    left = np.array([_left_out(logs, index) for index in range(len(logs))])
    rank = min(len(left), math.ceil((len(left) + 1) * _COVERAGE))
    reach = float(np.sort(np.abs(left))[rank - 1])
    coverage = min(_COVERAGE, len(left) / (len(left) + 1))
    slope, offset = _line(logs)
    results = tuple(_translated(one, slope, offset, reach, coverage) for one in _valid(wanted))
    return Translation(
        first.model_name, second.model_name, len(known), float(np.median(np.expm1(np.abs(left)))), results
    )


def _devices(
    wanted: Benchmark, pairs: Sequence[tuple[Benchmark, Benchmark]]
) -> tuple[EnvironmentInfo, EnvironmentInfo]:
    if not pairs:
        raise MeasurementError("expected pairs of results of the two devices, got none", hint="give --pair HERE THERE")
    first, second = wanted.environment_info, pairs[0][1].environment_info
    for here, there in pairs:
        for told, device in ((here.environment_info, first), (there.environment_info, second)):
            if told.model_name != device.model_name:
                raise MeasurementError(f"a pair is of {told.model_name}, expected {device.model_name}")
    if _family(first) != _family(second):
        raise MeasurementError(
            f"{first.model_name} ({' '.join(_family(first))}) and {second.model_name} "
            f"({' '.join(_family(second))}) are of two families: times do not translate",
            hint="calibrate the other one: edge-sdk devices calibrate",
        )
    return first, second


def _family(device: EnvironmentInfo) -> tuple[str, str, str]:
    """System, architecture, and who made the chip: its maker as Android tells, else the device's."""
    chip = (device.props or {}).get("ro.soc.manufacturer") or device.proc_cpuinfo_soc_name or device.model_name
    return device.platform, device.arch, chip.split()[0].lower()


def _valid(benchmark: Benchmark) -> list[Result]:
    for one in benchmark.results:
        if not one.validity.valid:
            reasons = "; ".join(reason.message for reason in one.validity.reasons)
            raise MeasurementError(f"{one.benchmark_id} is INVALID: {reasons}", hint="measure it again")
    return list(benchmark.results)


def _matched(here: Benchmark, there: Benchmark) -> Iterator[tuple[float, float]]:
    """Medians of what ran on both: the same file by the same delegate, on as many threads."""
    others = {_what(one): one for one in _valid(there)}
    for one in _valid(here):
        other = others.get(_what(one))
        if other is not None:
            yield _median(one), _median(other)


def _what(one: Result) -> tuple[str, str, int]:
    return one.backend_settings.model_sha256, one.backend_info.delegate_name, one.backend_settings.threads


def _median(one: Result) -> float:
    return one.performance_run.latency_ms.p50.value


def _line(logs: Samples) -> tuple[float, float]:
    slope, offset = np.polyfit(logs[:, 0], logs[:, 1], 1)
    return float(slope), float(offset)


def _left_out(logs: Samples, index: int) -> float:
    """How far one is off what the others say of it."""
    slope, offset = _line(np.delete(logs, index, axis=0))
    return float(logs[index, 1] - (slope * logs[index, 0] + offset))


def _translated(one: Result, slope: float, offset: float, reach: float, coverage: float) -> Translated:
    measured = _median(one)
    ms = math.exp(slope * math.log(measured) + offset)
    factor = math.exp(reach)
    if factor > _WIDEST:
        return Translated("translated", one.benchmark_id, measured, None, None, None, coverage)
    return Translated("translated", one.benchmark_id, measured, ms, ms / factor, ms * factor, coverage)
