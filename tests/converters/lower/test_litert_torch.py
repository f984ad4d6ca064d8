"""PyTorch by litert-torch, in its own environment (no TensorFlow, no onnx2tf): the same contracts hold."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest

from edge_sdk.converters import Workers, convert
from edge_sdk.errors import MissingDependencyError
from edge_sdk.recipe import find_recipe, recipe_names
from tests.contract import check_conversion, samples_for
from tests.store import torch_source

pytestmark = pytest.mark.litert_torch
MODELS = Path(__file__).parents[2] / "sources" / "torch_models.py"
IMAGE = {"image": ((1, 16, 16, 3), "float32")}
NCHW = {"image": ((1, 3, 16, 16), "float32")}
UINT8 = "static_wi8_ai8_iou8"


@pytest.mark.parametrize("recipe", [n for n in recipe_names() if n != UINT8 and find_recipe(n).train is None])
def test_image_model_in_every_precision(tmp_path: Path, workers: Workers, recipe: str) -> None:
    (report,) = check_conversion(
        f"{MODELS}:cnn",
        tmp_path,
        workers,
        (recipe,),
        inputs=IMAGE,
        outputs={"output": (1, 6)},
        options={"calibration": samples_for(NCHW)},
    )
    assert report.attempts[-1].tool.startswith("litert-torch ")
    assert [str(layout) for layout in report.layouts if layout.axes] == ["NCHW in the source, NHWC in the file"]


def test_uint8_ends_need_tensorflow(tmp_path: Path, workers: Workers) -> None:
    with pytest.raises(MissingDependencyError, match=f"{UINT8} needs tensorflow"):
        convert(f"{MODELS}:cnn", tmp_path / "u.tflite", recipe=UINT8, calibration=samples_for(NCHW), workers=workers)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("layout", ["nhwc", "source"])
def test_several_inputs_and_outputs(tmp_path: Path, workers: Workers, layout: Literal["nhwc", "source"]) -> None:
    nhwc = layout == "nhwc"
    check_conversion(
        f"{MODELS}:multi",
        tmp_path,
        workers,
        inputs={
            "zeta": ((1, 12, 12, 3) if nhwc else (1, 3, 12, 12), "float32"),
            "alpha": ((1, 4), "int64"),
            "beta": ((1, 5), "float32"),
        },
        outputs={"score": (1, 7), "box": (1, 12, 12, 4) if nhwc else (1, 4, 12, 12)},
        options={"layout": layout},
    )


@pytest.mark.parametrize("form", ["pt2", "pt2-open-batch"])
def test_exported_programs(tmp_path: Path, workers: Workers, form: str) -> None:
    path = torch_source(workers, tmp_path, "cnn", form)
    check_conversion(path, tmp_path, workers, inputs=IMAGE, outputs={"output": (1, 6)})


def test_equal_shapes_are_not_swapped(tmp_path: Path, workers: Workers) -> None:
    check_conversion(
        f"{MODELS}:twins",
        tmp_path,
        workers,
        inputs={"right": ((1, 6), "float32"), "left": ((1, 6), "float32")},
        outputs={"second": (1, 6), "first": (1, 6)},
    )


@pytest.mark.parametrize(("name", "sample"), [("recurrent", (1, 6, 5)), ("attention", (1, 10, 16))])
def test_sequence_models(tmp_path: Path, workers: Workers, name: str, sample: tuple[int, ...]) -> None:
    inputs = {"sequence" if name == "recurrent" else "tokens": (sample, "float32")}
    outputs = {"output": (1, 4) if name == "recurrent" else sample}
    check_conversion(f"{MODELS}:{name}", tmp_path, workers, inputs=inputs, outputs=outputs)
