"""Every kind of source: names, order, types and layout survive, and the file computes the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_sdk.converters import Workers, convert
from edge_sdk.errors import SignatureError
from edge_sdk.runtime import Runner
from tests.contract import check_conversion
from tests.runtime.kinds import several
from tests.store import KERAS, ONNX, torch_source, write

HERE = Path(__file__).parents[2] / "sources"
CNN_IN = {"image": ((1, 16, 16, 3), "float32")}
CNN_OUT = {"scores": (1, 6)}


@pytest.mark.keras
@pytest.mark.parametrize("generation", ["keras", "tf_keras"])
@pytest.mark.parametrize("suffix", [".keras", ".h5", ""])
def test_keras_files_of_both_generations(tmp_path: Path, workers: Workers, generation: str, suffix: str) -> None:
    path = write(workers, KERAS, "save", name="cnn", path=str(tmp_path / f"cnn{suffix}"), generation=generation)
    outputs = CNN_OUT if suffix else {"output_0": (1, 6)}
    inputs = CNN_IN if suffix or generation == "keras" else {"args_0": CNN_IN["image"]}
    if not suffix:
        inputs = _signature_names(workers, path, inputs)
    (report,) = check_conversion(path, tmp_path, workers, inputs=inputs, outputs=outputs)
    expected = "SavedModel" if not suffix else generation
    assert report.framework.startswith(expected + " ")


def _signature_names(workers: Workers, path: str, inputs: Any) -> Any:
    """Keras names the inputs of an exported SavedModel as it likes; the file must follow the SavedModel."""
    names = workers.get("source-keras").function(
        "tests.converters.sources.test_front_ends:saved_model_inputs", "reading", path=path
    )
    return dict(zip(names, inputs.values(), strict=True))


def saved_model_inputs(path: str) -> list[str]:
    import tensorflow as tf

    return list(tf.saved_model.load(path).signatures["serving_default"].structured_input_signature[1])


@pytest.mark.keras
@pytest.mark.parametrize("generation", ["keras", "tf_keras"])
def test_keras_several_inputs_and_outputs(tmp_path: Path, workers: Workers, generation: str) -> None:
    path = write(workers, KERAS, "save", name="multi", path=str(tmp_path / "m.keras"), generation=generation)
    check_conversion(
        path,
        tmp_path,
        workers,
        inputs={
            "zeta": ((1, 12, 12, 3), "float32"),
            "alpha": ((1, 4), "int32"),
            "beta": ((1, 5), "float32"),
        },
        outputs={"zz": (1, 7), "aa": (1, 2)},
    )


@pytest.mark.keras
def test_keras_equal_shapes_are_not_swapped(tmp_path: Path, workers: Workers) -> None:
    path = write(workers, KERAS, "save", name="twins", path=str(tmp_path / "twins.keras"))
    check_conversion(
        path,
        tmp_path,
        workers,
        ("float32", "float16"),
        inputs={"right": ((1, 6), "float32"), "left": ((1, 6), "float32")},
        outputs={"second": (1, 6), "first": (1, 6)},
    )


@pytest.mark.keras
def test_keras_dicts_keep_their_keys(tmp_path: Path, workers: Workers) -> None:
    path = write(workers, KERAS, "save", name="named", path=str(tmp_path / "named.keras"))
    check_conversion(
        path,
        tmp_path,
        workers,
        inputs={"q": ((1, 6), "float32"), "p": ((1, 6), "float32")},
        outputs={"score": (1, 4), "bare": (1, 3)},
    )


@pytest.mark.keras
def test_keras_recurrent_layers_are_loops_or_unrolled(tmp_path: Path, workers: Workers) -> None:
    path = write(workers, KERAS, "save", name="lstm", path=str(tmp_path / "lstm.keras"))
    inputs = {"sequence": ((1, 8, 5), "float32")}
    from tests.contract import samples_for

    reports = check_conversion(
        path,
        tmp_path,
        workers,
        ("float32", "int8"),
        inputs=inputs,
        outputs={"last": (1, 4)},
        options={"calibration": samples_for(inputs)},
    )
    assert reports[0].summary.ops.get("control")
    assert not reports[1].summary.ops.get("control")
    assert reports[1].attempts[0].name.endswith("unrolled")


@pytest.mark.keras
def test_recurrent_layers_of_an_open_length_are_unrolled_too(tmp_path: Path, workers: Workers) -> None:
    path = write(workers, KERAS, "save", name="letters", path=str(tmp_path / "letters.h5"), generation="tf_keras")
    rows = np.random.default_rng(0).integers(0, 20, (32, 5)).astype(np.float32)
    report = convert(
        path,
        tmp_path / "i.tflite",
        recipe="int8",
        workers=workers,
        shapes={"ids": (1, 5)},
        calibration={"ids": rows},
        timing=False,
    )
    assert report.verified
    assert report.attempts[0].name.endswith("unrolled")
    assert not report.summary.ops.get("control")


@pytest.mark.keras
def test_open_dimension_must_be_given(tmp_path: Path, workers: Workers) -> None:
    path = write(workers, KERAS, "save", name="open_sequence", path=str(tmp_path / "s.keras"))
    with pytest.raises(SignatureError, match=r"input `sequence` \(float32\[1, \?, 5\]\) has open dimensions") as caught:
        convert(path, tmp_path / "s.tflite", workers=workers)
    assert caught.value.hint == "give its shape: --input sequence=1,SIZE,5"
    check_conversion(
        path,
        tmp_path,
        workers,
        inputs={"sequence": ((1, 20, 5), "float32")},
        outputs={"smooth": (1, 20, 4)},
        options={"shapes": {"sequence": (1, 20, 5)}},
    )


@pytest.mark.keras
def test_batch_is_one_unless_asked(tmp_path: Path, workers: Workers) -> None:
    path = write(workers, KERAS, "save", name="cnn", path=str(tmp_path / "cnn.keras"))
    check_conversion(
        path,
        tmp_path,
        workers,
        inputs={"image": ((4, 16, 16, 3), "float32")},
        outputs={"scores": (4, 6)},
        options={"batch": 4},
    )


@pytest.mark.torch
@pytest.mark.parametrize("form", ["function", "pt2", "pt2-open-batch", "onnx", "onnx-open-batch", "onnx-opset-17"])
def test_torch_and_onnx_images_become_nhwc(tmp_path: Path, workers: Workers, form: str) -> None:
    path = torch_source(workers, tmp_path, "cnn", form)
    (report,) = check_conversion(path, tmp_path, workers, inputs=CNN_IN, outputs={"output": (1, 6)})
    assert [str(layout) for layout in report.layouts if layout.axes] == ["NCHW in the source, NHWC in the file"]


@pytest.mark.torch
@pytest.mark.parametrize("form", ["function", "pt2", "onnx"])
def test_torch_several_inputs_and_outputs(tmp_path: Path, workers: Workers, form: str) -> None:
    path = torch_source(workers, tmp_path, "multi_dict" if form == "pt2" else "multi", form)
    check_conversion(
        path,
        tmp_path,
        workers,
        inputs={
            "zeta": ((1, 12, 12, 3), "float32"),
            "alpha": ((1, 4), "int64"),
            "beta": ((1, 5), "float32"),
        },
        outputs={"score": (1, 7), "box": (1, 12, 12, 4)},
    )


@pytest.mark.torch
@pytest.mark.parametrize("form", ["function", "pt2", "onnx"])
def test_torch_equal_shapes_are_not_swapped(tmp_path: Path, workers: Workers, form: str) -> None:
    path = torch_source(workers, tmp_path, "twins", form)
    check_conversion(
        path,
        tmp_path,
        workers,
        inputs={"right": ((1, 6), "float32"), "left": ((1, 6), "float32")},
        outputs={"second": (1, 6), "first": (1, 6)},
    )


@pytest.mark.torch
def test_torch_layout_can_stay_as_it_is(tmp_path: Path, workers: Workers) -> None:
    path = torch_source(workers, tmp_path, "multi", "function")
    (report,) = check_conversion(
        path,
        tmp_path,
        workers,
        inputs={
            "zeta": ((1, 3, 12, 12), "float32"),
            "alpha": ((1, 4), "int64"),
            "beta": ((1, 5), "float32"),
        },
        outputs={"score": (1, 7), "box": (1, 4, 12, 12)},
        options={"layout": "source"},
    )
    assert not any(layout.axes for layout in report.layouts)


@pytest.mark.torch
def test_torch_module_is_converted_in_eval_mode(tmp_path: Path, workers: Workers) -> None:
    (report,) = check_conversion(
        torch_source(workers, tmp_path, "cnn_training", "function"),
        tmp_path,
        workers,
        inputs=CNN_IN,
        outputs={"output": (1, 6)},
    )
    assert "torch-eval-mode" in [finding.rule for finding in report.findings]


@pytest.mark.torch
def test_torch_module_without_examples_takes_shapes(tmp_path: Path, workers: Workers) -> None:
    path = torch_source(workers, tmp_path, "cnn_without_examples", "function")
    with pytest.raises(SignatureError, match="comes without example inputs"):
        convert(path, tmp_path / "x.tflite", workers=workers)
    check_conversion(
        path,
        tmp_path,
        workers,
        inputs=CNN_IN,
        outputs={"output": (1, 6)},
        options={"shapes": {"image": (1, 3, 16, 16)}},
    )


@pytest.mark.torch
def test_script_reads_beside_itself_and_where_the_user_stands(
    tmp_path: Path, workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Modules come from the script's folder, relative paths from the working directory, as for any Python script."""
    project, data = tmp_path / "project", tmp_path / "data"
    project.mkdir()
    data.mkdir()
    (project / "layers_of_mine.py").write_text(
        "import torch\n\nclass Net(torch.nn.Module):\n    def __init__(self, weights):\n        super().__init__()\n"
        "        self.weights = torch.nn.Parameter(torch.from_numpy(weights))\n\n"
        "    def forward(self, x):\n        return torch.tanh(x @ self.weights)\n"
    )
    (project / "model.py").write_text(
        "import numpy as np\nimport torch\nfrom layers_of_mine import Net\n\ndef build():\n"
        "    return Net(np.load('weights.npy')), {'x': torch.zeros(1, 4)}\n"
    )
    np.save(data / "weights.npy", np.random.default_rng(0).standard_normal((4, 3)).astype(np.float32))
    monkeypatch.chdir(data)
    out = tmp_path / "out"
    out.mkdir()
    source = "../project/model.py:build"
    check_conversion(source, out, workers, inputs={"x": ((1, 4), "float32")}, outputs={"output": (1, 3)})
    assert [path.name for path in data.iterdir()] == ["weights.npy"]


