"""`convert --bundle`: one source, several recipes, one file."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from edge_sdk.bundle.asked import ProcessingOptions
from edge_sdk.bundle.manifest import Arithmetic
from edge_sdk.bundle.reading import open_bundle
from edge_sdk.bundle.verifying import verify_bundle
from edge_sdk.cli import cli
from edge_sdk.converters import Workers
from edge_sdk.converters.bundling import convert_bundle
from edge_sdk.data.images import ImageOptions
from edge_sdk.errors import BundleError
from edge_sdk.recipe import find_recipe
from edge_sdk.runtime import Runner
from tests.store import KERAS, write

pytestmark = pytest.mark.keras
RECIPES = ("float16", "int8", "int8_only", "dynamic")


@pytest.mark.slow
def test_every_recipe_is_a_variant_that_passes_its_own_self_test(tmp_path: Path, workers: Workers) -> None:
    """On CPU kernels other than those that made the golden outputs: XNNPACK's."""
    source = write(workers, KERAS, "save", name="cnn", path=str(tmp_path / "cnn.keras"))
    samples = {"image": np.random.default_rng(0).random((120, 16, 16, 3), np.float32)}
    made = convert_bundle(
        source,
        tmp_path / "net.edge",
        recipes=RECIPES,
        bundle={"profiles": ["pixel-8"]},
        calibration=samples,
        timing=False,
        workers=workers,
    )
    verify_bundle(tmp_path / "net.edge")
    assert all(report.verified for report in made.reports)
    with open_bundle(tmp_path / "net.edge") as bundle:
        variants = bundle.manifest.variants
        assert [v.id for v in variants] == [find_recipe(recipe).name for recipe in RECIPES]
        assert [v.precision for v in variants] == ["float16", "int8", "int8", "hybrid_int8"]
        assert bundle.manifest.provenance.source == "cnn.keras"
        assert bundle.manifest.provenance.golden_data == made.reports[0].data.description
        for variant, report in zip(variants, made.reports, strict=True):
            assert variant.made_from_sha256 == report.artifact.sha256
            assert json.loads(bytes(bundle.member(str(variant.report))))["parity"]
            path = tmp_path / f"{variant.id}.tflite"
            path.write_bytes(bundle.model(variant.id))
            runner = Runner(path)
            arithmetic: Arithmetic = "integer" if variant.precision == "int8" else "float32"
            assert len(bundle.golden(variant.id)) == 4
            for case in bundle.golden(variant.id):
                right = runner.run(case.inputs)
                assert case.faults(right, arithmetic) == ()
                # What broken accelerators give: nothing, or the classes in another order.
                assert case.faults({"scores": np.zeros_like(right["scores"])}, arithmetic)
                assert case.faults({"scores": right["scores"][:, ::-1]}, "float16")


def test_recipes_that_are_the_same(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="each must be another"):
        convert_bundle("net.py:net", tmp_path / "a.edge", recipes=("int8", "static_wi8_ai8"))


def test_what_is_wrong_with_the_bundle_is_said_before_the_work(tmp_path: Path) -> None:
    source = tmp_path / "net.py"
    source.write_text("def net(): ...\n")
    arguments = ["convert", f"{source}:net", "-o", str(tmp_path / "a.edge"), "--bundle", "--labels", "absent"]
    done = CliRunner().invoke(cli, arguments)
    assert done.exit_code == 1
    assert done.stderr.startswith("error: absent: the labels cannot be read")
    assert list(tmp_path.iterdir()) == [source]


@pytest.mark.onnx
def test_pictures_are_not_scaled_where_the_model_does_it_itself(tmp_path: Path) -> None:
    """The folder of pictures reaches the device's model as it reached the converter."""
    import onnx
    from onnx import helper
    from PIL import Image

    weights = np.random.default_rng(0).standard_normal((4, 3, 3, 3)).astype(np.float32)
    constants = {"scale": np.array(1 / 255, np.float32), "w": weights}
    graph = helper.make_graph(
        [helper.make_node("Mul", ["image", "scale"], ["x"]), helper.make_node("Conv", ["x", "w"], ["y"])],
        "net",
        [helper.make_tensor_value_info("image", onnx.TensorProto.FLOAT, [1, 3, 16, 16])],
        [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1, 4, 14, 14])],
        [onnx.numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), tmp_path / "n.onnx")
    photos = tmp_path / "photos"
    photos.mkdir()
    for index in range(12):
        pixels = np.random.default_rng(index).integers(0, 256, (20, 20, 3), np.uint8)
        Image.fromarray(pixels).save(photos / f"{index:02}.png")
    convert_bundle(
        tmp_path / "n.onnx",
        tmp_path / "n.edge",
        recipes=["float32"],
        bundle={"processing": ProcessingOptions(images=ImageOptions())},
        data=photos,
        timing=False,
    )
    with open_bundle(tmp_path / "n.edge") as bundle:
        steps = [step for part in bundle.manifest.processing.inputs for step in part.steps]
    (normalize,) = [step for step in steps if step.op == "normalize"]
    assert normalize.scale == 1.0
