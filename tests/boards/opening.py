"""Opens models with delegates, one after the other in one process, and tells as JSON what happened.

``python opening.py CASES.json`` runs anywhere edge_sdk is importable: here, beside a GPU driver, on an emulated board.
Standard output must hold the JSON and nothing else.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from edge_sdk.errors import EdgeSdkError
from edge_sdk.runtime.delegates import DelegateOptions, open_with
from edge_sdk.runtime.engines import find_engine
from edge_sdk.runtime.source import ModelSource, open_source


def main(path: str) -> None:
    """Cases are ``{"model": path, "delegate": name, "options": {...}}``; answers come in their order."""
    cases = json.loads(Path(path).read_text(encoding="utf-8"))
    print(json.dumps([_answer(**case) for case in cases]))


def inputs_of(model: ModelSource, seed: int = 0) -> dict[str, Any]:
    """Seeded values: floats of a normal distribution, integers over the type's whole range."""
    generator = np.random.default_rng(seed)
    found = {}
    for name, tensor in model.artifact.signature.inputs.items():
        if tensor.dtype == "float32":
            found[name] = generator.standard_normal(tensor.shape).astype(np.float32)
        else:
            limits = np.iinfo(tensor.dtype)
            found[name] = generator.integers(limits.min, limits.max, tensor.shape, tensor.dtype, endpoint=True)
    return found


def _answer(model: str, delegate: str, options: dict[str, Any]) -> dict[str, Any]:
    source = open_source(model)
    try:
        executor = open_with(delegate, source, DelegateOptions(find_engine(), **options))
    except EdgeSdkError as error:
        return error.as_json()
    executor.write(inputs_of(source))
    executor.invoke()
    outputs = {name: values.tolist() for name, values in executor.read().items()}
    placed = executor.placement()
    answer = {
        "engine": executor.engine,
        "arithmetic": executor.arithmetic,
        "notes": executor.notes,
        "delegated": placed and placed.delegated,
        "partitions": placed and placed.partitions,
        "count": placed and placed.count,
        "outputs": outputs,
    }
    executor.close()
    return answer


if __name__ == "__main__":
    main(sys.argv[1])
