"""A trained template as a source for the line: its float file, its int8 file, and what both should compute."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from edge_sdk.converters.proving.finish import Port
from edge_sdk.signature import Arrays, TensorSpec


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
