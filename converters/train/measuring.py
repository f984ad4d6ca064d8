"""What each stage's model weighs: its size, MACs, zeros and time, from the file it becomes."""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from edge_sdk.artifact.compute import macs
from edge_sdk.artifact.model import Artifact, read_artifact
from edge_sdk.converters.reports.training import FileFacts, StageReport
from edge_sdk.converters.train.lowering import lower
from edge_sdk.converters.train.timing import ratios
from edge_sdk.converters.workers.workshop import Workers
from edge_sdk.folders import make_folder

_WEIGHTED = {"CONV_2D": 1, "DEPTHWISE_CONV_2D": 1, "FULLY_CONNECTED": 1, "TRANSPOSE_CONV": 1}
"""Op to the place of its weights among the inputs."""
_TIMING_SECONDS = 2.0


class Measuring:
    """Files of all stages in one temporary folder, timed side by side at the end.

    Args:
        options: keyword arguments of ``convert``: how to lower.
    """

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._options = dict(options)
        self._own_workers = None if "workers" in options else Workers()
        self._options.setdefault("workers", self._own_workers)
        self._folder = make_folder("train")
        self._files: dict[str, Path] = {}

    def facts(self, name: str, convertible: object, lowered: bytes | None = None) -> FileFacts:
        """Lowers a stage's model, unless its float file is there already, and reads the file."""
        path = self._folder / f"{name}.tflite"
        ready = getattr(convertible, "quantized_bytes", None)
        form = "float32" if ready is None else "int8"
        if lowered is not None:
            path.write_bytes(lowered)
        elif ready is None:
            lower(convertible, path, self._options)
        else:
            path.write_bytes(ready())
        self._files[name] = path
        return file_facts(path, form)

    def artifact(self, name: str) -> Artifact:
        """The file of a stage that :meth:`facts` has lowered."""
        return read_artifact(self._files[name])

    def timed(
        self, source: object, reports: list[StageReport], lowered: bytes | None
    ) -> tuple[FileFacts, list[StageReport]]:
        """The source's file, and all stages with times against it, measured in one run."""
        base = self.facts("source", source, lowered)
        names = [report.name for report in reports if report.name in self._files]
        paths = [self._files[name] for name in ("source", *names)]
        measured = dict(zip(names, ratios(self._options["workers"], paths, _TIMING_SECONDS)[1:], strict=True))
        made = [
            replace(r, file=replace(r.file, time_ratio=measured[r.name])) if r.file and r.name in measured else r
            for r in reports
        ]
        self.close()
        return replace(base, time_ratio=1.0), made

    def close(self) -> None:
        """Ends its own workers and takes away the files."""
        if self._own_workers:
            self._own_workers.__exit__()
        shutil.rmtree(self._folder, ignore_errors=True)


def file_facts(path: Path, form: str) -> FileFacts:
    """What a file weighs."""
    artifact = read_artifact(path)
    weights = weights_of(artifact)
    size = sum(values.size for values in weights)
    zeros = sum(int(np.count_nonzero(values == 0)) for values in weights)
    distinct = [len(np.unique(values)) for values in weights]
    data = path.read_bytes()
    return FileFacts(
        form,
        len(data),
        len(gzip.compress(data, 9, mtime=0)),
        sum(macs(graph, op) for graph, op in artifact.all_ops()),
        zeros / max(1, size),
        int(np.median(distinct)) if distinct else 0,
    )


def weights_of(artifact: Artifact) -> list[Any]:
    """Constant weights of all dot products, as stored."""
    found = {}
    for graph, op in artifact.all_ops():
        place = _WEIGHTED.get(op.name)
        if place is None or op.inputs[place] < 0:
            continue
        tensor = graph.tensors[op.inputs[place]]
        if tensor.constant is not None:
            found[graph.index, tensor.index] = tensor.values()
    return list(found.values())
