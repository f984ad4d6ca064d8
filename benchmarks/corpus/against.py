"""Our float files of the corpus beside onnx2tf's and litert-torch's: ops, and latency on the same engine.

Each peer is held against ours of the same input layout: onnx2tf's takes NHWC, litert-torch's the source's. A file that
the engine refuses, or that computes something else, is no peer; the row says so.
"""

from __future__ import annotations

import contextlib
import importlib
import itertools
import random
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import by_onnx2tf, kept, results
from benchmarks.corpus.catalogue import CORPUS
from benchmarks.corpus.forked import ChildError, forked
from benchmarks.corpus.lowering import errors, exported, feeds_of
from benchmarks.corpus.served import Served
from benchmarks.peers.environments import python_of

Row = dict[str, Any]
PEERS = {"onnx2tf": "nhwc", "litert_torch": "source"}
"""Peer to the layout of our file that it is held against."""
_SECONDS, _MEMORY = 300, 10 << 30
# 2: of several processes, with the range of their ratios.
_FORM = 2
# In so many processes; each file of a pair runs at least so often there, and as long as this allows.
_CHILDREN, _FEWEST, _MOST, _TIMING_S = 5, 10, 100, 0.6
_WRONG = 1e-2


def names(only: Sequence[str]) -> list[str]:
    """``family/name``, one of each family in turn, by the sizes of files in the last whole run."""
    sizes = {
        f"{row['family']}/{row['model']}": row.get("file_bytes", 1 << 40) for row in results.read("corpus")["rows"]
    }
    families = []
    for family, models in CORPUS.items():
        every = [name for name in (f"{family}/{model}" for model in models) if not only or {name, family} & set(only)]
        families.append(sorted(every, key=lambda name: sizes.get(name, 1 << 40)))
    return [name for turn in itertools.zip_longest(*families) for name in turn if name is not None]


def rows(cache: Path, only: Sequence[str], seconds: float, say: Callable[[str], None]) -> Iterator[Row]:
    """A row for each model; see :func:`benchmarks.kept.rows`.

    Args:
        cache: for ONNX files, files and rows.
        only: families, or ``family/name``; all if empty.
        seconds: after which no new model is begun; 0 for none.
        say: hears of progress.
    """
    # What every child needs is imported here, once.
    for module in ("onnx2tf", "ai_edge_litert.interpreter", "edge_sdk.converters.lower.direct.lowering"):
        importlib.import_module(module)
    folder = cache / "corpus"
    with _Makers(folder) as makers:
        yield from kept.rows(
            cache / "corpus_peers",
            names(only),
            lambda name: _row(folder, name, makers, say),
            form=_FORM,
            seconds=seconds,
        )


class _Makers(contextlib.ExitStack):
    """The environments that write files of models."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        modules = {"corpus": "exporting", "litert_torch": "by_litert_torch"}
        self.served = {
            name: self.enter_context(Served([str(python_of(name)), "-m", f"benchmarks.corpus.{module}", str(folder)]))
            for name, module in modules.items()
        }


def _row(folder: Path, name: str, makers: _Makers, say: Callable[[str], None]) -> Row:
    family, model = name.split("/")
    row: Row = {"family": family, "model": model, "peers": {}}
    target = folder / name
    say(f"{name}: making files")
    try:
        if not target.with_suffix(".npz").exists():
            makers.served["corpus"].ask(family, model)
        row["ops"] = {layout: _ours_alone(target, layout) for layout in PEERS.values()}
    except ChildError as error:
        return {**row, "error": str(error).splitlines()[0][:200]}
    for peer, layout in PEERS.items():
        # litert-torch takes programs of torch.export and no ONNX.
        if (family, peer) != ("onnx", "litert_torch"):
            row["peers"][peer] = _held(target, peer, layout, makers)
    return row


def _ours_alone(target: Path, layout: str) -> int:
    count: int = forked(lambda: _ours(target, layout), seconds=_SECONDS, memory_bytes=_MEMORY)
    return count


def _ours(target: Path, layout: str) -> int:
    """Writes our file; its ops."""
    from edge_sdk.converters.lower.direct.lowering import lower
    from edge_sdk.converters.lower.direct.writing import write

    model, specs, _ = exported(target)
    made = lower(model, specs, layout)
    _file(target, layout).write_bytes(write(made.graph))
    return len(made.graph.ops)


def _file(target: Path, way: str) -> Path:
    return target.parent / f"{target.name}.{way}.tflite"


def _held(target: Path, peer: str, layout: str, makers: _Makers) -> Row:
    ours, theirs = _file(target, layout), _file(target, peer)
    try:
        if theirs.exists():
            pass
        elif peer == "litert_torch":
            makers.served[peer].ask(target.parent.name, target.name)
        else:
            forked(lambda: _by_onnx2tf(target), seconds=_SECONDS, memory_bytes=_MEMORY)
    except ChildError as error:
        return {"error": str(error)[:200]}
    try:
        facts: Row = forked(lambda: _facts(target, ours, theirs), seconds=_SECONDS, memory_bytes=_MEMORY)
        timed = [
            forked(partial(_timed, target, ours, theirs, lot), seconds=_SECONDS, memory_bytes=_MEMORY)
            for lot in range(_CHILDREN)
        ]
    except ChildError as error:
        return {"error": f"running: {error}"[:200]}
    ratios = [one["ratio"] for one in timed]
    return {**facts, "ratio": statistics.median(ratios), "ratio_range": [min(ratios), max(ratios)], "children": timed}


def _by_onnx2tf(target: Path) -> None:
    import onnx

    # TFLite has no Erf: without this the files hold an op that LiteRT refuses.
    model = onnx.load(target.with_suffix(".onnx"))
    _file(target, "onnx2tf").write_bytes(by_onnx2tf.float_file(model, replace_to_pseudo_operators=["erf"]))


def _facts(target: Path, ours: Path, theirs: Path) -> Row:
    """Ops of both, and the peer's error."""
    from edge_sdk.artifact.model import read_artifact

    arrays = np.load(target.with_suffix(".npz"))
    kinds = [[op.name for op in read_artifact(path).main.ops] for path in (ours, theirs)]
    return {
        "ops": [len(names) for names in kinds],
        "transposes": [names.count("TRANSPOSE") for names in kinds],
        "error": None,
        "relative_error": _error(_opened(theirs, feeds_of(arrays)), arrays),
    }


