"""The training loop, its checkpoints and its data, with a framework of a few lines of numpy."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_sdk.converters.train.checkpoint import Checkpoint, Place, fingerprint
from edge_sdk.converters.train.data import ArrayBatches, as_batch, open_training_data, with_evaluation
from edge_sdk.converters.train.loop import Plan, StageLoop, TrainingInterrupted
from edge_sdk.converters.train.metrics import Metric, find_metric
from edge_sdk.converters.train.stage import Batch, Context, Moment, PlainStage, StepSettings
from edge_sdk.errors import CalibrationError, CheckpointError, TrainingError
from edge_sdk.progress import Silent
from edge_sdk.recipe import find_recipe
from edge_sdk.signature import TensorSpec

SPECS = (TensorSpec("x", (1, 2), "float32"),)
RECIPE = find_recipe("qat")


class Line:
    """``y = x @ w``, trained by plain gradient descent with a momentum, which is the optimizer's state."""

    def __init__(self) -> None:
        self.w = np.zeros(2, np.float32)


class Numpy:
    name, class_axis, model, inputs, outputs = "torch", 1, Line(), SPECS, ("y",)

    def state(self, model: Line) -> dict[str, Any]:
        return {"w": model.w.copy()}

    def load_state(self, model: Line, state: Mapping[str, Any]) -> None:
        model.w = state["w"].copy()


class Stepper:
    def __init__(self, model: Line, spoil: Callable[[int], float] = lambda step: 1.0) -> None:
        self._model, self._spoil = model, spoil
        self.momentum, self.steps = np.zeros(2, np.float32), 0

    def __call__(self, batch: Batch) -> float:
        error = batch.inputs["x"] @ self._model.w - batch.targets
        self.momentum = 0.9 * self.momentum + batch.inputs["x"].T @ error / len(error)
        self._model.w = (self._model.w - 0.05 * self.momentum).astype(np.float32)
        self.steps += 1
        return float(np.mean(error**2)) * self._spoil(self.steps)

    def state(self) -> dict[str, Any]:
        return {"momentum": self.momentum.copy()}

    def load_state(self, state: Mapping[str, Any]) -> None:
        self.momentum = state["momentum"].copy()


class Watching(PlainStage):
    name = "qat"

    def __init__(self, stop_at: int = -1) -> None:
        self.moments: list[Moment] = []
        self._stop_at = stop_at

    def after_step(self, model: Any, moment: Moment) -> None:
        self.moments.append(moment)
        if moment.step == self._stop_at:
            os.kill(os.getpid(), signal.SIGINT)


def batches(seed: int = 0) -> ArrayBatches:
    x = np.random.default_rng(1).normal(size=(40, 2)).astype(np.float32)
    return ArrayBatches("arrays", {"x": x}, x @ np.array([1.0, -2.0], np.float32), 8, seed)


def loop(
    model: Line, stage: Watching, folder: Path | None, *, epochs: int = 4, place: Place | None = None, **over: Any
) -> StageLoop:
    metric = Metric("mse", lambda outputs, targets: 0.0, higher_is_better=False)
    data = batches()
    evaluate = over.pop("evaluate", lambda m: float(np.mean((data.inputs["x"] @ m.w - data.targets) ** 2)))
    checkpoint = Checkpoint(folder, RECIPE, 0, "model")
    plan = Plan(Numpy(), data, metric, evaluate, checkpoint, Silent(), over.pop("patience", None), [])  # type: ignore[arg-type]
    return StageLoop(plan, stage, model, Stepper(model, **over), epochs=epochs, place=place)


def test_trains_and_calls_the_hooks_around_every_step() -> None:
    model, stage = Line(), Watching()
    history = loop(model, stage, None).run()
    assert [moment.step for moment in stage.moments] == list(range(20))
    assert {moment.steps for moment in stage.moments} == {20}
    assert history.losses[-1] < 0.5 * history.losses[0]
    assert history.metrics[-1] < history.metrics[0]


def test_interrupted_and_resumed_is_the_same_run(tmp_path: Path) -> None:
    whole = Line()
    loop(whole, Watching(), None).run()

    model = Line()
    with pytest.raises(TrainingInterrupted, match=r"stage qat, epoch 2, step 3; --resume goes on from"):
        loop(model, Watching(stop_at=7), tmp_path / "c").run()
    place = Checkpoint(tmp_path / "c", RECIPE, 0, "model").begin(resume=True)
    assert place is not None
    assert (place.epoch, place.step) == (1, 3)
    resumed = Line()
    loop(resumed, Watching(), tmp_path / "c", place=place).run()
    np.testing.assert_array_equal(resumed.w, whole.w)


