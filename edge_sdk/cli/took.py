"""How long a command will take: what the very same one took here the last time, else that nobody knows."""

from __future__ import annotations

import contextlib
import hashlib
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from edge_sdk.errors import EdgeSdkError
from edge_sdk.folders import cache_folder

_FOLDER = "took"
# What a command writes, or how it tells of it, does not change what it has to do.
_NO_WORK = frozenset({"output", "html", "report", "as_json", "quiet", "verbose", "sensitivity", "work_dir", "cache"})
UNKNOWN = "time: not known, the same has not run here before; each stage is told as it begins"


class Took:
    """The seconds that one command took, kept between runs in the user's cache.

    Args:
        context: of the command: its words, and what it was given; files count with their size.
    """

    def __init__(self, context: click.Context) -> None:
        given = {name: list(_facts(value)) for name, value in context.params.items() if name not in _NO_WORK}
        asked = json.dumps([context.command_path, given], sort_keys=True)
        self._name = f"{hashlib.sha256(asked.encode()).hexdigest()}.json"
        self._begin = time.monotonic()

    def line(self) -> str:
        """What to expect, as it was measured."""
        try:
            last = json.loads((cache_folder(_FOLDER) / self._name).read_bytes())
            return f"time: the same took {_seconds(float(last['seconds']))} here on {last['date']}"
        except (OSError, RuntimeError, ValueError, KeyError, TypeError):
            return UNKNOWN

    def keep(self) -> None:
        """To be told the next time; where it cannot be kept, that will say that it is not known."""
        from edge_sdk.files import write_bytes

        told = {"seconds": round(time.monotonic() - self._begin, 1), "date": time.strftime("%Y-%m-%d")}
        with contextlib.suppress(OSError, RuntimeError, EdgeSdkError):
            folder = cache_folder(_FOLDER)
            folder.mkdir(parents=True, exist_ok=True)
            write_bytes(folder / self._name, json.dumps(told).encode())


def _facts(value: Any) -> Iterator[object]:
    if isinstance(value, list | tuple):
        for one in value:
            yield list(_facts(one))
        return
    path = Path(value) if isinstance(value, str | Path) and value else None
    with contextlib.suppress(OSError, ValueError):
        if path is not None and path.is_file():
            yield [str(path.absolute()), path.stat().st_size]
            return
    yield str(value)


def _seconds(value: float) -> str:
    return f"{value:.0f} s" if value < 100 else f"{value / 60:.0f} min"
