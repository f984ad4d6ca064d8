"""LiteRT's WebGPU accelerator on lavapipe, Mesa's Vulkan driver that computes on the CPU.

That it is a real GPU's code path (shaders, buffers, waiting) is the point; its times mean nothing.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from tests.boards.mesa import lavapipe, mesa_is_made
from tests.boards.remote import open_all

pytestmark = [
    pytest.mark.accelerators,
    pytest.mark.skipif(
        not (mesa_is_made() and find_spec("openvino")), reason="make test-accelerators fetches Mesa's lavapipe"
    ),
]
SOFTWARE = {"software": "true"}
EXACT = {**SOFTWARE, "precision": "float32"}


@pytest.fixture(scope="module")
def answers(models: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """All of them in one process, which a crash of any would end."""
    folder = tmp_path_factory.mktemp("gpu")
    cases = {
        "unasked": ("residual", "gpu", {}),
        "float16": ("residual", "gpu", SOFTWARE),
        "float32": ("residual", "gpu", EXACT),
        "split": ("split", "gpu", EXACT),
        "int8": ("int8", "gpu", SOFTWARE),
        "none": ("l2", "gpu", SOFTWARE),
        "int64": ("int64", "gpu", SOFTWARE),
        **{f"cpu {name}": (name, "xnnpack", {}) for name in ("residual", "split", "int8")},
    }
    wanted = [
        {"model": str(models / f"{model}.tflite"), "delegate": delegate, "options": options}
        for model, delegate, options in cases.values()
    ]
    given = open_all(wanted, folder, environment=lavapipe(folder))
    return dict(zip(cases, given, strict=True))


def outputs(answer: dict[str, Any]) -> npt.NDArray[np.float64]:
    (values,) = answer["outputs"].values()
    return np.asarray(values, np.float64)


def test_a_gpu_that_is_a_program_is_refused_unless_asked_for(answers: dict[str, dict[str, Any]]) -> None:
    assert answers["unasked"]["error"] == "DelegateUnavailableError"
    assert "the only GPU here is a program on the CPU: llvmpipe" in answers["unasked"]["message"]
    assert "software=true" in answers["unasked"]["hint"]


@pytest.mark.parametrize(
    ("case", "bits"),
    # Three blocks of sums of 36 products below 100 in all: a rounding each of 2^-11 or 2^-24 of the sum.
    [("float16", 11), ("float32", 24)],
)
def test_runs_whole_on_the_gpu_in_the_precision_asked_for(
    case: str, bits: int, answers: dict[str, dict[str, Any]]
) -> None:
    answer = answers[case]
    assert answer["accelerator"] == "gpu"
    assert answer["placement"]["delegated"] == answer["placement"]["ops"] == 6
    assert answer["placement"]["partitions"] == 1
    assert answer["placement"]["told_by"] == "measured"
    assert answer["placement"]["mac_share"] == 1.0
    assert answer["self_test"]["result"] == "passed"
    assert any(note.startswith("the GPU is llvmpipe") for note in answer["notes"])
    expected = outputs(answers["cpu residual"])
    error = np.abs(outputs(answer) - expected).max()
    assert error <= 3 * 36 * np.abs(expected).max() * 2.0**-bits
    # float16 shows: had the option been ignored, float32 would be as far off.
    assert (error > np.abs(expected).max() * 2.0**-20) == (case == "float16")


def test_what_the_gpu_leaves_runs_on_the_cpu_and_is_counted(answers: dict[str, dict[str, Any]]) -> None:
    answer = answers["split"]
    placement = answer["placement"]
    assert (placement["delegated"], placement["ops"], placement["told_by"]) == (1, 3, "measured")
    assert any("counts 1 ops on the GPU and does not say which" in note for note in answer["notes"])
    # Unit vectors times 36 weights of about 1/4, plus a bias: values below 10.
    np.testing.assert_allclose(outputs(answer), outputs(answers["cpu split"]), atol=36 * 10 * 2.0**-22, rtol=0)


def test_int8_models_are_within_a_step(answers: dict[str, dict[str, Any]]) -> None:
    """The GPU computes on dequantized values and rounds once: at most one step from the CPU, which does too."""
    assert answers["int8"]["placement"]["delegated"] == 1
    assert np.abs(outputs(answers["int8"]) - outputs(answers["cpu int8"])).max() <= 1


def test_what_it_cannot_run_is_told(answers: dict[str, dict[str, Any]]) -> None:
    assert answers["none"]["message"] == "gpu: it took no op: L2_NORMALIZATION: Operation is not supported."
    assert "`x` of " in answers["int64"]["message"]
    assert "is int64, which CompiledModel's buffers do not take" in answers["int64"]["message"]


def test_no_gpu_at_all_is_one_clear_error(models: Path, tmp_path: Path) -> None:
    """No driver: LiteRT's own error is a line number in its source."""
    case = {"model": str(models / "residual.tflite"), "delegate": "gpu"}
    nothing = {"VK_ICD_FILENAMES": str(tmp_path / "none.json")}
    (answer,) = open_all([case], tmp_path, environment=nothing)
    assert answer["message"] == "gpu: LiteRT's WebGPU finds no GPU that it can use"
    assert "Vulkan driver" in answer["hint"]


def test_a_limit_that_a_split_may_not_meet_refuses_it(models: Path, tmp_path: Path) -> None:
    """Of two convolutions of equal work one was taken at most, and the rules promise no more than the count proves."""
    case = {
        "model": str(models / "split.tflite"),
        "delegate": "gpu",
        "options": EXACT,
        "policy": {"min_mac_share": 0.9},
    }
    (answer,) = open_all([case], tmp_path, environment=lavapipe(tmp_path))
    assert answer["error"] == "DelegateUnavailableError"
    assert "the policy asks for 90% of MACs" in answer["message"]
