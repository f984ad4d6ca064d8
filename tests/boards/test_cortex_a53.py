"""edge-sdk's wheel on an emulated Cortex-A53, as on a Raspberry Pi 3: the CPU path computes what x86 computes, and
what would end the process there is refused.

An emulated processor, not a board: numbers, instructions and signals are real, times are not.
"""

from __future__ import annotations

import signal
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from tests.boards.board import Board, make_board, system_is_made
from tests.boards.remote import open_all
from tests.engines.models import MODELS

pytestmark = [
    pytest.mark.boards,
    pytest.mark.slow,
    pytest.mark.skipif(
        not (find_spec("openvino") and system_is_made("arm64")), reason="make test-boards sets up the emulated boards"
    ),
]
TEFLON = "/usr/lib/teflon/libteflon.so"
FLOAT, INT8 = "residual", "int8"


@pytest.fixture(scope="module")
def board(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Board:
    return make_board("arm64", "cortex-a53", tmp_path_factory.mktemp("board") / "a53", wheel=wheel)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    for name in (FLOAT, INT8):
        (folder / f"{name}.tflite").write_bytes(MODELS[name]())
    return folder


@pytest.fixture(scope="module")
def answers(board: Board, models: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """One process for all: it would not get to the end if one of them killed it."""
    cases = {
        **{f"{name} {delegate}": (name, delegate) for name in (FLOAT, INT8) for delegate in ("xnnpack", "cpu")},
        "gpu": (FLOAT, "gpu"),
        "npu": (INT8, "npu"),
        "teflon": (INT8, f"external:{TEFLON}"),
        "after": (INT8, "xnnpack"),
    }
    wanted = [{"model": str(models / f"{model}.tflite"), "delegate": delegate} for model, delegate in cases.values()]
    found = open_all(wanted, tmp_path_factory.mktemp("cases"), python=board.python)
    return dict(zip(cases, found, strict=True))


@pytest.fixture(scope="module")
def here(models: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """The same engine on this machine."""
    wanted = [{"model": str(models / f"{name}.tflite"), "delegate": "xnnpack"} for name in (FLOAT, INT8)]
    found = open_all(wanted, tmp_path_factory.mktemp("here"))
    return dict(zip((FLOAT, INT8), found, strict=True))


def outputs(answer: dict[str, Any]) -> npt.NDArray[np.float64]:
    (values,) = answer["outputs"].values()
    return np.asarray(values, np.float64)


def test_it_is_the_processor_that_it_should_be(board: Board) -> None:
    script = (
        "import platform, sys, edge_sdk; from edge_sdk.engines.cpu_features import has_atomics\n"
        "print(platform.machine(), has_atomics(), edge_sdk.__file__)"
    )
    done = board.run(["-c", script])
    machine, atomics, origin = done.stdout.split()
    assert (machine, atomics) == ("aarch64", "False"), done.stderr
    assert origin.startswith(str(board.python.parent)), "not the wheel's"


def test_compiled_model_itself_dies_there(board: Board, models: Path) -> None:
    """What is guarded against is real: if this fails, LiteRT has mended it and the guard can go."""
    path = str(models / f"{FLOAT}.tflite")
    script = f"from ai_edge_litert.compiled_model import CompiledModel; CompiledModel.from_file({path!r})"
    assert board.run(["-c", script]).returncode in (-signal.SIGILL, 128 + signal.SIGILL)


@pytest.mark.parametrize("delegate", ["xnnpack", "cpu"])
def test_float_outputs_are_those_of_x86(
    delegate: str, answers: dict[str, dict[str, Any]], here: dict[str, dict[str, Any]]
) -> None:
    """Three blocks of sums of 36 products, in another order: 3 * 36 roundings of 2^-24 of the largest value."""
    expected = outputs(here[FLOAT])
    largest = np.abs(expected).max()
    assert largest > 1
    assert np.abs(outputs(answers[f"{FLOAT} {delegate}"]) - expected).max() <= 3 * 36 * largest * 2.0**-24
    assert answers[f"{FLOAT} {delegate}"]["self_test"]["result"] == ("passed" if delegate == "xnnpack" else None)


@pytest.mark.parametrize("delegate", ["xnnpack", "cpu"])
def test_int8_outputs_are_those_of_x86(
    delegate: str, answers: dict[str, dict[str, Any]], here: dict[str, dict[str, Any]]
) -> None:
    """Integer sums are exact; one requantization may round a tie the other way: one step."""
    expected = outputs(here[INT8])
    assert len(np.unique(expected)) > 50
    assert np.abs(outputs(answers[f"{INT8} {delegate}"]) - expected).max() <= 1


def test_xnnpack_takes_there_what_it_takes_here(
    answers: dict[str, dict[str, Any]], here: dict[str, dict[str, Any]]
) -> None:
    for name in (FLOAT, INT8):
        assert answers[f"{name} xnnpack"]["placement"] == here[name]["placement"]


def test_gpu_is_an_error_and_not_a_death(answers: dict[str, dict[str, Any]]) -> None:
    assert answers["gpu"]["error"] == "DelegateUnavailableError"
    assert "this CPU lacks the atomic instructions (LSE)" in answers["gpu"]["message"]
    assert answers["gpu"]["hint"] == "use xnnpack, or an external delegate"


def test_npu_says_what_is_not_there(answers: dict[str, dict[str, Any]]) -> None:
    assert "has no libLiteRtDispatch_*.so for this machine" in answers["npu"]["message"]


def test_a_real_driver_without_its_device(answers: dict[str, dict[str, Any]]) -> None:
    """Mesa's Teflon, made for NPUs that are not here: loaded, refused, told, in a child of the board's own kind."""
    assert answers["teflon"]["error"] == "DelegateUnavailableError"
    assert "libteflon.so failed while starting its driver" in answers["teflon"]["message"]


def test_the_cpu_path_is_whole_after_all_that(answers: dict[str, dict[str, Any]]) -> None:
    assert answers["after"]["outputs"] == answers[f"{INT8} xnnpack"]["outputs"]


def test_an_x86_library_is_named_as_such(board: Board, models: Path, tmp_path: Path) -> None:
    library = next(Path("/usr/lib").glob("x86_64-linux-gnu/libc.so.6"), None)
    if library is None:
        pytest.skip("this machine is no x86-64")
    copy = tmp_path / "driver.so"
    copy.write_bytes(library.read_bytes())
    case = {"model": str(models / f"{INT8}.tflite"), "delegate": f"external:{copy}"}
    (answer,) = open_all([case], tmp_path, python=board.python)
    assert "is built for x86_64 (64 bits), and this process is aarch64 (64 bits)" in answer["message"]


def test_a_cortex_a76_gets_as_far_as_the_driver(wheel: Path, models: Path, tmp_path: Path) -> None:
    """It has the instructions, so that the trial is made; there is no GPU."""
    board = make_board("arm64", "cortex-a76", tmp_path / "a76", wheel=wheel)
    (answer,) = open_all([{"model": str(models / f"{FLOAT}.tflite"), "delegate": "gpu"}], tmp_path, python=board.python)
    assert answer["message"] == "gpu: LiteRT's WebGPU finds no GPU that it can use"
