"""MediaPipe's transposed convolution with a bias becomes TFLite's, and computes what its source says it does."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from edge_sdk.artifact.model import read_artifact
from edge_sdk.artifact.tree import pack_tree, parse_tree
from edge_sdk.converters import Workers, convert
from edge_sdk.converters.sources.tflite.transposed import NAME, with_builtin_transposed
from edge_sdk.errors import ModelError
from edge_sdk.runtime import Runner
from tests.graphs import Graph, options

pytestmark = pytest.mark.keras
Array = npt.NDArray[Any]
_RNG = np.random.default_rng(0)


def _side(extent: int, window: int, stride: int, same: bool) -> tuple[int, int]:
    """How long a side becomes, and what is cut off before it."""
    cut = max(0, window - (extent - 1) % stride - 1) if same else 0
    return stride * (extent - 1) + window - cut, cut // 2


def _by_hand(x: Array, w: Array, b: Array, numbers: Sequence[int]) -> Array:
    """Each pixel adds its weights where it falls, as MediaPipe's transpose_conv_bias.cc has it."""
    padding, across, down = numbers
    (tall, top), (wide, left) = (
        _side(x.shape[1 + i], w.shape[1 + i], s, padding == 1) for i, s in enumerate((down, across))
    )
    made = np.broadcast_to(b.astype(np.float64), (len(x), tall, wide, len(b))).copy()
    for n, i, j, p, q in np.ndindex(*x.shape[:3], *w.shape[1:3]):
        row, column = i * down - top + p, j * across - left + q
        if 0 <= row < tall and 0 <= column < wide:
            made[n, row, column] += w[:, p, q].astype(np.float64) @ x[n, i, j]
    return made


def _model(w: Array, b: Array, shape: Sequence[int], result: Sequence[int], numbers: Sequence[int]) -> bytes:
    """The op, and then an ADD."""
    graph = Graph()
    x, y, z = graph.tensor("x", shape), graph.tensor("y", result), graph.tensor("z", result)
    inputs = (x, graph.constant("w", w), graph.constant("b", b))
    graph.op("CUSTOM", inputs, (y,), None)
    graph.op("ADD", (y, y), (z,), options("AddOptions"))
    root, _ = parse_tree(graph.finish((x,), (z,)))
    code = root.subgraphs[0].operators[0]
    root.operator_codes[code.opcode_index].custom_code = NAME
    code.custom_options = np.frombuffer(np.array(numbers, "<i4").tobytes(), np.uint8)
    return pack_tree(root)


def _case(window: tuple[int, int], numbers: Sequence[int]) -> tuple[bytes, Array, Array]:
    x = _RNG.standard_normal((2, 4, 5, 3)).astype(np.float32)
    w = _RNG.standard_normal((2, *window, 3)).astype(np.float32)
    b = _RNG.standard_normal(2).astype(np.float32)
    want = _by_hand(x, w, b, numbers)
    return _model(w, b, x.shape, want.shape, numbers), x, 2 * want


@pytest.mark.parametrize("window", [(2, 2), (3, 4), (1, 5), (4, 1)])
@pytest.mark.parametrize("numbers", [(1, 2, 2), (2, 2, 2), (1, 3, 1), (2, 1, 3), (1, 1, 1)])
def test_it_computes_what_the_op_does(window: tuple[int, int], numbers: Sequence[int], tmp_path: Path) -> None:
    content, x, want = _case(window, numbers)
    made = tmp_path / "made.tflite"
    made.write_bytes(with_builtin_transposed(content, made))
    assert [op.name for op in read_artifact(made).main.ops] == ["TRANSPOSE_CONV", "ADD"]
    for xnnpack in (False, True):
        (got,) = Runner(str(made), xnnpack=xnnpack).run({"x": x}).values()
        # Sums of at most 60 products of size 10 in float32.
        np.testing.assert_allclose(got, want, rtol=0, atol=60 * 10 * 2**-23)


@pytest.mark.parametrize("recipe", ["dynamic", "int8"])
def test_it_is_quantized(recipe: str, tmp_path: Path, workers: Workers) -> None:
    source, target = tmp_path / "source.tflite", tmp_path / "target.tflite"
    content, x, want = _case((2, 2), (1, 2, 2))
    source.write_bytes(content)
    rows = np.concatenate([x, *_RNG.standard_normal((15, *x.shape))]).astype(np.float32)
    report = convert(
        str(source), target, recipe=recipe, workers=workers, calibration={"x": rows}, data={"x": rows}, timing=False
    )
    assert report.verified
    assert "custom-transposed-rewritten" in {finding.rule for finding in report.findings}
    (got,) = Runner(str(target)).run({"x": x}).values()
    # 8 bits of weights and of activations, each half a step of its range.
    np.testing.assert_allclose(got, want, rtol=0, atol=0.03 * np.ptp(want))


@pytest.mark.parametrize(
    ("numbers", "result", "words"),
    [
        ((1, 2), (2, 8, 9, 2), "has 8 bytes of options, expected 12"),
        ((1, 2, 2, 1), (2, 8, 9, 2), "has 16 bytes of options, expected 12"),
        ((0, 2, 2), (2, 8, 9, 2), "has the options (0, 2, 2)"),
        ((1, 0, 2), (2, 8, 9, 2), "has the options (1, 0, 2)"),
        ((1, 2, 2), (2, 8, 11, 2), "its result is [2, 8, 11, 2] in the file, expected [2, 8, 9, 2]"),
    ],
)
def test_what_cannot_be_read_for_certain_is_refused(
    numbers: Sequence[int], result: Sequence[int], words: str, tmp_path: Path
) -> None:
    w, b = np.ones((2, 2, 2, 3), np.float32), np.ones(2, np.float32)
    content = _model(w, b, (2, 4, 5, 3), result, numbers)
    with pytest.raises(ModelError, match=re.escape(words)):
        with_builtin_transposed(content, tmp_path / "bad.tflite")
