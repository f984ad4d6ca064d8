"""How PyTorch modules are called: inputs by position, by name, as ``*args``, nested in dicts and lists."""

from __future__ import annotations

import re
from collections import namedtuple
from typing import Any

import pytest

from edge_sdk.converters.sources.source import SourceOptions
from edge_sdk.errors import SignatureError

pytestmark = pytest.mark.torch
Pair = namedtuple("Pair", "left right")


def call(forward: Any, examples: Any) -> Any:
    import torch

    from edge_sdk.converters.sources.pytorch.calls import TorchCall

    module = type("Module", (torch.nn.Module,), {"forward": forward})()
    return TorchCall(module, examples, SourceOptions())


def ones(*shape: int) -> Any:
    import torch

    return torch.ones(*shape)


def difference(self: Any, a: Any, b: Any) -> Any:
    return a - b


def joined(self: Any, *parts: Any) -> Any:
    return sum((i + 1) * part for i, part in enumerate(parts))


def of_batch(self: Any, batch: dict[str, Any], scale: float = 1.0) -> Any:
    return scale * batch["image"] - batch["boxes"][1]


def of_pair(self: Any, pair: Pair, *, flipped: bool = False) -> Any:
    return pair.right - pair.left if flipped else pair.left - pair.right


CASES: dict[str, tuple[Any, Any, list[str]]] = {
    "by position": (difference, lambda: (ones(2), ones(2)), ["a", "b"]),
    "by name, in another order": (difference, lambda: {"b": ones(2), "a": ones(2)}, ["b", "a"]),
    "any number": (joined, lambda: (ones(2), ones(2), ones(2)), ["parts_0", "parts_1", "parts_2"]),
    "nested": (
        of_batch,
        lambda: ({"image": ones(2), "boxes": [ones(2), ones(2)]}, 3.0),
        ["batch_image", "batch_boxes_0", "batch_boxes_1"],
    ),
    "named tuple and a flag": (
        of_pair,
        lambda: {"pair": Pair(ones(2), ones(2)), "flipped": True},
        ["pair_0", "pair_1"],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_inputs_have_flat_names_and_reach_forward(case: str) -> None:
    forward, make, names = CASES[case]
    made = call(forward, make())
    assert [spec.name for spec in made.inputs] == names
    numbers = {name: (10.0**i) * ones(2) for i, name in enumerate(names)}
    wants = {
        "by position": 1 - 10,
        "by name, in another order": 10 - 1,
        "any number": 1 + 2 * 10 + 3 * 100,
        "nested": 3 * 1 - 100,
        "named tuple and a flag": 10 - 1,
    }
    assert made(numbers)["output"].tolist() == [wants[case]] * 2


def test_examples_that_do_not_fit() -> None:
    with pytest.raises(SignatureError, match=r"do not fit Module\.forward"):
        call(difference, (ones(2), ones(2), ones(2)))


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (("a", "c"), "inputs a, c: missing a required argument: 'b'; it takes a, b"),
        (("a",), "inputs a: missing a required argument: 'b'"),
        (("a", "b", "bb"), "unexpected keyword argument 'bb', did you mean `b`?"),
    ],
)
def test_names_of_shapes_must_be_those_of_forward(names: tuple[str, ...], words: str) -> None:
    import torch

    from edge_sdk.converters.sources.pytorch.calls import TorchCall

    module = type("Module", (torch.nn.Module,), {"forward": difference})()
    with pytest.raises(SignatureError, match=re.escape(words)) as raised:
        TorchCall(module, None, SourceOptions(shapes=dict.fromkeys(names, (1, 2))))
    assert raised.value.hint == "give --input a=1,... --input b=1,..."