@pytest.mark.torch
def test_torch_batch(tmp_path: Path, workers: Workers) -> None:
    check_conversion(
        torch_source(workers, tmp_path, "cnn", "pt2-open-batch"),
        tmp_path,
        workers,
        inputs={"image": ((3, 16, 16, 3), "float32")},
        outputs={"output": (3, 6)},
        options={"batch": 3},
    )


@pytest.mark.torch
def test_torch_recurrent_layer(tmp_path: Path, workers: Workers) -> None:
    check_conversion(
        torch_source(workers, tmp_path, "recurrent", "function"),
        tmp_path,
        workers,
        inputs={"sequence": ((1, 6, 5), "float32")},
        outputs={"output": (1, 4)},
    )


@pytest.mark.torch
def test_torch_attention_of_an_old_opset(tmp_path: Path, workers: Workers) -> None:
    (report,) = check_conversion(
        torch_source(workers, tmp_path, "attention", "onnx-opset-17"),
        tmp_path,
        workers,
        inputs={"tokens": ((1, 10, 16), "float32")},
        outputs={"output": (1, 10, 16)},
    )
    assert "GELU" in {use.op for use in report.summary.uses}


@pytest.mark.onnx
@pytest.mark.parametrize("order", ["before", "after"])
def test_onnx_gelu_becomes_one_op(tmp_path: Path, workers: Workers, order: str) -> None:
    path = write(workers, ONNX, "save_gelu", path=str(tmp_path / "gelu.onnx"), order=order)
    (report,) = check_conversion(path, tmp_path, workers, inputs={"x": ((1, 8), "float32")}, outputs={"y": (1, 8)})
    assert {use.op for use in report.summary.uses} == {"FULLY_CONNECTED", "GELU"}


