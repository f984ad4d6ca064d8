"""Files of Keras before 2.2."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_sdk.converters import Workers, convert
from edge_sdk.runtime import Runner
from tests.store import KERAS, write

pytestmark = pytest.mark.keras


def test_a_gru_that_does_not_say_where_its_reset_gate_stands(tmp_path: Path, workers: Workers) -> None:
    """It is where Keras had it then: the file computes what one does that says so."""
    path = write(workers, KERAS, "save", name="former_gru", path=str(tmp_path / "said.h5"), generation="tf_keras")
    silent = tmp_path / "silent.h5"
    shutil.copy(path, silent)
    _as_of_old(silent)
    samples = np.random.default_rng(0).standard_normal((1, 4, 5)).astype(np.float32)
    outputs = []
    for source in (path, silent):
        target = tmp_path / f"{Path(source).stem}.tflite"
        convert(source, target, workers=workers, samples=2)
        outputs.append(Runner(target).run({"sequence": samples})["last"])
    np.testing.assert_array_equal(outputs[0], outputs[1])


def _as_of_old(path: Path) -> None:
    """What Keras 2.0 would have written: nothing of ``reset_after``."""
    import h5py

    with h5py.File(path, "a") as file:
        config = json.loads(file.attrs["model_config"])
        assert _forget(config)
        file.attrs["model_config"], file.attrs["keras_version"] = json.dumps(config), "2.0.8"


def _forget(config: Any) -> int:
    """How many layers said it."""
    if isinstance(config, list):
        return sum(map(_forget, config))
    if not isinstance(config, dict):
        return 0
    return (config.pop("reset_after", None) is not None) + sum(map(_forget, config.values()))
