"""Rows of a long measurement, a file for each, so that a run that was stopped goes on where it was."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from edge_sdk.files import write_bytes

Row = dict[str, Any]
_FORM = "kept_form"


def rows(
    folder: Path, names: Iterable[str], make: Callable[[str], Row], *, form: int = 1, seconds: float = 0.0
) -> Iterator[Row]:
    """A row for each name: the one that is there from before, else the one that ``make`` gives, kept at once.

    Args:
        folder: for the files; made if it is missing.
        names: file names without ending; ``/`` makes folders.
        make: measures one.
        form: of its rows: another number where a row holds other keys than before, or means another thing by them.
        seconds: after which no new one is begun (0: never); those that are there are still given.

    Yields:
        Rows in the order of the names, without those that there was no time for.

    Raises:
        ValueError: a row was kept in another form; a table would mix two measurements.
    """
    begin = time.monotonic()
    for name in names:
        path = folder / f"{name}.json"
        if path.exists():
            yield _read(path, form)
        elif not seconds or time.monotonic() - begin < seconds:
            path.parent.mkdir(parents=True, exist_ok=True)
            row = make(name)
            write_bytes(path, json.dumps({**row, _FORM: form}).encode())
            yield row


def _read(path: Path, form: int) -> Row:
    row: Row = json.loads(path.read_text())
    found = row.pop(_FORM, 1)
    if found != form:
        raise ValueError(f"{path}: a row of form {found}, wanted {form}; remove it, and it is measured anew")
    return row
