"""What lowering leaves: a float32 file with the source's signature."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edge_sdk.artifact.model import Artifact
from edge_sdk.converters.layout import Port
from edge_sdk.converters.reports.conversion import Attempt, Layout
from edge_sdk.errors import RecipeError
from edge_sdk.findings import Finding
from edge_sdk.parity.compare import OutputParity
from edge_sdk.recipe import Recipe


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
        quantized: the integer file that came along with it, of training or of a source that is quantized already.
        quantized_for: name of the recipe that it is made for.
        plain: the file before it was written in forms of the target's delegate, where it was.
        findings: what was written otherwise.
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
    plain: Path | None = None
    findings: tuple[Finding, ...] = ()

    @property
    def input_axes(self) -> dict[str, list[int] | None]:
        """Input name to how the source's array is transposed."""
        return {port.name: list(port.axes) if port.axes else None for port in self.inputs}

    @property
    def output_axes(self) -> dict[str, list[int] | None]:
        """Likewise for outputs."""
        return {port.name: list(port.axes) if port.axes else None for port in self.outputs}

    @property
    def layouts(self) -> tuple[Layout, ...]:
        """Where the axes of each input and output are, for the report."""
        ports = [*((port, "input") for port in self.inputs), *((port, "output") for port in self.outputs)]
        return tuple(Layout(port.name, role, port.axes) for port, role in ports)

    def quantized_bytes(self, recipe: Recipe) -> bytes:
        """The int8 file that training made, or that the source was already.

        Raises:
            RecipeError: it was made for another recipe.
        """
        if self.quantized is None or recipe.name != self.quantized_for:
            raise RecipeError(
                f"the model is quantized for recipe {self.quantized_for} already, it cannot be made into {recipe.name}",
                hint=f"recipe {self.quantized_for} keeps its scales, float32 leaves the rounding out",
            )
        return self.quantized.read_bytes()
