"""What goes into the line and what can be taken out of it half-way, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from edge_sdk.artifact.model import read_artifact
from edge_sdk.converters.options import Settings
from edge_sdk.converters.proving.float_model import FloatModel
from edge_sdk.errors import CalibrationError
from edge_sdk.findings import Finding
from edge_sdk.recipe import Recipe


@dataclass(frozen=True)
class Job:
    """One file to make; ``choice`` says why this recipe, where it was chosen for a device."""

    recipe: Recipe
    output: Path
    choice: str = ""


@dataclass(frozen=True)
class Template:
    """A float file and the int8 file made of it, before anything is trained: see :func:`make_template`."""

    lowered: FloatModel
    float_bytes: bytes
    quantized: bytes
    tools: tuple[str, ...]
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class Quantized:
    """What a quantizer says of its file.

    Attributes:
        tools: that made it.
        findings: that a user should know.
        ranges: as :meth:`~.quantize.ranging.ranges.Ranges.as_json` gives them.
        corrections: what was corrected in the file afterwards, by kind.
        explained: the float file that its constants are those of, where that is not the one that was quantized.
        reference: the float file of its own channels, where they were equalized: values inside it compare with that.
        islands: names of results in float between integers.
        plain: the file without them, where there are any.
    """

    tools: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    ranges: Mapping[str, Any] | None = None
    corrections: Mapping[str, Any] = field(default_factory=dict)
    explained: Path | None = None
    reference: Path | None = None
    islands: frozenset[str] = frozenset()
    plain: Path | None = None

    def inside(self, lowered: FloatModel) -> FloatModel:
        """The float file that values inside this one compare with."""
        if self.reference is None:
            return lowered
        return replace(lowered, path=self.reference, artifact=read_artifact(self.reference))


def quantized_from(said: Mapping[str, Any]) -> Quantized:
    """What a quantizer's worker answered, as a value."""
    return Quantized(
        (said["tool"],),
        tuple(Finding(**finding) for finding in said["findings"]),
        said.get("ranges"),
        said.get("corrections", {}),
        Path(said["explained"]) if said.get("explained") else None,
        Path(said["reference"]) if said.get("reference") else None,
        frozenset(said.get("floats", ())),
    )


def check_calibration(job: Job, settings: Settings, *, has_ranges: bool) -> None:
    """A recipe that needs ranges has data to observe them on.

    Raises:
        CalibrationError: it has none.
    """
    if not job.recipe.needs_calibration or settings.calibration is not None or has_ranges:
        return
    chosen = f" ({job.choice})" if job.choice else ""
    raise CalibrationError(
        f"recipe {job.recipe.name}{chosen} needs calibration data",
        hint="give --calibration with 100 to 500 typical inputs: .npz, .npy, images or file.py:function"
        + ("; or name another recipe with -r" if job.choice else ""),
    )
