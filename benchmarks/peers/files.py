"""The int8 file of every peer for one model, made where it is missing; a peer that fails is told and left out."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.peers import models
from benchmarks.peers.environments import FOLDER, python_of
from edge_sdk.converters import convert
from edge_sdk.errors import EdgeSdkError

_HERE = Path(__file__).parent
_LAST_WORDS = 300


@dataclass(frozen=True)
class Way:
    """How a user would get and run an int8 file: its name, the peer that runs it, and who makes it."""

    name: str
    peer: str
    file: str
    maker: str | None


WAYS = (
    Way("edge-sdk", "litert", "edge_sdk_int8.tflite", None),
    Way("edge-sdk on OpenVINO", "litert_on_openvino", "edge_sdk_int8.tflite", None),
    Way("TensorFlow's converter", "litert", "tensorflow_int8.tflite", "onnx2tf"),
    Way("onnx2tf's own int8", "litert", "onnx2tf_int8.tflite", "onnx2tf"),
    Way("ONNX Runtime", "onnxruntime", "onnxruntime_int8.onnx", "onnxruntime"),
    Way("OpenVINO", "openvino", "openvino_int8.xml", "openvino"),
    Way("ExecuTorch", "executorch", "executorch_int8.pte", "executorch"),
)
"""The first is what all others are compared with."""


def made(name: str, say: Callable[[str], None]) -> Iterator[tuple[Way, Path]]:
    """Every way that works for a model, with its file.

    Args:
        name: key of ``models.MODELS``.
        say: hears of what does not work.
    """
    folder = FOLDER / re.sub(r"\W+", "_", name.lower())
    if not (folder / "calibration.npz").exists():
        models.write(name, folder)
    for way in WAYS:
        path = folder / way.file
        if not path.exists():
            fault = _make(way, folder)
            if fault:
                say(f"{name}: {way.name}: {fault}")
        if path.exists():
            yield way, path


def _make(way: Way, folder: Path) -> str:
    if way.maker is None:
        with np.load(folder / "calibration.npz") as arrays:
            samples = list(arrays["x"][:, None])
        try:
            source, output = str(folder / "program.pt2"), folder / way.file
            convert(source, output, recipe="int8", calibration=samples, timing=False, keep_unverified=True)
        except EdgeSdkError as error:
            return str(error)
        return ""
    python = python_of(way.maker) if way.maker != "onnx2tf" else Path(sys.executable)
    script = _HERE / f"make_{way.maker}.py"
    done = subprocess.run([python, "-W", "ignore", script, folder], capture_output=True, text=True, check=False)
    (folder / f"{way.maker}.log").write_text(done.stdout + done.stderr)
    return _last_words(done.returncode, (done.stderr or done.stdout).strip().splitlines())


def _last_words(status: int, lines: list[str]) -> str:
    """Why a script failed; nothing if it did not."""
    if status == 0:
        return ""
    if status < 0:
        return f"died of {signal.Signals(-status).name}"
    errors = [line for line in lines if re.match(r"[\w.]*(Error|Exception)\b", line)]
    return (errors or lines or ["no word"])[-1][:_LAST_WORDS]