def test_ctrl_c_without_a_checkpoint_says_so() -> None:
    with pytest.raises(TrainingInterrupted, match="no checkpoint was asked for"):
        loop(Line(), Watching(stop_at=2), None).run()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_nan_loss_stops_and_keeps_the_last_good_state(tmp_path: Path) -> None:
    model = Line()
    begun = loop(model, Watching(), tmp_path / "c", spoil=lambda step: float("nan") if step == 13 else 1.0)
    with pytest.raises(TrainingError, match=r"became nan in stage qat, epoch 3, step 3; the last good .* epoch 2") as e:
        begun.run()
    assert e.value.checkpoint == str(tmp_path / "c")
    kept = Checkpoint(tmp_path / "c", RECIPE, 0, "model")
    np.testing.assert_array_equal(kept.load("qat")["model"]["w"], model.w)
    place = kept.begin(resume=True)
    assert place is not None
    assert place.epoch == 2


def test_stops_early_and_ends_with_the_best_epoch() -> None:
    values = iter([3.0, 1.0, 2.0, 2.5, 0.1])
    model, stage = Line(), Watching()
    history = loop(model, stage, None, epochs=9, patience=2, evaluate=lambda m: next(values)).run()
    assert history.metrics == [3.0, 1.0, 2.0, 2.5]
    assert history.best == 2
    after_two = Line()
    loop(after_two, Watching(), None, epochs=2).run()
    np.testing.assert_array_equal(model.w, after_two.w)


@pytest.mark.parametrize(
    ("recipe", "seed", "model", "message"),
    [
        ("static_wi8_ai8", 0, "model", "another recipe: it holds qat_wi8_ai8, this run has static_wi8_ai8"),
        ("qat_wi8_ai8", 1, "model", "another seed"),
        ("qat_wi8_ai8", 0, "other", "another source model"),
    ],
)
def test_a_checkpoint_of_another_run_is_refused(
    tmp_path: Path, recipe: str, seed: int, model: str, message: str
) -> None:
    loop(Line(), Watching(), tmp_path, epochs=1).run()
    with pytest.raises(CheckpointError, match=message):
        Checkpoint(tmp_path, find_recipe(recipe), seed, model).begin(resume=True)


def test_a_checkpoint_is_neither_overwritten_nor_invented(tmp_path: Path) -> None:
    mine = Checkpoint(tmp_path / "c", RECIPE, 0, "model")
    with pytest.raises(CheckpointError, match="no checkpoint to resume from"):
        mine.begin(resume=True)
    assert mine.begin(resume=False) is None
    loop(Line(), Watching(), tmp_path / "c", epochs=1).run()
    with pytest.raises(CheckpointError, match="holds the checkpoint of an interrupted run") as caught:
        mine.begin(resume=False)
    assert "--resume" in (caught.value.hint or "")


@pytest.mark.parametrize("name", ["run.json", "qat.npz"])
def test_a_damaged_checkpoint_is_named(tmp_path: Path, name: str) -> None:
    loop(Line(), Watching(), tmp_path, epochs=1).run()
    path = tmp_path / name
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    checkpoint = Checkpoint(tmp_path, RECIPE, 0, "model")
    reads: dict[str, Callable[[], object]] = {
        "run.json": lambda: checkpoint.begin(resume=True),
        "qat.npz": lambda: checkpoint.load("qat"),
    }
    with pytest.raises(CheckpointError, match=f"{name}: damaged"):
        reads[name]()


def test_fingerprint_tells_weights_apart() -> None:
    one, other = {"w": np.zeros(3)}, {"w": np.array([0.0, 0.0, 1e-9])}
    assert fingerprint(one) == fingerprint({"w": np.zeros(3)})
    assert fingerprint(one) != fingerprint(other)


def test_learning_rate_falls_along_a_cosine() -> None:
    settings = StepSettings("adam", 1.0, 100)
    assert [settings.rate(step) for step in (0, 50, 100, 200)] == pytest.approx([1.0, 0.505, 0.01, 0.01])


# -- data ---------------------------------------------------------------------------------------------------------


def opened(data: Any, outputs: tuple[str, ...] = ("y",)) -> Any:
    return open_training_data(data, SPECS, outputs, batch_size=4, seed=0)


X = np.arange(20, dtype=np.float32).reshape(10, 2)


@pytest.mark.parametrize(
    "data",
    [{"x": X, "label": np.arange(10)}, (X, np.arange(10)), ({"x": X}, np.arange(10)), {"x": X, "y": np.arange(10)}],
)
def test_forms_of_data_in_memory(data: Any) -> None:
    found = opened(data)
    assert found.steps == 3
    seen = [row for batch in found.epoch(0) for row in batch.targets]
    assert set(seen) == set(range(10))
    assert len(seen) == 12
    for batch in found.epoch(3):
        np.testing.assert_array_equal(batch.inputs["x"], X[batch.targets])


