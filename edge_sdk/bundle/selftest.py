"""Golden inputs and outputs, made by running a variant here on the CPU."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sdk.artifact.dtypes import DTYPES
from edge_sdk.artifact.indices import index_bounds
from edge_sdk.artifact.model import Artifact
from edge_sdk.bundle.describe import describe_signature
from edge_sdk.bundle.manifest import GoldenRecord, Limit, Port
from edge_sdk.bundle.tolerance import limits, widened
from edge_sdk.data import ImageOptions, SampleCheck, open_data, seeded_samples
from edge_sdk.data.opening import Data
from edge_sdk.engines.runner import Runner
from edge_sdk.engines.values import to_raw, to_real
from edge_sdk.errors import BundleError
from edge_sdk.parity.compare import ParityMeter
from edge_sdk.signature import Arrays, TensorSpec

_INTEGERS = ("int8", "uint8", "int16")


@dataclass(frozen=True)
class GoldenRuns:
    """What a variant made of the samples: records, tolerances, and the contents of the members that are new."""

    records: tuple[GoldenRecord, ...]
    tolerance: Mapping[str, tuple[Limit, ...]]
    contents: Mapping[str, bytes]
    engine: str
    constant_outputs: tuple[str, ...]


def golden_samples(
    artifact: Artifact, data: Data | None, *, count: int, seed: int, images: ImageOptions | None
) -> tuple[tuple[Arrays, ...], str]:
    """Real inputs for all variants, and what they are.

    Args:
        artifact: any of the variants.
        data: see ``open_data``, in the file's own layout; None for seeded samples.
        count: how many, the first of them.
        seed: of seeded samples.
        images: how the pixels of a folder of images become values.

    Raises:
        CalibrationError: the data does not fit the signature.
        BundleError: there is none of it, or an input holds no numbers.
    """
    ports = describe_signature(artifact).inputs
    for port in ports:
        if port.dtype not in DTYPES:
            raise BundleError(
                f"input `{port.name}` is {port.dtype}: the self-test needs numbers",
                hint="make the bundle without one: --golden-samples 0",
            )
    specs = tuple(_real_spec(port) for port in ports)
    if data is None:
        made = seeded_samples(specs, count=count, seed=seed, index_bounds=index_bounds(artifact))
        return tuple(made), f"seeded data (seed {seed})"
    source = open_data(data, specs, images=images)
    check = SampleCheck(source.description, specs)
    samples = tuple(islice(check.watch(source.samples()), count))
    if not samples:
        raise BundleError(f"{source.description}: holds no sample for the self-test")
    return tuple({name: np.array(value) for name, value in sample.items()} for sample in samples), source.description


def run_golden(path: Path, samples: Sequence[Arrays], known: Mapping[str, bytes]) -> GoldenRuns:
    """Runs one variant on the samples in TFLite's own kernels, and once more in XNNPACK's to see that limits hold.

    Args:
        path: the .tflite file.
        samples: real inputs by name.
        known: members that are there already; equal arrays share a member.

    Raises:
        ModelError: the engine refuses the file.
        MissingDependencyError: no engine is installed.
    """
    own, other = Runner(path, xnnpack=False), Runner(path)
    artifact = own.artifact
    ports = describe_signature(artifact)
    inputs = [_raw(sample, artifact) for sample in samples]
    outputs = [own.run(raw) for raw in inputs]
    others = [other.run(raw) for raw in inputs]
    power = _activation_power(path, inputs) if is_quantized(artifact) else {}
    bounds = {
        port.name: tuple(
            widened(limit, [o[port.name] for o in outputs], [o[port.name] for o in others], port)
            for limit in limits(artifact, port, [o[port.name] for o in outputs], power)
        )
        for port in ports.outputs
    }
    keeper = Keeper(known)
    records = tuple(
        GoldenRecord(
            {p.name: keeper.put(f"{place}/in-{i}", raw[p.name]) for i, p in enumerate(ports.inputs)},
            {p.name: keeper.put(f"{place}/out-{i}", got[p.name]) for i, p in enumerate(ports.outputs)},
        )
        for place, (raw, got) in enumerate(zip(inputs, outputs, strict=True))
    )
    engine = f"{own.engine.name} {own.engine.version}, its own kernels on a CPU"
    return GoldenRuns(records, bounds, keeper.new, engine, _constant(outputs))


def _constant(outputs: Sequence[Arrays]) -> tuple[str, ...]:
    """Outputs that hardly vary between runs: agreement on them says little."""
    meter = ParityMeter()
    for one in outputs:
        meter.add(one, one)
    return tuple(row.name for row in meter.report() if not row.has_power) if len(outputs) > 1 else ()


class Keeper:
    """Gives each array a member; equal bytes share one."""

    def __init__(self, known: Mapping[str, bytes]) -> None:
        self.new: dict[str, bytes] = {}
        self._by_content = {content: name for name, content in known.items()}
        self._taken = set(known)

    def put(self, wanted: str, values: npt.NDArray[Any]) -> str:
        """The member that holds the values; ``wanted`` is in its name where it is new."""
        content = np.ascontiguousarray(values, values.dtype.newbyteorder("<")).tobytes()
        if content not in self._by_content:
            name, again = f"golden/{wanted}.raw", 1
            while name in self._taken:
                again += 1
                name = f"golden/{wanted}-{again}.raw"
            self._by_content[content] = name
            self._taken.add(name)
            self.new[name] = content
        return self._by_content[content]


def _real_spec(port: Port) -> TensorSpec:
    real = port.scale is not None and port.dtype in _INTEGERS
    layout = None
    if len(port.shape) == 4:
        layout = "NHWC" if port.shape[3] in (1, 3, 4) else "NCHW" if port.shape[1] in (1, 3, 4) else None
    return replace(TensorSpec(port.name, port.shape, port.dtype, layout), dtype="float32" if real else port.dtype)


def _raw(sample: Arrays, artifact: Artifact) -> Arrays:
    """Rounded for quantized inputs; integers that another variant takes as real values are refused by the engine."""
    return {name: to_raw(sample[name], tensor) for name, tensor in artifact.signature.inputs.items()}


def is_quantized(artifact: Artifact) -> bool:
    """Whether any value that is computed has a scale."""
    return any(t.constant is None and t.quantization for graph in artifact.subgraphs for t in graph.tensors)


def _activation_power(path: Path, inputs: Sequence[Arrays]) -> dict[str, float]:
    """Mean square of each quantized activation of the main subgraph, in real values."""
    runner = Runner(path, preserve_all_tensors=True)
    power: dict[str, float] = {}
    for raw in inputs:
        runner.run(raw)
        add_power(power, runner, 1 / len(inputs))
    return power


def add_power(power: dict[str, float], runner: Runner, share: float) -> None:
    """Adds a share of the mean square of each quantized activation of the last run."""
    for tensor in runner.artifact.main.tensors:
        if tensor.constant is not None or not tensor.quantization or tensor.dtype not in _INTEGERS:
            continue
        values = runner.tensor(tensor.index)
        square = 0.0
        if values is not None and values.size:
            square = float(np.mean(to_real(values, tensor).astype(np.float64) ** 2))
        power[tensor.name] = power.get(tensor.name, 0.0) + square * share
