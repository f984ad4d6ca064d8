"""The whole corpus: exported in its own environment, lowered in this one."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.corpus import lowering
from benchmarks.corpus.catalogue import CORPUS
from benchmarks.peers.environments import python_of

_ROOT = Path(__file__).parents[2]
_DONE = ".npz"


def rows(cache: Path, only: Sequence[str], say: Callable[[str], None]) -> Iterator[dict[str, Any]]:
    """A row for each model; exports that are there from before are used.

    Args:
        cache: for ONNX files, inputs and expected outputs.
        only: families, or ``family/name``; all if empty.
        say: hears of progress.
    """
    folder = cache / "corpus"
    for family in CORPUS:
        names = [name for name in CORPUS[family] if not only or {family, f"{family}/{name}"} & set(only)]
        missing = [name for name in names if not (folder / family / f"{name}{_DONE}").exists()]
        if missing:
            say(f"{family}: exporting {len(missing)} models")
            command = [str(python_of("corpus")), "-m", "benchmarks.corpus.exporting", str(folder), family, *missing]
            subprocess.run(command, check=True, cwd=_ROOT)
        lowering.preload()
        for name in names:
            yield lowering.row_of(folder, family, name)
