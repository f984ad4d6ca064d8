"""LiteRT's dispatch to an NPU, tried on OpenVINO's CPU plugin: compiler plugin, partition, dispatch and their errors.

Qualcomm's, MediaTek's and Google's libraries are for Android and were run by nobody here.
"""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from tests.boards.remote import ROOT, open_all

pytestmark = [
    pytest.mark.accelerators,
    pytest.mark.skipif(not find_spec("openvino"), reason="pip install 'edge-sdk[openvino]', or make test-accelerators"),
]
CPU = {"backend": "cpu"}


@pytest.fixture(scope="module")
def answers(models: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("npu")
    cases = {
        "float": ("residual", "npu", CPU),
        "int8": ("int8", "npu", CPU),
        "split": ("shift_last", "npu", CPU),
        "no driver": ("residual", "npu", {}),
        # LiteRT 2.3 compiles a second partition for an NPU, whatever was asked for, fails, and runs all on the CPU.
        "silent": ("shift_middle", "npu", CPU),
        **{f"cpu {name}": (name, "xnnpack", {}) for name in ("residual", "int8")},
    }
    wanted = [
        # A bit of bfloat16 is a step of RIGHT_SHIFT's whole numbers, which a self-test calls wrong.
        {"model": str(models / f"{model}.tflite"), "delegate": delegate, "options": options,
         "policy": {"self_test": model != "shift_last"}}
        for model, delegate, options in cases.values()
    ]  # fmt: skip
    return dict(zip(cases, open_all(wanted, folder), strict=True))


def outputs(answer: dict[str, Any]) -> npt.NDArray[np.float64]:
    (values,) = answer["outputs"].values()
    return np.asarray(values, np.float64)


def test_float_model_runs_whole_through_the_dispatch(answers: dict[str, dict[str, Any]]) -> None:
    answer = answers["float"]
    assert answer["accelerator"] == "npu"
    assert answer["placement"]["delegated"] == 6
    assert answer["self_test"]["result"] == "passed"
    assert "this is no NPU: OpenVINO's device CPU was asked for" in answer["notes"]
    expected = outputs(answers["cpu residual"])
    # bfloat16 where the CPU has it: 8 bits in each of three blocks of 36 products.
    assert np.abs(outputs(answer) - expected).max() <= 3 * 36 * np.abs(expected).max() * 2.0**-9


def test_int8_model_is_within_a_step(answers: dict[str, dict[str, Any]]) -> None:
    assert answers["int8"]["placement"]["delegated"] == 1
    assert np.abs(outputs(answers["int8"]) - outputs(answers["cpu int8"])).max() <= 1


def test_ops_it_leaves_are_counted(answers: dict[str, dict[str, Any]]) -> None:
    """CONV_2D and CAST; RIGHT_SHIFT stays."""
    placement = answers["split"]["placement"]
    assert (placement["delegated"], placement["ops"], placement["partitions"]) == (2, 3, 1)
    assert placement["told_by"] == "measured"


def test_no_npu_is_one_clear_error(answers: dict[str, dict[str, Any]]) -> None:
    assert answers["no driver"]["error"] == "DelegateUnavailableError"
    assert answers["no driver"]["message"].startswith("npu: OpenVINO finds no driver of an Intel NPU here")


def test_a_model_that_would_run_on_the_cpu_is_refused(answers: dict[str, dict[str, Any]]) -> None:
    assert answers["silent"]["error"] == "DelegateUnavailableError"


def test_openvino_of_the_version_that_the_plugin_needs_is_named(models: Path, tmp_path: Path) -> None:
    """openvino hidden behind an importable name that is none."""
    script = tmp_path / "sitecustomize.py"
    script.write_text(
        "import importlib.util as u; found = u.find_spec\n"
        "u.find_spec = lambda name, *rest: None if name == 'openvino' else found(name, *rest)\n",
        encoding="utf-8",
    )
    hidden = {"PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])}
    (answer,) = open_all([{"model": str(models / "int8.tflite"), "delegate": "npu"}], tmp_path, environment=hidden)
    assert answer["message"] == "npu: LiteRT's OpenVINO plugin needs libopenvino.so.2631, and openvino is not installed"
    assert answer["hint"] == "pip install openvino==2026.3.1"
