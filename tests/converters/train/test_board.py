"""TensorBoard reads what a stage wrote: every step's loss, and each epoch's loss and metric."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from edge_sdk.converters.train.board import open_board
from edge_sdk.errors import MissingDependencyError, OutputError
from tests.core.converters.train.test_loop import Line, Watching, loop

pytestmark = pytest.mark.filterwarnings("ignore")

_WANDB = """
import json, pathlib


class Error(Exception):
    pass


def init(project, mode):
    if project == "closed":
        raise Error("no such project")
    return Run({"project": project, "mode": mode, "metrics": [], "rows": [], "finished": False})


class Run:
    def __init__(self, told):
        self.told = told

    def define_metric(self, name, step_metric=None):
        self.told["metrics"].append([name, step_metric])

    def log(self, row):
        self.told["rows"].append(row)

    def finish(self):
        self.told["finished"] = True
        pathlib.Path(__file__).with_name("told.json").write_text(json.dumps(self.told))
"""


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package wandb that writes down what it is told."""
    (tmp_path / "wandb.py").write_text(_WANDB)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delenv("WANDB_MODE", raising=False)
    monkeypatch.delitem(sys.modules, "wandb", raising=False)
    yield tmp_path
    sys.modules.pop("wandb", None)


@pytest.mark.keras
def test_weights_and_biases_hears_the_same_and_sends_nothing_unasked(stand_in: Path) -> None:
    training = loop(Line(), Watching(), None)
    board = open_board(None, "mine")
    training._plan = replace(training._plan, board=board)
    history = training.run()
    board.close()
    told = json.loads((stand_in / "told.json").read_text())
    assert (told["project"], told["mode"], told["finished"]) == ("mine", "offline", True)
    assert told["metrics"][:2] == [["qat/step/number", None], ["qat/step/*", "qat/step/number"]]
    steps = [row["qat/step/loss"] for row in told["rows"] if "qat/step/loss" in row]
    assert len(steps) == 20
    epochs = [(row["qat/epoch/number"], row["qat/epoch/loss"]) for row in told["rows"] if "qat/epoch/loss" in row]
    assert epochs == list(enumerate(history.losses, 1))


def test_weights_and_biases_is_asked_as_the_user_says(stand_in: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "online")
    open_board(None, "mine").close()
    assert json.loads((stand_in / "told.json").read_text())["mode"] == "online"
    (stand_in / "wandb.py").write_text("from numpy import no_such_name")
    sys.modules.pop("wandb")
    importlib.invalidate_caches()
    with pytest.raises(OutputError, match=r"wandb is installed, and cannot be imported \(cannot import name"):
        open_board(None, "mine")


def test_a_project_that_cannot_be_begun_says_why(stand_in: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "online")
    with pytest.raises(OutputError, match=r"cannot begin a run of project closed \(mode online\): no such project"):
        open_board(None, "closed")


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge_sdk.converters.train.board.find_spec", lambda name: None)
    with pytest.raises(MissingDependencyError, match="wandb") as told:
        open_board(None, "mine")
    assert "edge-sdk[wandb]" in str(told.value.hint)


@pytest.mark.keras
@pytest.mark.tensorboard
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
