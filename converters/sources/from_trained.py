"""What quantization-aware training left, on its way through the line: both files are made already."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from edge_sdk.converters.layout import Port
from edge_sdk.converters.lower import Rung
from edge_sdk.converters.sources.source import Description, stacked_runs, write_outputs
from edge_sdk.data.store import SampleStore
from edge_sdk.signature import Arrays, TensorSpec


class TrainedSource:
    """A :class:`TrainedGraph`; the float file is compared with the model without rounding, the int8 file with it."""

    preload: tuple[str, ...] = ()

    def __init__(self, source: TrainedGraph, options: Mapping[str, Any]) -> None:
        self._source = source

    @staticmethod
    def reads(source: object) -> bool:
        """Only this type, in memory."""
        return isinstance(source, TrainedGraph)

    def describe(self) -> dict[str, Any]:
        source = self._source
        return Description(source.framework, source.inputs, source.inputs, source.outputs).as_json()

    def run(self, samples: str, outputs: str) -> int:
        return self._run(samples, outputs, rounding=False)

    def run_rounded(self, samples: str, outputs: str) -> int:
        """Reference runs of the int8 file: with the rounding that was trained."""
        return self._run(samples, outputs, rounding=True)

    def rungs(self, *, static_range: bool) -> list[dict[str, Any]]:
        return [asdict(Rung("the trained file"))]

    def hand_over(self, folder: str, settings: Mapping[str, Any]) -> dict[str, Any]:
        source = self._source
        path, quantized = Path(folder) / "trained.tflite", Path(folder) / "trained_int8.tflite"
        path.write_bytes(source.lowered)
        quantized.write_bytes(source.quantized)
        return {
            "kind": "tflite",
            "path": str(path),
            "inputs": [port.as_json() | {"tensor": None} for port in source.ports_in],
            "outputs": [port.as_json() | {"tensor": None} for port in source.ports_out],
            "tool": source.tool,
            "quantized": str(quantized),
            "quantized_for": source.recipe,
        }

    def _run(self, samples: str, outputs: str, *, rounding: bool) -> int:
        store = SampleStore.open(samples)
        results = stacked_runs(store, lambda arrays: self._source.predict(arrays, rounding), can_stack=True)
        return write_outputs(results, self._source.outputs, outputs)


@dataclass(frozen=True)
class TrainedGraph:
    """What quantization-aware training leaves; ``edge_sdk.convert`` takes it with the recipe it was trained for.

    Attributes:
        framework: what it was trained in, in words.
        recipe: name of the recipe.
        inputs: of the source, with a batch of 1.
        outputs: names in order.
        ports_in: name, layout and place of each input in the files.
        ports_out: likewise.
        lowered: the float file with the trained weights.
        quantized: the int8 file with the trained weights and learned scales.
        predict: runs arrays in the source's layout, with rounding or without.
        tool: what made the int8 file.
    """

    framework: str
    recipe: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[str, ...]
    ports_in: tuple[Port, ...]
    ports_out: tuple[Port, ...]
    lowered: bytes = field(repr=False)
    quantized: bytes = field(repr=False)
    predict: Callable[[Arrays, bool], Arrays] = field(repr=False)
    tool: str

    def quantized_bytes(self) -> bytes:
        """The int8 file."""
        return self.quantized
