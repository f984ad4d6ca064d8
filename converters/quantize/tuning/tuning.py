"""Accuracy won back from calibration data alone: weights rounded anew, layer by layer, then the whole file learned.

The teacher is the float .tflite, the student the int8 file itself, so that every source is served. Each layer is
rounded on what the *quantized* layers before it hand on (:mod:`..weights.rounding`); it is taken where its results come
nearer to the float layer's on samples that it was not rounded on. Then biases are corrected
(:mod:`..weights.biases`), and blocks, then all ops together learn from the float file (:mod:`.learning`). Of the three
files the one is taken whose outputs are surely nearer to the float file's on calibration samples held out of all this.
Files with weights of 4 bits, which lose far more, go by :mod:`.four_bit_tuning`.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sdk.artifact.constants import ConstantEdit
from edge_sdk.artifact.model import parse_artifact
from edge_sdk.artifact.tree import pack_tree, parse_tree
from edge_sdk.converters.layout import Axes, laid_out
from edge_sdk.converters.quantize.tuning.budget import Asked, Budget, Spent, save_arrays
from edge_sdk.converters.quantize.tuning.four_bit_tuning import Chain, has_four_bits
from edge_sdk.converters.quantize.tuning.inner import inner_values
from edge_sdk.converters.quantize.tuning.learning import Learned, Learning, Start, cannot_learn, learn
from edge_sdk.converters.quantize.tuning.tuned import Tuning
from edge_sdk.converters.quantize.weights.biases import correct_biases, with_biases
from edge_sdk.converters.quantize.weights.dot_layers import DotLayer, dot_layers
from edge_sdk.converters.quantize.weights.outputs import Nearness, nearness
from edge_sdk.converters.quantize.weights.rounding import Rounded, covariance, noise, round_channels, round_weights
from edge_sdk.converters.workers.worker import Worker
from edge_sdk.errors import TrainingError
from edge_sdk.progress import Progress
from edge_sdk.signature import Arrays

Floats = npt.NDArray[np.float64]
# A layer with more weights to a result than this would take longer than all others.
_WIDEST = 2304
_HELD_OUT, _MOST_HELD_OUT = 0.2, 32
_MOST = 64
_CORRECTED_ON = 16
# Layers whose inputs are held at a time: so many values.
_HELD = 6e7


@dataclass(frozen=True)
class _State:
    """An int8 file, the float file that explains its constants, and how near it is on samples held out."""

    quantized: bytes
    explained: bytes
    near: Nearness

    @property
    def sqnr_db(self) -> float:
        return self.near.sqnr_db

    def or_nearer(self, other: _State) -> _State:
        """The other one, where it is surely nearer."""
        return other if self.near.is_surely_below(other.near) else self


def tune(
    target: str,
    files: Mapping[str, str],
    samples: str,
    axes: Axes,
    *,
    asked: Asked,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Tunes an int8 file in place.

    Args:
        target: the int8 file.
        files: ``reference``, the float file that it was made from, ``uncorrected``, the int8 file before its biases
            were corrected, and, where they were, ``explained``, the float file with the same biases.
        samples: folder of calibration samples in the source's layout.
        axes: how they are transposed for the file.
        asked: for how long, from which seed, and where what is done is kept; left there to :func:`forget`.
        progress: hears of stages and counts; by default the parent of a worker.

    Returns:
        ``corrections`` and ``explained``, as a quantizer returns them; ``spent``, ``seconds`` and where they are
        ``kept``, for what goes on in the same budget.

    Raises:
        ModelError: the engine refuses a file.
    """
    folder, seed = Path(asked["checkpoint"]) if asked["checkpoint"] else None, asked["seed"]
    read = {name: Path(path).read_bytes() for name, path in files.items()}
    data = Path(target).read_bytes()
    key = hashlib.sha256(read["reference"] + data + bytes([seed % 256])).hexdigest()[:16]
    kept = _Kept(folder, key)
    budget = Budget(asked["minutes"], kept=kept.place("spent"), progress=progress)
    made = _tuner(read, data, kept, seed, budget)
    drawn = _drawn(sum(1 for _ in laid_out(samples, axes)), seed)
    tuned, explained, tuning = made.tuned(lambda part: at(laid_out(samples, axes), drawn[part]))
    budget.keep()
    place = kept.place("spent")
    spent = Spent(seconds=budget.spent, kept=str(place) if place else None)
    told = {"corrections": {"tuned": tuning.as_json()}, "spent": spent}
    if not tuning.kept:
        return told
    Path(target).write_bytes(tuned)
    path = Path(target).with_suffix(".explained.tflite")
    path.write_bytes(explained)
    return told | {"explained": str(path)}


