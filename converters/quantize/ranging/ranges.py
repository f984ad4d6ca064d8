"""Ranges of a float file's tensors for int8, in two passes over calibration data.

The first pass takes extremes and histograms of every tensor. From them come ranges on trial (:mod:`.clipping`). The
second, over a few samples, takes what each would cost the ops that read the tensor (:mod:`.readers`); the cheapest is
taken, the extremes where nothing is cheaper by a twentieth. Where no such op can be run alone, the tensor's own noise
stands for it. Tensors of one scale are tried together, and those whose scale TFLite prescribes are left alone. What no
reader tells apart (:mod:`.needs`) is cut off before. An input of few levels has their grid (:mod:`.levels`).
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sdk.artifact.model import Artifact, Subgraph, parse_artifact
from edge_sdk.artifact.ties import AVERAGING, FIXED, MOVING, Ties
from edge_sdk.converters.quantize.ranging.clipping import PERCENTILES, Ends, ends_of, noise
from edge_sdk.converters.quantize.ranging.levels import Levels
from edge_sdk.converters.quantize.ranging.losing import with_losing_marks
from edge_sdk.converters.quantize.ranging.marks import with_own_marks
from edge_sdk.converters.quantize.ranging.masks import with_soft_masks
from edge_sdk.converters.quantize.ranging.needs import narrow
from edge_sdk.converters.quantize.ranging.padding import with_neutral_padding
from edge_sdk.converters.quantize.ranging.readers import Group, reading_costs
from edge_sdk.engines.observe import Observation, observe
from edge_sdk.progress import Progress, Silent
from edge_sdk.recipe import CalibrationMethod
from edge_sdk.signature import Arrays

_TRIALS: tuple[str, ...] = ("minmax", *(f"percentile_{kept}" for kept in PERCENTILES), "mse", "entropy")
# What a clipped range must save: less is what few samples tell by chance.
_WORTH = 0.95
# Float32's last place, of a range.
_OFF = 1e-6
# The second pass runs so many values through ops, at most so many samples.
_VALUES, _SAMPLES = 6e7, 16


@dataclass(frozen=True)
class Chosen:
    """The range of one tensor: ``method`` is what it was set by, ``observed`` the extremes seen."""

    tensor: str
    method: str
    minimum: float
    maximum: float
    observed: Ends

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        return dict(vars(self)) | {"observed": list(self.observed)}


@dataclass(frozen=True)
class Ranges:
    """What a quantizer needs, and how it came about.

    Attributes:
        data: the float file, its masks and paddings clamped to what the ranges hold.
        observations: tensor index to its range.
        method: as asked for.
        chosen: how each range was set.
        endless: tensors of the file whose masks no scale holds.
    """

    data: bytes
    observations: dict[int, Observation]
    method: CalibrationMethod
    chosen: tuple[Chosen, ...]
    endless: frozenset[int] = frozenset()

    @property
    def count(self) -> int:
        """How many samples were seen."""
        return max((one.runs for one in self.observations.values()), default=0)

    def as_json(self) -> dict[str, Any]:
        """Method asked for, number of tensors by method, and every tensor's."""
        return {
            "method": self.method,
            "counts": dict(Counter(one.method for one in self.chosen).most_common()),
            "tensors": [one.as_json() for one in self.chosen],
        }


def find_ranges(
    path: str,
    samples: Callable[[], Iterable[Arrays]],
    method: CalibrationMethod = "auto",
    *,
    besides: Collection[int] = (),
    progress: Progress | None = None,
) -> Ranges:
    """Ranges for int8 of every float tensor that the main subgraph computes or takes.

    Args:
        path: a float .tflite.
        samples: called for each pass; inputs by name, in the file's layout.
        method: ``auto`` chooses for each tensor; the others are taken for all, percentiles at 99.99 %.
        besides: tensors that need no range, for only ops in float read and make them.
        progress: hears of both passes, and of the choice between.

    Raises:
        ModelError: the engine refuses the file or a sample.
    """
    threads = os.cpu_count() or 1
    progress = progress or Silent()
    progress.stage("observe samples")
    levels = Levels()
    seen = observe(
        path,
        levels.watched(samples()) if method == "auto" else samples(),
        threads=threads,
        histograms=method != "minmax",
        besides=besides,
        progress=lambda done: progress.count(done, None),
    )
    extremes = {index: _extremes(one) for index, one in seen.items()}
    own = with_own_marks(Path(path).read_bytes())
    losing = with_losing_marks(with_soft_masks(with_neutral_padding(own, seen), seen), seen)
    data, endless = losing.data, losing.endless
    extremes |= {index: _extremes(seen[index]) for index in seen.keys() - extremes.keys()}
    # A range that a mask or padding was clamped to is what its ops need: nothing is chosen there, nor of infinities.
    free = [
        index
        for index, one in seen.items()
        if _extremes(one) == extremes[index] and one.histogram and np.isfinite(extremes[index]).all()
        if index not in endless
    ]
    artifact = parse_artifact(data)
    gridded = on_grids(artifact, levels.ends(), seen)
    free = [index for index in free if index not in gridded]
    narrowed = narrow(artifact.main, seen, free) if method != "minmax" else frozenset()
    progress.stage("choose ranges")
    methods = _TRIALS if method == "auto" else ("minmax", method)
    groups = list(_groups(artifact.main, free, seen, methods, progress))
    if method == "auto":
        wanted, count = _wanted(artifact), max((one.runs for one in seen.values()), default=0)
        progress.stage("try ranges")
        costs = reading_costs(
            path,
            spread(samples(), wanted, count),
            groups,
            threads=threads,
            progress=lambda done: progress.count(done, min(wanted, count) * len(methods)),
        )
        taken = _cheapest(groups, costs, artifact.main, seen)
    else:
        taken = [1] * len(groups)
    names = dict(_set(groups, taken, seen, methods)) | dict.fromkeys(gridded, "levels")
    tensors = artifact.main.tensors
    chosen = tuple(
        Chosen(
            tensors[index].name,
            _word(names.get(index, "minmax"), narrowed=index in narrowed),
            *_extremes(one),
            extremes[index],
        )
        for index, one in seen.items()
    )
    return Ranges(data, seen, method, chosen, endless)


