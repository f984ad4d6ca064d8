"""Pruning, clustering and distillation through ``train``, in all three kinds of model, on the digits."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_sdk.errors import ModelError, RecipeError, TrainingError
from edge_sdk.recipe import Recipe, find_recipe, parse_recipe

pytestmark = [pytest.mark.filterwarnings("ignore")]

HEAD = 'description = "x."\nmode = "float"\n[train]\nepochs = 2\nbatch_size = 64\n'
KINDS = [
    pytest.param("keras", marks=pytest.mark.keras),
    pytest.param("tf_keras", marks=pytest.mark.keras),
    pytest.param("torch", marks=pytest.mark.torch),
]
BOTH = [KINDS[0], KINDS[2]]


def recipe(table: str, head: str = HEAD) -> Recipe:
    return parse_recipe("mine", head + table, where="mine.toml")


def digits(kind: str, count: int = 512) -> tuple[Any, Any]:
    from sklearn.datasets import load_digits

    data = load_digits()
    pixels = (data.images[:count] / 16).astype(np.float32)[..., None]
    pixels = np.ascontiguousarray(pixels.transpose(0, 3, 1, 2)) if kind == "torch" else pixels
    return pixels, data.target[:count].astype(np.int64)


def cnn(kind: str, width: int = 16) -> Any:
    """Convolution, batch norm, residual, linear."""
    if kind == "torch":
        return torch_cnn(width)
    keras = importlib.import_module(kind)
    layers = keras.layers
    keras.backend.clear_session()
    keras.utils.set_random_seed(0)
    image = layers.Input((8, 8, 1), name="image")
    x = layers.ReLU()(layers.BatchNormalization()(layers.Conv2D(width, 3, padding="same", name="stem")(image)))
    x = layers.Add(name="sum")([x, layers.Conv2D(width, 3, padding="same", activation="relu", name="body")(x)])
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(2 * width, 3, strides=2, name="top")(x))
    return keras.Model(image, layers.Dense(10, name="scores")(x))


def torch_cnn(width: int) -> Any:
    import torch
    from torch import nn

    class Cnn(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem = nn.Sequential(nn.Conv2d(1, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU())
            self.body, self.top = nn.Conv2d(width, width, 3, padding=1), nn.Conv2d(width, 2 * width, 3, 2)
            self.scores = nn.Linear(2 * width, 10)

        def forward(self, image: Any) -> Any:
            x = self.stem(image)
            x = x + torch.relu(self.body(x))
            return self.scores(self.top(x).mean((2, 3)))

    torch.manual_seed(0)
    return Cnn(), {"image": torch.zeros(1, 1, 8, 8)}


def trained(kind: str, table: str, source: Any = None, **options: Any) -> Any:
    from edge_sdk.converters.train import train

    data = options.pop("data", None) or digits(kind)
    source = cnn(kind) if source is None else source
    settings: dict[str, Any] = {"loss": "cross_entropy", "measure": False, **options}
    return train(source, data, recipe=recipe(table), **settings)


def kernels(model: Any) -> dict[str, Any]:
    from edge_sdk.converters.train.weights.kernels import kernels_of

    return {kernel.key: kernel.read() for kernel in kernels_of(model[0] if isinstance(model, tuple) else model)}


@pytest.mark.parametrize("kind", KINDS)
def test_zeros_come_to_the_share_and_stay_through_clustering(kind: str) -> None:
    source = cnn(kind)
    before = kernels(source)
    made = trained(kind, "[train.prune]\nsparsity = 0.8\n[train.cluster]\nclusters = 16\n", source)
    for key, values in kernels(made.model).items():
        assert (values == 0).sum() == round(0.8 * values.size), key
        assert len(np.unique(values)) <= 16, key
    prune, cluster = made.report.stages
    assert prune.facts["sparsity"] == pytest.approx(0.8, abs=1e-3)
    assert max(cluster.facts["distinct"].values()) <= 16
    # The epoch that was kept is one by which the share was reached: with few epochs, the last.
    assert prune.best_epoch == 2
    assert all(np.array_equal(values, before[key]) for key, values in kernels(source).items())


@pytest.mark.keras
@pytest.mark.parametrize("generation", ["keras", "tf_keras"])
def test_recurrent_and_attention_kernels_are_pruned_too(generation: str) -> None:
    keras = importlib.import_module(generation)
    layers = keras.layers
    keras.backend.clear_session()
    keras.utils.set_random_seed(0)
    rows = layers.Input((8, 8), name="rows")
    x = layers.Bidirectional(layers.GRU(8, return_sequences=True))(layers.LSTM(12, return_sequences=True)(rows))
    x = layers.MultiHeadAttention(2, 4)(x, x)
    model = keras.Model(rows, layers.Dense(10)(layers.GlobalAveragePooling1D()(x)))
    pixels, labels = digits(generation, 128)
    made = trained(generation, "[train.prune]\nsparsity = 0.5\n", model, data=(pixels[..., 0], labels))
    found = kernels(made.model)
    assert len(found) == 2 + 4 + 4 + 1
    assert all((values == 0).sum() == round(values.size / 2) for values in found.values())


@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize("pattern", ["2:4", "block_4x1"])
def test_patterns_hold_in_the_order_of_tflite(kind: str, pattern: str) -> None:
    table = f"[train.prune]\npattern = '{pattern}'\nexclude = ['stem', 'scores']\n"
    made = trained(kind, table + ("sparsity = 0.5\n" if pattern != "2:4" else ""))
    body = next(values for key, values in kernels(made.model).items() if "body" in key)
    outputs, *_, inputs = body.shape
    if pattern == "2:4":
        assert ((body == 0).reshape(-1, 4).sum(1) == 2).all()
    else:
        blocks = (body == 0).reshape(outputs // 4, 4, -1, inputs).sum(1)
        assert set(blocks.ravel().tolist()) == {0, 4}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("budget", ["macs_ratio", "size_ratio"])
def test_channels_go_until_the_budget_is_met(kind: str, budget: str) -> None:
    made = trained(kind, f"[train.prune]\npattern = 'structured'\n{budget} = 0.5\nround_to = 2\nratios = [0.5, 0.8]\n")
    facts = made.report.stages[0].facts
    before, after = facts["macs" if budget == "macs_ratio" else "parameters"]
    assert 0.3 < after / before <= 0.5
    assert all(left % 2 == 0 for _, left in facts["channels"].values())
    assert facts["sensitivity"]["of"] == "channels"
    assert set(facts["sensitivity"]["layers"]) == set(facts["channels"])


@pytest.mark.alone
@pytest.mark.slow
@pytest.mark.keras
def test_time_is_a_budget_too() -> None:
    table = "[train.prune]\npattern = 'structured'\ntime_ratio = 0.9\nround_to = 2\nratios = [0.5, 0.9]\n"
    made = trained("keras", table, cnn("keras", 32), data=digits("keras", 64))
    before, after = made.report.stages[0].facts["macs"]
    assert after < before


@pytest.mark.parametrize("kind", BOTH)
def test_a_run_that_goes_on_makes_the_same_cut(kind: str) -> None:
    """Which channels go is in the checkpoint: a measured budget would choose others the second time."""
    from edge_sdk.converters.sources.source import SourceOptions
    from edge_sdk.converters.train.data import open_training_data
    from edge_sdk.converters.train.frameworks import open_framework
    from edge_sdk.converters.train.pruning.prune_channels import ChannelStage
    from edge_sdk.converters.train.stage import Context

    framework = open_framework(cnn(kind), SourceOptions())
    data = open_training_data(digits(kind, 64), framework.inputs, framework.outputs, batch_size=32, seed=0)
    shapes: list[Any] = []
    saved: dict[str, Any] = {}
    for ratio in (0.25, 0.75):
        made = recipe(f"[train.prune]\npattern = 'structured'\npruning_ratio = {ratio}\nround_to = 1\n")
        assert made.train is not None
        assert made.train.prune is not None
        stage = ChannelStage(Context(framework, made, made.train.prune, data, lambda model: 0.0))
        stage.load_state(saved)
        shapes.append([values.shape for values in kernels(stage.prepare(framework.model)).values()])
        saved = stage.state()
    assert shapes[0] == shapes[1]


@pytest.mark.parametrize("kind", KINDS)
def test_a_student_comes_nearer_to_its_teacher(kind: str) -> None:
    """With no weight on the targets the loss is the teacher's alone, and falls to a part of what it was."""
    teacher = trained(kind, "[train.prune]\nsparsity = 0.1\n", cnn(kind), learning_rate=1e-2, epochs=4).model
    teacher = (teacher, torch_cnn(1)[1]) if kind == "torch" else teacher
    table = "[train.distil]\nweight = 1.0\ntemperature = 2.0\nfeatures = [['{0}', '{0}']]\n".format(
        "stem.0" if kind == "torch" else "stem"
    )
    student = cnn(kind, 8)
    made = trained(kind, table, student, teacher=teacher, learning_rate=1e-2, epochs=4)
    losses = made.report.stages[0].losses
    assert losses[-1] < 0.6 * losses[0]


