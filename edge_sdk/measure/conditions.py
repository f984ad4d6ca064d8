"""What the machine does while it measures: clocks, limits, heat, other programs, from files of Linux and Android."""

from __future__ import annotations

import os
import re
import resource
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from edge_sdk.measure.records import Look

_CPUS = "sys/devices/system/cpu"
_TICKS = os.sysconf("SC_CLK_TCK")
# Bits of the Raspberry Pi's firmware for what is so now: under-voltage, clock capped, throttled, soft limit of heat.
_PI_FIRMWARE, _PI_NOW = "sys/devices/platform/soc/soc:firmware/get_throttled", 0xF


@dataclass(frozen=True)
class _Counters:
    """Seconds since the system started; None where it does not tell."""

    busy_s: float | None
    stolen_s: float | None
    own_s: float
    waited_s: float | None
    at_s: float


class Watch:
    """Looks at the machine.

    Args:
        root: of the file system.
        children: processes that this one started and that ended between two looks are not other programs.
    """

    def __init__(self, root: Path = Path("/"), *, children: bool = False) -> None:
        self._root = root
        self._whose = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)[: 1 + children]
        self._virtual = _is_virtual(root)
        self._last: _Counters | None = None

    def look(self, at_s: float, now_s: float) -> Look:
        """The machine now; what is counted is since the look before.

        Args:
            at_s: from the start of the timed queries.
            now_s: of the clock that times.
        """
        now, before = self._counters(now_s), self._last
        self._last = now
        return Look(
            at_s=round(at_s, 3),
            cpu_mhz=self._clocks("scaling_cur_freq") or self._cpuinfo_clocks(),
            cpu_limit_mhz=self._clocks("scaling_max_freq"),
            on_cpu=self._on_cpu(),
            governor=dict(self._of_cpus("scaling_governor")) or None,
            temperature_c=dict(self._temperatures()) or None,
            load=_load(before, now),
            stolen=_per_second(before, now, "stolen_s"),
            waited_share=_per_second(before, now, "waited_s"),
            throttle_events=self._throttle_events(),
            cooling=self._cooling(),
            battery_percent=self._battery(),
            plugged=self._plugged(),
        )

    def not_seen(self, look: Look) -> tuple[str, ...]:
        """What this system does not tell."""
        blind = {
            "the clock of the CPUs" + (" (a virtual machine)" if self._virtual else ""): look.cpu_mhz,
            "temperatures": look.temperature_c,
            "throttling, as counted by the kernel": look.throttle_events,
            "time that other programs took": look.load,
            "time that this process waited for a CPU": look.waited_share,
        }
        return tuple(what for what, value in blind.items() if value is None)

    def _counters(self, now_s: float) -> _Counters:
        words = _text(self._root / "proc/stat").partition("\n")[0].split()
        ticks = [int(word) for word in words[1:9]] if words[:1] == ["cpu"] and len(words) >= 9 else None
        usages = [resource.getrusage(who) for who in self._whose]
        return _Counters(
            busy_s=sum(ticks[i] for i in (0, 1, 2, 5, 6)) / _TICKS if ticks else None,
            stolen_s=ticks[7] / _TICKS if ticks else None,
            own_s=sum(usage.ru_utime + usage.ru_stime for usage in usages),
            waited_s=self._waited(),
            at_s=now_s,
        )

    def _waited(self) -> float | None:
        """All threads of this process; they were ready, and others ran."""
        tasks = [_text(path).split() for path in (self._root / "proc/self/task").glob("*/schedstat")]
        waited = [int(words[1]) for words in tasks if len(words) == 3]
        return sum(waited) / 1e9 if waited else None

    def _of_cpus(self, name: str) -> Iterator[tuple[str, str]]:
        for path in sorted((self._root / _CPUS).glob(f"cpu[0-9]*/cpufreq/{name}"), key=_number):
            if text := _text(path).strip():
                yield str(_number(path)), text

    def _clocks(self, name: str) -> dict[str, int] | None:
        found = {cpu: int(text) // 1000 for cpu, text in self._of_cpus(name) if text.isdigit()}
        return found or None

    def _cpuinfo_clocks(self) -> dict[str, int] | None:
        """On x86 without cpufreq. What a virtual machine says there never changes."""
        if self._virtual:
            return None
        found = re.findall(r"^cpu MHz\s*:\s*([\d.]+)", _text(self._root / "proc/cpuinfo"), re.MULTILINE)
        return {str(cpu): round(float(mhz)) for cpu, mhz in enumerate(found)} or None

    def _on_cpu(self) -> int | None:
        """Field 39 of proc(5)'s stat, counted behind the name, which may hold blanks."""
        words = _text(self._root / "proc/self/stat").rpartition(")")[2].split()
        return int(words[36]) if len(words) > 36 else None

    def _temperatures(self) -> Iterator[tuple[str, float]]:
        for zone in sorted((self._root / "sys/class/thermal").glob("thermal_zone*"), key=_number):
            text = _text(zone / "temp").strip()
            if re.fullmatch(r"-?\d+", text):
                yield f"{_number(zone)} {_text(zone / 'type').strip()}".strip(), int(text) / 1000

    def _cooling(self) -> Mapping[str, int] | None:
        """Only what is on."""
        devices = sorted((self._root / "sys/class/thermal").glob("cooling_device*"), key=_number)
        states = {
            f"{_number(one)} {_text(one / 'type').strip()}".strip(): _text(one / "cur_state").strip() for one in devices
        }
        found = {name: int(state) for name, state in states.items() if state.isdigit() and int(state)}
        firmware = _text(self._root / _PI_FIRMWARE).strip()
        if re.fullmatch(r"(0x)?[0-9a-fA-F]+", firmware) and int(firmware, 16) & _PI_NOW:
            found["firmware"] = int(firmware, 16) & _PI_NOW
        return found if devices or firmware else None

    def _throttle_events(self) -> int | None:
        counts = [_text(path).strip() for path in (self._root / _CPUS).glob("cpu*/thermal_throttle/*_throttle_count")]
        known = [int(text) for text in counts if text.isdigit()]
        return sum(known) if known else None

    def _battery(self) -> float | None:
        texts = [_text(path).strip() for path in (self._root / "sys/class/power_supply").glob("*/capacity")]
        return next((float(text) for text in texts if text.isdigit()), None)

    def _plugged(self) -> bool | None:
        texts = [_text(path).strip() for path in (self._root / "sys/class/power_supply").glob("*/online")]
        return any(text == "1" for text in texts) if texts else None


def _load(before: _Counters | None, now: _Counters) -> float | None:
    """CPUs that others kept busy. The kernel counts in ticks, so that little may come out as less than nothing."""
    if before is None or before.busy_s is None or now.busy_s is None or now.at_s <= before.at_s:
        return None
    others = (now.busy_s - before.busy_s) - (now.own_s - before.own_s)
    return round(max(0.0, others / (now.at_s - before.at_s)), 4)


def _per_second(before: _Counters | None, now: _Counters, name: str) -> float | None:
    first: float | None = getattr(before, name, None)
    last: float | None = getattr(now, name)
    if before is None or first is None or last is None or now.at_s <= before.at_s:
        return None
    return round(max(0.0, (last - first) / (now.at_s - before.at_s)), 4)


def _is_virtual(root: Path) -> bool:
    flags = re.search(r"^flags\s*:\s*(.+)$", _text(root / "proc/cpuinfo"), re.MULTILINE)
    return flags is not None and "hypervisor" in flags[1].split()


def _number(path: Path) -> int:
    """Of the last path component that ends in one: ``cpu3`` or ``thermal_zone0``."""
    found = re.findall(r"(?:cpu|thermal_zone|cooling_device)(\d+)", str(path))
    return int(found[-1]) if found else 0


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
