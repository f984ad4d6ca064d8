"""What a source itself loses to rounding, of its weights or of its inputs' last place: what a file is held to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edge_sdk.artifact.model import Artifact, Op, Subgraph, Tensor, parse_artifact
from edge_sdk.artifact.tree import pack_tree, parse_tree
from edge_sdk.converters.quantize.kept import kept_ops
from edge_sdk.converters.quantize.weights.four_bits import four_bit_ops
from edge_sdk.converters.sources.opened import OpenSource
from edge_sdk.converters.sources.source import read_outputs
from edge_sdk.converters.workers.workshop import Workshop
from edge_sdk.data import SampleStore, spool
from edge_sdk.data.opening import DataSource
from edge_sdk.parity.bounds import conditioned, float_bound
from edge_sdk.parity.compare import OutputParity, ParityMeter
from edge_sdk.parity.ordered import SecondLook
from edge_sdk.recipe import Recipe
from edge_sdk.signature import Arrays

# Which operand holds weights, and along which axis they have a scale each; None for one scale.
_WEIGHTS: dict[str, tuple[int, int | None]] = {
    "BATCH_MATMUL": (1, None),
    "CONV_2D": (1, 0),
    "CONV_3D": (1, 4),
    "DEPTHWISE_CONV_2D": (1, 3),
    "EMBEDDING_LOOKUP": (1, 0),
    "FULLY_CONNECTED": (1, 0),
    "GATHER": (0, None),
    "TRANSPOSE_CONV": (1, 0),
}
_LIMITS = {"int8": 127, "int4": 7}


def with_rounded_weights(data: bytes, recipe: Recipe) -> bytes:
    """A float file whose weights hold what a recipe's precision leaves of them; all results stay in float.

    Integer weights have a scale for each channel whatever the recipe says, for that is what the precision allows; ops
    that the recipe keeps in float keep their weights.
    """
    artifact = parse_artifact(data)
    root, _ = parse_tree(data)
    kept = {(graph.index, op.index) for graph, op in kept_ops(artifact, recipe)}
    ops = ((graph, op) for graph, op in artifact.all_ops() if (graph.index, op.index) not in kept)
    four = _four_bits(artifact.main, recipe)
    found = {id(t): (t, axis, op) for graph, op in ops for t, axis in _weights(graph, op, recipe)}
    for tensor, axis, op in found.values():
        narrow = recipe.weights.dtype != "int4" or op in four
        rounded = _rounded(tensor.values(), axis, recipe.weights.dtype if narrow else "int8")
        root.buffers[tensor.buffer].data = np.frombuffer(rounded.tobytes(), np.uint8)
    return pack_tree(root)


def _four_bits(graph: Subgraph, recipe: Recipe) -> tuple[Op, ...]:
    return tuple(four_bit_ops(graph, recipe)) if recipe.weights.dtype == "int4" else ()


def _weights(graph: Subgraph, op: Op, recipe: Recipe) -> Iterator[tuple[Tensor, int | None]]:
    if recipe.mode == "float16":
        places: list[tuple[int, int | None]] = [(place, None) for place in range(len(op.inputs))]
    else:
        places = [_WEIGHTS[op.name]] if op.name in _WEIGHTS else []
    for place, axis in places:
        tensor = graph.tensors[op.inputs[place]] if place < len(op.inputs) and op.inputs[place] >= 0 else None
        if tensor is not None and tensor.constant is not None and tensor.dtype == "float32" and tensor.elements > 1:
            yield tensor, axis


def _rounded(values: npt.NDArray[np.float32], axis: int | None, dtype: str) -> npt.NDArray[np.float32]:
    if dtype not in _LIMITS:
        return np.clip(values, -65504, 65504).astype(np.float16).astype(np.float32)
    others = None if axis is None else tuple(i for i in range(values.ndim) if i != axis)
    finite = np.isfinite(values)
    largest = np.max(np.abs(values), axis=others, keepdims=True, where=finite, initial=0.0)
    step = np.where(largest > 0, largest, 1) / _LIMITS[dtype]
    # Infinities are masks, such as a row of an embedding that a softmax shall take for nothing.
    return np.where(finite, np.round(np.where(finite, values, 0) / step) * step, values).astype(np.float32)


def float_rows(
    artifact: Artifact,
    meter: ParityMeter,
    precision: str,
    moved: Callable[[], Mapping[str, float]],
    again: SecondLook,
) -> tuple[OutputParity, ...]:
    """Outputs of a float file, held to what float arithmetic allows and to how the source is conditioned.

    Rows that are sorted by scores which are the same within the bound are compared with the ones that they are.

    Args:
        artifact: the file.
        meter: its outputs against the source's.
        precision: the source's float type.
        moved: gives :func:`moved_by_last_place`; asked only where an output is beyond what rounding alone explains.
        again: for outputs that are sorted by score.
    """
    most: dict[str, float] = {}

    def report(outputs: ParityMeter) -> tuple[OutputParity, ...]:
        largest = outputs.max_abs_reference()
        bounds = {name: float_bound(artifact, value, precision, output=name) for name, value in largest.items()}
        rows = outputs.report(bounds)
        if all(row.ok for row in rows):
            return rows
        most.update(most or moved())
        wide = {name: conditioned(bound, most.get(name, 0.0), largest[name]) for name, bound in bounds.items()}
        return outputs.report(wide)

    return again.held(meter, report)


def moved_by_last_place(shop: Workshop, source: OpenSource, samples: Path, reference: Path) -> dict[str, float]:
    """The most that a value of each float output moves when the source's inputs change by one unit in the last place.

    One further run of the source, on the same samples, each float of them one up or down by seed. Outputs of other
    types, and those that are not finite, are left out.

    Args:
        shop: workers and folder.
        source: the open source.
        samples: folder of a :class:`~edge_sdk.data.SampleStore`.
        reference: folder with the source's outputs on them.
    """
    known = SampleStore.open(samples)
    data = DataSource("samples, changed in the last place", known.count, lambda: nudged(known))
    store, _ = spool(data, source.description.inputs, shop.path("nudged"))
    outputs, names = shop.path("reference_nudged"), source.description.outputs
    count = source.run(store.folder, outputs)
    return most_moved(zip(read_outputs(reference, names, count), read_outputs(outputs, names, count), strict=True))


def most_moved(pairs: Iterable[tuple[Arrays, Arrays]]) -> dict[str, float]:
    """The largest difference of each float output between two runs; none of those that are not finite."""
    moved: dict[str, float] = {}
    for before, after in pairs:
        for name, values in before.items():
            if values.dtype.kind == "f":
                with np.errstate(invalid="ignore"):
                    most = float(np.max(np.abs(values.astype(np.float64) - after[name]), initial=0.0))
                moved[name] = max(moved.get(name, 0.0), most) if np.isfinite(most) else np.inf
    return {name: most for name, most in moved.items() if np.isfinite(most)}


def nudged(samples: Iterable[Arrays]) -> Iterator[Arrays]:
    """Samples with each float one unit in the last place up or down, by seed."""
    rng = np.random.default_rng(0)
    for sample in samples:
        yield {
            name: np.nextafter(values, rng.choice([-np.inf, np.inf], values.shape).astype(values.dtype))
            if values.dtype.kind == "f"
            else values
            for name, values in sample.items()
        }