def tuned_in(
    worker: Worker, said: Mapping[str, Any], progress: Progress, *, resume: bool, **arguments: Any
) -> dict[str, Any]:
    """What a quantizer said, and what :func:`tune` in a worker made of it.

    Args:
        worker: runs it.
        said: of the int8 file.
        progress: hears of stages and counts.
        resume: whether what an interrupted run left in the checkpoint is used.
        arguments: of :func:`tune`.

    Raises:
        ConversionError: the worker died.
    """
    folder = arguments["asked"]["checkpoint"]
    if folder and not resume:
        forget(Path(folder))
    place = f"{__name__}:{tune.__name__}"
    made = worker.function(place, "tuning", progress=progress, files=files_of(said), **arguments)
    return {**said, **made, "corrections": said.get("corrections", {}) | made["corrections"]}


def for_tuning(ready: bytes, target: Path) -> dict[str, Any]:
    """What :func:`tune` begins with, as files beside the target."""
    reference, uncorrected = (target.with_suffix(f".{word}.tflite") for word in ("reference", "uncorrected"))
    reference.write_bytes(ready)
    uncorrected.write_bytes(target.read_bytes())
    return {"tunable": {"reference": str(reference), "uncorrected": str(uncorrected)}}


def files_of(said: Mapping[str, Any]) -> dict[str, str]:
    """The files that :func:`tune` takes, of what was said of an int8 file."""
    return {**said["tunable"], **({"explained": said["explained"]} if "explained" in said else {})}


def _eight_bits(reference: bytes, quantized: bytes) -> list[DotLayer]:
    """Those whose operand is of 8 bits too, so that biases can be corrected."""
    tensors = parse_artifact(quantized).main.tensors
    return [one for one in dot_layers(reference, quantized) if tensors[one.data].dtype == one.kernel.dtype == "int8"]


def forget(folder: Path) -> None:
    """Takes away what tuning left there, and the folder where nothing else is in it."""
    for path in folder.glob("tuned_*.npz"):
        path.unlink()
    with contextlib.suppress(OSError):
        folder.rmdir()


def _drawn(count: int, seed: int) -> dict[str, frozenset[int]]:
    """Which samples are for what; with a single one it serves for both."""
    order = [int(place) for place in np.random.default_rng(seed).permutation(count)]
    held = min(max(1, round(_HELD_OUT * count)), _MOST_HELD_OUT)
    rest = order[held:] or order
    return {"held_out": frozenset(order[:held]), "rounding": frozenset(rest[:_MOST])}


def at(samples: Iterable[Arrays], places: frozenset[int]) -> Iterator[Arrays]:
    """The samples at some places."""
    return (sample for place, sample in enumerate(samples) if place in places)


class _Kept:
    """Where parts are kept that are done; nowhere without a folder."""

    def __init__(self, folder: Path | None, key: str) -> None:
        self._folder, self._key = folder, key

    def place(self, part: object) -> Path | None:
        return self._folder / f"tuned_{self._key}_{part}.npz" if self._folder else None


def _tuner(files: Mapping[str, bytes], quantized: bytes, kept: _Kept, seed: int, budget: Budget) -> _Tuner | _Chained:
    if has_four_bits(quantized):
        return _Chained(files["reference"], quantized, files["uncorrected"], kept, seed, budget)
    return _Tuner(files, quantized, kept, seed, budget)


