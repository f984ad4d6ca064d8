"""One span of a tuned file's ops in float, where that is surely nearer: found by measured error, paid in work.

Every span is tried that is as long as a share of the file's work allows, at the front, at the tail and between, and
at halves and quarters of the share. The files are written at once (:mod:`..forms.in_float`), not quantized anew. Of
each length and place the best on every other calibration sample is held to the rest. It is taken where it is nearer on
these too, and over all worth its price and surely nearer on samples at large: by two standard errors of the mean over
samples, for a few that err most decide a sum, others in each draw. Where time runs out it is one
of those that were tried: ends of the file first, which win most.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cache, partial
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np

from edge_sdk.artifact.compute import CONVERT_OPS, macs
from edge_sdk.artifact.model import Subgraph, parse_artifact
from edge_sdk.checks.runtimes import XnnpackEngine
from edge_sdk.converters.layout import Axes, laid_out
from edge_sdk.converters.quantize.forms.in_float import in_float, newly_float
from edge_sdk.converters.quantize.forms.islands import placed
from edge_sdk.converters.quantize.kept import kinds_in_words, result_name
from edge_sdk.converters.quantize.tuning.budget import Asked, Budget, Ended, Spent, save_arrays
from edge_sdk.converters.quantize.tuning.tuning import at, files_of
from edge_sdk.converters.quantize.weights.biases import with_biases
from edge_sdk.converters.quantize.weights.outputs import Nearness, nearness
from edge_sdk.converters.workers.worker import Worker
from edge_sdk.findings import Finding
from edge_sdk.parity.pairing import pair_ops
from edge_sdk.progress import Progress
from edge_sdk.signature import Arrays

Span = tuple[int, int]
# Noise of a hundredth of the outputs' size: nothing is bought beyond, of a file or of a sample of it.
_GOOD_DB = 40.0
_NONE = 10 ** (-_GOOD_DB / 10)
# What a span must win: so much in all, and for each percent of the work that it takes to float.
_LEAST_DB, _PRICE_DB = 1.0, 0.1
# Standard errors by which it must.
_SURE = 2.0
_MORE_PARTITIONS = 2
_STARTS = 24
_PARTS = (1.0, 0.5, 0.25)
_MOST = _STARTS * len(_PARTS)
# Of the time that is left, what is kept to look again at the best ones.
_LOOKING = 0.3
# Multiply-accumulates of all trials together: a minute or two of a workstation.
_WORK, _FEWEST, _MOST_SAMPLES = 1e12, 8, 64


@dataclass(frozen=True)
class Floated:
    """A span of ops in float, and what it bought.

    Attributes:
        ops: names of their results in the float file, in order: what ``keep_float`` knows them by.
        kinds: how many of which types.
        share: of the file's work that is theirs, 0 to 1: multiply-accumulates, and one for each value of a result.
        tried: files that were run.
        samples: of calibration data, on half of which it was chosen.
        sqnr_db: of the outputs against the float file's, without and with it, on those.
        won_db: likewise won on one of them, on the mean, and the standard error of that.
        partitions: of XNNPACK, predicted, without and with it, before forms for it are written.
        kept: whether it was taken: where it is surely nearer, and worth its price.
        ended: in what time, and how many of the files were tried in it.
    """

    ops: tuple[str, ...]
    kinds: str
    share: float
    tried: int
    samples: int
    sqnr_db: tuple[float, float]
    won_db: tuple[float, float]
    partitions: tuple[int, int]
    kept: bool
    ended: Ended | None = None

    @property
    def worth(self) -> float:
        """Decibels less the price."""
        return self.sqnr_db[1] - self.sqnr_db[0] - 100 * _PRICE_DB * self.share

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        return (
            asdict(self)
            | {key: list(getattr(self, key)) for key in ("ops", "sqnr_db", "won_db", "partitions")}
            | {"why": "", "ended": self.ended and self.ended.as_json()}
        )

    def finding(self, recipe: str) -> Finding:
        """What is in float, why, and at which price."""
        before, after = self.sqnr_db
        ends = f"`{self.ops[0]}`" + (f" to `{self.ops[-1]}`" if len(self.ops) > 1 else "")
        return Finding(
            "tuned-in-float",
            "info",
            f"{self.kinds} compute in float, {ends}, {self.share:.0%} of the work: {before:.1f} to {after:.1f} dB on "
            f"{self.samples} calibration samples",
            recipe,
            "--tune-float 0 leaves them in integers, another percentage bounds the share",
        )


Samples = Callable[[str], Iterable[Arrays]]


@dataclass(frozen=True)
class _Files:
    """A float file, an int8 file made from it, and the float file that explains its constants."""

    reference: bytes
    quantized: bytes
    explained: bytes


def leave_in_float(
    target: str,
    files: Mapping[str, str],
    samples: str,
    axes: Axes,
    *,
    floats: Mapping[str, Any],
    asked: Asked,
) -> dict[str, Any]:
    """Leaves the best span of an int8 file's ops in float, in place, where it is worth it.

    Args:
        target: the int8 file, tuned.
        files: ``reference``, the float file that it was made from, and, where that is another, ``explained``, the
            float file that explains its constants.
        samples: folder of calibration samples in the source's layout.
        axes: how they are transposed for the file.
        floats: ``percent`` of the work that may be in float, and the ``engine`` whose XNNPACK is asked for partitions;
            or ``why`` none may.
        asked: for how long, from which seed, and what of the time is ``spent``; what is tried is kept beside that.

    Returns:
        ``corrections``, ``explained``, ``floats`` and ``findings``, as a quantizer returns them.

    Raises:
        ModelError: the engine refuses a file.
    """
    if "why" in floats:
        return _told(str(floats["why"]))
    seed = asked["seed"]
    order = np.random.default_rng(seed).permutation(sum(1 for _ in laid_out(samples, axes)))
    places = {"chosen on": frozenset(order[::2]), "held out": frozenset(order[1::2] if len(order) > 1 else order)}
    reference, data = Path(files["reference"]).read_bytes(), Path(target).read_bytes()
    every = _Files(reference, data, Path(files.get("explained", files["reference"])).read_bytes())

    def some(part: str) -> Iterator[Arrays]:
        return at(laid_out(samples, axes), places[part])

    spent = asked.get("spent", Spent(seconds=0.0, kept=None))
    kept = Path(spent["kept"]) if spent["kept"] else None
    budget = Budget(asked["minutes"], kept=kept, spent=spent["seconds"])
    search = _Search(every, some, floats["percent"] / 100, XnnpackEngine(**floats["engine"]), budget)
    if kept is not None:
        name = hashlib.sha256(data + repr(sorted(floats.items())).encode() + bytes([seed % 256])).hexdigest()[:16]
        search.stored = kept.with_name(f"tuned_{name}_spans.npz")
    if search.level >= _GOOD_DB:
        return _told(f"{search.level:.1f} dB are enough", search.level)
    found = list(search.looked_at(search.best()))
    if not found:
        return _told(f"none of {search.tried} spans is worth its price", search.level, budget.ended())
    made, explained, names, told = max(found, key=lambda one: (one[-1].kept, one[-1].worth))
    told = replace(told, ended=budget.ended())
    if not told.kept:
        return {"corrections": {"floated": told.as_json()}}
    Path(target).write_bytes(made)
    path = Path(target).with_suffix(".exact.tflite")
    path.write_bytes(explained)
    finding = told.finding(Path(target).name.split(".")[0]).as_json()
    return {
        "corrections": {"floated": told.as_json()},
        "explained": str(path),
        "floats": names,
        "findings": [finding],
    }


def _told(why: str, level: float | None = None, ended: Ended | None = None) -> dict[str, Any]:
    told = {"kept": False, "why": why, "sqnr_db": level and [level, level], "ended": ended and ended.as_json()}
    return {"corrections": {"floated": told}}


class _Search:
    def __init__(self, files: _Files, samples: Samples, most: float, engine: XnnpackEngine, budget: Budget) -> None:
        self.stored: Path | None = None
        """Where spans that were tried are kept for a run that goes on."""
        self._budget = budget
        self._reference, self._quantized, self._explained = files.reference, files.quantized, files.explained
        self._samples = samples
        self._graph = parse_artifact(files.quantized).main
        self._most, self._engine = most, engine
        work = np.array([_work(self._graph, index) for index in range(len(self._graph.ops))])
        self._sums = np.concatenate([[0.0], np.cumsum(work / max(1.0, work.sum()))])
        total = sum(macs(self._graph, op) for op in self._graph.ops)
        self._count = int(np.clip(_WORK / _MOST / max(1, total), _FEWEST, _MOST_SAMPLES))
        self._partitions = placed(self._graph, engine)[0]
        self._won: dict[Span, float] = {}
        self._plain = cache(partial(self._near, self._quantized))

    @property
    def level(self) -> float:
        """SQNR in dB of the file as it is, on samples that a span is chosen on."""
        return self._plain("chosen on").sqnr_db

    @property
    def tried(self) -> int:
        """Spans that were measured."""
        return len(self._won)

    def best(self) -> list[Span]:
        """At the front, at the tail and between, of each length: the span that wins most, where it wins its price."""
        places: dict[tuple[float, bool, bool], list[Span]] = {}
        for part in _PARTS:
            for start, end in self._longest(part * self._most):
                places.setdefault((part, start == 0, end == len(self._graph.ops)), []).append((start, end))
        self._try({span: None for place in sorted(places, key=_is_inside) for span in places[place]})
        tried = [[span for span in spans if span in self._won] for spans in places.values()]
        found = {max(spans, key=self._worth) for spans in tried if spans}
        return sorted((span for span in found if self._worth(span) > 0), key=self._worth, reverse=True)

    def looked_at(self, spans: Iterable[Span]) -> Iterator[tuple[bytes, bytes, list[str], Floated]]:
        """:meth:`told` of the first and of as many others as there is time for."""
        for place, span in enumerate(spans):
            if place == 0 or not self._budget.is_over("floats"):
                yield self.told(span)

    def _try(self, spans: Mapping[Span, None]) -> None:
        """Measures as many as there is time for; ends of the file are first."""
        if self.stored is not None and self.stored.exists():
            with np.load(self.stored) as arrays:
                kept = zip(arrays["spans"].tolist(), arrays["won"].tolist(), strict=True)
                self._won = {(first, last): won for (first, last), won in kept}
        least = _LOOKING * max(0.0, self._budget.left("floats"))
        with self._budget.stage("floats", len(spans), len(self._won)):
            for span in spans:
                if span in self._won:
                    continue
                if self._budget.left("floats") <= least:
                    break
                self._won[span] = self._level(span)
                if self.stored is not None:
                    save_arrays(
                        self.stored, {"spans": np.array(list(self._won)), "won": np.array([*self._won.values()])}
                    )
                self._budget.count(len(self._won))

    def told(self, span: Span) -> tuple[bytes, bytes, list[str], Floated]:
        """A span held to the samples held out: the file, what explains it, names of its ops in float, and the words."""
        made = self._written(span)
        held = self._gain(self._plain("held out"), self._near(made, "held out"))
        before, after = self._plain("chosen on", "held out"), self._near(made, "chosen on", "held out")
        won, bought = before.won_db(after, _NONE), self._gain(before, after)
        least = max(_LEAST_DB, 100 * _PRICE_DB * self._share(span))
        graph, chosen = parse_artifact(made).main, self._chosen(span)
        pairs = pair_ops(parse_artifact(self._reference), parse_artifact(self._quantized))
        ours = [pair.reference for pair in pairs if pair.candidate.index in chosen]
        floats = parse_artifact(self._reference).main
        told = Floated(
            tuple(result_name(floats, op) for op in ours),
            kinds_in_words(op.name for op in ours),
            self._share(span),
            len(self._won),
            len(before.noise),
            (before.sqnr_db, after.sqnr_db),
            (won.mean, won.error),
            (self._partitions, placed(graph, self._engine)[0]),
            held > 0 and bought >= least and won.mean > _SURE * won.error and before.sqnr_db < _GOOD_DB,
        )
        whole = self._explained
        exact = with_biases(whole, whole, self._reference, only={op.index for op in ours})
        return made, exact, [name for _, name in newly_float(self._graph, graph)], told

    def _longest(self, share: float) -> list[Span]:
        """Spans of at most that share that no other of them holds, a few evenly, the first and the last among them."""
        ends = [int(np.searchsorted(self._sums, start + share + 1e-9, "right")) - 1 for start in self._sums[:-1]]
        whole = [(a, b) for a, b in enumerate(ends) if self._sums[b] > self._sums[a] and (a == 0 or b > ends[a - 1])]
        places = np.unique(np.linspace(0, len(whole) - 1, _STARTS).round().astype(int)) if whole else []
        return [whole[place] for place in places]

    def _share(self, span: Span) -> float:
        return float(self._sums[span[1]] - self._sums[span[0]])

    def _worth(self, span: Span) -> float:
        """Decibels that a span wins, less what it costs; one that is worth nothing has none."""
        return self._won[span] - 100 * _PRICE_DB * self._share(span)

    def _level(self, span: Span) -> float:
        """Decibels won on samples to choose on."""
        data = self._written(span)
        if placed(parse_artifact(data).main, self._engine)[0] > self._partitions + _MORE_PARTITIONS:
            return float("-inf")
        return self._gain(self._plain("chosen on"), self._near(data, "chosen on"))

    def _gain(self, before: Nearness, after: Nearness) -> float:
        """Decibels won in sum; none where samples at large lose."""
        return after.sqnr_db - before.sqnr_db if before.won_db(after, _NONE).mean > 0 else float("-inf")

    def _near(self, data: bytes, *parts: str) -> Nearness:
        some = (islice(self._samples(part), self._count) for part in parts)
        return nearness(self._reference, data, chain.from_iterable(some))

    def _written(self, span: Span) -> bytes:
        return in_float(self._quantized, self._chosen(span), self._reference)

    def _chosen(self, span: Span) -> set[int]:
        return {index for index in range(*span) if self._graph.ops[index].name != "DEQUANTIZE"}


def _is_inside(place: tuple[float, bool, bool]) -> bool:
    """Whether spans of it are neither at the front nor at the tail."""
    return not any(place[1:])


def _work(graph: Subgraph, index: int) -> float:
    op = graph.ops[index]
    if op.name in CONVERT_OPS:
        return 0.0
    return float(macs(graph, op) + sum(tensor.elements for tensor in graph.results(op)))


def floated_in(worker: Worker, said: Mapping[str, Any], progress: Progress, **arguments: Any) -> dict[str, Any]:
    """What a quantizer said, and what :func:`leave_in_float` in a worker made of it.

    Args:
        worker: runs it.
        said: of the int8 file.
        progress: hears of the files tried.
        arguments: of :func:`leave_in_float`.

    Raises:
        ConversionError: the worker died.
    """
    place = f"{__name__}:{leave_in_float.__name__}"
    arguments["asked"] = arguments["asked"] | {"spent": said["spent"]}
    made = worker.function(place, "trying ops in float", progress=progress, files=files_of(said), **arguments)
    both = {key: [*said.get(key, ()), *made.get(key, ())] for key in ("floats", "findings")}
    return {**said, **made, **both, "corrections": said["corrections"] | made["corrections"]}
