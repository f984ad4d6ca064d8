"""Whole channels cut out of models: the cut model computes what the whole one does with those channels silenced."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import pytest

pytestmark = [pytest.mark.filterwarnings("ignore")]


def keras_models(k: Any) -> dict[str, Any]:
    """Every kind of layer that a rule follows, in small."""
    layers = k.layers

    def block(x: Any, filters: int, strides: int = 1) -> Any:
        x = layers.Conv2D(filters, 3, strides=strides, padding="same", use_bias=False)(x)
        return layers.ReLU()(layers.BatchNormalization()(x))

    def cnn() -> Any:
        image = layers.Input((16, 16, 3))
        x = block(image, 16)
        y = layers.Conv2D(16, 1)(layers.DepthwiseConv2D(3, padding="same", depth_multiplier=1)(block(x, 16)))
        x = layers.Add()([x, y])
        gate = layers.Conv2D(8, 1, activation="relu")(layers.GlobalAveragePooling2D(keepdims=True)(x))
        x = layers.Multiply()([x, layers.Conv2D(16, 1, activation="sigmoid")(gate)])
        wide = layers.SeparableConv2D(24, 3, strides=2, padding="same", depth_multiplier=2)(x)
        x = layers.PReLU(shared_axes=[1, 2])(layers.Concatenate()([wide, block(x, 8, 2)]))
        x = layers.MaxPooling2D(4)(layers.Conv2DTranspose(12, 3, strides=2, padding="same")(x))
        x = layers.Dropout(0.1)(layers.Flatten()(x))
        return k.Model(image, layers.Dense(10, activation="softmax")(layers.Dense(20, activation="relu")(x)))

    def recurrent() -> Any:
        sequence = layers.Input((8, 5))
        x = layers.LSTM(12, return_sequences=True)(sequence)
        x = layers.Bidirectional(layers.GRU(6, return_sequences=True))(x)
        x = layers.SimpleRNN(7)(layers.TimeDistributed(layers.Dense(9))(x))
        return k.Model(sequence, layers.Dense(4)(x))

    def attention() -> Any:
        ids = layers.Input((8,), dtype="int32")
        x = layers.Conv1D(16, 3, padding="same")(layers.Embedding(30, 16)(ids))
        x = layers.Add()([x, layers.MultiHeadAttention(2, 8)(x, x)])
        x = layers.Add()([x, layers.Dense(16)(layers.Dense(32, activation="gelu")(x))])
        return k.Model(ids, layers.Dense(4)(layers.GlobalAveragePooling1D()(x)))

    def nested() -> Any:
        a = layers.Input((8, 8, 16))
        inner = k.Model(a, block(block(a, 16), 24), name="inner")
        rest = k.Sequential([layers.Input((8, 8, 24)), layers.Conv2D(10, 3), layers.ReLU()], name="rest")
        image, shared = layers.Input((8, 8, 3)), layers.Dense(8)
        x = layers.GlobalMaxPooling2D()(rest(inner(block(image, 16))))
        again = layers.Reshape((1, 1, 8))(shared(x * 2.0))
        return k.Model(image, [layers.Dense(4)(shared(x)), layers.Dense(3)(again)])

    def grouped() -> Any:
        image = layers.Input((8, 8, 3))
        x = layers.Conv2D(8, 3, groups=8, padding="same")(layers.Conv2D(8, 1)(image))
        return k.Model(image, layers.Dense(3)(layers.Permute((2, 1, 3))(x + 1.0)))

    return {"cnn": cnn, "recurrent": recurrent, "attention": attention, "nested": nested, "grouped": grouped}


def spread(model: Any) -> None:
    """No weight at its neutral value, so that nothing is silent by chance."""
    rng = np.random.default_rng(0)
    values = [v + 0.1 * rng.random(v.shape) if v.dtype == np.float32 else v for v in model.get_weights()]
    model.set_weights([np.asarray(v, w.dtype) for v, w in zip(values, model.get_weights(), strict=True)])


@pytest.mark.keras
@pytest.mark.parametrize("generation", ["keras", "tf_keras"])
@pytest.mark.parametrize("name", ["cnn", "recurrent", "attention", "nested", "grouped"])
def test_keras_cut_is_the_whole_model_with_channels_silenced(generation: str, name: str) -> None:
    from edge_sdk.converters.train.pruning.keras_structure import KerasStructure

    k = importlib.import_module(generation)
    k.utils.set_random_seed(0)
    model = keras_models(k)[name]()
    spread(model)
    before = [w.copy() for w in model.get_weights()]
    structure = KerasStructure(model)
    assert not structure.unfollowed
    removed = frozenset(c for b in structure.blocks for c in b.channels[: len(b.channels) // 2])
    cut = structure.cut(removed)

    shape = model.inputs[0].shape[1:]
    rng = np.random.default_rng(1)
    samples = rng.integers(0, 30, (4, *shape)) if name == "attention" else rng.random((4, *shape)).astype(np.float32)
    given, expected = (flat(m.predict(samples, verbose=0)) for m in (cut, structure.silenced(removed)))
    for one, other in zip(given, expected, strict=True):
        # Sums of at most some hundred float32 products in another order.
        assert np.abs(one - other).max() <= 1e-5 * (1 + np.abs(other).max())
    assert cut.count_params() == structure.cost(removed).parameters < model.count_params()
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))


def flat(outputs: Any) -> list[Any]:
    return list(outputs) if isinstance(outputs, list) else [outputs]


@pytest.mark.keras
def test_keras_macs_are_those_of_the_file(tmp_path: Any) -> None:
    """The cost that a budget rests on, against the count in the .tflite that the model becomes."""
    import keras

    from edge_sdk.artifact import read_artifact
    from edge_sdk.artifact.compute import macs
    from edge_sdk.converters import convert
    from edge_sdk.converters.train.pruning.keras_structure import KerasStructure

    keras.utils.set_random_seed(0)
    model = keras_models(keras)["cnn"]()
    structure = KerasStructure(model)
    for removed in (frozenset[int](), frozenset(structure.blocks[0].channels[:6])):
        convert(structure.cut(removed), tmp_path / "x.tflite", timing=False, keep_unverified=True)
        artifact = read_artifact(tmp_path / "x.tflite")
        assert structure.cost(removed).macs == sum(macs(graph, op) for graph, op in artifact.all_ops())


@pytest.mark.keras
def test_keras_names_every_layer_it_cannot_follow_and_what_it_ties_up() -> None:
    import keras

    from edge_sdk.converters.train.pruning.keras_structure import KerasStructure

    layers = keras.layers

    class Shuffle(keras.layers.Layer):
        def call(self, x: Any) -> Any:
            return x[..., ::-1]

    image = layers.Input((8, 8, 4))
    x = Shuffle(name="harmless")(image)
    x = layers.Conv2D(8, 3, name="before")(x)
    x = layers.Conv2D(8, 3, name="after")(Shuffle(name="shuffle")(x))
    x = layers.GroupNormalization(2, name="groups")(x)
    x = layers.Dense(6, name="free")(layers.GlobalAveragePooling2D()(x))
    structure = KerasStructure(keras.Model(image, layers.Dense(3, name="last")(x)))
    tied = {u.name: structure.layers_behind(u) for u in structure.unfollowed}
    assert tied == {"harmless": [], "shuffle": ["before"], "groups": ["after"]}
    assert [block.name for block in structure.blocks] == ["free"]


@pytest.mark.keras
def test_a_subclassed_model_has_no_graph_to_follow() -> None:
    import keras

    from edge_sdk.converters.train.pruning.keras_structure import KerasStructure
    from edge_sdk.errors import ModelError

    class Own(keras.Model):
        def call(self, x: Any) -> Any:
            return x

    with pytest.raises(ModelError, match="Own cannot be followed"):
        KerasStructure(Own())


def torch_models() -> dict[str, Any]:
    import torch
    from torch import nn

    def block(i: int, o: int, stride: int = 1, groups: int = 1) -> Any:
        return nn.Sequential(nn.Conv2d(i, o, 3, stride, 1, groups=groups, bias=False), nn.BatchNorm2d(o), nn.ReLU())

    class Cnn(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.dw, self.pw = block(3, 16), block(16, 16, 1, 16), nn.Conv2d(16, 16, 1)
            self.s1, self.s2 = nn.Conv2d(16, 8, 1), nn.Conv2d(8, 16, 1)
            self.b, self.c, self.t = block(16, 24, 2), block(16, 8, 2), nn.ConvTranspose2d(32, 12, 2, 2)
            self.l, self.h = nn.Linear(12 * 16, 20), nn.Linear(20, 10)

        def forward(self, x: Any) -> Any:
            x = self.a(x)
            x = x + self.pw(self.dw(x))
            x = x * torch.sigmoid(self.s2(torch.relu(self.s1(x.mean((2, 3), keepdim=True)))))
            x = nn.functional.max_pool2d(self.t(torch.cat([self.b(x), self.c(x)], 1)), 4)
            return self.h(torch.relu(self.l(x.flatten(1))))

    class Heads(nn.Module):
        """Both heads' channels are the user's, though no output has their number."""

        def __init__(self) -> None:
            super().__init__()
            self.a, self.b, self.c = nn.Linear(5, 16), nn.Linear(16, 4), nn.Linear(16, 6)

        def forward(self, x: Any) -> Any:
            x = torch.relu(self.a(x))
            return torch.cat([self.b(x), self.c(x)], 1)

    class Recurrent(nn.Module):
        def __init__(self, kind: Any) -> None:
            super().__init__()
            self.a, self.r, self.b = nn.Linear(5, 16), kind(16, 12, batch_first=True), nn.Linear(12, 20)
            self.h = nn.Linear(20, 4)

        def forward(self, x: Any) -> Any:
            x, _ = self.r(torch.relu(self.a(x)))
            return self.h(torch.relu(self.b(x[:, -1])))

    class Shuffle(nn.Module):
        """torch-pruning follows the first convolution through the shuffle, wrongly and without a word."""

        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Conv2d(3, 16, 3), nn.Conv2d(16, 16, 3, groups=4)
            self.c, self.h = nn.Conv2d(16, 8, 1), nn.Linear(1152, 4)

        def forward(self, x: Any) -> Any:
            x = self.b(self.a(x))
            n, c, h, w = x.shape
            x = x.view(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w)
            return self.h(self.c(x).flatten(1))

    image = torch.rand(1, 3, 16, 16)
    return {
        "cnn": (Cnn(), image),
        "heads": (Heads(), torch.rand(1, 5)),
        "lstm": (Recurrent(nn.LSTM), torch.rand(1, 8, 5)),
        "gru": (Recurrent(nn.GRU), torch.rand(1, 8, 5)),
        "shuffle": (Shuffle(), image),
    }


@pytest.mark.torch
@pytest.mark.parametrize(
    ("name", "blocks", "unfollowed"),
    [
        ("cnn", {"a.0", "b.0", "c.0", "s1", "t", "l"}, {}),
        ("heads", {"a"}, {}),
        ("lstm", {"b"}, {"r": {"r", "a"}}),
        ("gru", {"b"}, {"r": {"r", "a"}}),
        ("shuffle", {"c"}, {"a": {"a"}, "b": {"b"}}),
    ],
)
def test_torch_blocks_are_tried_and_the_others_named(name: str, blocks: set[str], unfollowed: dict[str, Any]) -> None:
    import torch

    from edge_sdk.converters.train.pruning.torch_structure import TorchStructure

    torch.manual_seed(0)
    module, sample = torch_models()[name]
    structure = TorchStructure(module.train(), {next(iter(module.forward.__code__.co_varnames[1:2])): sample})
    assert [len(set(b.layers) & blocks) for b in structure.blocks] == [1] * len(blocks)
    assert {u.name: set(structure.layers_behind(u)) for u in structure.unfollowed} == unfollowed

    removed = frozenset(c for b in structure.blocks for c in b.channels[: len(b.channels) // 2])
    cut, silenced = structure.cut(removed), structure.silenced(removed)
    assert cut.training
    assert module.training
    with torch.no_grad():
        given, expected = cut.eval()(sample), silenced.eval()(sample)
    assert float((given - expected).abs().max()) <= 1e-5 * (1 + float(expected.abs().max()))
    parameters = sum(p.numel() for p in cut.parameters())
    assert parameters == structure.cost(removed).parameters < structure.cost().parameters
    assert structure.cost(removed).macs < structure.cost().macs
