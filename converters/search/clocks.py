"""Where times of files come from: this machine, a device, or a table of kernels that predicts them.

What is measured is measured in turn with the float file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from edge_sdk.artifact.model import read_artifact
from edge_sdk.checks.timing.predicting import Predictor
from edge_sdk.checks.timing.table import Table
from edge_sdk.converters.search.records import Latency
from edge_sdk.converters.workers.workshop import Workshop
from edge_sdk.devices.device import Device, open_device
from edge_sdk.devices.remote import Task, run_there
from edge_sdk.errors import DeviceError, TargetError
from edge_sdk.measure.schema import read_benchmark
from edge_sdk.measure.side_by_side import Timing

_SECONDS = 2.0
_HERE = "this machine's CPU, 1 thread"


class Clock(Protocol):
    """Times files."""

    @property
    def where(self) -> str:
        """Whose time it is, in words."""
        ...

    def measure(self, base: Path, file: Path) -> tuple[Latency, Latency]:
        """Latency of the float file and of another, taken in turn."""
        ...


class Here:
    """This machine's CPU, in a worker; the engine's own kernels and XNNPACK, one thread."""

    where = _HERE

    def __init__(self, shop: Workshop) -> None:
        self._shop = shop

    def measure(self, base: Path, file: Path) -> tuple[Latency, Latency]:
        """See :class:`Clock`."""
        rows = self._shop.worker("engine").function(
            "edge_sdk.converters.proving.candidate:timings",
            "measuring latency",
            paths=[str(base), str(file)],
            seconds=_SECONDS,
        )
        first, second = (Timing(**row) for row in rows)
        ms = first.median_us / 1e3
        return (
            Latency(ms, None, None, "measured", _HERE),
            Latency(second.median_us / 1e3, ms * second.ratio_low, ms * second.ratio_high, "measured", _HERE),
        )


class There:
    """A device that ``--on`` names, by ``edge-sdk benchmark`` there; it stays open until closed."""

    def __init__(self, address: str) -> None:
        self.where = address
        self._device: Device = open_device(address)
        if self._device.runs_apps_only:
            self._device.close()
            raise DeviceError(
                f"{address}: Android runs models in the app, which optimize does not drive yet",
                hint="optimize with --profile, then `edge-sdk benchmark DIR/best.tflite --on adb://...`",
            )

    def measure(self, base: Path, file: Path) -> tuple[Latency, Latency]:
        """See :class:`Clock`."""
        found = read_benchmark(run_there(self._device, Task("benchmark", (base, file), ("--quick",))), self.where)
        first, second = (result.performance_run.latency_ms.p50 for result in found.results[:2])
        return (
            Latency(first.value, first.low, first.high, "measured", self.where),
            Latency(second.value, second.low, second.high, "measured", self.where),
        )

    def close(self) -> None:
        """Ends the link."""
        self._device.close()


class Predicted:
    """Whole files by the kernels that ``edge-sdk devices calibrate`` timed on a device."""

    def __init__(self, table: Table) -> None:
        self._predictor = Predictor(table)
        self.where = str(table.subject)

    def measure(self, base: Path, file: Path) -> tuple[Latency, Latency]:
        """See :class:`Clock`; nothing is run.

        Raises:
            TargetError: the table does not tell of a file's ops.
        """
        return self._of(base), self._of(file)

    def _of(self, path: Path) -> Latency:
        found = self._predictor.predict(read_artifact(path))
        if found.ms is None:
            why = "; ".join(f"{one.op_name}: {one.why}" for one in found.abstentions[:3])
            raise TargetError(f"no time is predicted for {self.where}: {why}", hint="measure on the device with --on")
        return Latency(found.ms, found.low_ms, found.high_ms, found.truth, found.subject)
