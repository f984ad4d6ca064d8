"""Where curves of a training go: TensorBoard's files, a run for each stage."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from edge_sdk.errors import MissingDependencyError, OutputError


class Board(Protocol):
    """Hears of every step and epoch."""

    def step(self, stage: str, number: int, loss: float) -> None:
        """The loss of one batch; ``number`` counts from 0 over all epochs of the stage."""
        ...

    def epoch(self, stage: str, number: int, values: Mapping[str, float]) -> None:
        """What an epoch, counted from 1, ended with: by name."""
        ...


class NoBoard:
    """Hears and keeps nothing."""

    def step(self, stage: str, number: int, loss: float) -> None:
        """Ignored."""

    def epoch(self, stage: str, number: int, values: Mapping[str, float]) -> None:
        """Ignored."""


class TensorBoard:
    """Event files under ``folder/STAGE``, readable while training goes on; a resumed training adds to them.

    Args:
        folder: made if absent.

    Raises:
        MissingDependencyError: the package tensorboard is absent.
        OutputError: the folder cannot be made.
    """

    def __init__(self, folder: Path) -> None:
        try:
            from tensorboard.summary import Writer
        except ImportError as error:
            raise MissingDependencyError("tensorboard", extra="tensorboard", why="--tensorboard") from error
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"{folder}: cannot be made: {error.strerror}") from error
        self._folder, self._make = folder, Writer
        self._writers: dict[str, Any] = {}

    def step(self, stage: str, number: int, loss: float) -> None:
        """See :class:`Board`."""
        self._writer(stage).add_scalar("step/loss", loss, step=number)

    def epoch(self, stage: str, number: int, values: Mapping[str, float]) -> None:
        """See :class:`Board`."""
        for name, value in values.items():
            self._writer(stage).add_scalar(f"epoch/{name}", value, step=number)
        self._writer(stage).flush()

    def _writer(self, stage: str) -> Any:
        if stage not in self._writers:
            self._writers[stage] = self._make(str(self._folder / stage))
        return self._writers[stage]


def open_board(folder: str | Path | None) -> Board:
    """The board asked for; errors as :class:`TensorBoard`."""
    return NoBoard() if folder is None else TensorBoard(Path(folder))
