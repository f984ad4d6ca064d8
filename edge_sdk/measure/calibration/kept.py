"""A calibration while it runs, so that it can be taken up again where it was interrupted."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from edge_sdk.checks.timing.table import Subject, Timed
from edge_sdk.errors import MeasurementError
from edge_sdk.records import RecordError, read_record


class Kept:
    """What is done so far, a JSON line each, behind a line that says of what.

    Args:
        path: of the file; None for none.
        told: hears each line.
    """

    def __init__(self, path: Path | None = None, told: Callable[[str], None] = lambda line: None) -> None:
        self._path, self._told = path, told

    def begin(self, subject: Subject, plan: str) -> dict[str, Timed]:
        """What was done before, by id.

        Raises:
            MeasurementError: it was of something else.
        """
        head = json.dumps({"subject": asdict(subject), "plan": plan})
        begun, *lines = self._text().splitlines() or [""]
        if not begun:
            self._write(head)
        elif begun != head:
            raise MeasurementError(
                f"{self._path}: was begun on another device, engine, number of threads or plan: expected {head}, got "
                f"{begun[:500]}",
                hint="remove it, or go on where it was begun",
            )
        return dict(_done(lines))

    def _text(self) -> str:
        if self._path is None or not self._path.exists():
            return ""
        return self._path.read_text(encoding="utf-8", errors="replace")

    def add(self, one: Timed) -> None:
        """One more."""
        self._write(json.dumps(asdict(one)))

    def _write(self, line: str) -> None:
        self._told(line)
        if self._path is not None:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(line + "\n")

    def forget(self) -> None:
        """The table is whole: what was kept is no use any more."""
        if self._path is not None:
            self._path.unlink(missing_ok=True)


def _done(lines: Sequence[str]) -> Iterator[tuple[str, Timed]]:
    for line in lines:
        try:
            one = read_record(Timed, json.loads(line))
        except (ValueError, RecordError):
            # The line at which it was interrupted.
            return
        # What was disturbed then is timed anew.
        if not one.reasons:
            yield one.id, one
