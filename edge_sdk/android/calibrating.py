"""``edge-sdk devices calibrate adb://SERIAL``: kernels in one archive, timed by one process of the demo app there.

The app only times; what a kernel has to do, and whether its time can be believed, is said here, by the same rules as on
a board. What is done comes over line by line, so that a phone that is unplugged costs one kernel and not all of them.
"""

from __future__ import annotations

import json
import shlex
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import numpy as np

from edge_sdk.android.driving import AppRun
from edge_sdk.android.looking import Seen, Sight, conditions_of
from edge_sdk.android.properties import AppProperties, project, read_properties
from edge_sdk.artifact.model import parse_artifact
from edge_sdk.checks.delegates.xnnpack.kernels import cpu_kernels
from edge_sdk.checks.timing.table import SCHEMA, Subject, Table, Timed
from edge_sdk.checks.timing.work import APP_ENGINE, Workload, workload
from edge_sdk.devices.detecting import cores_on
from edge_sdk.devices.device import Device
from edge_sdk.errors import DeviceError, ModelError, TargetError
from edge_sdk.folders import temporary_folder
from edge_sdk.measure.calibration.kept import Kept
from edge_sdk.measure.calibration.kernels import Kernel, kernels
from edge_sdk.measure.calibration.networks import networks
from edge_sdk.measure.calibration.running import TRIES, judged, of_the_whole, plan_of
from edge_sdk.measure.clock import jumps
from edge_sdk.measure.records import Reason, plain
from edge_sdk.measure.timed import WarmUp
from edge_sdk.measure.validity import machine_reasons
from edge_sdk.progress import Progress, Silent
from edge_sdk.records import RecordError, read_record

RESULT_SCHEMA: Final = "edge-sdk-android-calibration/1"
_ANCHORS: Final = ("first", "last")
_MARK: Final = "@@edge-sdk@@"
_LOOK_S: Final = 2.0
# A slow phone takes longer than a workstation for the same plan; beyond this something is wrong there.
_TIMEOUT_S: Final = 3600.0
_ANSWER_S: Final = 60.0


@dataclass(frozen=True)
class _Asked:
    """The line that the app reads; ``model`` is the archive there."""

    threads: int
    delegate: str = "xnnpack"

    def arguments(self, model: str, out: str, run_id: str) -> str:
        return f"--kernels={model} --threads={self.threads} --out={out} --run-id={run_id}"


@dataclass
class _Sitting:
    """One start of the app: what it was given, and what it has said."""

    listed: Mapping[str, Kernel]
    loads: dict[str, Workload] = field(default_factory=dict)
    anchors: list[float] = field(default_factory=list)
    sights: list[Sight] = field(default_factory=list)
    result: dict[str, Any] = field(default_factory=dict)
    held: str = ""
    offset: int = 0


def calibrate_there(
    device: Device,
    *,
    threads: int = 1,
    kept: Kept | None = None,
    progress: Progress | None = None,
    wanted: Sequence[Kernel] = (),
    sleep: Callable[[float], None] = time.sleep,
) -> Table:
    """Times all kernels in the demo app.

    Args:
        device: a phone, open.
        threads: of the engine.
        kept: where what is done is kept, so that a phone that was unplugged is gone on with.
        progress: hears of stages.
        wanted: other kernels, for tests; none for all.
        sleep: for tests.

    Raises:
        TargetError: the app is not installed, is another one, died, or says why it times nothing.
        DeviceLostError: the link ended in the middle; what was done is kept.
        MeasurementError: what is kept is of another device, engine, number of threads or plan.
    """
    listed = list(wanted) or [*kernels(), *networks()]
    return _Calibrating(device, threads, listed, kept or Kept(), progress or Silent(), sleep).table()


