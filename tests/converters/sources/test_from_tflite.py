"""A .tflite as others wrote it: what is read of it and what of that tools read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_sdk.artifact.model import read_artifact
from edge_sdk.artifact.summary import summarize
from edge_sdk.artifact.tree import pack_tree, parse_tree
from edge_sdk.converters import Workers, convert
from tests.graphs import conv_model

pytestmark = pytest.mark.keras


def test_op_types_in_the_old_field_alone(tmp_path: Path, workers: Workers) -> None:
    """Files from before TensorFlow 2.4: a quantizer that reads the new field took all ops for ADD."""
    root, _ = parse_tree(conv_model())
    for code in root.operator_codes:
        code.builtin_code = 0
    source, target = tmp_path / "old.tflite", tmp_path / "new.tflite"
    source.write_bytes(pack_tree(root))
    name, port = next(iter(read_artifact(source).signature.inputs.items()))
    rows = np.random.default_rng(0).standard_normal((8, *port.shape[1:])).astype(np.float32)
    assert convert(str(source), target, recipe="dynamic", workers=workers, data={name: rows}, timing=False).verified
    assert summarize(read_artifact(target)).ops["hybrid_int8"] == 2
