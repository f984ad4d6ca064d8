"""TensorBoard reads what a stage wrote: every step's loss, and each epoch's loss and metric."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.core.converters.train.test_loop import Line, Watching, loop

pytestmark = [pytest.mark.keras, pytest.mark.tensorboard, pytest.mark.filterwarnings("ignore")]


def test_curves_are_there_to_be_read(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    from edge_sdk.converters.train.board import TensorBoard

    training = loop(Line(), Watching(), None)
    training._plan = replace(training._plan, board=TensorBoard(tmp_path / "curves"))
    history = training.run()
    read = EventAccumulator(str(tmp_path / "curves" / "qat"), size_guidance={"tensors": 0})
    read.Reload()

    def curve(tag: str) -> list[float]:
        from tensorboard.util.tensor_util import make_ndarray

        return [float(make_ndarray(event.tensor_proto)) for event in read.Tensors(tag)]

    assert len(curve("step/loss")) == 20
    assert curve("epoch/loss") == pytest.approx(history.losses)
    assert curve("epoch/mse") == pytest.approx(history.metrics)
    assert [event.step for event in read.Tensors("epoch/mse")] == [1, 2, 3, 4]