@pytest.mark.parametrize("kind", BOTH)
def test_the_source_teaches_what_is_cut_from_it(kind: str) -> None:
    table = (
        "[train.distil]\nepochs = 0\nduring = ['prune']\n[train.prune]\npattern = 'structured'\npruning_ratio = 0.5\n"
    )
    made = trained(kind, table)
    distil, prune = made.report.stages
    assert distil.facts["teacher"] == "the source model"
    assert distil.epochs == 0
    assert prune.epochs == 2


@pytest.mark.parametrize("kind", BOTH)
def test_soft_losses_are_the_formulas(kind: str) -> None:
    """Against the same sums in numpy, in double precision."""
    from edge_sdk.converters.train.distilling.distil_losses import LOSSES

    rng = np.random.default_rng(0)
    one, other = rng.standard_normal((2, 5, 4)).astype(np.float32)
    losses, temperature = LOSSES[kind], 3.0

    def soft(values: Any) -> Any:
        raised = np.exp(values.astype(np.float64) / temperature)
        return raised / raised.sum(1, keepdims=True)

    p, q = soft(other), soft(one)
    expected = temperature**2 * (p * np.log(p / q)).sum(1).mean()
    tensors, axis = (tensor(kind, one), tensor(kind, other)), 1
    assert float(losses.classes(*tensors, temperature, axis, probabilities=False)) == pytest.approx(expected, rel=1e-5)
    assert float(losses.squared(*tensors)) == pytest.approx(float(np.square(one - other).mean()), rel=1e-5)
    soft_ones = (softmax(kind, one), softmax(kind, other))
    assert float(losses.classes(*soft_ones, temperature, axis, probabilities=True)) == pytest.approx(expected, rel=1e-4)
    # Twice the width with the same values: the same pairs of samples are alike.
    wide = tensor(kind, np.concatenate([one, one], 1))
    assert float(losses.features(tensors[0], wide)) == pytest.approx(0, abs=1e-6)


