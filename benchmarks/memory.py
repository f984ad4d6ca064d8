"""Heap that a file takes on this machine, predicted from the file and measured in a process of its own.

Measured is what glibc's ``mallinfo2`` counts around ``allocate_tensors`` and the first run on one thread, after another
model has run in that process: a library's first call takes memory that stays. Predicted is
:func:`edge_sdk.checks.memory.cpu_path.xnnpack_footprint` for the CPU that the machine says it has.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from edge_sdk.artifact import read_artifact
from edge_sdk.artifact.model import Artifact
from edge_sdk.checks.delegates.xnnpack.kernels import cpu_kernels
from edge_sdk.checks.memory.cpu_path import xnnpack_footprint
from edge_sdk.checks.memory.footprint import Footprint
from edge_sdk.converters import Options, convert_all
from edge_sdk.converters.sources.opened import OpenSource
from edge_sdk.converters.sources.source import SourceOptions
from edge_sdk.converters.workers.workshop import Workshop
from edge_sdk.data import seeded_samples
from edge_sdk.engines.installed import find_engine
from edge_sdk.errors import EdgeSdkError
from edge_sdk.profile.detect import this_cores, this_isa
from tests.core.checks.memory.heap_oracle import ENVIRONMENT
from tests.graphs import conv_model

RECIPES = ("float32", "float16", "dynamic_wi8_afp32", "static_wi8_ai8", "static_wi8_ai16")
_PYTORCH = Path(__file__).parent / "models" / "pytorch.py"
_SAMPLES = 16
_TABLES = {"user_id": 200, "item_id": 500}


def predicted(artifact: Artifact, *, engine: str | None = None) -> Footprint:
    """With XNNPACK, as the engine of that version places it."""
    return xnnpack_footprint(artifact, cpu_kernels(*this_isa(), this_cores()), version=engine)


def measured(path: Path, warm: Path) -> int:
    """Bytes of heap; in a child process, which runs ``warm`` first."""
    command = [sys.executable, "-m", "tests.core.checks.memory.heap_oracle", str(warm), str(path)]
    done = subprocess.run(command, env=os.environ | ENVIRONMENT, capture_output=True, text=True, check=True)
    return int(json.loads(done.stdout.splitlines()[-1]))


def rows_of(files: Sequence[Path]) -> Iterator[dict[str, Any]]:
    """A row for each file."""
    return (_row(path) for path in files)


def rows(cache: Path) -> Iterator[dict[str, Any]]:
    """A row for each file of each model that converts."""
    from benchmarks.models.pytorch import MODELS

    folder = cache / "memory"
    folder.mkdir(parents=True, exist_ok=True)
    for name in MODELS:
        yield from _model_rows(name, folder)


def _model_rows(name: str, folder: Path) -> Iterator[dict[str, Any]]:
    files = {recipe: folder / f"{name}_{recipe}.tflite" for recipe in RECIPES}
    if not any(path.exists() for path in files.values()):
        _make(name, files)
    for path in files.values():
        if path.exists():
            yield _row(path)


def _make(name: str, files: dict[str, Path]) -> None:
    """The last recipe that a model cannot have ends the row of its files."""
    source = f"{_PYTORCH}:{name}"
    with Workshop() as shop:
        specs = OpenSource(shop, source, SourceOptions()).description.inputs
    data = list(seeded_samples(specs, count=_SAMPLES, seed=1, index_bounds=_TABLES))
    options = Options(calibration=data, data=data, samples=_SAMPLES, timing=False, keep_unverified=True)
    try:
        list(convert_all(source, files, **options))
    except EdgeSdkError as error:
        print(f"{name}: not all made: {error}", file=sys.stderr)


def _row(path: Path) -> dict[str, Any]:
    artifact = read_artifact(path)
    need = predicted(artifact, engine=find_engine("ai-edge-litert").version)
    with tempfile.TemporaryDirectory() as folder:
        warm = Path(folder) / "warm.tflite"
        warm.write_bytes(conv_model())
        real = measured(path, warm)
    return {
        "model": path.stem,
        "predicted_bytes": need.heap_bytes,
        "measured_bytes": real,
        "error": round(need.heap_bytes / real - 1, 4),
        "packed_bytes": need.packed_bytes + need.unpacked_bytes + need.indirection_bytes,
        "workspace_bytes": need.workspace_bytes,
        "arena_bytes": need.arena_bytes,
    }
