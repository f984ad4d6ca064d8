"""The parts of a benchmark: statistics, warm-up, taking samples, conditions."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edge_sdk.measure.clock import Clock, Reading, jumps
from edge_sdk.measure.comparing import verdict_of
from edge_sdk.measure.conditions import Watch
from edge_sdk.measure.memory import around, heap_bytes, peak_rss_bytes
from edge_sdk.measure.records import Verdict
from edge_sdk.measure.statistics import figures, latency_ms, quantile, ratio_of_sittings, student
from edge_sdk.measure.steady import settle
from edge_sdk.measure.taking import Taken, batch_for, overhead_ns, round_of, take, turn_for
from edge_sdk.measure.timed import Figure


@pytest.mark.parametrize("count", [1, 2, 9, 10, 99, 100, 101, 1024])
@pytest.mark.parametrize("share", [0.5, 0.9, 0.99, 1.0])
def test_quantiles_are_the_nearest_rank(count: int, share: float) -> None:
    samples = np.random.default_rng(count).standard_normal(count)
    expected = np.percentile(samples, 100 * share, method="inverted_cdf")
    assert quantile(samples, share) == expected


def test_an_interval_holds_the_true_median_about_as_often_as_it_says() -> None:
    """Neighbours are correlated by 0.8, as where a clock wanders: single draws would hold it in some 50 %."""
    held = 0
    for seed in range(100):
        draw = np.random.default_rng(seed)
        noise = np.empty(1000)
        noise[0] = draw.standard_normal()
        for i, step in enumerate(draw.standard_normal(999), 1):
            noise[i] = 0.8 * noise[i - 1] + 0.6 * step
        (median,), _ = figures(np.exp(0.05 * noise), [0.5], seed=seed)
        assert median.low is not None
        assert median.high is not None
        held += median.low <= 1.0 <= median.high
    # 95 of 100 expected; four standard deviations of a binomial of 0.9, which 25 blocks come to, leave 78.
    assert held >= 78


def test_means_of_blocks_are_means() -> None:
    samples = np.random.default_rng(0).exponential(size=5000)
    (_, _, _), mean = figures(samples, [0.5, 0.9, 0.99])
    assert mean.value == pytest.approx(samples.mean())
    assert mean.low is not None
    assert mean.high is not None
    # 1.96 sigma / sqrt(n), sigma being 1.
    assert (mean.high - mean.low) / 2 == pytest.approx(1.96 / np.sqrt(5000), rel=0.35)


def test_few_samples_have_no_interval_and_no_tail() -> None:
    few = latency_ms(np.array([1.0, 2.0, 3.0]))
    assert (few.p50.value, few.p50.low, few.p90, few.p99) == (2.0, None, None, None)
    assert latency_ms(np.arange(1.0, 100.0)).p99 is None
    assert latency_ms(np.arange(1.0, 101.0)).p99 is not None


def test_the_ratio_of_sittings_is_students() -> None:
    """By hand: logarithms 0.1, 0.2, 0.3 have the mean 0.2, the deviation 0.1, and t of two degrees is 4.303."""
    base = [1.0, 1.0, 1.0]
    ratio = ratio_of_sittings(base, [math.exp(0.1), math.exp(0.2), math.exp(0.3)])
    assert ratio.value == pytest.approx(np.exp(0.2))
    assert ratio.high == pytest.approx(np.exp(0.2 + 4.303 * 0.1 / np.sqrt(3)), rel=1e-6)
    assert ratio_of_sittings(base[:1], base[:1]) == Figure(1.0)


def test_students_t_beyond_the_table() -> None:
    assert student(40) == pytest.approx(2.021, abs=0.001)
    assert student(120) == pytest.approx(1.980, abs=0.001)


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (1.03, 1.2, "slower"),
        (0.8, 0.97, "faster"),
        (0.99, 1.01, "equal"),
        (1.01, 1.05, "undecided"),
        (0.9, 1.1, "undecided"),
        (None, None, "undecided"),
    ],
)
def test_a_verdict_needs_the_whole_interval(low: float | None, high: float | None, verdict: Verdict) -> None:
    assert verdict_of(Figure(1.0, low, high), 0.02) == verdict


def test_timing_adds_less_than_a_microsecond() -> None:
    """Of an empty function, on whatever machine this runs; the median, for a busy one may take the CPU away."""
    assert overhead_ns(Clock()) < 1000
    assert overhead_ns(Clock(), batch=100) < 1000


def test_a_batch_is_long_enough_for_the_clock() -> None:
    assert batch_for(query_ns=2_000, overhead_ns=60) == 6
    assert batch_for(query_ns=1_000_000, overhead_ns=60) == 1
    assert batch_for(query_ns=0, overhead_ns=60) == 12_000


class Ticking:
    """A clock that a function moves."""

    def __init__(self) -> None:
        self.ns = 0

    def clock(self) -> Clock:
        return Clock(now_ns=lambda: self.ns, raw_ns=None, boot_ns=None)

    def run(self, ns: int) -> None:
        self.ns += ns


def test_every_subject_comes_first_as_often_as_last() -> None:
    ticking, order = Ticking(), []

    def running(name: str) -> None:
        order.append(name)
        ticking.run(30_000_000)

    turns = [turn_for(lambda n=n: running(n), Taken(1), 30e6, alone=False) for n in "abc"]  # type: ignore[misc]
    for _ in range(300):
        round_of(turns, ticking.clock(), np.random.default_rng(len(order)))
    firsts = order[::3]
    # 100 each expected, with a standard deviation of 8.2.
    assert all(60 < firsts.count(name) < 140 for name in "abc")
    assert all(set(order[i : i + 3]) == set("abc") for i in range(0, 900, 3))


def test_samples_that_take_less_than_nothing_are_counted_and_not_kept() -> None:
    ticking = Ticking()
    taken = Taken(1)
    take(turn_for(lambda: ticking.run(-5), taken, 30e6, alone=False), ticking.clock())
    assert (taken.backwards, len(taken.took)) == (1, 0)


def test_what_never_settles_is_told_when_patience_ends() -> None:
    ticking, runs = Ticking(), [0]

    def growing() -> None:
        runs[0] += 1
        ticking.run(int(1e6 * 1.02 ** runs[0]))

    warm_up, _ = settle(growing, ticking.clock(), patience_s=5)
    assert not warm_up.detected
    assert "still differed" in warm_up.why


@pytest.mark.parametrize("query_ns", [2_000, 5_000_000, 20_000_000_000])
def test_what_is_steady_settles_at_once(query_ns: int) -> None:
    ticking = Ticking()
    warm_up, median = settle(lambda: ticking.run(query_ns), ticking.clock())
    assert warm_up.detected
    assert median == query_ns
    assert warm_up.queries >= 3
    assert warm_up.queries == 3 or warm_up.duration_ms < 200


def test_clocks_are_compared() -> None:
    begin = Reading(100.0, 1e9, 50.0, 100.0)
    assert jumps(begin, Reading(160.0, 1e9 + 60, 110.02, 160.0)) == ([], [])
    (reason,), _ = jumps(begin, Reading(160.0, 1e9 + 60, 111.0, 160.0))
    assert reason.rule == "clock-jump"
    (reason,), _ = jumps(begin, Reading(160.0, 1e9 + 360, 110.0, 460.0))
    assert "slept for 300.0 s" in reason.message
    _, (note,) = jumps(begin, Reading(160.0, 1e9 - 40, 110.0, 160.0))
    assert "-100.0 s" in note
    assert jumps(Reading(1.0, 0.0, None, None), Reading(2.0, 1.0, None, None)) == ([], [])


def put(root: Path, **files: str) -> None:
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)


def test_a_machine_that_tells_nothing_is_looked_at_all_the_same(tmp_path: Path) -> None:
    watch = Watch(tmp_path)
    watch.look(0, 0)
    look = watch.look(1, 1)
    assert (look.cpu_mhz, look.load, look.temperature_c, look.waited_share) == (None, None, None, None)
    assert len(watch.not_seen(look)) == 5


def test_files_that_make_no_sense_are_as_good_as_none(tmp_path: Path) -> None:
    put(
        tmp_path,
        **{
            "proc/stat": "cpu 1 2\n",
            "proc/self/stat": "1 (x",
            "proc/self/task/1/schedstat": "a\n",
            "sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq": "<unknown>\n",
            "sys/class/thermal/thermal_zone0/temp": "\n",
            "sys/class/thermal/cooling_device0/cur_state": "-1\n",
            "sys/class/power_supply/BAT0/capacity": "full\n",
        },
    )
    watch = Watch(tmp_path)
    watch.look(0, 0)
    look = watch.look(1, 1)
    assert (look.cpu_mhz, look.load, look.temperature_c, look.cooling) == (None, None, None, {})
    assert look.battery_percent is None


def test_the_clock_that_a_virtual_machine_makes_up_is_not_believed(tmp_path: Path) -> None:
    put(tmp_path, **{"proc/cpuinfo": "flags : fpu hypervisor\ncpu MHz : 2600.000\n"})
    watch = Watch(tmp_path)
    look = watch.look(0, 0)
    assert look.cpu_mhz is None
    assert "a virtual machine" in watch.not_seen(look)[0]
    put(tmp_path, **{"proc/cpuinfo": "flags : fpu\ncpu MHz : 2600.000\ncpu MHz : 800.1\n"})
    assert Watch(tmp_path).look(0, 0).cpu_mhz == {"0": 2600, "1": 800}


def test_a_raspberry_pis_firmware_is_asked(tmp_path: Path) -> None:
    put(tmp_path, **{"sys/devices/platform/soc/soc:firmware/get_throttled": "50005\n"})
    assert Watch(tmp_path).look(0, 0).cooling == {"firmware": 5}


def test_this_machine_tells_of_load_and_waiting() -> None:
    watch = Watch()
    watch.look(0, 0)
    look = watch.look(1, 1)
    assert look.on_cpu is not None
    assert look.load is not None


def test_processes_of_ones_own_are_no_other_programs(tmp_path: Path) -> None:
    put(tmp_path, **{"proc/stat": "cpu 0 0 0 0 0 0 0 0\n"})
    strict, lenient = Watch(tmp_path), Watch(tmp_path, children=True)
    for watch in (strict, lenient):
        watch.look(0, 0)
    burn = "import time\nwhile time.process_time() < 0.5: pass"
    subprocess.run([sys.executable, "-c", burn], check=True)
    put(tmp_path, **{"proc/stat": f"cpu {2 * os.sysconf('SC_CLK_TCK')} 0 0 0 0 0 0 0\n"})
    loads = [watch.look(1, 1).load or 0 for watch in (strict, lenient)]
    assert loads[0] - loads[1] >= 0.5


@pytest.mark.skipif(heap_bytes() is None, reason="needs glibc 2.33")
def test_memory_that_a_block_takes_is_seen() -> None:
    with around() as taken:
        # Touched, so that the kernel gives it.
        held = np.full(8 << 20, 1, np.uint8)
    assert taken.memory is not None
    assert taken.memory.session_heap_bytes == pytest.approx(held.nbytes, rel=0.1)
    peak = peak_rss_bytes()
    assert peak is not None
    assert peak > held.nbytes
    # Resident memory need not grow: the block may lie in pages that the process had already.
    assert taken.memory.opening_rss_bytes is None or taken.memory.opening_rss_bytes >= 0
