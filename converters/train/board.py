"""Where curves of a training go: TensorBoard's files, a run for each stage, and Weights & Biases."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
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

    def close(self) -> None:
        """Training has ended, whatever ended it."""
        ...


class NoBoard:
    """Hears and keeps nothing."""

    def step(self, stage: str, number: int, loss: float) -> None:
        """Ignored."""

    def epoch(self, stage: str, number: int, values: Mapping[str, float]) -> None:
        """Ignored."""

    def close(self) -> None:
        """Nothing is open."""


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

    def close(self) -> None:
        """Ends all files."""
        for writer in self._writers.values():
            writer.close()

    def _writer(self, stage: str) -> Any:
        if stage not in self._writers:
            self._writers[stage] = self._make(str(self._folder / stage))
        return self._writers[stage]


class WeightsAndBiases:
    """One run of Weights & Biases, whose charts have the stage's name before their own.

    Nothing is sent unless the user says so: without ``WANDB_MODE=online`` the run is kept in its folder, for
    ``wandb sync``.

    Args:
        project: its name there.

    Raises:
        MissingDependencyError: the package wandb is absent.
        OutputError: it cannot begin a run.
    """

    def __init__(self, project: str) -> None:
        if find_spec("wandb") is None:
            raise MissingDependencyError("wandb", extra="wandb", why="--wandb")
        try:
            import wandb
        except ImportError as error:
            text = f"wandb is installed, and cannot be imported ({error})"
            raise OutputError(text, hint="mend it (its protobuf may be another's), or leave --wandb out") from error
        mode = os.environ.get("WANDB_MODE") or "offline"
        try:
            self._run: Any = wandb.init(project=project, mode=mode)
        except (wandb.Error, OSError, ValueError) as error:
            raise OutputError(
                f"Weights & Biases cannot begin a run of project {project} (mode {mode}): {error}",
                hint="WANDB_MODE=offline keeps it here; online needs `wandb login`",
            ) from error
        self._known: set[str] = set()

    def step(self, stage: str, number: int, loss: float) -> None:
        """See :class:`Board`."""
        self._log(stage, "step", number, {"loss": loss})

    def epoch(self, stage: str, number: int, values: Mapping[str, float]) -> None:
        """See :class:`Board`."""
        self._log(stage, "epoch", number, values)

    def close(self) -> None:
        """Ends the run."""
        self._run.finish()

    def _log(self, stage: str, kind: str, number: int, values: Mapping[str, float]) -> None:
        group = f"{stage}/{kind}"
        if group not in self._known:
            # Steps and epochs of each stage count from their own beginning.
            self._run.define_metric(f"{group}/number")
            self._run.define_metric(f"{group}/*", step_metric=f"{group}/number")
            self._known.add(group)
        self._run.log({f"{group}/number": number, **{f"{group}/{name}": value for name, value in values.items()}})


class Boards:
    """Several at once."""

    def __init__(self, boards: Sequence[Board]) -> None:
        self._boards = tuple(boards)

    def step(self, stage: str, number: int, loss: float) -> None:
        """See :class:`Board`."""
        for board in self._boards:
            board.step(stage, number, loss)

    def epoch(self, stage: str, number: int, values: Mapping[str, float]) -> None:
        """See :class:`Board`."""
        for board in self._boards:
            board.epoch(stage, number, values)

    def close(self) -> None:
        """Each."""
        for board in self._boards:
            board.close()


def open_board(tensorboard: str | Path | None, wandb: str | None = None) -> Board:
    """The boards asked for; errors as :class:`TensorBoard` and :class:`WeightsAndBiases`."""
    boards: list[Board] = [] if tensorboard is None else [TensorBoard(Path(tensorboard))]
    if wandb is not None:
        boards.append(WeightsAndBiases(wandb))
    return Boards(boards) if boards else NoBoard()
