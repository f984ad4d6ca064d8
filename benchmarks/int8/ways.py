"""Ways to an int8 file of one network: from its float .tflite, or from the same weights as ONNX."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.int8.cases import Array, Sample
from benchmarks.int8.quantizing import PLAIN, int8_of
from edge_sdk.artifact.model import read_artifact
from edge_sdk.converters import convert
from edge_sdk.engines.runner import Runner
from edge_sdk.engines.values import specs_of
from edge_sdk.signature import Arrays

_NNCF = Path(__file__).parents[1] / "by_hand" / "nncf_int8.py"


@dataclass(frozen=True)
class Floats:
    """One network in float: our .tflite of it, which all are compared with, and an ONNX file of the same weights."""

    tflite: Path
    onnx: Path
    nncf: Path
    """Interpreter of an environment with NNCF."""


def floats(source: str, folder: Path, name: str, nncf: Path) -> Floats:
    """Makes both where they are missing; an ONNX source is its own."""
    made = Floats(
        folder / f"{name}.tflite", Path(source) if source.endswith(".onnx") else folder / f"{name}.onnx", nncf
    )
    if not made.tflite.exists():
        folder.mkdir(parents=True, exist_ok=True)
        convert(source, made.tflite, timing=False)
    if not made.onnx.exists():
        _export(source, made.onnx)
    return made


def _export(source: str, path: Path) -> None:
    import torch

    from benchmarks.int8 import cases as int8_cases

    model, example = getattr(int8_cases, source.rpartition(":")[2])()
    torch.onnx.export(model, example, str(path), dynamo=False)


def run_tflite(path: Path, samples: Sequence[Sample]) -> list[Sample]:
    """A file's outputs in its own order and layout, as real values."""
    runner = Runner(path)
    outputs = list(read_artifact(path).signature.outputs)
    made = []
    for sample in samples:
        values = runner.run_real(
            {spec.name: laid_for(one, spec) for spec, one in zip(runner.inputs, sample, strict=True)}
        )
        made.append(tuple(np.asarray(values[name], np.float32) for name in outputs))
    return made


def laid_for(values: Array, spec: Any) -> Array:
    """Pictures come channels first, and go in as a file wants them."""
    return values if values.shape == spec.static_shape else np.ascontiguousarray(values.transpose(0, 2, 3, 1))


def _run_onnx(path: Path, samples: Sequence[Sample]) -> list[Sample]:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [one.name for one in session.get_inputs()]
    return [tuple(session.run(None, dict(zip(names, sample, strict=True)))) for sample in samples]


Way = Callable[[Floats, Path, Sequence[Sample]], None]


def _ours(**changes: Any) -> Way:
    """Ranges, corrections, forms and tuning of ``convert``."""

    def make(source: Floats, target: Path, seen: Sequence[Sample]) -> None:
        int8_of(source.tflite, target, _arrays(source, seen), **changes)

    return make


def _arrays(source: Floats, samples: Sequence[Sample]) -> list[Arrays]:
    specs = specs_of(read_artifact(source.tflite).signature.inputs)
    return [{s.name: laid_for(one, s) for s, one in zip(specs, sample, strict=True)} for sample in samples]


def _by_ai_edge_quantizer(source: Floats, target: Path, seen: Sequence[Sample]) -> None:
    """Its own calibration and its own int8 recipe."""
    from ai_edge_quantizer import quantizer, recipe

    made = quantizer.Quantizer(str(source.tflite))
    made.load_quantization_recipe(recipe.static_wi8_ai8())
    laid = _arrays(source, seen)
    target.write_bytes(bytes(made.quantize(made.calibrate({"serving_default": laid})).quantized_model))


def _by_onnxruntime(source: Floats, target: Path, seen: Sequence[Sample]) -> None:
    """QDQ, per channel, extremes: what its documentation recommends for CPUs."""
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    ready = target.with_suffix(".ready.onnx")
    quant_pre_process(str(source.onnx), str(ready))
    names = _inputs_of(source.onnx)

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self._left: Iterator[Mapping[str, Any]] = (dict(zip(names, one, strict=True)) for one in seen)

        def get_next(self) -> Mapping[str, Any] | None:
            return next(self._left, None)

    quantize_static(str(ready), str(target), Reader(), quant_format=QuantFormat.QDQ, per_channel=True)


def _by_nncf(source: Floats, target: Path, seen: Sequence[Sample]) -> None:
    """Its post-training quantization with its own defaults, in an environment of its own."""
    samples = target.with_suffix(".npz")
    inputs = enumerate(_inputs_of(source.onnx))
    np.savez(samples, **{name: np.stack([sample[place] for sample in seen]) for place, name in inputs})
    command = [str(source.nncf), "-W", "ignore", str(_NNCF), str(source.onnx), str(samples), str(target)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr.strip().splitlines()[-1])


def _inputs_of(path: Path) -> list[str]:
    import onnx

    graph = onnx.load(str(path)).graph
    stored = {one.name for one in graph.initializer}
    return [one.name for one in graph.input if one.name not in stored]


WAYS: dict[str, tuple[str, Way]] = {
    "TFLiteConverter's": (".tflite", _ours(**PLAIN)),
    "ai-edge-quantizer": (".tflite", _by_ai_edge_quantizer),
    "ONNX Runtime": (".onnx", _by_onnxruntime),
    "NNCF": (".onnx", _by_nncf),
    "edge-sdk, ranges alone": (".tflite", _ours(bias_correction=False)),
    "edge-sdk": (".tflite", _ours()),
    "edge-sdk --tune": (".tflite", _ours(tune=True)),
}
"""Name to the suffix of what it makes, and how."""


def outputs_of(way: str, source: Floats, target: Path, seen: Sequence[Sample], shown: Sequence[Sample]) -> list[Sample]:
    """Makes one file unless it is there, and runs it on other samples."""
    suffix, make = WAYS[way]
    path = target.with_suffix(suffix)
    if not path.exists():
        make(source, path, seen)
    return run_tflite(path, shown) if suffix == ".tflite" else _run_onnx(path, shown)