def tensor(kind: str, values: Any) -> Any:
    if kind == "torch":
        import torch

        return torch.from_numpy(values)
    import tensorflow as tf

    return tf.constant(values)


def softmax(kind: str, values: Any) -> Any:
    raised = np.exp(values)
    return tensor(kind, raised / raised.sum(1, keepdims=True))


@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("[train.prune]\npattern = '2:4'\n", r"1 layers cannot be pruned to 2:4: stem.*1 inputs are no multiple of 4"),
        ("[train.prune]\nsparsity = 0.5\nexclude = ['head']\n", "`head` matches no layer"),
        ("[train.prune]\nsparsity = 0.5\nexclude = ['.']\n", "no layer is left"),
        ("[train.prune]\npattern = 'structured'\npruning_ratio = 0.5\nexclude = ['head']\n", "`head` matches no layer"),
        ("[train.prune]\nsparsity = 0.9999\n", "leaves none of its"),
        ("[train.prune]\npattern = 'structured'\npruning_ratio = 0.99\n", r"leaves no channel of .*\(16\)"),
        ("[train.prune]\npattern = 'structured'\nmacs_ratio = 0.0001\n", "cannot be reached"),
        ("[train.prune]\npattern = 'structured'\npruning_ratio = 0.01\n", "rounding to multiples of 8"),
        ("[train.cluster]\nclusters = 500\n", r"2 layers have no more than 500 weights"),
        ("[train.distil]\n", "there is no teacher"),
        (
            "[train.distil]\nepochs = 0\nduring = ['cluster']\nfeatures = [['a', 'b']]\n[train.cluster]\n",
            "no layer `a`",
        ),
    ],
)
def test_what_cannot_be_done_is_said_before_any_training(kind: str, table: str, message: str) -> None:
    with pytest.raises(TrainingError, match=message) as caught:
        trained(kind, table, data=digits(kind, 64))
    assert caught.value.hint


@pytest.mark.keras
def test_teachers_that_do_not_fit() -> None:
    import keras

    layers = keras.layers
    wide = keras.Sequential([layers.Input((8, 8, 1)), layers.Flatten(), layers.Dense(12)])
    with pytest.raises(TrainingError, match=r"the student gives .*10.*the teacher .*12"):
        trained("keras", "[train.distil]\n", teacher=wide, data=digits("keras", 64))
    soft = keras.Sequential([layers.Input((8, 8, 1)), layers.Flatten(), layers.Dense(10, activation="softmax")])
    with pytest.raises(TrainingError, match="gives probabilities, the other logits"):
        trained("keras", "[train.distil]\n", teacher=soft, data=digits("keras", 64))


@pytest.mark.torch
@pytest.mark.keras
def test_a_teacher_of_another_framework() -> None:
    with pytest.raises(TrainingError, match="the teacher is a torch model, the student a keras one"):
        trained("keras", "[train.distil]\n", teacher=torch_cnn(4), data=digits("keras", 64))


