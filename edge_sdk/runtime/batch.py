"""Runs over whole data sets."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from edge_sdk.data import DataFacts, ImageOptions, SampleCheck, check_samples, open_data
from edge_sdk.data.opening import Data
from edge_sdk.files import replacing
from edge_sdk.progress import Progress
from edge_sdk.runtime.runner import Runner
from edge_sdk.signature import Arrays, TensorSpec


@dataclass(frozen=True)
class BatchResult:
    """Outputs of all runs: each of shape ``(runs, *output shape)``."""

    path: str
    engine: str
    data: DataFacts
    outputs: Arrays

    def as_json(self) -> dict[str, Any]:
        """Shapes and ranges, not the values."""
        return {
            "artifact": self.path,
            "engine": self.engine,
            "data": self.data.as_json(),
            "outputs": {
                name: {
                    "shape": list(values.shape),
                    "dtype": str(values.dtype),
                    "minimum": float(values.min()) if values.size else None,
                    "maximum": float(values.max()) if values.size else None,
                }
                for name, values in self.outputs.items()
            },
        }

    def text(self, top: int) -> str:
        """A few lines; the ``top`` classes of the first run where an output is class-like."""
        lines = [f"{self.path}: {self.data.count} runs on {self.engine}"]
        for name, values in self.outputs.items():
            spread = f"from {values.min():.4g} to {values.max():.4g}" if values.size else "empty"
            lines.append(f"  {name}: {values.dtype}{list(values.shape)}, {spread}")
            if values.ndim == 3 and values.shape[1] == 1 and values.shape[2] > 1:
                best = np.argsort(values[0, 0])[::-1][:top]
                listing = ", ".join(f"{index}: {values[0, 0, index]:.4g}" for index in best)
                lines.append(f"    first run, largest: {listing}")
        return "\n".join(lines)


def run_data(runner: Runner, data: Data, *, images: ImageOptions, raw: bool, progress: Progress) -> BatchResult:
    """Runs a file on every sample.

    Args:
        runner: the open file.
        data: see ``open_data``; in the file's own layout.
        images: how pixels become values.
        raw: integers of a quantized file pass as they are.
        progress: hears of counts.

    Raises:
        CalibrationError: the data does not fit the signature.
    """
    specs = tuple(_spec(spec, runner, raw=raw) for spec in runner.inputs)
    source = open_data(data, specs, images=images)
    check = SampleCheck(source.description, specs)
    results = []
    progress.stage("run")
    for sample in check.watch(source.samples()):
        results.append(runner.run(sample) if raw else runner.run_real(sample))
        progress.count(check.count, source.count)
    check_samples(check, purpose="run")
    outputs = {spec.name: np.stack([result[spec.name] for result in results]) for spec in runner.outputs}
    return BatchResult(str(runner.artifact.path), f"{runner.engine.name} {runner.engine.version}", check.facts, outputs)


def write_npz(path: Path, arrays: Arrays) -> None:
    """Writes arrays by name, whole or not at all."""
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez(file, **arrays)


def _spec(spec: TensorSpec, runner: Runner, *, raw: bool) -> TensorSpec:
    quantized = runner.artifact.signature.inputs[spec.name].quantization is not None
    real = quantized and not raw and spec.dtype in ("int8", "uint8", "int16")
    image = len(spec.shape) == 4 and spec.shape[3] in (1, 3, 4)
    return replace(spec, dtype="float32" if real else spec.dtype, layout="NHWC" if image else None)
