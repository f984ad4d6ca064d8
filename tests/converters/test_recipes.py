"""Every recipe on every kind of source, and what can be laid over a recipe."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_sdk.artifact import read_artifact
from edge_sdk.artifact.compute import CONVERT_OPS
from edge_sdk.artifact.summary import float_ops
from edge_sdk.converters import Workers, convert
from edge_sdk.converters.quantize.static_range import fewest_floats
from edge_sdk.errors import AccuracyError, CalibrationError, ConversionError, RecipeError
from edge_sdk.recipe import find_recipe, recipe_names
from edge_sdk.runtime import Runner
from tests.contract import check_conversion, samples_for
from tests.converters.sources.test_front_ends import CNN_IN
from tests.graphs import Graph, padded_pool_model
from tests.store import KERAS, torch_source, write

NCHW_IN = {"image": ((1, 3, 16, 16), "float32")}


def keras_cnn(workers: Workers, folder: Path) -> str:
    return write(workers, KERAS, "save", name="cnn", path=str(folder / "cnn.keras"))


@pytest.mark.torch
@pytest.mark.keras
@pytest.mark.parametrize("kind", ["keras", "saved_model", "function", "pt2", "onnx", "tflite"])
def test_every_recipe_from_every_source(tmp_path: Path, workers: Workers, kind: str) -> None:
    layout, outputs, inputs = CNN_IN, {"scores": (1, 6)}, CNN_IN
    if kind in ("function", "pt2", "onnx"):
        path, outputs, layout = torch_source(workers, tmp_path, "cnn", kind), {"output": (1, 6)}, NCHW_IN
    elif kind == "saved_model":
        path = write(workers, KERAS, "save", name="cnn", path=str(tmp_path / "saved"))
        outputs = {"output_0": (1, 6)}
    else:
        path = keras_cnn(workers, tmp_path)
    if kind == "tflite":
        convert(path, tmp_path / "source.tflite", workers=workers)
        path = str(tmp_path / "source.tflite")
    calibration = samples_for(layout)
    reports = check_conversion(
        path,
        tmp_path,
        workers,
        # The few layers here are first and last ones, of which a mixed recipe would leave none in 4 bits.
        [name for name in recipe_names() if not (find_recipe(name).train or find_recipe(name).weights.mixed)],
        inputs=inputs,
        outputs=outputs,
        options={"calibration": calibration},
    )
    sizes = {report.recipe: report.artifact.weights_bytes for report in reports}
    assert sizes["float16"] < 0.6 * sizes["float32"]
    for report in reports:
        recipe = report.recipe
        if recipe.startswith("static"):
            told = any(finding.rule == "forms-of-delegate" for finding in report.findings)
            in_float = {op.name for _, op in float_ops(report.artifact)}
            assert in_float == ({"SOFTMAX"} if told else set()), recipe
            assert not told or recipe in ("static_wi8_ai8", "static_wi8_ai8_per_tensor", "static_wi4_ai8")
            assert report.calibration is not None
        if "io8" in recipe or "iou8" in recipe:
            types = {row.dtype for row in report.artifact.signature.inputs.values()}
            assert types == {"int8" if "io8" in recipe else "uint8"}
            assert report.summary.quantize_ops + report.summary.dequantize_ops <= 2


@pytest.mark.keras
@pytest.mark.parametrize("recipe", ["int8", "int16x8", "dynamic", "weight_only"])
def test_weights_per_tensor_or_per_channel(tmp_path: Path, workers: Workers, recipe: str) -> None:
    path = keras_cnn(workers, tmp_path)
    options: Any = {"calibration": samples_for(CNN_IN), "workers": workers, "timing": False, "min_sqnr_db": 5}
    channel = convert(path, tmp_path / "c.tflite", recipe=recipe, **options)
    tensor = convert(path, tmp_path / "t.tflite", recipe=recipe, granularity="per_tensor", **options)
    assert channel.summary.per_channel_tensors > 0
    assert tensor.summary.per_channel_tensors == 0
    rules = [finding.rule for finding in tensor.findings]
    assert ("per-tensor-depthwise-kept-float" in rules) == (recipe == "dynamic")


@pytest.mark.keras
@pytest.mark.parametrize("recipe", ["int8", "int16x8", "dynamic", "weight_only", "float16"])
def test_ops_and_tensors_left_in_float(tmp_path: Path, workers: Workers, recipe: str) -> None:
    path = keras_cnn(workers, tmp_path)
    options: Any = {"calibration": samples_for(CNN_IN), "workers": workers, "timing": False}
    report = convert(
        path,
        tmp_path / "m.tflite",
        recipe=recipe,
        keep_float_ops=["DEPTHWISE"],
        keep_float_tensors=["norm"],
        **options,
    )
    main = report.artifact.main
    computing = [op for op in main.ops if op.name not in CONVERT_OPS]
    spared = [op for op in computing if op.name == "DEPTHWISE_CONV_2D" or "norm" in main.tensors[op.outputs[0]].name]
    assert {op.name for op in spared} == {"DEPTHWISE_CONV_2D", "CONV_2D"}
    for op in spared:
        weights, result = main.tensors[op.inputs[1]], main.tensors[op.outputs[0]]
        assert (weights.dtype, result.dtype) == ("float32", "float32")
        assert weights.constant is not None
    assert report.summary.ops.keys() & {"int8", "int16", "hybrid_int8", "convert"}


@pytest.mark.keras
@pytest.mark.parametrize(("recipe", "io"), [("int8", "uint8"), ("int8_only", "float32"), ("int16x8", "int16")])
def test_io_type_over_the_recipes(tmp_path: Path, workers: Workers, recipe: str, io: Any) -> None:
    path = keras_cnn(workers, tmp_path)
    options: Any = {"calibration": samples_for(CNN_IN), "workers": workers, "timing": False}
    report = convert(path, tmp_path / "m.tflite", recipe=recipe, io=io, **options)
    signature = report.artifact.signature
    assert {t.dtype for t in (*signature.inputs.values(), *signature.outputs.values())} == {io}


@pytest.mark.keras
def test_expression_that_matches_nothing_is_refused(tmp_path: Path, workers: Workers) -> None:
    path = keras_cnn(workers, tmp_path)
    with pytest.raises(RecipeError, match="`SOFTMAKS` matches no op type of the float model, did you mean `SOFTMAX`"):
        convert(path, tmp_path / "m.tflite", recipe="float16", keep_float_ops=["SOFTMAKS"], workers=workers)
    assert not (tmp_path / "m.tflite").exists()


@pytest.mark.keras
@pytest.mark.parametrize("relu", [False, True])
def test_int8_of_padded_max_pool_is_not_ruined(tmp_path: Path, workers: Workers, relu: bool) -> None:
    """A pad of -FLT_MAX gives every tensor around it one int8 value; peers write such files without a word."""
    source = tmp_path / "pool.tflite"
    source.write_bytes(padded_pool_model(relu=relu))
    inputs = {"image": ((1, 8, 8, 3), "float32")}
    options: Any = {"calibration": samples_for(inputs), "workers": workers, "timing": False}
    for recipe in ("int8", "int16x8"):
        report = convert(str(source), tmp_path / f"{recipe}.tflite", recipe=recipe, **options)
        assert report.parity[0].sqnr_db > 30
        scales = [t.quantization.scale[0] for t in report.artifact.main.tensors if t.quantization]
        assert max(scales) < 1.0
        # XNNPACK takes PAD in int8, PADV2 not.
        assert [op.name for op in report.artifact.main.ops if "PAD" in op.name] == ["PAD" if relu else "PADV2"]


@pytest.mark.keras
def test_static_recipe_without_calibration_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(CalibrationError, match="recipe static_wi8_ai8 needs calibration data"):
        convert(tmp_path / "absent.keras", tmp_path / "m.tflite", recipe="int8")


@pytest.mark.keras
def test_loops_of_a_tflite_source_cannot_be_quantized(tmp_path: Path, workers: Workers) -> None:
    path = write(workers, KERAS, "save", name="lstm", path=str(tmp_path / "lstm.keras"))
    convert(path, tmp_path / "loop.tflite", workers=workers)
    samples = samples_for({"sequence": ((1, 8, 5), "float32")})
    with pytest.raises(ConversionError, match="activations cannot be quantized across 3 loops") as caught:
        convert(tmp_path / "loop.tflite", tmp_path / "q.tflite", recipe="int8", calibration=samples, workers=workers)
    assert "start from the original model" in (caught.value.hint or "")
    report = convert(tmp_path / "loop.tflite", tmp_path / "h.tflite", recipe="float16", workers=workers)
    assert report.verified


@pytest.mark.runtime
def test_quantized_source_is_refused(tmp_path: Path, workers: Workers, tflite: Path) -> None:
    samples = samples_for({"image": ((1, 8, 8, 3), "float32")})
    options: Any = {"calibration": samples, "workers": workers, "timing": False}
    convert(tflite, tmp_path / "q.tflite", recipe="int8", **options)
    from edge_sdk.errors import ModelError

    with pytest.raises(ModelError, match=r"is quantized already \(3 ops in int8"):
        convert(tmp_path / "q.tflite", tmp_path / "qq.tflite", recipe="float16", **options)
    with pytest.raises(ModelError, match=r"is quantized already \(3 ops in int8"):
        convert(tmp_path / "q.tflite", tmp_path / "qq.tflite", recipe="int8", workers=workers)


@pytest.mark.keras
def test_too_much_asked_is_a_parity_error_with_the_op_at_fault(tmp_path: Path, workers: Workers) -> None:
    path = keras_cnn(workers, tmp_path)
    options: Any = {"calibration": samples_for(CNN_IN), "workers": workers, "min_sqnr_db": 90.0}
    out = tmp_path / "m.tflite"
    with pytest.raises(AccuracyError, match=r"lost: .* SQNR \d+\.\d dB, expected SQNR >= 90.0 dB") as caught:
        convert(path, out, recipe="int8", **options)
    assert not out.exists()
    assert "most was lost at" in (caught.value.hint or "")
    report = caught.value.report or {}
    assert report["verified"] is False
    assert (report["failed"], report["right"]["ok"], report["accurate"]["state"]) == ("accurate", True, "lost")
    assert {row["op"] for row in report["tensors"]} >= {"CONV_2D", "DEPTHWISE_CONV_2D", "SOFTMAX"}
    kept = convert(path, out, recipe="int8", keep_unverified=True, **options)
    assert not kept.verified
    assert out.exists()


@pytest.mark.keras
def test_untrained_model_is_converted_but_proves_nothing(tmp_path: Path, workers: Workers) -> None:
    path = write(workers, KERAS, "save", name="untrained", path=str(tmp_path / "u.keras"))
    report = convert(path, tmp_path / "u.tflite", workers=workers)
    assert report.verified
    assert not report.parity[0].has_power
    assert report.findings[0].rule == "parity-no-power"
    from edge_sdk.report.text import conversion_text

    assert "no power" in conversion_text(report).splitlines()[0]


@pytest.mark.keras
@pytest.mark.torch
def test_result_is_the_same_for_the_same_seed(tmp_path: Path, workers: Workers) -> None:
    path = keras_cnn(workers, tmp_path)
    options: Any = {"calibration": samples_for(CNN_IN), "workers": workers, "timing": False}
    torch_options = {**options, "calibration": samples_for(NCHW_IN)}
    for source, given in ((path, options), (torch_source(workers, tmp_path, "cnn", "function"), torch_options)):
        for recipe in ("float32", "float16", "int8", "dynamic"):
            convert(source, tmp_path / "a.tflite", recipe=recipe, **given)
            convert(source, tmp_path / "b.tflite", recipe=recipe, **given)
            assert (tmp_path / "a.tflite").read_bytes() == (tmp_path / "b.tflite").read_bytes(), (source, recipe)


@pytest.mark.keras
def test_int8_is_at_least_as_good_as_tensorflows_own(tmp_path: Path, workers: Workers) -> None:
    """The same quantizer on extremes observed by us.

    TensorFlow's Calibrator reads a tensor after an in-place ADD has overwritten it, and so gives the depthwise
    convolution here the range of the sum; all other scales must be equal.
    """
    path = keras_cnn(workers, tmp_path)
    samples = samples_for(CNN_IN)
    np.save(tmp_path / "samples.npy", np.concatenate([sample["image"] for sample in samples]))
    workers.get("source-keras").function(
        "tests.converters.test_recipes:by_hand", "converting by hand", path=path, folder=str(tmp_path)
    )
    # Data of their own to compare on: else some samples would be held out of the ranges.
    options: Any = {"calibration": samples, "data": samples, "workers": workers, "timing": False}
    report = convert(
        path, tmp_path / "ours.tflite", recipe="int8", forms="plain", calibration_method="minmax", **options
    )
    ours, theirs = (read_artifact(tmp_path / name) for name in ("ours.tflite", "by_hand.tflite"))
    assert [op.name for op in ours.main.ops] == [op.name for op in theirs.main.ops]
    for op, other in zip(ours.main.ops, theirs.main.ops, strict=True):
        mine, yours = ours.main.tensors[op.outputs[0]], theirs.main.tensors[other.outputs[0]]
        if mine.quantization and yours.quantization and op.name != "DEPTHWISE_CONV_2D":
            np.testing.assert_allclose(mine.quantization.scale, yours.quantization.scale, rtol=1e-5)
            assert mine.quantization.zero_point == yours.quantization.zero_point
    convert(path, tmp_path / "float.tflite", workers=workers)
    assert _sqnr_db(tmp_path, "ours", samples) >= _sqnr_db(tmp_path, "by_hand", samples)
    assert report.parity[0].sqnr_db == pytest.approx(_sqnr_db(tmp_path, "ours", samples), abs=3)


def _sqnr_db(folder: Path, name: str, samples: list[dict[str, Any]]) -> float:
    reference, candidate = Runner(folder / "float.tflite"), Runner(folder / f"{name}.tflite")
    signal = noise = 0.0
    for sample in samples:
        expected = reference.run(sample)["scores"]
        (got,) = candidate.run({candidate.inputs[0].name: sample["image"]}).values()
        signal += float(np.sum(expected**2))
        noise += float(np.sum((expected - got) ** 2))
    return 10 * float(np.log10(signal / noise))


def by_hand(path: str, folder: str) -> None:
    import keras
    import tensorflow as tf

    images = np.load(f"{folder}/samples.npy")
    converter = tf.lite.TFLiteConverter.from_keras_model(keras.models.load_model(path))
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([image[None]] for image in images)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    Path(folder, "by_hand.tflite").write_bytes(converter.convert())


@pytest.mark.torch
@pytest.mark.parametrize("recipe", ["int8_only", "uint8_only"])
def test_ids_stay_integers_where_the_ends_are_quantized(tmp_path: Path, workers: Workers, recipe: str) -> None:
    shapes = {"zeta": ((1, 3, 12, 12), "float32"), "alpha": ((1, 4), "int64"), "beta": ((1, 5), "float32")}
    check_conversion(
        torch_source(workers, tmp_path, "multi", "function"),
        tmp_path,
        workers,
        (recipe,),
        inputs={**shapes, "zeta": ((1, 12, 12, 3), "float32")},
        outputs={"score": (1, 7), "box": (1, 12, 12, 4)},
        options={"calibration": samples_for(shapes)},
    )


def test_quantizer_whose_answers_vary_is_asked_again() -> None:
    good, bad, worse = (rectifiers(floats, 4) for floats in (0, 1, 2))
    answers = iter([worse, bad, bad, good, bad])
    assert fewest_floats(lambda: next(answers)) == good
    answers = itertools.cycle([worse, bad])
    assert fewest_floats(lambda: next(answers)) == bad


def test_quantizer_is_not_asked_again_for_what_must_be_in_float() -> None:
    """An op type that has no integer form here, and an op that the recipe keeps."""
    answers = iter([rectifiers(3, 0)])
    assert fewest_floats(lambda: next(answers)) == rectifiers(3, 0)
    answers = iter([rectifiers(1, 4)])
    assert fewest_floats(lambda: next(answers), kept=["float1"]) == rectifiers(1, 4)


def rectifiers(floats: int, integers: int) -> bytes:
    """So many RELUs of each kind."""
    graph = Graph()
    ends = []
    for kind, dtype, count, scale in (("float", "float32", floats, None), ("int8", "int8", integers, [0.5])):
        tensors = [graph.tensor(f"{kind}{index}", (1, 4), dtype, scale=scale) for index in range(count + 1)]
        for before, after in itertools.pairwise(tensors):
            graph.op("RELU", (before,), (after,))
        ends.append((tensors[0], tensors[-1]))
    inputs, outputs = zip(*ends, strict=True)
    return graph.finish(inputs, outputs)


@pytest.mark.torch
def test_second_factors_of_attention_have_zero_point_0(tmp_path: Path, workers: Workers) -> None:
    """XNNPACK of some engines computes int8 BATCH_MATMUL as if it were; the plain kernels are the oracle."""
    tokens = {"tokens": ((1, 10, 16), "float32")}
    source = torch_source(workers, tmp_path, "attention", "function")
    options: Any = {"calibration": samples_for(tokens), "workers": workers, "timing": False}
    report = convert(source, tmp_path / "a.tflite", recipe="int8", **options)
    graph = report.artifact.main
    factors = [graph.tensors[op.inputs[1]].quantization for op in graph.ops if op.name == "BATCH_MATMUL"]
    assert factors
    assert all(one is not None and one.zero_point == (0,) for one in factors)
    delegated, plain = Runner(report.output or ""), Runner(report.output or "", xnnpack=False)
    for sample in samples_for(tokens, 8):
        expected = plain.run_real(sample)["output"]
        # A kernel may round the other way: a few steps of the output's own scale.
        scale = graph.tensors[graph.ops[-1].inputs[0]].quantization
        assert scale is not None
        assert np.abs(delegated.run_real(sample)["output"] - expected).max() <= 8 * scale.scale[0]