class _Calibrating:
    def __init__(
        self,
        device: Device,
        threads: int,
        listed: Sequence[Kernel],
        kept: Kept,
        progress: Progress,
        sleep: Callable[[float], None],
    ) -> None:
        self._device, self._threads, self._kept = device, threads, kept
        self._app = read_properties(project())
        self._plan, self._progress, self._sleep = plan_of(listed), progress, sleep
        self._listed = listed
        self._refused: dict[str, str] = {}

    def table(self) -> Table:
        AppRun(self._device.link, self._app, _Asked(self._threads)).see_installed()
        subject = subject_of(self._device, self._threads, self._app)
        done = self._kept.begin(subject, self._plan)
        room = self._device.space().memory_bytes
        fitting = list(self._fitting(room))
        sittings: list[_Sitting] = []
        for _ in range(TRIES):
            left = [one for one in fitting if one.id not in done or done[one.id].reasons]
            left = [one for one in left if one.id not in self._refused]
            # The anchors of a table that was whole already are still to be timed.
            if not left and sittings:
                break
            self._progress.stage(f"time {len(left)} of {len(fitting)} kernels: {subject}")
            sittings.append(self._sat(left, done))
        made = self._report(subject, [done[one.id] for one in fitting if one.id in done], sittings)
        self._kept.forget()
        return made

    def _fitting(self, room: int) -> Iterator[Kernel]:
        for kernel in self._listed:
            if kernel.needs_bytes <= room:
                yield kernel
            else:
                self._refused[kernel.id] = f"needs {kernel.needs_bytes >> 20} MiB, and {room >> 20} MiB are free"

    def _sat(self, left: Sequence[Kernel], done: dict[str, Timed]) -> _Sitting:
        first = self._listed[0]
        given = {f"{place:04}": kernel for place, kernel in enumerate((first, *left, first))}
        sitting = _Sitting(given)
        run = AppRun(self._device.link, self._app, _Asked(self._threads))
        with temporary_folder("kernels") as folder:
            archive = folder / "kernels.zip"
            self._pack(archive, sitting)
            there = run.push(self._device, archive)
        lines = f"{run.path}.lines"
        end = time.monotonic() + _TIMEOUT_S
        with run.started(there, lines):
            while not sitting.result:
                self._hear(run, lines, sitting, done)
                if time.monotonic() > end:
                    raise DeviceError(f"{self._device.address}: no result within {_TIMEOUT_S:g} s")
                if not sitting.result:
                    self._sleep(_LOOK_S)
        self._see_whole(sitting)
        return sitting

    def _pack(self, archive: Path, sitting: _Sitting) -> None:
        """Fast to unpack there: weights are drawn once and repeated, and shrink to next to nothing."""
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as packed:
            for place, kernel in sitting.listed.items():
                content = kernel.build()
                packed.writestr(f"{place}{'.plain' if kernel.plain else ''}.tflite", content)
                artifact = parse_artifact(content)
                sitting.loads[place] = workload(artifact, APP_ENGINE, self._app.tflite, plain=kernel.plain)

    def _hear(self, run: AppRun, lines: str, sitting: _Sitting, done: dict[str, Timed]) -> None:
        """In this order: an app that ends in between has written its result, and all lines before that."""
        script = (
            f"p=$(pidof {run.package}); echo $p; echo {_MARK}; cat {shlex.quote(run.path)} 2>/dev/null; echo {_MARK}; "
            f"tail -c +{sitting.offset + 1} {shlex.quote(lines)} 2>/dev/null; echo {_MARK}; "
            "cat /proc/uptime; date +%s; head -n 1 /proc/stat; cat /proc/$p/stat 2>/dev/null"
        )
        answer = self._device.link.shell(script, timeout_s=_ANSWER_S).text
        alive, result, news, machine = (part.removeprefix("\n") for part in answer.split(f"{_MARK}")[:4])
        sitting.sights.append(Sight.of(machine))
        # `echo` put a line's end behind what may have none.
        sitting.offset += len(news.encode())
        *whole, sitting.held = (sitting.held + news).split("\n")
        for line in filter(None, whole):
            self._take(json.loads(line), sitting, done)
        self._progress.count(len(done), len(self._listed))
        if result.strip():
            sitting.result = run.answer(result)
        elif not alive.strip():
            raise run.died()

    def _take(self, line: Mapping[str, Any], sitting: _Sitting, done: dict[str, Timed]) -> None:
        place = str(line["name"]).partition(".")[0]
        kernel = sitting.listed[place]
        anchor = place in (min(sitting.listed), max(sitting.listed))
        if "refused" in line:
            if anchor:
                raise TargetError(f"{self._device.address}: {kernel.id}: {line['refused']}")
            self._refused[kernel.id] = str(line["refused"])
            return
        samples = np.asarray(line["took_us"], np.float64) / 1e3
        one = judged(kernel, sitting.loads[place], samples, _warm_up(line, self._device.address))
        if anchor:
            sitting.anchors.append(one.us)
            return
        before = done.get(kernel.id)
        if before is None or not one.reasons or one.us < before.us:
            done[kernel.id] = one
            self._kept.add(one)

    def _see_whole(self, sitting: _Sitting) -> None:
        result, address = sitting.result, self._device.address
        if result.get("schema") != RESULT_SCHEMA:
            raise ModelError(f"{address}: the app's result is {result.get('schema')!r}, expected {RESULT_SCHEMA!r}")
        engine = f"{APP_ENGINE} {self._app.tflite}"
        if result.get("engine") != engine:
            raise TargetError(
                f"{address}: the app there has {result.get('engine')}, expected {engine}",
                hint="install this edge-sdk's: `edge-sdk android build`, then `edge-sdk android install`",
            )
        if result.get("done") != len(sitting.listed):
            raise TargetError(
                f"{address}: the app timed {result.get('done')} of {len(sitting.listed)} kernels and ended"
            )

    def _report(self, subject: Subject, timed: Sequence[Timed], sittings: Sequence[_Sitting]) -> Table:
        reasons, notes = [], []
        for one in sittings:
            found, said = jumps(one.sights[0].reading, one.sights[-1].reading)
            reasons += found
            notes += said
        seen = conditions_of([Seen(one.result, one.sights) for one in sittings], notes)
        reasons += machine_reasons(seen, cpus=subject.cpus, sustained=False)
        if any(one.result.get("left_foreground") for one in sittings):
            words = "the app was not in the foreground all the time: Android gives it slower cores then"
            reasons.append(Reason("left-foreground", words, "keep the phone awake and leave it alone"))
        reasons += of_the_whole(timed, [sittings[0].anchors[0], sittings[-1].anchors[-1]])
        return Table(
            schema=SCHEMA,
            subject=subject,
            creation_date=datetime.fromtimestamp(sittings[-1].sights[-1].reading.wall_s).astimezone().isoformat(),
            plan=self._plan,
            valid=not reasons,
            reasons=tuple(f"{reason.rule}: {reason.message}" for reason in reasons),
            conditions=plain(seen),
            timed=tuple(timed),
            refused=self._refused,
            seconds=round(sum(float(one.result["seconds"]) for one in sittings), 1),
        )


def subject_of(device: Device, threads: int, app: AppProperties) -> Subject:
    """What a table of a phone holds for: the app brings its own engine."""
    named = device.identify()
    arch, isa, cores = cores_on(device)
    props = named.props or {}
    return Subject(
        device=named.model,
        soc=props.get("ro.soc.model") or props.get("ro.board.platform", ""),
        arch=arch,
        cpus=named.cpus,
        engine=APP_ENGINE,
        version=app.tflite,
        threads=threads,
        kernels=cpu_kernels(arch, isa, cores).name,
    )


def _warm_up(line: Mapping[str, Any], address: str) -> WarmUp:
    try:
        return read_record(WarmUp, line["warm_up"])
    except RecordError as error:
        raise ModelError(f"{address}: {line['name']}: {error}") from error