@pytest.mark.keras
def test_every_layer_that_cannot_be_followed_is_named_before_training() -> None:
    import keras

    layers = keras.layers
    image = layers.Input((8, 8, 1), name="image")
    x = layers.GroupNormalization(2, name="groups")(layers.Conv2D(8, 3, name="first")(image))
    x = layers.Conv2D(8, 3, groups=2, name="halves")(layers.Conv2D(8, 1, name="second")(x))
    model = keras.Model(image, layers.Dense(10)(layers.GlobalAveragePooling2D()(layers.Conv2D(8, 1, name="free")(x))))
    structured = "[train.prune]\npattern = 'structured'\npruning_ratio = 0.5\nround_to = 2\n"
    message = r"2 layers cannot be followed: groups .* ties up first; halves .* ties up second"
    with pytest.raises(TrainingError, match=message) as caught:
        trained("keras", structured, model, data=digits("keras", 64))
    assert "'^groups$', '^halves$'" in str(caught.value.hint)
    made = trained("keras", structured + "exclude = ['^groups$', '^halves$']\n", model, data=digits("keras", 64))
    assert made.report.stages[0].facts["channels"] == {"free": [8, 4]}


@pytest.mark.keras
def test_open_extents_have_no_macs() -> None:
    import keras

    from edge_sdk.converters.sources.source import SourceOptions

    layers = keras.layers
    image = layers.Input((None, None, 1), name="image")
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(8, 3, name="open")(image))
    model = keras.Model(image, layers.Dense(10)(x))
    with pytest.raises(ModelError, match="MACs of open are not known"):
        trained(
            "keras",
            "[train.prune]\npattern = 'structured'\nmacs_ratio = 0.5\n",
            model,
            data=digits("keras", 64),
            source_options=SourceOptions(shapes={"image": (1, 8, 8, 1)}),
        )


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("[train.prune]\npattern = 'some'\nsparsity = 0.5\n", "train.prune.pattern: must be structured"),
        ("[train.prune]\npattern = '4:4'\n", "train.prune.pattern"),
        ("[train.prune]\nsparsity = 1.0\n", "train.prune.sparsity: must lie between 0 and 1, got 1"),
        ("[train.prune]\npattern = '2:4'\nsparsity = 0.5\n", "has no meaning for pattern 2:4"),
        ("[train.prune]\npattern = 'structured'\npruning_ratio = 0.5\nmacs_ratio = 0.5\n", "needs one of"),
        ("[train.prune]\nsparsity = 0.5\nratios = [0.5, 0.2]\n", "train.prune.ratios: must rise"),
        ("[train.distil]\nduring = ['qat']\n", r"train.distil.during: must name later stages"),
        ("[train.distil]\nepochs = 0\n", "the teacher would teach nothing"),
        ("[train.distil]\nweight = 1.5\n", "weight: must lie between 0 and 1"),
    ],
)
def test_tables_that_contradict_themselves(table: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        recipe(table)


@pytest.mark.parametrize(
    ("name", "stages"),
    [
        ("pruned_50_wi8_ai8", ["prune", "qat"]),
        ("pruned_structured_30", ["prune"]),
        ("clustered_16_wi8_ai8", ["cluster", "qat"]),
        ("distilled", ["distil"]),
    ],
)
def test_built_in_recipes(name: str, stages: list[str]) -> None:
    found = find_recipe(name)
    assert found.train is not None
    assert list(found.train.stages) == stages


@pytest.mark.slow
@pytest.mark.parametrize("kind", BOTH)
def test_what_was_won_is_in_the_int8_file(kind: str, tmp_path: Path, workers: Any) -> None:
    """Zeros and shared values through quantization-aware training, into the file: PCQAT."""
    from edge_sdk.artifact import read_artifact
    from edge_sdk.converters import convert
    from edge_sdk.converters.train.measuring import weights_of

    head = HEAD.replace('"float"', '"static_range"')
    int8 = '[weights]\ndtype = "int8"\n[activations]\ndtype = "int8"\n'
    table = "[train.distil]\nepochs = 0\nduring = ['qat']\n"
    table += "[train.prune]\nsparsity = 0.7\nexclude = ['stem', 'scores']\n[train.cluster]\nclusters = 8\n[train.qat]\n"
    made = recipe(table, head.replace("[train]", int8 + "[train]"))
    report = convert(
        cnn(kind), tmp_path / "x.tflite", recipe=made, train_data=digits(kind), loss="cross_entropy", workers=workers
    )
    assert report.verified
    training: Any = report.training
    assert [stage.name for stage in training.stages] == ["distil", "prune", "cluster", "qat"]
    weights = [w for w in weights_of(read_artifact(tmp_path / "x.tflite")) if w.ndim == 4 and w.shape[-1] == 16]
    assert len(weights) == 2
    for values in weights:
        assert values.dtype == np.int8
        assert (values == 0).mean() >= 0.7 - 1e-3
        assert max(len(np.unique(channel)) for channel in values) <= 8
    last = training.stages[-1].file
    assert last.zero_share > 0.5
    assert last.gzip_bytes < training.source_file.gzip_bytes / 5
    assert "dense" in training.stages[1].facts["sparse kernels"]