def _word(method: str, *, narrowed: bool) -> str:
    """What a range was set by: the extremes of a tensor, or of what of it is told apart."""
    return "clamp" if narrowed and method == "minmax" else method


def on_grids(artifact: Artifact, grids: Mapping[str, Ends], seen: dict[int, Observation]) -> frozenset[int]:
    """Sets the ranges of inputs, in place, to those of the grids that their values lie on; returns the tensors.

    What has one scale with an input goes along.
    """
    wanted = {spec.index: grids[name] for name, spec in artifact.signature.inputs.items() if name in grids}
    found: set[int] = set()
    for tensors in _tied(artifact.main, seen) if wanted else ():
        ends = {wanted[index] for index in tensors if index in wanted}
        low, high = ends.pop() if len(ends) == 1 else (np.inf, -np.inf)
        off = _OFF * (high - low)
        if all(low - off <= _extremes(seen[index])[0] and _extremes(seen[index])[1] <= high + off for index in tensors):
            for index in tensors:
                seen[index] = replace(seen[index], minimum=low, maximum=high)
            found.update(tensors)
    return frozenset(found)


def _extremes(one: Observation) -> Ends:
    return min(one.minimum, 0.0), max(one.maximum, 0.0)


def _groups(
    graph: Subgraph, free: Sequence[int], seen: Mapping[int, Observation], methods: Sequence[str], progress: Progress
) -> Iterator[Group]:
    fixed = {index for op in graph.ops if op.name in FIXED for index in op.outputs}
    able = frozenset(free)
    every = _tied(graph, seen)
    for done, tensors in enumerate(every, 1):
        progress.count(done, len(every))
        if not fixed.isdisjoint(tensors) or not able.issuperset(tensors):
            continue
        yield Group(tensors, tuple(_ends(tensors, seen, method) for method in methods))


def _tied(graph: Subgraph, seen: Collection[int]) -> list[tuple[int, ...]]:
    ties = Ties(seen)
    for op in graph.ops:
        if op.name in MOVING | AVERAGING:
            for one in (i for i in op.inputs if i in ties):
                for other in (i for i in op.outputs if i in ties):
                    ties.join(one, other)
    return ties.members()


def _ends(tensors: Sequence[int], seen: Mapping[int, Observation], method: str) -> Mapping[int, Ends]:
    """A tensor with narrower extremes than its group's range keeps them: what is joined is rescaled there."""
    every = {index: _extremes(seen[index]) for index in tensors}
    widest = max(tensors, key=lambda index: every[index][1] - every[index][0])
    histogram = seen[widest].histogram
    if method == "minmax" or histogram is None:
        return every
    low, high = ends_of(method, histogram, every[widest])
    return {index: (max(low, ends[0]), min(high, ends[1])) for index, ends in every.items()}


def spread(samples: Iterable[Arrays], wanted: int, count: int) -> Iterator[Arrays]:
    """At most so many of ``count`` samples, spread over them."""
    return islice(samples, 0, wanted * max(1, count // wanted), max(1, count // wanted))


def _wanted(artifact: Artifact) -> int:
    """How many samples the second pass has time for."""
    values = sum(artifact.main.tensors[i].elements for op in artifact.main.ops for i in op.outputs if i >= 0)
    return int(np.clip(_VALUES / max(1, values), 2, _SAMPLES))


def _cheapest(
    groups: Sequence[Group],
    costs: Sequence[npt.NDArray[np.float64] | None],
    graph: Subgraph,
    seen: Mapping[int, Observation],
) -> list[int]:
    """The trial to take of each group."""
    outputs = set(graph.outputs)
    found = []
    for group, cost in zip(groups, costs, strict=True):
        whole = np.zeros(len(group.trials)) if cost is None else cost.copy()
        if cost is None or outputs & set(group.tensors):
            runs = 1 if cost is None else _SAMPLES
            whole += [runs * _own(group, ends, seen) for ends in group.trials]
        best = int(np.argmin(whole))
        found.append(best if whole[best] < _WORTH * whole[0] else 0)
    return found


def _own(group: Group, ends: Mapping[int, Ends], seen: Mapping[int, Observation]) -> float:
    """Noise by power of a group's tensors themselves."""
    return sum(
        noise(one.histogram, ends[index]) / one.mean_square
        for index, one in ((index, seen[index]) for index in group.tensors)
        if one.histogram and one.mean_square
    )


def _set(
    groups: Sequence[Group], taken: Sequence[int], seen: dict[int, Observation], methods: Sequence[str]
) -> Iterator[tuple[int, str]]:
    """Puts the ranges taken in place; yields tensors and what theirs was set by."""
    for group, trial in zip(groups, taken, strict=True):
        for index, (low, high) in group.trials[trial].items():
            seen[index] = replace(seen[index], minimum=low, maximum=high)
            yield index, methods[trial]
