"""Temporary folders and worker processes: gone when the work ends, however it ends."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from edge_sdk.converters.workers.worker import Worker
from edge_sdk.errors import OutputError
from edge_sdk.folders import make_folder, tell_no_room


class Workers:
    """Worker processes by role. One that died is replaced when it is asked for again.

    Keep one open over many conversions and each after the first is spared the start of its toolchains::

        with Workers() as workers:
            for model in models:
                convert(model, ..., workers=workers)
    """

    def __init__(self) -> None:
        self._folder = make_folder("workers")
        self._workers: dict[str, Worker] = {}

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, _: object = None, error: BaseException | None = None, *rest: object) -> None:
        for worker in self._workers.values():
            worker.close()
        shutil.rmtree(self._folder, ignore_errors=True)
        tell_no_room(error, self._folder)

    @property
    def folder(self) -> Path:
        """Where each has its own."""
        return self._folder

    def get(self, role: str, *, preload: Sequence[str] = ()) -> Worker:
        """The worker of that role; a new one begins to import ``preload`` at once."""
        present = self._workers.get(role)
        if present is not None and present.alive:
            return present
        if present is not None:
            present.close()
        made = Worker(self._folder / role)
        self._workers[role] = made
        if preload:
            made.preload(*preload)
        return made


class Workshop:
    """The folder and the workers of one conversion; use it as a context manager.

    Args:
        keep: a folder to work in and to leave behind; None for a temporary one.
        workers: somebody else's workers, left running; None for its own.
    """

    def __init__(self, keep: Path | None = None, workers: Workers | None = None) -> None:
        self._temporary = keep is None
        if keep is not None:
            _make(keep)
        self.folder = keep.absolute() if keep else make_folder("conversion")
        self._own = workers is None
        self._workers = workers or Workers()

    def __enter__(self) -> Workshop:
        return self

    def __exit__(self, kind: object, error: BaseException | None, *rest: object) -> None:
        if self._temporary:
            shutil.rmtree(self.folder, ignore_errors=True)
        if self._own:
            self._workers.__exit__(kind, error, *rest)
        tell_no_room(error, self.folder, self._workers.folder, parent=None if self._temporary else self.folder)

    def worker(self, role: str, *, preload: Sequence[str] = ()) -> Worker:
        """The worker of that role; see :meth:`Workers.get`."""
        return self._workers.get(role, preload=preload)

    @property
    def workers(self) -> Workers:
        """The workers, for a shop with another folder."""
        return self._workers

    def path(self, name: str) -> Path:
        """A path in the folder."""
        return self.folder / name


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: is no folder to work in: {error.strerror}", hint="name another") from error
