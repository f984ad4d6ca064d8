"""Samples on disk, so that worker processes can read them again without holding them in memory."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sdk.data.checks import SampleCheck
from edge_sdk.data.opening import DataSource
from edge_sdk.signature import Arrays, TensorSpec, spec_from_json

_INDEX = "samples.json"


@dataclass(frozen=True)
class SampleStore:
    """A folder with one raw file for each input; ``column(name)`` maps it, shape ``(count, *input shape)``.

    ``held_out`` are places of samples that are passed over: they are kept for another use. ``classes`` are those of all
    samples, where the data tells them.
    """

    folder: Path
    specs: tuple[TensorSpec, ...]
    count: int
    held_out: frozenset[int] = frozenset()
    classes: tuple[int, ...] = ()

    @staticmethod
    def open(folder: str | Path) -> SampleStore:
        """Opens a folder that :func:`spool` wrote."""
        index = json.loads((Path(folder) / _INDEX).read_text(encoding="utf-8"))
        specs = tuple(spec_from_json(spec) for spec in index["specs"])
        return SampleStore(
            Path(folder), specs, index["count"], frozenset(index.get("held_out", ())), tuple(index.get("classes", ()))
        )

    def column(self, name: str) -> npt.NDArray[Any]:
        """All samples of one input, mapped read-only."""
        place = [spec.name for spec in self.specs].index(name)
        spec = self.specs[place]
        shape = (self.count, *spec.static_shape)
        if 0 in shape:
            return np.empty(shape, spec.dtype)
        return np.memmap(self.folder / f"{place}.raw", np.dtype(spec.dtype), "r", shape=shape)

    def __iter__(self) -> Iterator[Arrays]:
        return self._at(index for index in range(self.count) if index not in self.held_out)

    def others(self) -> Iterator[Arrays]:
        """The samples that are held out."""
        return self._at(sorted(self.held_out))

    def classes_of_others(self) -> tuple[int, ...]:
        """Those of the samples that are held out."""
        return tuple(self.classes[index] for index in sorted(self.held_out)) if self.classes else ()

    def hold_out(self, share: float, most: int, seed: int) -> SampleStore:
        """The same folder with some samples held out, chosen by ``seed``; who opens it later passes over them too."""
        number = min(most, int(self.count * share))
        chosen = np.random.default_rng(seed).choice(self.count, number, replace=False).tolist()
        made = replace(self, held_out=frozenset(chosen))
        _write_index(made)
        return made

    def _at(self, places: Iterable[int]) -> Iterator[Arrays]:
        columns = {spec.name: self.column(spec.name) for spec in self.specs}
        for index in places:
            yield {name: column[index] for name, column in columns.items()}


def spool(
    source: DataSource,
    specs: Sequence[TensorSpec],
    folder: Path,
    *,
    limit: int | None = None,
    seed: int = 0,
    progress: Callable[[int], None] = lambda done: None,
) -> tuple[SampleStore, SampleCheck]:
    """Streams a source to a folder, checking every sample on the way.

    Args:
        source: what to read.
        specs: the inputs, with static shapes.
        folder: where to write; made if absent.
        limit: at most so many samples: a random subset by ``seed`` where the count is known, else the first.
        seed: of the choice.
        progress: called with the number of samples written.

    Raises:
        CalibrationError: a sample does not fit the signature or is not finite.
    """
    folder.mkdir(parents=True, exist_ok=True)
    check = SampleCheck(source.description, specs, drawn=source.drawn)
    files = [(folder / f"{place}.raw").open("wb") for place in range(len(specs))]
    try:
        for sample in check.watch(_chosen(source, limit, seed)):
            for spec, file in zip(specs, files, strict=True):
                np.ascontiguousarray(sample[spec.name]).tofile(file)
            progress(check.count)
    finally:
        for file in files:
            file.close()
    places = sorted(_wanted(source, limit, seed))
    classes = tuple(source.classes[place] for place in places if place < len(source.classes))
    store = SampleStore(folder, tuple(specs), check.count, classes=classes if len(classes) == check.count else ())
    _write_index(store)
    return store, check


def _write_index(store: SampleStore) -> None:
    index = {
        "specs": [spec.as_json() for spec in store.specs],
        "count": store.count,
        "held_out": sorted(store.held_out),
        "classes": list(store.classes),
    }
    (store.folder / _INDEX).write_text(json.dumps(index), encoding="utf-8")


def _chosen(source: DataSource, limit: int | None, seed: int) -> Iterator[Arrays]:
    samples = source.samples()
    if limit is None:
        yield from samples
        return
    wanted = _wanted(source, limit, seed)
    last = max(wanted, default=-1)
    for index, sample in enumerate(samples):
        if index in wanted:
            yield sample
        if index >= last:
            return


def _wanted(source: DataSource, limit: int | None, seed: int) -> set[int]:
    """Places of the samples that are taken; of a stream whose end is not known the first."""
    if limit is None:
        return set(range(source.count or 0))
    if source.count is not None and source.count > limit:
        return set(np.random.default_rng(seed).choice(source.count, limit, replace=False).tolist())
    return set(range(limit))
