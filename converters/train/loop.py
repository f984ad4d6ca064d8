"""The shared training loop: one stage over its epochs, with checkpoints, early stop and a watch for NaN."""

from __future__ import annotations

import contextlib
import math
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from edge_sdk.converters.train.board import Board, NoBoard
from edge_sdk.converters.train.checkpoint import Checkpoint, Place
from edge_sdk.converters.train.metrics import Metric
from edge_sdk.converters.train.stage import Batches, Framework, Moment, Stage, State, Stepper
from edge_sdk.errors import TrainingError
from edge_sdk.progress import Progress

StepFunction = Callable[[Any, Any], Any]


class TrainingInterrupted(KeyboardInterrupt):
    """Ctrl-C during training; says where the checkpoint is."""


@dataclass(frozen=True)
class Plan:
    """What the loop is told, the same for all stages."""

    framework: Framework
    data: Batches
    metric: Metric
    evaluate: Callable[[Any], float]
    checkpoint: Checkpoint
    progress: Progress
    patience: int | None
    done: list[dict[str, Any]]
    board: Board = field(default_factory=NoBoard)


@dataclass
class History:
    """What the epochs gave; the loop's only state beside the weights."""

    losses: list[float] = field(default_factory=list)
    metrics: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    best: int = 0
    improved: int = 0
    best_metric: float | None = None

    def as_json(self) -> dict[str, Any]:
        """For a checkpoint."""
        return dict(vars(self))


class StageLoop:
    """Trains a prepared model.

    Args:
        plan: see :class:`Plan`.
        stage: whose hooks are called.
        model: what :meth:`Stage.prepare` gave.
        stepper: trains one batch.
        epochs: how many at most.
        place: where to go on; None to begin.
    """

    def __init__(
        self, plan: Plan, stage: Stage, model: Any, stepper: Stepper, *, epochs: int, place: Place | None
    ) -> None:
        self._plan, self._stage, self._model, self._stepper, self._epochs = plan, stage, model, stepper, epochs
        self._place = place or Place(stage.name, 0)
        self.history = History(**self._place.history)
        self._best: State = {}
        self._good: tuple[Place, State] | None = None
        self._stop = False
        if place:
            self._restore()

    def run(self) -> History:
        """Trains; the model ends with the weights of the best epoch.

        Raises:
            TrainingError: the loss became NaN or infinite.
            TrainingInterrupted: Ctrl-C; a checkpoint was written where one was asked for.
        """
        framework = self._plan.framework
        self._best = self._best or framework.state(self._model)
        with self._interruptible():
            for epoch in range(self._place.epoch, self._epochs):
                if self._is_idle():
                    break
                self._epoch(epoch, self._place.step if epoch == self._place.epoch else 0)
        if self._best:
            framework.load_state(self._model, self._best)
        return self.history

    def _is_idle(self) -> bool:
        patience = self._plan.patience
        if patience is None or (self.history.metrics and not self.history.best):
            return False  # no epoch has yet reached what the stage is for
        return len(self.history.metrics) - self.history.improved >= patience

    def _epoch(self, epoch: int, first: int) -> None:
        plan, begin, total, count = self._plan, time.perf_counter(), 0.0, 0
        steps = plan.data.steps
        plan.progress.stage(self._title(epoch))
        for step, batch in islice(enumerate(plan.data.epoch(epoch)), first, None):
            moment = Moment(epoch * steps + step, self._epochs * steps)
            self._stage.before_step(self._model, moment)
            loss = self._stepper(batch)
            if not math.isfinite(loss):
                raise self._diverged(loss, epoch, step)
            self._stage.after_step(self._model, moment)
            total, count = total + loss, count + 1
            plan.progress.count(step + 1, steps)
            plan.board.step(self._stage.name, epoch * steps + step, loss)
            if self._stop:
                self._interrupt(epoch, step + 1)
        self._close(epoch, total / max(1, count), time.perf_counter() - begin)

    def _title(self, epoch: int) -> str:
        text = f"{self._stage.name}: epoch {epoch + 1} of {self._epochs}"
        if not self.history.metrics:
            return text
        metric = self._plan.metric
        return f"{text} (loss {self.history.losses[-1]:.4g}, {metric.name} {metric.text(self.history.metrics[-1])})"

    def _close(self, epoch: int, loss: float, seconds: float) -> None:
        history, value = self.history, self._plan.evaluate(self._model)
        history.losses.append(loss)
        history.metrics.append(value)
        history.seconds.append(seconds)
        best, metric = history.best_metric, self._plan.metric
        told = {"loss": loss, metric.name: value, "seconds": seconds}
        self._plan.board.epoch(self._stage.name, epoch + 1, told)
        last = Moment((epoch + 1) * self._plan.data.steps - 1, self._epochs * self._plan.data.steps)
        reached = self._stage.reached(last)
        if reached and (best is None or metric.better(value, best)):
            history.improved = epoch + 1
        # Of equal epochs the later one was trained longer, at a lower rate.
        if reached and (best is None or (not math.isnan(value) and not metric.better(best, value))):
            history.best, history.best_metric = epoch + 1, value
            self._best = self._plan.framework.state(self._model)
        self._save(Place(self._stage.name, epoch + 1, 0, history.as_json(), self._plan.done))

    def _save(self, place: Place) -> None:
        state = self._plan.framework.state(self._model)
        self._good = (place, state)
        self._plan.checkpoint.save(place, self._states(state))

    def _states(self, state: State) -> Mapping[str, State]:
        return {"model": state, "best": self._best, "optimizer": self._stepper.state(), "stage": self._stage.state()}

    def _restore(self) -> None:
        parts = self._plan.checkpoint.load(self._stage.name)
        self._stage.load_state(parts.get("stage", {}))
        self._plan.framework.load_state(self._model, parts["model"])
        self._stepper.load_state(parts.get("optimizer", {}))
        self._best = parts.get("best", {})

    def _diverged(self, loss: float, epoch: int, step: int) -> TrainingError:
        folder = self._plan.checkpoint.folder
        good = "no epoch was finished"
        if self._good:
            metric, value = self._plan.metric, self.history.metrics[-1]
            good = f"the last good state is that after epoch {self._good[0].epoch} ({metric.name} {metric.text(value)})"
            self._plan.framework.load_state(self._model, self._good[1])
        kept = str(folder) if folder and self._good else None
        return TrainingError(
            f"the loss became {loss} in stage {self._stage.name}, epoch {epoch + 1}, step {step + 1}; {good}"
            + (f", in {kept}" if kept else ""),
            hint="lower --learning-rate, and look for NaN in the targets"
            + ("; --resume goes on from the last good state" if kept else ""),
            checkpoint=kept,
        )

    def _interrupt(self, epoch: int, step: int) -> None:
        folder = self._plan.checkpoint.folder
        where = f"interrupted in stage {self._stage.name}, epoch {epoch + 1}, step {step}"
        if folder is None:
            raise TrainingInterrupted(f"{where}; no checkpoint was asked for")
        self._save(Place(self._stage.name, epoch, step, self.history.as_json(), self._plan.done))
        raise TrainingInterrupted(f"{where}; --resume goes on from {folder}")

    @contextlib.contextmanager
    def _interruptible(self) -> Iterator[None]:
        """The first Ctrl-C ends the run after its step, so that no weight is half changed; the second at once."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def stop(number: int, frame: Any) -> None:  # noqa: ARG001 - the form of a signal handler
            if self._stop:
                raise KeyboardInterrupt
            self._stop = True

        before = signal.signal(signal.SIGINT, stop)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)
