"""What lowering leaves: a float32 file with the source's signature."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edge_sdk.artifact.model import Artifact
from edge_sdk.converters.layout import Port
from edge_sdk.converters.reports.conversion import Attempt
from edge_sdk.parity.compare import OutputParity


@dataclass(frozen=True)
class FloatModel:
    """A float32 .tflite with the source's signature.

    Attributes:
        path: the file.
        artifact: the file, read.
        inputs: in the source's order.
        outputs: likewise.
        tool: what lowered it.
        role: the worker that has the lowering's toolchain loaded.
        attempts: every rung tried, this one last.
        parity: against the source.
        verified: within the float32 bound.
        quantized: the integer file that training made along with it; None where quantization is still to come.
        quantized_for: name of the recipe that it was trained for.
    """

    path: Path
    artifact: Artifact
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    tool: str
    role: str
    attempts: tuple[Attempt, ...] = ()
    parity: tuple[OutputParity, ...] = ()
    verified: bool = False
    quantized: Path | None = None
    quantized_for: str = ""

    @property
    def input_axes(self) -> dict[str, list[int] | None]:
        """Input name to how the source's array is transposed."""
        return {port.name: list(port.axes) if port.axes else None for port in self.inputs}

    @property
    def output_axes(self) -> dict[str, list[int] | None]:
        """Likewise for outputs."""
        return {port.name: list(port.axes) if port.axes else None for port in self.outputs}
