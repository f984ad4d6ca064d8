"""When a result is INVALID, and why: rules over what was seen of the machine and over the samples themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

import numpy as np

from edge_sdk.measure.records import Conditions, Look, Reason
from edge_sdk.measure.statistics import FEWEST, Samples, reach
from edge_sdk.measure.timed import LatencyMs, WarmUp

# CPUs that other programs may keep busy: a quarter of one, or a twentieth of all.
_OTHERS, _OTHERS_SHARE = 0.25, 0.05
_WAITED = 0.02
_STOLEN = 0.02
# Of the highest clock seen; turbo steps are some 3 %.
_CLOCK, _SLOW_LOOKS = 0.9, 0.05
_MODERATE = 2  # THERMAL_STATUS_MODERATE of Android's PowerManager.
_REACH = 0.02
_SPREAD = 0.2
_DRIFT = 0.05
_QUARTERS = 4


def machine_reasons(conditions: Conditions, *, cpus: int, sustained: bool) -> list[Reason]:
    """Why nothing that was timed on this machine at that time can be believed.

    Args:
        conditions: before, during and after.
        cpus: of the machine.
        sustained: heat is then what was looked for, and no reason.
    """
    rules: tuple[Callable[[Conditions], Iterator[Reason]], ...] = (_waited, _stolen, _power_save)
    if not sustained:
        rules += (_slow_clock, _lower_limit, _throttled)
    others = _others(conditions, max(_OTHERS, _OTHERS_SHARE * cpus))
    return [*others, *(reason for rule in rules for reason in rule(conditions))]


def sample_reasons(samples: Samples, latency: LatencyMs, warm_up: WarmUp, *, sustained: bool) -> list[Reason]:
    """Why one subject's latencies cannot be believed.

    Args:
        samples: ms, in the order in which they were taken.
        latency: their summary.
        warm_up: how it went.
        sustained: drift is then what was looked for, and one median of all says nothing.
    """
    found = [] if warm_up.detected else [Reason("not-settled", f"latency did not settle: {warm_up.why}")]
    if len(samples) < FEWEST:
        words = f"{len(samples)} samples, {FEWEST} are the fewest that have an interval"
        return [*found, Reason("too-few", words, "measure for longer")]
    if sustained:
        return found
    return [*found, *_imprecise(latency), *_spread(samples, latency.p50.value), *_drift(samples)]


def _others(conditions: Conditions, limit: float) -> Iterator[Reason]:
    load = _average(conditions, "load")
    if load is not None and load > limit:
        yield Reason(
            "busy-machine",
            f"other programs kept {load:.2f} CPUs busy, the limit is {limit:.2f}",
            "end them, and measure again",
        )


def _waited(conditions: Conditions) -> Iterator[Reason]:
    waited = _average(conditions, "waited_share")
    if waited is not None and waited > _WAITED:
        yield Reason(
            "waited-for-cpu",
            f"for {waited:.1%} of the time this process was ready and another ran, the limit is {_WAITED:.0%}",
            "end other programs, or use fewer threads than CPUs",
        )


def _stolen(conditions: Conditions) -> Iterator[Reason]:
    stolen = _average(conditions, "stolen")
    if stolen is not None and stolen > _STOLEN:
        yield Reason(
            "stolen-by-hypervisor",
            f"the hypervisor gave {stolen:.3f} CPUs of this virtual machine to others, the limit is {_STOLEN:g}",
            "measure on a machine of your own",
        )


def _power_save(conditions: Conditions) -> Iterator[Reason]:
    if any(look.power_save for look in _looks(conditions)):
        yield Reason("power-save", "the device saved power", "turn battery saver off")


def _slow_clock(conditions: Conditions) -> Iterator[Reason]:
    """The clock of whatever CPU ran the last query; idle ones may be as slow as they like."""
    clocks = [mhz for look in conditions.during if (mhz := _own_clock(look)) is not None]
    if not clocks:
        return
    slow = [mhz for mhz in clocks if mhz < _CLOCK * max(clocks)]
    if slow and len(slow) > _SLOW_LOOKS * len(clocks):
        yield Reason(
            "frequency-drop",
            f"the CPU's clock fell to {min(slow)} of {max(clocks)} MHz, below {_CLOCK:.0%} in {len(slow)} of "
            f"{len(clocks)} looks",
            "cool the device, or choose the governor `performance`",
        )


def _lower_limit(conditions: Conditions) -> Iterator[Reason]:
    before = conditions.before.cpu_limit_mhz or {}
    for cpu, limit in before.items():
        seen = [(look.cpu_limit_mhz or {}).get(cpu, limit) for look in _looks(conditions)]
        if min(seen) < limit:
            yield Reason(
                "frequency-limit",
                f"the system lowered the limit of CPU {cpu}'s clock from {limit} to {min(seen)} MHz during the run",
                "cool the device",
            )
            return


def _throttled(conditions: Conditions) -> Iterator[Reason]:
    before, looks = conditions.before, _looks(conditions)
    events = [look.throttle_events for look in looks if look.throttle_events is not None]
    if events and max(events) > events[0]:
        yield Reason("throttled", f"the CPUs were throttled {max(events) - events[0]} times", "cool the device")
    started = {
        name
        for look in looks
        for name, state in (look.cooling or {}).items()
        if state > (before.cooling or {}).get(name, 0)
    }
    if started:
        yield Reason(
            "cooling", f"cooling came on during the run: {', '.join(sorted(started))}", "cool the device first"
        )
    status = max((look.thermal_status for look in looks if look.thermal_status is not None), default=0)
    if status >= _MODERATE:
        yield Reason("thermal-status", f"Android's thermal status reached {status}, the limit is 1", "cool the device")


def _imprecise(latency: LatencyMs) -> Iterator[Reason]:
    half = reach(latency.p50)
    if half is not None and half > _REACH:
        yield Reason(
            "imprecise",
            f"the median is known to {half:.1%} only, the limit is {_REACH:.0%}",
            "measure for longer, or on a quieter machine",
        )


def _spread(samples: Samples, p50: float) -> Iterator[Reason]:
    low, high = np.percentile(samples, [25, 75])
    if (high - low) / p50 > _SPREAD:
        yield Reason(
            "noisy",
            f"the middle half of the queries spreads over {(high - low) / p50:.0%} of the median, the limit is "
            f"{_SPREAD:.0%}",
            "measure on a quieter machine",
        )


def _drift(samples: Samples) -> Iterator[Reason]:
    size = len(samples) // _QUARTERS
    first, last = float(np.median(samples[:size])), float(np.median(samples[-size:]))
    if abs(last / first - 1) > _DRIFT:
        yield Reason(
            "drift",
            f"the last quarter's median is {last / first - 1:+.1%} off the first's, the limit is {_DRIFT:.0%}",
            "let the device cool down, or use a sustained run to see where it ends",
        )


def _own_clock(look: Look) -> int | None:
    clocks = look.cpu_mhz or {}
    return clocks.get(str(look.on_cpu)) if look.on_cpu is not None else None


def _looks(conditions: Conditions) -> Sequence[Look]:
    return (conditions.before, *conditions.during, conditions.after)


def _average(conditions: Conditions, name: str) -> float | None:
    """Over the timed queries: each look tells of the time since the one before it."""
    looks = _looks(conditions)
    told = [
        (getattr(look, name), look.at_s - before.at_s)
        for before, look in pairwise(looks)
        if getattr(look, name) is not None and look.at_s > before.at_s
    ]
    length = sum(span for _, span in told)
    return sum(value * span for value, span in told) / length if length else None
