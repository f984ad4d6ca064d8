"""Results of a sweep as one table, and two tables against each other."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from edge_sdk.converters.search.sweep.jobs import Job
from edge_sdk.errors import OutputError
from edge_sdk.files import replacing, write_bytes

SCHEMA = "edge-sdk sweep 1"
LABELS = ("source", "recipe", "data", "profile", "device")
FACTS = (
    "state",
    "chosen",
    "fits",
    "size_bytes",
    "int8_macs",
    "sqnr_db",
    "metric",
    "drop",
    "confirmation",
    "memory_bytes",
    "sha256",
    "error",
)
TIMES = ("latency_ms", "seconds", "attempts")
COLUMNS = (*LABELS, *FACTS, *TIMES)
"""Of the table; :data:`TIMES` are all that may differ between two runs of one plan."""


@dataclass(frozen=True)
class Tolerances:
    """What counts as a regression: more than so much worse than before.

    Attributes:
        time: share of the latency.
        size: share of the bytes.
        metric: of the drop, in its own unit (points of a share).
    """

    time: float = 0.10
    size: float = 0.01
    metric: float = 0.5


@dataclass(frozen=True)
class Change:
    """One job that is in both tables, or in one."""

    labels: Mapping[str, str]
    what: str
    before: Any
    after: Any
    regression: bool


def rows_of(results: Iterable[tuple[Job, Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """A row for each job, in the order given."""
    return [_row(job, result) for job, result in results]


def _row(job: Job, result: Mapping[str, Any]) -> dict[str, Any]:
    found, error = result["row"], result["error"]
    row: dict[str, Any] = dict.fromkeys(COLUMNS)
    row |= job.labels
    row |= {key: value for key, value in found.items() if key in COLUMNS}
    row["state"] = "failed" if error else "done"
    row["error"] = f"{error['type']}: {error['message']}" if error else None
    row["seconds"], row["attempts"] = result["seconds"], result["attempt"]
    return row


def write_table(folder: Path, rows: Sequence[Mapping[str, Any]]) -> list[Path]:
    """``table.json``, ``table.csv``, and ``table.parquet`` where pyarrow is installed.

    Raises:
        OutputError: pyarrow is there, and cannot be imported; the others are written then.
    """
    made = [folder / "table.json", folder / "table.csv"]
    data = {"schema": SCHEMA, "rows": list(rows)}
    write_bytes(made[0], json.dumps(data, indent=1).encode() + b"\n")
    held = io.StringIO()
    writer = csv.DictWriter(held, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_bytes(made[1], held.getvalue().encode())
    if find_spec("pyarrow") is not None:
        made.append(folder / "table.parquet")
        _write_parquet(made[-1], rows)
    return made


def _write_parquet(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    try:
        from pyarrow import Table, parquet
    except ImportError as error:
        text = f"pyarrow is installed, and cannot be imported ({error})"
        hint = f"mend or remove it, and run the same command again: {path.with_suffix('.json').name} is written"
        raise OutputError(f"{path}: cannot be written: {text}", hint=hint) from error
    with replacing(path) as temporary:
        parquet.write_table(Table.from_pylist([dict(row) for row in rows]), temporary)


def read_table(path: Path) -> list[dict[str, Any]]:
    """Rows of a table that was written before.

    Args:
        path: of ``table.json``, or of the sweep's folder.

    Raises:
        OutputError: there is none, or it is no table.
    """
    file = path / "table.json" if path.is_dir() else path
    try:
        data = json.loads(file.read_bytes())
        if data["schema"] != SCHEMA:
            raise OutputError(f"{file}: has schema {data['schema']!r}, expected {SCHEMA!r}")
        rows: list[dict[str, Any]] = data["rows"]
    except OSError as error:
        raise OutputError(
            f"{file}: cannot be read: {error.strerror}", hint="give a sweep's folder or table.json"
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise OutputError(f"{file}: is no table of a sweep: {error!r}") from error
    return rows


def compare(old: Sequence[Mapping[str, Any]], new: Sequence[Mapping[str, Any]], most: Tolerances) -> tuple[Change, ...]:
    """What is different, regressions first."""
    before, after = ({_labels(row): row for row in rows} for rows in (old, new))
    changes = [change for labels in before | after for change in _changes(labels, before, after, most)]
    return tuple(
        sorted(changes, key=lambda change: (not change.regression, tuple(change.labels.values()), change.what))
    )


_Rows = Mapping[tuple[str, ...], Mapping[str, Any]]


def _changes(labels: tuple[str, ...], before: _Rows, after: _Rows, most: Tolerances) -> Iterator[Change]:
    named = dict(zip(LABELS, labels, strict=True))
    if labels not in after or labels not in before:
        gone = labels not in after
        yield Change(named, "job", "there" if gone else "absent", "absent" if gone else "there", regression=gone)
        return
    old, new = before[labels], after[labels]
    for name, worse in (("state", new["state"] == "failed"), ("fits", not new["fits"])):
        if old[name] != new[name] and None not in (old[name], new[name]):
            yield Change(named, name, old[name], new[name], regression=worse)
    for name, share in (("latency_ms", most.time), ("size_bytes", most.size)):
        if _differ(old[name], new[name], share * abs(old[name] or 0)):
            yield Change(named, name, old[name], new[name], regression=new[name] > old[name])
    if _differ(old["drop"], new["drop"], most.metric):
        yield Change(named, "drop", old["drop"], new["drop"], regression=new["drop"] > old["drop"])


def _differ(old: float | None, new: float | None, reach: float) -> bool:
    return old is not None and new is not None and abs(new - old) > reach


def _labels(row: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(str(row[label]) for label in LABELS)


def changes_as_json(changes: Sequence[Change]) -> list[dict[str, Any]]:
    """Plain data."""
    return [asdict(change) for change in changes]
