"""tflite-runtime 2.14 leaves XNNPACK's int8 kernels off; they are switched on."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from edge_sdk.engines import xnnpack_int8
from edge_sdk.engines.delegates import open_with
from edge_sdk.engines.executor import Executor
from edge_sdk.engines.installed import find_engine
from edge_sdk.engines.options import DelegateOptions
from edge_sdk.engines.source import open_source

pytestmark = pytest.mark.skipif(not find_spec("tflite_runtime"), reason="pip install 'edge-sdk[tflite-runtime]'")


def opened(model: Path, delegate: str, threads: int = 1) -> Executor:
    return open_with(delegate, open_source(model), DelegateOptions(find_engine("tflite-runtime"), threads=threads))


def run(executor: Executor) -> npt.NDArray[np.int64]:
    values = np.random.default_rng(0).integers(-128, 128, (1, 8, 8, 4)).astype(np.int8)
    executor.write({"x": values})
    executor.invoke()
    return executor.read()["y"].astype(np.int64)


@pytest.mark.parametrize("threads", [1, 2])
def test_int8_ops_reach_xnnpack(models: Path, threads: int) -> None:
    executor = opened(models / "int8.tflite", "xnnpack", threads)
    placement = executor.placement()
    assert placement is not None
    assert placement.delegated == (0,)
    assert executor.notes == ("XNNPACK's int8 kernels were switched on: tflite-runtime 2.14.0 leaves them off",)
    # One op, rounded once by either: at most one step apart.
    assert np.abs(run(executor) - run(opened(models / "int8.tflite", "cpu"))).max() <= 1
    executor.close()


def test_float_models_are_left_to_the_engine(models: Path) -> None:
    executor = opened(models / "residual.tflite", "xnnpack")
    placement = executor.placement()
    assert placement is not None
    assert placement.delegated == tuple(range(6))
    assert executor.notes == ()


def test_says_where_it_cannot_be(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The armv7l build exports nothing of XNNPACK: another library stands for it."""
    monkeypatch.setattr(xnnpack_int8, "_LIBRARY", "_ctypes")
    assert xnnpack_int8.int8_xnnpack(1) is None