def test_npz_and_function(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", x=X, y=np.arange(10))
    assert opened(tmp_path / "d.npz").count == 10
    (tmp_path / "feeds.py").write_text("import numpy as np\ndef f(): return np.zeros((4, 2), 'f'), np.arange(4)\n")
    assert opened(f"{tmp_path}/feeds.py:f").count == 4


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"x": X.astype(np.float64), "y": np.arange(10)}, "expects float32, got float64"),
        ({"x": X[:, :1], "y": np.arange(10)}, r"expects \[\?, 2\] with samples along the first axis, got \[10, 1\]"),
        ({"image": X, "y": np.arange(10)}, "no array for input `x`; it has image, y"),
        ({"x": X, "y": np.arange(9)}, "10 samples of inputs, but 9 of `targets`"),
        ({"x": X * np.nan, "y": np.arange(10)}, "holds NaN or infinity"),
        ({"x": X, "a": np.arange(10), "b": np.arange(10)}, "which of the arrays a, b are targets"),
        ("nothing.npz", "no such file"),
        ("photos.csv", "no such file"),
        (iter([1]), "cannot be gone through more than once"),
    ],
)
def test_data_that_does_not_fit(data: Any, message: str) -> None:
    with pytest.raises(CalibrationError, match=message):
        opened(data)


def test_batches_of_the_users_own() -> None:
    found = opened([(X[:4], np.arange(4)), (X[4:8], np.arange(4, 8))])
    assert found.steps == 2
    assert [batch.targets.tolist() for batch in found.epoch(0)] == [[0, 1, 2, 3], [4, 5, 6, 7]]
    with pytest.raises(TrainingError, match="no evaluation data"):
        with_evaluation(found, None)
    with pytest.raises(CalibrationError, match="a training batch is a ndarray"):
        as_batch(X, SPECS)
    with pytest.raises(CalibrationError, match=r"expects \[\?, 2\], got \[4, 1\]"):
        as_batch((X[:4, :1], np.arange(4)), SPECS)


def test_a_tenth_is_held_out_and_never_trained_on() -> None:
    kept, held = with_evaluation(opened((X, np.arange(10))), None)
    train = {int(t) for batch in kept.epoch(0) for t in batch.targets}
    test = {int(t) for batch in held.in_order() for t in batch.targets}
    assert len(test) == 1
    assert train == set(range(10)) - test
    assert "held out" in kept.description


# -- metrics ------------------------------------------------------------------------------------------------------


def test_accuracy_of_classes_and_of_yes_or_no() -> None:
    scores = np.array([[0.1, 0.9], [0.8, 0.2]], np.float32)
    accuracy = find_metric(None, loss="cross_entropy", class_axis=-1)
    assert accuracy.measure({"y": scores}, np.array([1, 1])) == 0.5
    assert accuracy.measure({"y": scores}, np.eye(2)[[1, 0]]) == 1.0
    logits = np.array([[-1.0], [2.0]], np.float32)
    assert accuracy.measure({"y": logits}, np.array([0, 1])) == 1.0
    assert accuracy.better(0.6, 0.5)
    assert not accuracy.better(float("nan"), 0.5)


def test_errors_are_better_when_small() -> None:
    metric = find_metric("mse", loss=None, class_axis=1)
    assert metric.measure({"y": np.array([[1.0], [3.0]])}, np.array([0.0, 0.0])) == 5.0
    assert metric.better(1.0, 2.0)


def test_a_metric_must_be_known_or_follow_from_the_loss() -> None:
    with pytest.raises(TrainingError, match="unknown metric `acuracy`, did you mean `accuracy`"):
        find_metric("acuracy", loss="mse", class_axis=1)
    with pytest.raises(TrainingError, match="no metric was given"):
        find_metric(None, loss=lambda o, t: 0, class_axis=1)
    own = find_metric(lambda outputs, targets: float(outputs.sum()), loss=None, class_axis=1, goal="min")
    assert own.measure({"y": np.ones(3)}, None) == 3.0
    assert own.better(1.0, 2.0)


def test_a_stage_that_a_framework_lacks_is_named() -> None:
    from edge_sdk.converters.train.stages import make_stages
    from edge_sdk.errors import RecipeError

    context = Context(Numpy(), RECIPE, RECIPE.train.stages["qat"], batches(), lambda m: 0.0)  # type: ignore[arg-type, union-attr]
    with pytest.raises(RecipeError, match="there is no stage `sharpen` for torch"):
        make_stages({"sharpen": context})


def test_iterables_are_counted() -> None:
    class Endless:
        def __iter__(self) -> Iterator[Any]:
            return iter([(X[:2], np.arange(2))] * 3)

    assert opened(Endless()).steps == 3
