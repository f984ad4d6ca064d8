"""Files that are converted for a phone, loaded and run in the very version of TensorFlow that the APK carries."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest

from edge_sdk.artifact import read_artifact
from edge_sdk.artifact.runtimes import missing_ops
from edge_sdk.bundle.golden import measure
from edge_sdk.converters import Workers, convert_all
from edge_sdk.converters.device import app_findings
from edge_sdk.runtime import Runner
from tests.graphs import int8_model

ENGINE = Path(__file__).parents[2] / ".venv-tf216/bin/python"
RECIPES = ("float32", "float16", "dynamic_wi8_afp32", "weight_only_wi8_afp32", "static_wi8_ai8", "static_wi8_ai16")
# Channels of very different size: an engine that read one scale for all of them would be far off.
_SOURCE = """
import keras, numpy as np

def build():
    keras.utils.set_random_seed(1)
    model = keras.Sequential([
        keras.layers.Input((16, 16, 3), batch_size=1, name="image"),
        keras.layers.Conv2D(8, 3, activation="relu"),
        keras.layers.DepthwiseConv2D(3), keras.layers.Flatten(), keras.layers.Dense(32, activation="relu"),
        keras.layers.Dense(10),
    ])
    for layer in model.layers:
        if isinstance(layer, keras.layers.Dense):
            kernel, bias = layer.get_weights()
            layer.set_weights([kernel * np.logspace(-1, 1, kernel.shape[1]), bias])
    return model
"""
_RUN = """
import json, sys
import numpy as np
import tensorflow as tf

found = {}
for path in sys.argv[2:]:
    kinds = tf.lite.experimental.OpResolverType
    engine = tf.lite.Interpreter(path, experimental_op_resolver_type=kinds.BUILTIN_WITHOUT_DEFAULT_DELEGATES)
    engine.allocate_tensors()
    engine.set_tensor(engine.get_input_details()[0]["index"], np.load(sys.argv[1]))
    engine.invoke()
    found[path] = engine.get_tensor(engine.get_output_details()[0]["index"]).ravel().tolist()
print(json.dumps({"version": tf.__version__, "found": found}))
"""
pytestmark = [pytest.mark.android, pytest.mark.keras, pytest.mark.runtime]


@pytest.mark.slow
@pytest.mark.skipif(not ENGINE.exists(), reason="make test-android (TensorFlow 2.16.1 in an environment of its own)")
def test_every_recipe_runs_in_the_engine_of_the_apk(tmp_path: Path, workers: Workers) -> None:
    (tmp_path / "source.py").write_text(_SOURCE)
    image = np.random.default_rng(0).standard_normal((1, 16, 16, 3)).astype(np.float32)
    np.save(tmp_path / "image.npy", image)
    outputs = {recipe: tmp_path / f"{recipe}.tflite" for recipe in RECIPES}
    samples = [{"image": np.roll(image, shift, 1)} for shift in range(16)]
    reports = convert_all(
        f"{tmp_path / 'source.py'}:build",
        outputs,
        calibration=samples,
        profile="pixel-8",
        workers=workers,
        timing=False,
    )
    assert not [f for report in reports for f in report.findings if f.rule == "apk-op-version"]
    command = [str(ENGINE), "-c", _RUN, str(tmp_path / "image.npy"), *map(str, outputs.values())]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    told = json.loads(done.stdout)
    assert told["version"] == "2.16.1"
    for recipe, path in outputs.items():
        artifact = read_artifact(path)
        assert missing_ops(artifact, "tensorflow 2.16.1") == ()
        here = np.asarray(
            next(iter(Runner(path, xnnpack=False).run({next(iter(artifact.signature.inputs)): image}).values()))
        )
        got = np.asarray(told["found"][str(path)])
        # The same file in the same kernels: float sums may round elsewhere, integers by a step; 40 dB is 1 %.
        assert measure("sqnr_db", here.ravel().astype(np.float64), got) >= 40, recipe


def test_what_the_app_cannot_load_is_said(tmp_path: Path) -> None:
    """FULLY_CONNECTED version 12, as newer TFLiteConverters write it for dynamic range."""
    path = tmp_path / "newer.tflite"
    path.write_bytes(int8_model(version=12))
    found = list(app_findings(read_artifact(path), path.name))
    assert [f.rule for f in found] == ["apk-op-version"]
    assert "FULLY_CONNECTED version 12, which tensorflow 2.16.1" in found[0].message
    path.write_bytes(int8_model())
    assert list(app_findings(read_artifact(path), path.name)) == []
