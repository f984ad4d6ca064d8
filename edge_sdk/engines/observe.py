"""Ranges and power of every float tensor of a file while it runs over samples."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge_sdk.artifact.apart import leading_to, ops_leading_to
from edge_sdk.artifact.model import Artifact, read_artifact
from edge_sdk.engines.histogram import Histogram
from edge_sdk.engines.runner import Runner
from edge_sdk.folders import temporary_folder
from edge_sdk.signature import Arrays

# Of each sample so many values of a tensor are counted, spread over it: extremes are taken of all.
_COUNTED = 16384
ENDLESS = 1e38
"""No scale holds values from here on."""
# Of a file's ops: with more of them to run, a file of those alone is not worth its making.
_MOST = 0.8


@dataclass
class Observation:
    """Minimum, maximum and mean square of one tensor over all samples, and how often which values were seen.

    ``holes``: some value was not a number; the rest is of the others, and of zero where there is none.
    ``low`` and ``high``: the least and the largest finite value, in that order where there is any.
    """

    minimum: float = np.inf
    maximum: float = -np.inf
    mean_square: float = 0.0
    runs: int = 0
    histogram: Histogram | None = None
    holes: bool = False
    low: float = np.inf
    high: float = -np.inf

    @property
    def endless(self) -> bool:
        """Whether some value was infinite, or what kernels make of that: the largest float32."""
        return not max(abs(self.minimum), abs(self.maximum)) < ENDLESS


def observe(
    path: str,
    samples: Iterable[Arrays],
    *,
    threads: int = 1,
    histograms: bool = False,
    besides: Collection[int] = (),
    progress: Callable[[int], None] = lambda done: None,
) -> dict[int, Observation]:
    """Runs a float file and watches every float tensor of its main subgraph that is not constant.

    Args:
        path: a float .tflite; tensors inside WHILE and IF bodies are not seen.
        samples: inputs by name.
        threads: CPU threads.
        histograms: count values too; takes a tenth of the time.
        besides: tensors that are not watched.
        progress: called with the number of samples done.

    Returns:
        Tensor index to what was seen.
    """
    wanted = [index for index in _float_activations(read_artifact(path)) if index not in besides]
    seen = {index: Observation(histogram=Histogram() if histograms else None) for index in wanted}
    with watching(path, wanted, threads=threads) as runner:
        for done, sample in enumerate(samples, 1):
            runner.run(sample)
            for index, observation in seen.items():
                _see(runner, index, observation)
            progress(done)
    return {index: observation for index, observation in seen.items() if observation.runs}


@contextmanager
def watching(path: str, tensors: Collection[int], *, threads: int = 1) -> Iterator[Runner]:
    """A runner whose tensors can be read after each run, by the indices that they have in the file.

    Args:
        path: a .tflite file.
        tensors: those that will be read; where many ops do not lead to them these are not run.
        threads: CPU threads.
    """
    graph = read_artifact(path).main
    if len(ops_leading_to(graph, tensors)) > _MOST * len(graph.ops):
        yield Runner(path, threads=threads, preserve_all_tensors=True)
        return
    with temporary_folder("watched") as folder:
        part = Path(folder) / "part.tflite"
        part.write_bytes(leading_to(Path(path).read_bytes(), tensors))
        yield Runner(part, threads=threads, preserve_all_tensors=True)


def _float_activations(artifact: Artifact) -> list[int]:
    graph = artifact.main
    computed = {index for op in graph.ops for index in op.outputs if index >= 0} | set(graph.inputs)
    return sorted(i for i in computed if graph.tensors[i].dtype == "float32")


def _see(runner: Runner, index: int, observation: Observation) -> None:
    values = runner.tensor(index)
    if values is None or not values.size:
        return
    flat = values.reshape(-1)
    if np.isnan(flat).any():
        observation.holes = True
        flat = flat[~np.isnan(flat)] if not np.isnan(flat).all() else np.zeros(1, flat.dtype)
    observation.minimum = min(observation.minimum, float(flat.min()))
    observation.maximum = max(observation.maximum, float(flat.max()))
    finite = flat[np.abs(flat) < ENDLESS] if observation.endless else flat
    observation.low = min(observation.low, float(finite.min(initial=np.inf)))
    observation.high = max(observation.high, float(finite.max(initial=-np.inf)))
    # In float64, for the square of a -FLT_MAX padding overflows float32.
    power = float(np.dot(flat, flat)) if abs(observation.minimum) < 1e18 else float("inf")
    observation.mean_square += (power / flat.size - observation.mean_square) / (observation.runs + 1)
    if observation.histogram is not None:
        stride = -(-flat.size // _COUNTED)
        # Another start in every run, so that no channel is passed over.
        observation.histogram.add(flat[observation.runs % stride :: stride])
    observation.runs += 1
