"""Files of the corpus by litert-torch, in its own environment.

usage: python -m benchmarks.corpus.by_litert_torch FOLDER    with lines of ``family name`` on stdin
"""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.corpus.catalogue import CORPUS
from benchmarks.corpus.served import serve

_SECONDS, _MEMORY = 300, 10 << 30


def main() -> None:
    """Writes ``FOLDER/<family>/<name>.litert_torch.tflite``."""
    import litert_torch  # noqa: F401 - imported once for all children

    folder = Path(sys.argv[1])
    serve(lambda family, name: _made(folder, family, name), seconds=_SECONDS, memory_bytes=_MEMORY)


def _made(folder: Path, family: str, name: str) -> str:
    import litert_torch
    import torch

    from benchmarks.corpus.building import built

    torch.set_num_threads(1)
    module, inputs = built(family, name, CORPUS[family][name])
    target = folder / family / f"{name}.litert_torch.tflite"
    litert_torch.convert(module, inputs).export(str(target))
    return str(target)


if __name__ == "__main__":
    main()