class _Chained:
    """Of a file with 4-bit weights."""

    def __init__(
        self, reference: bytes, quantized: bytes, plain: bytes, kept: _Kept, seed: int, budget: Budget
    ) -> None:
        self._reference, self._quantized, self._budget = reference, quantized, budget
        self._chain = Chain(reference, plain, kept.place, seed)

    def tuned(self, samples: Any) -> tuple[bytes, bytes, Tuning]:
        budget = self._budget
        # Nothing is learned behind it.
        with budget.stage("layers", len(self._chain.layers)):
            made, explained, rounded = self._chain.rounded(
                lambda: samples("rounding"), budget.count, lambda: budget.is_over("whole")
            )
        before, after = (nearness(self._reference, file, samples("held_out")) for file in (self._quantized, made))
        read, held = (sum(1 for _ in samples(part)) for part in ("rounding", "held_out"))
        wide = self._chain.too_wide
        layers = len(self._chain.layers) + wide
        why = "weights of 4 bits are tuned layer by layer alone"
        both, kept = (before.sqnr_db, after.sqnr_db), before.is_surely_below(after)
        told = Tuning(layers, rounded, wide, read, held, both, kept, budget.ended(), not_learned=why)
        return made, explained, told


class _Tuner:
    def __init__(self, files: Mapping[str, bytes], quantized: bytes, kept: _Kept, seed: int, budget: Budget) -> None:
        reference = files["reference"]
        self._reference, self._quantized, self._plain = reference, quantized, files["uncorrected"]
        self._explained = files.get("explained", reference)
        self._kept, self._seed, self._budget = kept, seed, budget
        every = _eight_bits(reference, quantized)
        # Each is rounded on what the int8 file itself hands on, so that any order does: most layers first.
        self._layers = sorted((layer for layer in every if layer.depth <= _WIDEST), key=_cost)
        self._wide = len(every) - len(self._layers)

    def tuned(self, samples: Any) -> tuple[bytes, bytes, Tuning]:
        found = self._layers_rounded(samples)
        self._budget.says("compare on samples held out")
        start = self._state(self._quantized, self._explained, samples)
        corrected = self._corrected(found, samples) if found else start
        best = begun = start.or_nearer(corrected)
        learned, why = self._learned(begun, samples)
        told, reached = None, corrected.sqnr_db
        if learned is not None:
            taught = self._state(learned.quantized, learned.reference, samples)
            told, reached = Learning.of(learned, (begun.sqnr_db, taught.sqnr_db)), max(reached, taught.sqnr_db)
            best = begun.or_nearer(taught)
        read, held = (sum(1 for _ in samples(part)) for part in ("rounding", "held_out"))
        kept = best is not start
        both = (start.sqnr_db, best.sqnr_db if kept else reached)
        count = len(self._layers) + self._wide
        tuning = Tuning(count, len(found), self._wide, read, held, both, kept, self._budget.ended(), told, why)
        return best.quantized, best.explained, tuning

    def _layers_rounded(self, samples: Any) -> dict[int, Rounded]:
        """As many as there is time for, by op."""
        found: dict[int, Rounded] = {}
        done = 0
        with self._budget.stage("layers", len(self._layers)):
            for layers in self._portions():
                fresh = [layer for layer in layers if not self._is_stored(layer)]
                rows = self._rows(fresh, samples("rounding")) if fresh else {}
                for layer in layers:
                    if not self._is_stored(layer) and self._budget.is_over("layers"):
                        continue
                    made = self._one(layer, rows.get(layer.op.index))
                    if made is not None:
                        found[layer.op.index] = made
                    done += 1
                    self._budget.count(done)
        return found

    def _state(self, quantized: bytes, explained: bytes, samples: Any) -> _State:
        return _State(quantized, explained, nearness(self._reference, quantized, samples("held_out")))

    def _corrected(self, found: Mapping[int, Rounded], samples: Any) -> _State:
        """Written with layers rounded anew, and its biases corrected."""
        quantized, reference = self._written(found)
        # The float file's own weights are what the biases shall make up for; then its biases go to the tuned one.
        made = correct_biases(self._reference, quantized, lambda: _first(samples("rounding"), _CORRECTED_ON))
        explained = with_biases(reference, self._reference, made.reference)
        return self._state(made.quantized, explained, samples)

    def _learned(self, start: _State, samples: Any) -> tuple[Learned | None, str]:
        """The whole file learned, or why not."""
        why = cannot_learn(start.quantized)
        if why is not None:
            return None, why
        begun = Start(self._reference, start.quantized, start.explained)
        try:
            stored = self._kept.place("learned")
            return learn(begun, samples, stored=stored, seed=self._seed, budget=self._budget), ""
        except TrainingError as error:
            return None, str(error)

    def _portions(self) -> Iterator[list[DotLayer]]:
        """Layers in order, as many at a time as there is room for the rows of."""
        part: list[DotLayer] = []
        held = 0.0
        for layer in self._layers:
            if part and held + layer.held > _HELD:
                yield part
                part, held = [], 0.0
            part.append(layer)
            held += layer.held
        if part:
            yield part

    def _rows(self, layers: Sequence[DotLayer], samples: Iterable[Arrays]) -> dict[int, npt.NDArray[np.float32]]:
        """What results of each layer read in the int8 file: ``[rows, depth]``, depthwise ``[channels, ...]``."""
        rng = np.random.default_rng(self._seed)
        found: dict[int, list[npt.NDArray[np.float32]]] = {layer.op.index: [] for layer in layers}
        every = list(samples)
        for values in inner_values(self._quantized, {layer.data for layer in layers}, every):
            if self._budget.is_over("layers"):
                return {}
            for layer in layers:
                tensor, raw = values[layer.data]
                found[layer.op.index].append(layer.read(raw, tensor, -(-layer.count // len(every)), rng))
        return {index: np.concatenate(parts, axis=-2) for index, parts in found.items() if parts}

    def _one(self, layer: DotLayer, rows: npt.NDArray[np.float32] | None) -> Rounded | None:
        """A layer's weights where they come nearer to the float layer's; None where not."""
        stored = self._kept.place(layer.op.index)
        if stored is not None and stored.exists():
            with np.load(stored) as arrays:
                return Rounded(arrays["integers"], arrays["weights"]) if "integers" in arrays else None
        made = None if rows is None else _rounded(layer, rows)
        if stored is not None:
            save_arrays(stored, {} if made is None else {"integers": made.integers, "weights": made.weights})
        return made

    def _is_stored(self, layer: DotLayer) -> bool:
        stored = self._kept.place(layer.op.index)
        return stored is not None and stored.exists()

    def _written(self, found: Mapping[int, Rounded]) -> tuple[bytes, bytes]:
        ints, floats = parse_tree(self._plain)[0], parse_tree(self._reference)[0]
        new, old = ConstantEdit(ints), ConstantEdit(floats)
        for layer in self._layers:
            made = found.get(layer.op.index)
            if made is not None:
                new.set_values(layer.kernel.index, layer.back(made.integers))
                old.set_values(layer.original, layer.back(made.weights).astype(np.float32))
        return pack_tree(ints), pack_tree(floats)


def _cost(layer: DotLayer) -> float:
    """Of rounding it, about: the inverse of its inputs' covariance, and its weights by it."""
    results = len(layer.steps)
    return float(layer.depth**2 * (results * layer.depth if layer.is_depthwise else results + layer.depth))


def _rounded(layer: DotLayer, rows: npt.NDArray[np.float32]) -> Rounded | None:
    weights, stored = layer.rows_of(layer.weights).astype(np.float64), layer.rows_of(layer.kernel.values())
    return _better(weights, stored, layer.steps[:, 0], rows)


def _better(
    weights: Floats, stored: npt.NDArray[np.int8], steps: Floats, rows: npt.NDArray[np.float32]
) -> Rounded | None:
    """Rounded on every row but each fifth; taken for those results that are nearer on these."""
    fifth = np.arange(rows.shape[-2]) % 5 == 0
    rounding = round_weights if rows.ndim == 2 else round_channels
    made = rounding(weights, steps, covariance(rows[..., ~fifth, :]))
    other = covariance(rows[..., fifth, :])
    step = steps[:, np.newaxis]
    before, after = (noise(weights - integers * step, other) for integers in (stored, made.integers))
    nearer = (after < before)[:, np.newaxis]
    if not nearer.any():
        return None
    return Rounded(np.where(nearer, made.integers, stored), np.where(nearer, made.weights, weights))


def _first(samples: Iterable[Arrays], count: int) -> Iterator[Arrays]:
    return (sample for place, sample in enumerate(samples) if place < count)
