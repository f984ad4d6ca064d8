"""A simulated machine: a clock that moves when a query runs, files of /proc and /sys that follow it, models with noise.

What a benchmark says of it is known beforehand, and 20 benchmarks of a minute each take seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from edge_sdk.measure.clock import Clock
from edge_sdk.measure.machine import Machine
from edge_sdk.measure.records import BackendInfo, BackendSettings
from edge_sdk.measure.subjects import About, Subject

_READ_NS = 40
_TICKS = 100
_WRITE_EVERY_S = 0.25


@dataclass
class Simulation:
    """Time in ns, and what the machine's files say at a time in seconds.

    Attributes:
        root: where the files are written.
        hog: CPUs that others keep busy.
        waited: share of the time that this process waits.
        mhz: clock of CPU 0, and its limit.
        throttled: events so far.
        cooling: state of the fan.
        wall_jump_ns: what the wall clock is set by after 1 s.
        slept_ns: how long it slept after 1 s.
        back_ns: by how much the timing clock jumps back, once, after 1 s.
    """

    root: Path
    hog: Callable[[float], float] = lambda at: 0.0
    waited: float = 0.0
    mhz: Callable[[float], int] = lambda at: 2000
    limit: Callable[[float], int] = lambda at: 2000
    throttled: Callable[[float], int] = lambda at: 0
    cooling: Callable[[float], int] = lambda at: 0
    wall_jump_ns: int = 0
    slept_ns: int = 0
    back_ns: int = 0
    ns: int = 10**12
    _written_s: float = -1.0
    _hogged_s: float = 0.0
    _start_ns: int = field(default=10**12)

    @property
    def at_s(self) -> float:
        """Seconds since the simulation began."""
        return (self.ns - self._start_ns) / 1e9

    def machine(self) -> Machine:
        """For ``measure``."""
        late: Callable[[int], int] = lambda shift: shift if self.at_s > 1 else 0  # noqa: E731 - one line
        clock = Clock(
            now_ns=self._now,
            wall_ns=lambda: 1_700_000_000_000_000_000 + self.ns + late(self.wall_jump_ns),
            raw_ns=lambda: self.ns,
            boot_ns=lambda: self.ns + late(self.slept_ns),
        )
        self._write()
        return Machine(clock, self.root, cpus=4)

    def advance(self, ns: float) -> None:
        """A query ran for so long."""
        self._hogged_s += self.hog(self.at_s) * ns / 1e9
        self.ns += int(ns)
        if self.at_s - self._written_s >= _WRITE_EVERY_S:
            self._write()

    def _now(self) -> int:
        self.ns += _READ_NS
        return self.ns - (self.back_ns if self.at_s > 1 else 0)

    def _write(self) -> None:
        at = self._written_s = self.at_s
        self._put("proc/stat", f"cpu  {int(self._hogged_s * _TICKS)} 0 0 0 0 0 0 0 0 0\n")
        self._put("proc/self/stat", f"1 (py thon) R {' '.join('0' for _ in range(35))} 0 0\n")
        self._put("proc/self/task/1/schedstat", f"5 {int(self.waited * at * 1e9)} 3\n")
        self._put("sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq", f"{self.mhz(at) * 1000}\n")
        self._put("sys/devices/system/cpu/cpu0/cpufreq/scaling_max_freq", f"{self.limit(at) * 1000}\n")
        self._put("sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "schedutil\n")
        self._put("sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count", f"{self.throttled(at)}\n")
        self._put("sys/class/thermal/thermal_zone0/temp", f"{int(40000 + 100 * at)}\n")
        self._put("sys/class/thermal/thermal_zone0/type", "cpu-thermal\n")
        self._put("sys/class/thermal/cooling_device0/type", "fan\n")
        self._put("sys/class/thermal/cooling_device0/cur_state", f"{self.cooling(at)}\n")

    def _put(self, path: str, text: str) -> None:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)


class Model:
    """A simulated model: noise of 2 %, slow waves of 1 %, one query in a hundred three times as slow, a slow start.

    Where it comes to lie in memory makes it up to some 1 % faster or slower from opening to opening.
    """

    def __init__(self, simulation: Simulation, ms: float, *, seed: int = 0, name: str = "model") -> None:
        self.simulation = simulation
        self.ms = ms
        self.name = name
        self.opened = 0
        self.closed = 0
        self.drift: Callable[[float], float] = lambda at: 1.0
        self.on_run: Callable[[int], None] = lambda run: None
        self._draw = np.random.default_rng(seed)
        self._runs = 0
        self._factors = np.empty(0)

    def subject(self) -> Subject:
        return Subject(self.name, self.name, self._open)

    def _open(self) -> Model:
        self.opened += 1
        self._since = 0
        self._place = 1 + 0.004 * self._draw.standard_normal()
        return self

    @property
    def about(self) -> About:
        settings = BackendSettings("cpu", "xnnpack", "TFLite", self.name, "0" * 64, 1, 1, 1)
        return About(settings, BackendInfo("simulated 1", "xnnpack", "cpu"), 3.0, 2 * self.ms)

    def run(self) -> None:
        self._runs += 1
        self._since += 1
        self.on_run(self._runs)
        if self._runs >= len(self._factors):
            noise = 1 + 0.02 * np.abs(self._draw.standard_normal(self._runs + 1000))
            self._factors = noise * np.where(self._draw.random(len(noise)) < 0.01, 3.0, 1.0)
        at = self.simulation.at_s
        wave = 1 + 0.005 * np.sin(at)
        cold = 1 + np.exp(-self._since / 3)
        self.simulation.advance(1e6 * self.ms * self._factors[self._runs] * wave * cold * self._place * self.drift(at))

    def close(self) -> None:
        self.closed += 1