@pytest.mark.onnx
def test_onnx_odd_names_survive(tmp_path: Path, workers: Workers) -> None:
    path = write(workers, ONNX, "save_odd_names", path=str(tmp_path / "odd.onnx"))
    image = ((1, 8, 8, 3), "float32")
    check_conversion(
        path,
        tmp_path,
        workers,
        inputs={"serving/image:0": image, "0": image},
        outputs={"/head/out.1": (1, 8, 8, 3)},
    )


@pytest.mark.runtime
def test_tflite_source_is_closed_and_kept(tmp_path: Path, workers: Workers, tflite: Path) -> None:
    (report,) = check_conversion(
        str(tflite), tmp_path, workers, inputs={"image": ((1, 8, 8, 3), "float32")}, outputs={"scores": (1, 5)}
    )
    assert report.framework == "tflite"
    image = {"image": np.random.default_rng(0).standard_normal((1, 8, 8, 3)).astype(np.float32)}
    np.testing.assert_array_equal(Runner(tflite).run(image)["scores"], Runner(str(report.output)).run(image)["scores"])


@pytest.mark.runtime
def test_tflite_source_with_several_signatures_says_which_it_leaves_out(tmp_path: Path, workers: Workers) -> None:
    path = tmp_path / "several.tflite"
    path.write_bytes(several("float32", (2, 3)))
    report = convert(str(path), tmp_path / "one.tflite", workers=workers, timing=False)
    (finding,) = [one for one in report.findings if one.rule == "signatures-left-out"]
    assert "`serving_default` is kept, and `other` left out" in finding.message


@pytest.mark.runtime
def test_tflite_source_cannot_take_another_batch(tmp_path: Path, workers: Workers, tflite: Path) -> None:
    with pytest.raises(SignatureError, match="is laid out for"):
        convert(str(tflite), tmp_path / "b.tflite", batch=2, workers=workers)