def _timed(target: Path, ours: Path, theirs: Path, lot: int) -> Row:
    """The ratio of the processor's time a run, ours to the peer's, where engines lie elsewhere for each ``lot``."""
    feeds = feeds_of(np.load(target.with_suffix(".npz")))
    draw = random.Random(lot)
    # The same file opened four times differs by 2 to 4 % by where its memory lies: each is opened twice, among others.
    order = draw.sample([ours, ours, theirs, theirs], 4)
    held = []
    engines = []
    for path in order:
        held.append(np.ones(draw.randrange(1, 1 << 18), np.uint8))
        engines.append(_opened(path, feeds))
    times = _times([engine.invoke for engine in engines], draw)
    means = [np.mean([t for t, o in zip(times, order, strict=True) if o is path], axis=0) for path in (ours, theirs)]
    return {
        "ms": [1e3 * float(np.median(one)) for one in means],
        "ratio": float(np.median(means[0] / means[1])),
        "runs": len(times[0]),
    }


def _times(runs: Sequence[Callable[[], None]], draw: random.Random) -> list[list[float]]:
    """Seconds of the processor, run by run, in an order drawn by lot."""
    found = [list[float]() for _ in runs]
    for run in (*runs, *runs):
        run()
    begin = time.process_time()
    while len(found[0]) < _FEWEST or (len(found[0]) < _MOST and time.process_time() - begin < _TIMING_S):
        for place in draw.sample(range(len(runs)), len(runs)):
            start = time.thread_time()
            runs[place]()
            found[place].append(time.thread_time() - start)
    return found


def _opened(path: Path, feeds: Sequence[Any]) -> Any:
    from ai_edge_litert.interpreter import Interpreter

    engine = Interpreter(model_path=str(path), num_threads=1)
    engine.allocate_tensors()
    waiting = list(feeds)
    for port in engine.get_input_details():
        shape = tuple(port["shape"])
        place = next(i for i, feed in enumerate(waiting) if shape in (feed.shape, _last(feed).shape))
        feed = waiting.pop(place)
        engine.set_tensor(port["index"], (feed if feed.shape == shape else _last(feed)).astype(port["dtype"]))
    return engine


def _last(array: Any) -> Any:
    return np.ascontiguousarray(np.moveaxis(array, 1, -1)) if array.ndim > 2 else array


def _error(engine: Any, arrays: Any) -> float:
    """Of the outputs against float64, as :func:`benchmarks.corpus.lowering.errors`, in whichever layout is right."""
    engine.invoke()
    wanted = [arrays[key] for key in arrays if key.startswith("exact_")]
    got = [engine.get_tensor(port["index"]) for port in engine.get_output_details()]
    found = []
    for place, want in enumerate(wanted):
        forms = [form for one in got for form in (one, _first(one)) if form.shape == want.shape]
        one = {"exact_0": want, "out_0": arrays[f"out_{place}"]}
        found.append(min((float(errors([form], one)["relative_error"]) for form in forms), default=float("inf")))
    return max(found)


def _first(array: Any) -> Any:
    return np.moveaxis(array, -1, 1) if array.ndim > 2 else array


def is_peer(held: Row) -> bool:
    """Whether the peer made a file that computes what the model does."""
    return not held.get("error") and held["relative_error"] < _WRONG


def summary(found: Sequence[Row]) -> Row:
    """Counts: models, those with a peer, those with at most as many ops as the best, those as fast as each."""
    with_peer = [[h for h in row["peers"].values() if is_peer(h)] for row in found if not row.get("error")]
    with_peer = [held for held in with_peer if held]
    return {
        "models": len(found),
        "with_peer": len(with_peer),
        "ops_at_most": sum(all(h["ops"][0] <= h["ops"][1] for h in held) for held in with_peer),
        "latency_at_most": sum(all(h["ratio"] <= 1.02 for h in held) for held in with_peer),
        **{peer: sum(is_peer(r["peers"].get(peer, {"error": "none"})) for r in found) for peer in PEERS},
    }


def in_words(row: Row) -> str:
    """One line."""
    name = f"{row['family']}/{row['model']}"
    if row.get("error"):
        return f"{name}: {row['error']}"
    parts = []
    for peer, held in row["peers"].items():
        if held.get("error"):
            parts.append(f"{peer}: {held['error'][:90]}")
            continue
        wrong = "" if is_peer(held) else f", WRONG {held['relative_error']:.0e}"
        (ours, theirs), (low, high) = held["ops"], held["ratio_range"]
        parts.append(f"{peer}: ops {ours}/{theirs}, {held['ratio']:.3f} ({low:.3f} to {high:.3f}){wrong}")
    return f"{name}: {'; '.join(parts)}"
