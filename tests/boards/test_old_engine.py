"""tflite-runtime 2.14, which boards have that LiteRT no longer serves: on arm64 with XNNPACK, on armv7l without.

Emulated processors: numbers are real, times are not.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.boards.board import make_board, system_is_made
from tests.boards.remote import open_all
from tests.engines.models import MODELS

SYSTEMS = {"arm64-tflite": "cortex-a72", "armhf-tflite": "cortex-a7"}
pytestmark = [
    pytest.mark.boards,
    pytest.mark.slow,
    pytest.mark.skipif(
        not (find_spec("openvino") and all(map(system_is_made, SYSTEMS))),
        reason="make test-boards sets up the emulated boards",
    ),
]


@pytest.fixture(scope="module", params=SYSTEMS)
def answers(request: pytest.FixtureRequest, wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp(request.param)
    board = make_board(request.param, SYSTEMS[request.param], folder / "board", wheel=wheel)
    model = folder / "int8.tflite"
    model.write_bytes(MODELS["int8"]())
    wanted = [{"model": str(model), "delegate": delegate} for delegate in ("xnnpack", "cpu", "auto")]
    found = dict(zip(("xnnpack", "cpu", "auto"), open_all(wanted, folder, python=board.python), strict=True))
    (here,) = open_all(wanted[1:2], folder)
    return {**found, "system": request.param, "here": here}


def test_int8_reaches_xnnpack_where_the_library_has_it(answers: dict[str, Any]) -> None:
    if answers["system"] == "arm64-tflite":
        assert answers["xnnpack"]["placement"]["delegated"] == 1
        assert "XNNPACK's int8 kernels were switched on" in answers["xnnpack"]["notes"][0]
    else:
        assert "XNNPACK took none of the 1 ops" in answers["xnnpack"]["message"]
        assert "armv7l holds no XNNPACK at all" in answers["xnnpack"]["hint"]


def test_auto_takes_the_best_that_is_there(answers: dict[str, Any]) -> None:
    assert answers["auto"]["candidate"] == ("xnnpack" if answers["system"] == "arm64-tflite" else "cpu")


def test_outputs_are_those_of_litert_here(answers: dict[str, Any]) -> None:
    """Integer sums are exact; one requantization may round a tie the other way: one step."""
    expected = np.asarray(answers["here"]["outputs"]["y"])
    assert len(np.unique(expected)) > 50
    assert np.abs(np.asarray(answers["auto"]["outputs"]["y"]) - expected).max() <= 1
