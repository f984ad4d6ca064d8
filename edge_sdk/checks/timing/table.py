"""A calibration table: what kernels and small networks took on one device, with one engine and number of threads.

It is data like a profile, written by ``edge-sdk devices calibrate`` and read by whatever predicts. All times in it are
*measured*; ``schema.json`` beside this file is its published schema.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal

from edge_sdk.checks.timing.work import APP_ENGINE, RULES, Work
from edge_sdk.errors import MeasurementError
from edge_sdk.files import write_bytes
from edge_sdk.profile.records import DeviceProfile
from edge_sdk.records import RecordError, read_record

SCHEMA: Final = "edge-sdk-calibration/2"
_AGAIN = "measure it anew: edge-sdk devices calibrate local -o FILE"


@dataclass(frozen=True)
class Timed:
    """One file that was timed.

    Attributes:
        id: what is in it.
        group: the kind of op, or ``network`` and the kind of block.
        us: what the fastest tenth of runs stay within, in microseconds.
        spread: half the median's 95 % interval, as a share of it; None of fewer samples than have one.
        partitions: rows of ops that run without handing over between XNNPACK and the engine's own kernels.
        border_bytes: of values that cross.
        work: of each op that runs, folded ones left out.
        reasons: why the time cannot be believed; empty if it can.
    """

    id: str
    group: str
    us: float
    spread: float | None
    partitions: int
    border_bytes: int
    work: tuple[Work, ...]
    reasons: tuple[str, ...] = ()

    @property
    def is_network(self) -> bool:
        """Whether it is one of the small networks, not a single kernel."""
        return self.group.startswith("network")


@dataclass(frozen=True)
class Subject:
    """What a table holds for; another of any of these is another table.

    Attributes:
        device: model, as its system tells.
        soc: as ``/proc/cpuinfo`` or the system's properties tell; empty where they do not.
        arch: such as ``aarch64``.
        cpus: how many there are.
        engine: name of the engine.
        version: of the engine.
        threads: that it was given.
        kernels: the kind of CPU whose micro-kernels XNNPACK takes there, by :mod:`..delegates.xnnpack.kernels`.
    """

    device: str
    soc: str
    arch: str
    cpus: int
    engine: str
    version: str
    threads: int
    kernels: str

    def __str__(self) -> str:
        soc = f" ({self.soc})" if self.soc and self.soc != self.device else ""
        count = f"{self.threads} thread{'' if self.threads == 1 else 's'}"
        return f"{self.device}{soc}, {self.engine} {self.version}, {count}"


@dataclass(frozen=True)
class Table:
    """A whole table.

    Attributes:
        subject: what it holds for.
        creation_date: ISO 8601 with its offset.
        plan: hash of what was to be timed; other kernels are another plan.
        valid: whether the machine was quiet enough for any of it to be believed.
        reasons: why not; a line each.
        conditions: of the machine before, during and after, as a benchmark's.
        timed: the files.
        refused: files that the engine does not open, and what it says.
        seconds: that it all took.
    """

    schema: Literal["edge-sdk-calibration/2"]
    subject: Subject
    creation_date: str
    plan: str
    valid: bool
    reasons: tuple[str, ...]
    conditions: Mapping[str, Any]
    timed: tuple[Timed, ...]
    refused: Mapping[str, str]
    seconds: float

    def as_json(self) -> dict[str, Any]:
        """Plain data; what is not known is left out."""
        rows = [{key: value for key, value in asdict(one).items() if value is not None} for one in self.timed]
        return {**asdict(self), "timed": rows}

    def content(self) -> bytes:
        """As it is written: a line for each file that was timed."""
        head = {key: value for key, value in self.as_json().items() if key != "timed"}
        rows = ",\n".join(json.dumps(row, separators=(",", ":")) for row in self.as_json()["timed"])
        return f'{json.dumps(head, indent=1)[:-2]},\n "timed": [\n{rows}\n]}}\n'.encode()


def read_table(path: str | Path) -> Table:
    """Reads a table.

    Raises:
        MeasurementError: it cannot be read, is none, or is INVALID: a busy machine's times predict nothing.
    """
    try:
        table = json.loads(Path(path).read_bytes())
    except (OSError, ValueError) as error:
        what = error.strerror if isinstance(error, OSError) else f"it is not JSON: {error}"
        raise MeasurementError(f"{path}: the calibration table cannot be read: {what}", hint=_AGAIN) from error
    return parse_table(table, where=str(path))


def parse_table(table: Any, *, where: str) -> Table:
    """A table from its JSON; errors as :func:`read_table`."""
    read = parse_written(table, where=where)
    if not read.valid:
        raise MeasurementError(f"{where}: the table is INVALID: {'; '.join(read.reasons)}", hint=_AGAIN)
    return read


def parse_written(table: Any, *, where: str) -> Table:
    """Likewise, of one that may be INVALID."""
    if not isinstance(table, dict) or table.get("schema") != SCHEMA:
        got = table.get("schema") if isinstance(table, dict) else type(table).__name__
        raise MeasurementError(
            f"{where}: not a calibration table: `schema` is {got!r}, expected {SCHEMA!r}", hint=_AGAIN
        )
    try:
        read = read_record(Table, table)
    except RecordError as error:
        raise MeasurementError(f"{where}: not a calibration table: {error}", hint=_AGAIN) from error
    if read.subject.engine not in RULES:
        raise MeasurementError(
            f"{where}: engine `{read.subject.engine}` is unknown, expected one of {', '.join(RULES)}"
        )
    return read


def write_table(table: Table, path: str | Path) -> None:
    """Writes a table, by a temporary name."""
    write_bytes(Path(path), table.content())


def beside(profile: str) -> Path | None:
    """The table of a profile of the user's own: ``calibration/ID.json`` in its folder; None without one."""
    path = Path(profile)
    table = path.parent / "calibration" / f"{path.stem}.json"
    return table if path.suffix == ".toml" and table.exists() else None


def check_belongs(table: Table, profile: DeviceProfile, *, where: str) -> None:
    """Whether a table can be of a profile's device.

    Raises:
        MeasurementError: it is of another architecture, or of an engine or version that the device does not have.
    """
    subject = table.subject
    if subject.arch != profile.soc.arch:
        raise MeasurementError(
            f"{where}: was measured on {subject} ({subject.arch}), {profile.id} is {profile.soc.arch}",
            hint=f"calibrate that device: edge-sdk devices calibrate ssh://... -o {profile.id}.json",
        )
    engines = [f"{runtime.name} {runtime.version}" for runtime in profile.device.runtimes]
    # The demo app brings its engine to any phone.
    engines += [f"{APP_ENGINE} {subject.version}"] if profile.device.os.family == "android" else []
    if f"{subject.engine} {subject.version}" not in engines:
        have = ", ".join(engines) or "none"
        raise MeasurementError(
            f"{where}: was measured with {subject.engine} {subject.version}, {profile.id} has {have}",
            hint="times of another version do not hold: calibrate with one of these",
        )


if __name__ == "__main__":
    from edge_sdk.profile.schema import schema_text

    (Path(__file__).parent / "schema.json").write_text(schema_text(Table), encoding="utf-8")
