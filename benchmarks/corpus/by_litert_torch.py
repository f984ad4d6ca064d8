"""Files of the corpus by litert-torch, in its own environment.

usage: python -m benchmarks.corpus.by_litert_torch FOLDER FAMILY NAME
"""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.corpus.catalogue import CORPUS


def main() -> None:
    """Writes ``FOLDER/litert_torch.tflite``; what it raises ends the process."""
    folder, family, name = sys.argv[1:]
    import litert_torch
    import torch

    from benchmarks.corpus.building import built

    torch.set_num_threads(1)
    module, inputs = built(family, name, CORPUS[family][name])
    litert_torch.convert(module, inputs).export(str(Path(folder) / "litert_torch.tflite"))


if __name__ == "__main__":
    main()
