"""What a range costs where it matters: the error that the ops make which read a tensor, when it alone is rounded.

Every float op is run alone on calibration data (:func:`~edge_sdk.artifact.apart.float_twins`), once on the values that
it reads and once on those as int8 with a range on trial holds them. The sum over ops of error power by result power
is the cost: a tail that the next weights multiply by nothing costs nothing, and one that they depend on does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edge_sdk.artifact.apart import has_twin, index_of
from edge_sdk.artifact.model import Op, Subgraph, read_artifact
from edge_sdk.converters.quantize.ranging.clipping import Ends, rounded
from edge_sdk.engines.observe import watching
from edge_sdk.engines.runner import Runner
from edge_sdk.folders import temporary_folder
from edge_sdk.parity.ops import open_twins
from edge_sdk.signature import Arrays

Floats = npt.NDArray[np.float32]
_SAME = 1e-3
_SHADES = 3


@dataclass(frozen=True)
class Group:
    """Tensors with one scale; ``trials`` are their ranges, the first is that of the extremes."""

    tensors: tuple[int, ...]
    trials: tuple[Mapping[int, Ends], ...]

    def differs(self, trial: int) -> bool:
        """Whether a trial is another range than the first."""
        first, other = self.trials[0], self.trials[trial]
        return any(_apart(first[index], other[index]) for index in self.tensors)


def reading_costs(
    path: str,
    samples: Iterable[Arrays],
    groups: Sequence[Group],
    *,
    threads: int = 1,
    progress: Callable[[int], None] = lambda done: None,
) -> list[npt.NDArray[np.float64] | None]:
    """The cost of each trial for each group; None where no op that reads it can be run alone.

    Args:
        path: the float file.
        samples: a few inputs by name.
        groups: with equally many trials each.
        threads: CPU threads.
        progress: called with the number of trials done, of all samples.
    """
    with temporary_folder("readers") as folder:
        return _Readers(path, Path(folder), groups, threads).costs(samples, progress)


class _Readers:
    def __init__(self, path: str, folder: Path, groups: Sequence[Group], threads: int) -> None:
        self._groups = groups
        self._group_of = {index: place for place, group in enumerate(groups) for index in group.tensors}
        self._path, self._threads = path, threads
        graph = read_artifact(path).main
        wanted = [op for op in graph.ops if has_twin(graph, op) and self._reads(graph, op)]
        self._ops: tuple[Op, ...] = ()
        self._twin: Runner | None = None
        if wanted:
            self._ops, self._twin = open_twins(Path(path).read_bytes(), wanted, folder, xnnpack=True, threads=threads)
        self._reading: dict[int, list[Op]] = {}
        for op in self._ops:
            for place in self._reads(graph, op):
                self._reading.setdefault(place, []).append(op)
        self._shade = self._shades()

    def costs(self, samples: Iterable[Arrays], progress: Callable[[int], None]) -> list[npt.NDArray[np.float64] | None]:
        trials = len(self._groups[0].trials) if self._groups else 0
        sums = {place: np.zeros(trials) for place in self._reading}
        if self._twin is not None:
            fed = {index_of(spec.name) for spec in self._twin.inputs}
            with watching(self._path, fed, threads=self._threads) as watched:
                for place, sample in enumerate(samples):
                    watched.run(sample)
                    for trial in self._add(sums, watched, self._twin):
                        progress(place * trials + trial + 1)
        return [sums.get(place) for place in range(len(self._groups))]

    def _add(self, sums: Mapping[int, npt.NDArray[np.float64]], watched: Runner, twin: Runner) -> Iterator[int]:
        """Adds what each trial costs on the sample that was run; yields each when it is done."""
        given = {spec.name: watched.tensor(index_of(spec.name)) for spec in twin.inputs}
        plain = {name: values for name, values in given.items() if values is not None}
        expected = twin.run(plain)
        powers = {name: _power(values) for name, values in expected.items()}
        for trial in range(len(self._groups[0].trials)):
            for shade in range(_SHADES):
                places = [p for p in sums if self._shade[p] == shade and (not trial or self._groups[p].differs(trial))]
                if not places:
                    continue
                got = twin.run(plain | dict(self._rounded(places, trial, plain)))
                for place in places:
                    sums[place][trial] += self._error(place, expected, got, powers)
            for place, values in sums.items():
                if trial and not self._groups[place].differs(trial):
                    values[trial] = values[0]
            yield trial

    def _error(self, place: int, expected: Arrays, got: Arrays, powers: Mapping[str, float]) -> float:
        names = [f"out_{index}" for op in self._reading[place] for index in op.outputs]
        return sum(
            _power(got[name] - expected[name]) / powers[name] for name in names if 0 < powers.get(name, 0.0) < np.inf
        )

    def _rounded(self, places: Iterable[int], trial: int, given: Arrays) -> Iterator[tuple[str, Floats]]:
        for place in places:
            for index in self._groups[place].tensors:
                name = f"in_{index}"
                if name in given:
                    yield name, rounded(given[name], self._groups[place].trials[trial][index])

    def _reads(self, graph: Subgraph, op: Op) -> set[int]:
        """Groups that an op reads and computes with; what moves values within one group costs nothing."""
        if not op.outputs or graph.tensors[op.outputs[0]].dtype != "float32":
            return set()
        found = {self._group_of[index] for index in op.inputs if index in self._group_of}
        return found - {self._group_of[index] for index in op.outputs if index in self._group_of}

    def _shades(self) -> dict[int, int]:
        """A number for each group; two that one op reads have different ones, so that their errors are told apart."""
        found: dict[int, int] = {}
        together: dict[int, set[int]] = {place: set() for place in self._reading}
        for place, ops in self._reading.items():
            for op in ops:
                together[place] |= {self._group_of[i] for i in op.inputs if i in self._group_of} - {place}
        for place, others in together.items():
            taken = {found[other] for other in others if other in found}
            # With more than three operands some errors are added up for both.
            found[place] = next((shade for shade in range(_SHADES) if shade not in taken), 0)
        return found


def _power(values: Floats) -> float:
    flat = values.reshape(-1)
    return float(np.dot(flat, flat)) if flat.dtype == np.float32 else 0.0


def _apart(one: Ends, other: Ends) -> bool:
    width = max(one[1] - one[0], 1e-30)
    return max(abs(one[0] - other[0]), abs(one[1] - other[1])) > _SAME * width
