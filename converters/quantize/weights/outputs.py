"""How near a quantized file is to its float file on samples, where two of the same kind are to choose from."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from edge_sdk.artifact.apart import leading_to
from edge_sdk.artifact.model import parse_artifact
from edge_sdk.artifact.suppressions import kept_outputs
from edge_sdk.converters.quantize.floats.suppressed import around_suppressions
from edge_sdk.engines.runner import Runner
from edge_sdk.engines.values import to_real
from edge_sdk.folders import temporary_folder
from edge_sdk.parity.pairing import pair_ops
from edge_sdk.signature import Arrays

_FAINT = 0.01


class Won(NamedTuple):
    """Decibels that a file is nearer by on a sample, their standard error, and how many samples told."""

    mean: float
    error: float
    samples: int


@dataclass(frozen=True)
class Nearness:
    """How near a file's outputs are to another's.

    Attributes:
        sqnr_db: over all samples, of the output that has least.
        noise: of each sample, as shares of the outputs' power over all samples.
    """

    sqnr_db: float
    noise: tuple[float, ...]

    def is_surely_below(self, other: Nearness) -> bool:
        """Whether the other file is nearer, and that on samples at large: in sum, and by more than a standard error.

        A few samples that err most decide a sum; the error is of the mean of logarithms of each sample's two noises.
        Those that hardly err in either file would decide that mean: a hundredth of this file's mean noise counts as
        none. One sample tells no more than its sum.
        """
        if other.sqnr_db <= self.sqnr_db:
            return False
        won = self.won_db(other, _FAINT * sum(self.noise))
        return won.samples < 2 or won.mean > won.error

    def won_db(self, other: Nearness, least: float = 0.0) -> Won:
        """By how much the other file is nearer on a sample: an outlier among them counts as one, not as their sum.

        ``least`` is what noise counts as none, as a share of a sample's power on the mean.
        """
        floor = least / max(1, len(self.noise))
        pairs = [(a + floor, b + floor) for a, b in zip(self.noise, other.noise, strict=True)]
        pairs = [(a, b) for a, b in pairs if a > 0 and b > 0]
        gains = [10 * float(np.log10(a / b)) for a, b in pairs]
        if len(gains) < 2:
            return Won(gains[0] if gains else 0.0, 0.0, len(gains))
        error = float(np.std(gains, ddof=1) / np.sqrt(len(gains)))
        return Won(float(np.mean(gains)), error, len(gains))


def output_sqnr_db(reference: bytes, candidate: bytes, samples: Iterable[Arrays]) -> float:
    """:attr:`Nearness.sqnr_db` of a file."""
    return nearness(reference, candidate, samples).sqnr_db


def nearness(reference: bytes, candidate: bytes, samples: Iterable[Arrays]) -> Nearness:
    """A file's outputs against another's, each by its own power.

    Rows that a suppression keeps have no decibels, for one box more moves them all: in their place stand the values of
    which it is computed, where both files have them.
    """
    watched = _before_suppressions(reference, candidate)
    places = tuple(zip(*watched, strict=True)) if watched else ((), ())
    files, names = (reference, candidate), set(parse_artifact(reference).signature.outputs)
    if watched:
        names -= {name for table in kept_outputs(parse_artifact(reference)) for name in (*table.rows, table.count)}
        # The suppressions themselves would take most of the time.
        files = leading_to(reference, places[0], names), leading_to(candidate, places[1], names)
    with temporary_folder("outputs") as name:
        runners = []
        for place, data in enumerate(files):
            path = Path(name) / f"{place}.tflite"
            path.write_bytes(data)
            runners.append(Runner(path, threads=os.cpu_count() or 1, preserve_all_tensors=bool(watched)))
        power: dict[str, float] = {}
        noise: dict[str, list[float]] = {}
        for sample in samples:
            one, other = (
                _outputs(runner, sample, names) | _values(runner, own)
                for runner, own in zip(runners, places, strict=True)
            )
            for key in one:
                want, got = one[key].astype(np.float64), other[key].reshape(one[key].shape)
                # Infinities and gaps are the same on both sides, or nothing is near.
                finite = np.isfinite(want)
                same = np.array_equal(want[~finite], got[~finite], equal_nan=True)
                power[key] = power.get(key, 0.0) + float(np.sum(want[finite] ** 2))
                apart = float(np.sum((want[finite] - got[finite]) ** 2)) if same else float("inf")
                noise.setdefault(key, []).append(apart)
    shares = [np.array(noise[key]) / power[key] for key in power if power[key]]
    return Nearness(
        min((_db(power[key], sum(noise[key])) for key in power), default=float("inf")),
        tuple(float(share) for share in sum(shares, np.zeros(()))) if shares else (),
    )


def _before_suppressions(reference: bytes, candidate: bytes) -> list[tuple[int, int]]:
    """Tensors of both files that products give to what leads to a suppression."""
    floats = parse_artifact(reference)
    around = around_suppressions(floats.main)
    ops = (*around.last, *around.between)
    if not ops:
        return []
    own = {index for op in ops for index in op.outputs}
    given = {index for op in ops for index in op.inputs} - own
    pairs = pair_ops(floats, parse_artifact(candidate))
    places = [(index, p.candidate.outputs[i]) for p in pairs for i, index in enumerate(p.reference.outputs)]
    return [(one, other) for one, other in places if one in given]


def _outputs(runner: Runner, sample: Arrays, names: Collection[str]) -> Arrays:
    return {name: values for name, values in runner.run_real(sample).items() if name in names}


def _values(runner: Runner, places: Sequence[int]) -> Arrays:
    tensors = runner.artifact.main.tensors
    found = {f"before suppressions, {number}": runner.tensor(index) for number, index in enumerate(places)}
    return {
        key: to_real(values, tensors[index])
        for (key, values), index in zip(found.items(), places, strict=True)
        if values is not None
    }


def _db(power: float, noise: float) -> float:
    return float(10 * np.log10(power / noise)) if noise and power else float("inf")
