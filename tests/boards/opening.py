"""Opens models with delegates, one after the other in one process, and tells as JSON what happened.

``python opening.py CASES.json`` runs anywhere edge_sdk is importable: here, beside a GPU driver, on an emulated board.
Standard output must hold the JSON and nothing else.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from edge_sdk.errors import EdgeSdkError
from edge_sdk.runtime import Session
from edge_sdk.runtime.candidates import candidate


def main(path: str) -> None:
    """Cases are the arguments of :func:`_answer`; answers come in their order."""
    cases = json.loads(Path(path).read_text(encoding="utf-8"))
    print(json.dumps([_answer(**case) for case in cases]))


def inputs_of(session: Session, seed: int = 0) -> dict[str, Any]:
    """Seeded values: floats of a normal distribution, integers over the type's whole range."""
    generator = np.random.default_rng(seed)
    return {spec.name: _values(spec.static_shape, np.dtype(spec.dtype), generator) for spec in session.inputs}


def _values(shape: tuple[int, ...], dtype: np.dtype[Any], generator: np.random.Generator) -> Any:
    if dtype.kind == "f":
        return generator.standard_normal(shape).astype(dtype)
    limits = np.iinfo(dtype)
    return generator.integers(limits.min, limits.max + 1, shape).astype(dtype)


def _answer(
    model: str, delegate: str, options: dict[str, str] | None = None, policy: dict[str, Any] | None = None
) -> dict[str, Any]:
    wanted = "auto" if delegate == "auto" else replace(candidate(delegate), options=options or {})
    try:
        with Session.open(model, delegate=wanted, policy=policy, values="raw") as session:
            outputs = session.run(inputs_of(session))
            chosen = session.receipt.as_json()["openings"][0]["chosen"]
    except EdgeSdkError as error:
        return error.as_json()
    return {**chosen, "outputs": {name: values.tolist() for name, values in outputs.items()}}


if __name__ == "__main__":
    main(sys.argv[1])
