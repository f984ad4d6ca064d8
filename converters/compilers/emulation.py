"""A compiled file against the file that it was made of, where its vendor has an emulator of the NPU for this CPU.

What comes out is *emulated*: numbers of the NPU's own arithmetic, and no time of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from edge_sdk.artifact.model import Artifact
from edge_sdk.checks.lint.activations import input_specs
from edge_sdk.converters.compilers.seam import Compilation, Job
from edge_sdk.data.images import ImageOptions
from edge_sdk.data.opening import open_data
from edge_sdk.data.seeded import seeded_samples
from edge_sdk.engines.runner import Runner
from edge_sdk.engines.values import output_values, to_raw
from edge_sdk.errors import TargetError
from edge_sdk.parity.compare import OutputParity, ParityMeter
from edge_sdk.signature import Arrays


@runtime_checkable
class Emulator(Protocol):
    """What a compiler offers that can run its files here."""

    def emulate(self, job: Job, made: Compilation, samples: Iterable[Arrays]) -> Iterator[Arrays]:
        """Outputs for each sample, by signature name and in the file's own types, as the inputs are.

        Raises:
            ToolError: the emulator failed, died, or did not end.
        """
        ...


@dataclass(frozen=True)
class Trial:
    """How many samples to emulate, what they are taken from (None: drawn from a seed), how pixels become values."""

    samples: int
    data: str | None = None
    images: ImageOptions = field(default_factory=ImageOptions)


@dataclass(frozen=True)
class Emulated:
    """What the NPU's arithmetic gives, compared with the CPU's on the file that was compiled.

    ``outputs`` compare the two output by output; ``reference`` names the CPU's engine, ``data`` what was run.
    """

    tool: str
    reference: str
    data: str
    samples: int
    outputs: tuple[OutputParity, ...]

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        values = {name: getattr(self, name) for name in ("tool", "reference", "data", "samples")}
        return {**values, "outputs": [one.as_json() for one in self.outputs]}


def emulate(emulator: object, file: Path, job: Job, made: Compilation, trial: Trial) -> Emulated:
    """Runs a compiled file's samples in its vendor's emulation, and the file that was given on this CPU's kernels.

    Args:
        emulator: the compiler.
        file: what was compiled.
        job: that of the compilation.
        made: its result.
        trial: on what.

    Raises:
        TargetError: the compiler brings no emulator.
        ToolError: the emulator failed.
    """
    running = require_emulator(emulator, made.compiler)
    runner = Runner(file)
    artifact = runner.artifact
    specs = input_specs(artifact)
    source = open_data(trial.data, specs, images=trial.images) if trial.data is not None else None
    samples = source.samples() if source else seeded_samples(specs, count=trial.samples, seed=0)
    inputs = artifact.signature.inputs
    raw = [
        {name: to_raw(values, inputs[name]) for name, values in sample.items()}
        for sample in islice(samples, trial.samples)
    ]
    meter = ParityMeter()
    job.progress.stage(f"emulate {made.target} on {len(raw)} samples")
    for done, (sample, outputs) in enumerate(zip(raw, running.emulate(job, made, raw), strict=True), 1):
        meter.add(_real(artifact, runner.run(sample)), _real(artifact, outputs))
        job.progress.count(done, len(raw))
    described = source.description if source else "seeded random inputs"
    return Emulated(made.tool, f"{runner.engine.name} {runner.engine.version}", described, len(raw), meter.report())


def require_emulator(emulator: object, name: str) -> Emulator:
    """The compiler as an emulator; errors as :func:`emulate`."""
    if not isinstance(emulator, Emulator):
        raise TargetError(f"{name} brings no emulator of its NPU", hint="leave --emulate away; qualcomm has one")
    return emulator


def _real(artifact: Artifact, outputs: Arrays) -> Arrays:
    return {name: output_values(values, artifact.signature.outputs[name]) for name, values in outputs.items()}
