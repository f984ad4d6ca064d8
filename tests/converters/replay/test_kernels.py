"""Every kernel of the training engine computes what LiteRT's own kernel computes, in both frameworks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
# Rounding of sums of at most 72 products, and of the approximations of transcendental functions.
BOUND = 1e-5


@pytest.mark.slow
@pytest.mark.parametrize(
    "framework", [pytest.param("torch", marks=pytest.mark.torch), pytest.param("keras", marks=pytest.mark.keras)]
)
def test_kernels_compute_what_litert_computes(framework: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "tests.converters.replay.kernels_script", framework],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert len(found) > 50
    wrong = {name: error for name, error in found.items() if not isinstance(error, float) or not error < BOUND}
    assert not wrong
