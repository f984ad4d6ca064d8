"""What TFLite's 16-bit kernels are wrong on, or refuse, is written in another form or stays in float."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge_sdk.artifact.constants import real_values
from edge_sdk.artifact.model import read_artifact
from edge_sdk.recipe import Int16, find_recipe
from tests.converters.quantize.wide_cases import BIASES, every, large_bias
from tests.converters.quantize.wide_kernels import tried

pytestmark = [pytest.mark.keras, pytest.mark.filterwarnings("ignore:.*experimental_preserve_all_tensors")]
_CASES = {case.name: case for case in every()}
_WIDE, _NARROW = find_recipe("int16x8"), find_recipe("int8")


def _named(*kinds: str) -> Int16:
    return Int16(tuple(f"^{re.escape(kind)}$" for kind in kinds))


@pytest.mark.parametrize(
    ("name", "word", "floats"),
    [
        # 9,540 steps off as a kernel of 16 bits, and within 64 where its operand's range is narrow.
        ("SOFTMAX of 7000, normal times 10", "float", ("SOFTMAX",)),
        ("SOFTMAX of 7000, normal times 0.5", "right", ()),
        ("SOFTMAX of 16, normal times 30", "right", ()),
        ("RSQRT of 0.001 to 1", "float", ("RSQRT",)),
        ("RSQRT of 0.5 to 1", "right", ()),
        # The engine refused these files.
        ("LOGISTIC, read by MAXIMUM", "right", ()),
        ("TANH, read by MAXIMUM", "right", ()),
        ("SOFTMAX, read by PADV2", "right", ()),
        ("BATCH_MATMUL by a stored matrix, turned", "right", ()),
        ("BATCH_MATMUL of a stored matrix", "float", ("BATCH_MATMUL",)),
    ],
)
def test_files_of_16_bits_open_and_are_right(tmp_path: Path, name: str, word: str, floats: tuple[str, ...]) -> None:
    outcome = tried(_CASES[name], _WIDE, tmp_path)
    assert (outcome.word, outcome.error, outcome.faults, outcome.floats) == (word, "", (), floats)
    assert ("kernels-in-float" in outcome.rules) == bool(floats)


@pytest.mark.parametrize(
    ("name", "kind", "floats"),
    [
        ("LOGISTIC, read by MAXIMUM", "LOGISTIC", ()),
        ("SOFTMAX of 197, normal times 3", "SOFTMAX", ("SOFTMAX",)),
        ("BATCH_MATMUL by a stored matrix", "BATCH_MATMUL", ("BATCH_MATMUL",)),
    ],
)
def test_so_do_files_of_8_bits_with_such_ops_in_16(
    tmp_path: Path, name: str, kind: str, floats: tuple[str, ...]
) -> None:
    outcome = tried(_CASES[name], replace(_NARROW, int16=_named(kind)), tmp_path)
    assert (outcome.error, outcome.faults, outcome.floats) == ("", (), floats)


def test_a_last_join_of_unlike_parts_is_in_float(tmp_path: Path) -> None:
    outcome = tried(_CASES["LOGISTIC, read by CONCATENATION"], _WIDE, tmp_path)
    assert (outcome.error, outcome.faults, outcome.floats) == ("", (), ("CONCATENATION",))
    assert outcome.rules == ("joined-in-float",)


def test_a_large_bias_is_stored_as_it_is(tmp_path: Path) -> None:
    """The quantizer refused a bias of 11, which float32 alone holds to 5e-7 ("Failed to quantize bias tensor")."""
    outcome = tried(large_bias(), _WIDE, tmp_path)
    assert (outcome.word, outcome.error, outcome.faults) == ("right", "", ())
    artifact = read_artifact(tmp_path / "made.tflite")
    layer = next(op for op in artifact.main.ops if op.name == "FULLY_CONNECTED")
    np.testing.assert_allclose(real_values(artifact.main.tensors[layer.inputs[2]]), BIASES, rtol=1e-6)
