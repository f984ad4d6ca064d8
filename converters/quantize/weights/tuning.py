"""Accuracy won back from calibration data alone: weights rounded anew, layer by layer, then the whole file learned.

The teacher is the float .tflite, the student the int8 file itself, so that every source is served. Each layer is
rounded on what the *quantized* layers before it hand on (:mod:`.rounding`); it is taken where its results come nearer
to the float layer's on samples that it was not rounded on. Then biases are corrected (:mod:`.biases`), and blocks,
then all ops together learn from the float file (:mod:`.learning`). Of the three files the one is taken whose outputs
are surely nearer to the float file's on calibration samples held out of all this. Files with weights of 4 bits, which
lose far more, go by :mod:`.four_bit_tuning`.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sdk.artifact.constants import ConstantEdit
from edge_sdk.artifact.model import parse_artifact
from edge_sdk.artifact.tree import pack_tree, parse_tree
from edge_sdk.converters.layout import Axes, laid_out
from edge_sdk.converters.quantize.weights.biases import correct_biases, with_biases
from edge_sdk.converters.quantize.weights.dot_layers import DotLayer, dot_layers
from edge_sdk.converters.quantize.weights.four_bit_tuning import Chain, has_four_bits, save_arrays
from edge_sdk.converters.quantize.weights.learning import Learned, Learning, Start, cannot_learn, learn, steps_of
from edge_sdk.converters.quantize.weights.outputs import Nearness, nearness
from edge_sdk.converters.quantize.weights.rounding import Rounded, covariance, noise, round_channels, round_weights
from edge_sdk.converters.workers.child import report_progress
from edge_sdk.converters.workers.worker import Worker
from edge_sdk.engines.runner import Runner
from edge_sdk.errors import TrainingError
from edge_sdk.folders import temporary_folder
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
class Tuning:
    """What tuning did.

    Attributes:
        layers: with int8 weights of their own.
        rounded: those whose weights were rounded anew.
        too_wide: left as they were, with more weights to a result than are worth the time.
        samples: of calibration data that layers were rounded on.
        held_out: of calibration data that the sqnr was taken on.
        sqnr_db: of the outputs against the float file's, before and after, on those held out.
        kept: whether a tuned file was taken: not where none is surely nearer.
        learned: what learning the whole file did; None where it was left out.
        not_learned: why it was; empty where it was not.
    """

    layers: int
    rounded: int
    too_wide: int
    samples: int
    held_out: int
    sqnr_db: tuple[float, float]
    kept: bool
    learned: Learning | None = None
    not_learned: str = ""

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self) | {
            "sqnr_db": list(self.sqnr_db),
            "learned": self.learned.as_json() if self.learned else None,
        }


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
    checkpoint: str | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """Tunes an int8 file in place; reports the layers done as progress.

    Args:
        target: the int8 file.
        files: ``reference``, the float file that it was made from, ``uncorrected``, the int8 file before its biases
            were corrected, and, where they were, ``explained``, the float file with the same biases.
        samples: folder of calibration samples in the source's layout.
        axes: how they are transposed for the file.
        checkpoint: folder that keeps layers that are done, and in which those of an interrupted run on the same files
            are found again; cleared when all are.
        seed: of which samples and places are looked at.

    Returns:
        ``corrections`` and ``explained``, as a quantizer returns them.

    Raises:
        ModelError: the engine refuses a file.
    """
    folder = Path(checkpoint) if checkpoint else None
    read = {name: Path(path).read_bytes() for name, path in files.items()}
    made = _tuner(read, Path(target).read_bytes(), folder, seed)
    drawn = _drawn(sum(1 for _ in laid_out(samples, axes)), seed)
    tuned, explained, tuning = made.tuned(lambda part: at(laid_out(samples, axes), drawn[part]))
    if folder:
        _clear(folder)
    if not tuning.kept:
        return {"corrections": {"tuned": tuning.as_json()}}
    Path(target).write_bytes(tuned)
    path = Path(target).with_suffix(".explained.tflite")
    path.write_bytes(explained)
    return {"corrections": {"tuned": tuning.as_json()}, "explained": str(path)}


def tuned_in(
    worker: Worker, said: Mapping[str, Any], progress: Callable[[int], None], *, resume: bool, **arguments: Any
) -> dict[str, Any]:
    """What a quantizer said, and what :func:`tune` in a worker made of it.

    Args:
        worker: runs it.
        said: of the int8 file.
        progress: called with the number of layers done.
        resume: whether what an interrupted run left in the checkpoint is used.
        arguments: of :func:`tune`.

    Raises:
        ConversionError: the worker died.
    """
    if arguments.get("checkpoint") and not resume:
        _clear(Path(arguments["checkpoint"]))
    place = f"{__name__}:{tune.__name__}"
    files = {**said["tunable"], **({"explained": said["explained"]} if "explained" in said else {})}
    made = worker.function(place, "tuning", progress=progress, files=files, **arguments)
    return {**said, **made, "corrections": said.get("corrections", {}) | made["corrections"]}


def for_tuning(ready: bytes, target: Path) -> dict[str, Any]:
    """What :func:`tune` begins with, as files beside the target."""
    reference, uncorrected = (target.with_suffix(f".{word}.tflite") for word in ("reference", "uncorrected"))
    reference.write_bytes(ready)
    uncorrected.write_bytes(target.read_bytes())
    files = {"reference": str(reference), "uncorrected": str(uncorrected)}
    data = target.read_bytes()
    return {
        "tunable": files,
        "layers": count_layers(ready, data),
        "steps": 0 if has_four_bits(data) else steps_of(data),
    }


def count_layers(reference: bytes, quantized: bytes) -> int:
    """How many layers tuning rounds anew at most."""
    if has_four_bits(quantized):
        return len(Chain(reference, quantized, None, 0).layers)
    return sum(layer.depth <= _WIDEST for layer in _eight_bits(reference, quantized))


def _eight_bits(reference: bytes, quantized: bytes) -> list[DotLayer]:
    """Those whose operand is of 8 bits too, so that biases can be corrected."""
    tensors = parse_artifact(quantized).main.tensors
    return [one for one in dot_layers(reference, quantized) if tensors[one.data].dtype == one.kernel.dtype == "int8"]


def _clear(folder: Path) -> None:
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


def _tuner(files: Mapping[str, bytes], quantized: bytes, folder: Path | None, seed: int) -> _Tuner | _Chained:
    if has_four_bits(quantized):
        return _Chained(files["reference"], quantized, files["uncorrected"], folder, seed)
    return _Tuner(files, quantized, folder, seed)


class _Chained:
    """Of a file with 4-bit weights."""

    def __init__(self, reference: bytes, quantized: bytes, plain: bytes, folder: Path | None, seed: int) -> None:
        self._reference, self._quantized = reference, quantized
        self._key = hashlib.sha256(reference + quantized + bytes([seed % 256])).hexdigest()[:16]
        stored = (lambda place: folder / f"tuned_{self._key}_{place}.npz") if folder else None
        self._chain = Chain(reference, plain, stored, seed)

    def tuned(self, samples: Any) -> tuple[bytes, bytes, Tuning]:
        made, explained, rounded = self._chain.rounded(lambda: samples("rounding"), report_progress)
        before, after = (nearness(self._reference, file, samples("held_out")) for file in (self._quantized, made))
        read, held = (sum(1 for _ in samples(part)) for part in ("rounding", "held_out"))
        wide = self._chain.too_wide
        layers = len(self._chain.layers) + wide
        why = "weights of 4 bits are tuned layer by layer alone"
        both, kept = (before.sqnr_db, after.sqnr_db), before.is_surely_below(after)
        told = Tuning(layers, rounded, wide, read, held, both, kept, not_learned=why)
        return made, explained, told


class _Tuner:
    def __init__(self, files: Mapping[str, bytes], quantized: bytes, folder: Path | None, seed: int) -> None:
        reference = files["reference"]
        self._reference, self._quantized, self._plain = reference, quantized, files["uncorrected"]
        self._explained = files.get("explained", reference)
        self._folder = folder
        self._seed = seed
        self._key = hashlib.sha256(reference + quantized + bytes([seed % 256])).hexdigest()[:16]
        every = _eight_bits(reference, quantized)
        self._layers = [layer for layer in every if layer.depth <= _WIDEST]
        self._wide = len(every) - len(self._layers)

    def tuned(self, samples: Any) -> tuple[bytes, bytes, Tuning]:
        found: dict[int, Rounded] = {}
        done = 0
        for layers in self._portions():
            fresh = [layer for layer in layers if not self._is_stored(layer)]
            rows = self._rows(fresh, samples("rounding")) if fresh else {}
            for layer in layers:
                made = self._one(layer, rows.get(layer.op.index))
                if made is not None:
                    found[layer.op.index] = made
                done += 1
                report_progress(done)
        start, corrected = self._state(self._quantized, self._explained, samples), self._corrected(found, samples)
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
        tuning = Tuning(count, len(found), self._wide, read, held, both, kept, told, why)
        return best.quantized, best.explained, tuning

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
        stored = self._folder / f"tuned_{self._key}_learned.npz" if self._folder else None
        done = len(self._layers)
        try:
            return learn(
                Start(self._reference, start.quantized, start.explained),
                samples,
                stored=stored,
                seed=self._seed,
                progress=lambda steps: report_progress(done + steps),
            ), ""
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
        with temporary_folder("tuning") as name:
            path = Path(name) / "int8.tflite"
            path.write_bytes(self._quantized)
            runner = Runner(path, threads=os.cpu_count() or 1, preserve_all_tensors=True)
            tensors = runner.artifact.main.tensors
            every = list(samples)
            for sample in every:
                runner.run_real(sample)
                for layer in layers:
                    raw = runner.tensor(layer.data)
                    if raw is not None:
                        each = -(-layer.count // len(every))
                        found[layer.op.index].append(layer.read(raw, tensors[layer.data], each, rng))
        return {index: np.concatenate(parts, axis=-2) for index, parts in found.items() if parts}

    def _one(self, layer: DotLayer, rows: npt.NDArray[np.float32] | None) -> Rounded | None:
        """A layer's weights where they come nearer to the float layer's; None where not."""
        stored = self._stored(layer)
        if stored is not None and self._is_stored(layer):
            with np.load(stored) as arrays:
                return Rounded(arrays["integers"], arrays["weights"]) if "integers" in arrays else None
        made = None if rows is None else _rounded(layer, rows)
        if stored is not None:
            stored.parent.mkdir(parents=True, exist_ok=True)
            save_arrays(stored, {} if made is None else {"integers": made.integers, "weights": made.weights})
        return made

    def _is_stored(self, layer: DotLayer) -> bool:
        stored = self._stored(layer)
        return stored is not None and stored.exists()

    def _stored(self, layer: DotLayer) -> Path | None:
        return self._folder / f"tuned_{self._key}_{layer.op.index}.npz" if self._folder else None

    def _written(self, found: Mapping[int, Rounded]) -> tuple[bytes, bytes]:
        ints, floats = parse_tree(self._plain)[0], parse_tree(self._reference)[0]
        new, old = ConstantEdit(ints), ConstantEdit(floats)
        for layer in self._layers:
            made = found.get(layer.op.index)
            if made is not None:
                new.set_values(layer.kernel.index, layer.back(made.integers))
                old.set_values(layer.original, layer.back(made.weights).astype(np.float32))
        return pack_tree(ints), pack_tree(floats)


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
