"""Time that tuning may take: shared out to stages, told, kept for a run that goes on, and the best state taken."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_sdk.artifact.model import parse_artifact
from edge_sdk.converters.quantize.tuning.budget import ENDS, Budget
from edge_sdk.parity.constants import constant_faults
from edge_sdk.report.text import _ended_text
from tests.converters.quantize.test_learning import parts
from tests.converters.quantize.test_tuning import prepared
from tests.converters.quantize.tuning_heard import Clock, Heard, asked


def test_a_stage_ends_at_its_share_and_leaves_what_it_did_not_need() -> None:
    clock = Clock()
    budget = Budget(10, clock=clock, progress=Heard())
    with budget.stage("layers", 4):
        clock.now = 60 * 10 * ENDS["layers"] - 1
        assert not budget.is_over("layers")
        budget.count(3)
        clock.now += 1
        assert budget.is_over("layers")
    with budget.stage("blocks", 2):
        assert budget.left("blocks") == pytest.approx(60 * 10 * (ENDS["blocks"] - ENDS["layers"]))
        budget.count(2)
    ended = budget.ended().as_json()
    assert (ended["by"], ended["minutes"], ended["seconds"]) == ("time", 10, 240)
    assert [(one["stage"], one["done"], one["of"], one["by_time"]) for one in ended["stages"]] == [
        ("layers", 3, 4, True),
        ("blocks", 2, 2, False),
    ]
    assert _ended_text({"ended": ended}) == "; ended by time at layer 3 of 4 (--tune-minutes 10)"


def test_what_an_interrupted_run_spent_is_gone(tmp_path: Path) -> None:
    clock, place = Clock(), tmp_path / "folder" / "spent.npz"
    first = Budget(1, kept=place, clock=clock, progress=Heard())
    clock.now = 40.0
    first.keep()
    clock.now = 1000.0
    again = Budget(1, kept=place, clock=clock, progress=Heard())
    assert again.spent == 40
    assert again.left("floats") == 20


@pytest.mark.keras
@pytest.mark.runtime
def test_tuning_ends_by_time_where_it_was_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that goes on by a second at each look: the layers' share is over while they are rounded."""
    from edge_sdk.converters.quantize.tuning import tuning

    made, target, folder = prepared(tmp_path)
    original = Budget
    monkeypatch.setattr(tuning, "Budget", lambda *a, **kw: original(*a, clock=Clock(1.0), **kw))
    # Samples are looked at before they are read, then layers: 16 looks, then as many as are left of 20.
    found = tuning.tune(str(target), made["tunable"], folder, {}, asked=asked(minutes=0.9), progress=Heard())
    told = found["corrections"]["tuned"]
    assert told["ended"]["by"] == "time"
    (layers,) = (one for one in told["ended"]["stages"] if one["stage"] == "layers")
    assert 0 < layers["done"] < layers["of"] == 4
    assert told["rounded"] <= layers["done"]
    explained = Path(found.get("explained", made["explained"]))
    assert constant_faults(parse_artifact(explained.read_bytes()), parse_artifact(target.read_bytes())) == []


@pytest.mark.torch
@pytest.mark.keras
@pytest.mark.runtime
def test_learning_that_ends_by_time_has_its_best_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from edge_sdk.converters.quantize.tuning import learning

    monkeypatch.setattr(learning, "_MOST", 32)
    monkeypatch.setattr(learning, "_FEWEST", 32)
    made, target, _ = prepared(tmp_path)
    files = (Path(made["tunable"]["reference"]), target, Path(made["explained"]))
    start = learning.Start(*(path.read_bytes() for path in files))
    clock = Clock()

    class Slow(Heard):
        """Blocks are over after five steps, all of it after three more."""

        def count(self, done: int, total: int | None) -> None:
            super().count(done, total)
            clock.now = {("blocks", 5): 60 * ENDS["blocks"], ("whole", 3): 60.0}.get((self._stage, done), clock.now)

    budget = Budget(1, clock=clock, progress=Slow())
    found = learning.learn(start, parts, stored=None, seed=0, budget=budget)
    told = [(one.stage, one.done, one.of, one.by_time) for one in budget.ended().stages]
    assert told == [("blocks", 5, 12, True), ("whole", 3, 20, True)]
    assert found.steps == 8
    assert found.loss[1] <= found.loss[0]
    assert constant_faults(parse_artifact(found.reference), parse_artifact(found.quantized)) == []
    clock.now = 60.0
    with pytest.raises(Exception, match="its time was over before"):
        learning.learn(start, parts, stored=None, seed=0, budget=Budget(1, clock=clock, spent=60.0, progress=Heard()))
