"""Files of several signatures for the Java wrapper's tests, with what Python reads in them and makes of them."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from edge_sdk import Session
from edge_sdk.artifact.model import parse_artifact
from edge_sdk.artifact.variables import variables
from edge_sdk.bundle import open_bundle
from edge_sdk.bundle.creating import create_bundle
from edge_sdk.bundle.options import Golden
from tests.hostile.models import branches, recurrent
from tests.runtime import kinds
from tests.runtime.test_decisions import classes
from tests.runtime.test_sequence import CALLS, forged, int8_model, model, repacked

_FILES: dict[str, Callable[[], bytes]] = {
    "calls": model,
    "calls8": int8_model,
    "delay": lambda: kinds.delay("float32", (1, 4)),
    "svdf": recurrent,
    "unnamed": lambda: kinds.unnamed("float32", (2, 3)),
}
# Whose argmax or top-k goes either way: what it decides between is equal.
_DECIDING: dict[str, Callable[[], bytes]] = {
    "argmax": classes,
    "unsigned-argmax": lambda: classes(signature=False),
    "top": lambda: classes(top=True),
}
_SEED = 5


def write_signatures(folder: Path) -> None:
    """``*.tflite``, golden sequences in ``*.edge``, and JSON of what is right."""
    for name, make in {**_FILES, **_DECIDING}.items():
        (folder / f"{name}.tflite").write_bytes(make())
    for name in _DECIDING:
        create_bundle([folder / f"{name}.tflite"], folder / f"{name}.edge", golden=Golden(samples=4))
    create_bundle([folder / "calls.tflite"], folder / "calls.edge", golden=Golden(samples=3, calls=tuple(CALLS)))
    create_bundle(
        [folder / "calls8.tflite"], folder / "calls8.edge", golden=Golden(samples=3, calls=("prefill", "decode"))
    )
    forged(folder / "calls.edge", model(1.5))
    _dump(folder / "lies.json", list(_lies(folder)))
    _dump(folder / "variables.json", list(_variables()))
    _dump(folder / "calls.json", {name: list(_steps(folder, name)) for name in _FILES if name != "unnamed"})


def _steps(folder: Path, name: str) -> Iterator[dict[str, Any]]:
    """Runs of one session that keeps its state, in order: a signature, a sequence, the model's own entry, a reset."""
    draw = np.random.default_rng(_SEED)

    def drawn(specs: Any) -> dict[str, Any]:
        # Halves of small numbers: sums of them are exact in every order, and steps of every scale here.
        return {spec.name: (draw.integers(-8, 9, spec.shape) / 2).astype(np.float32) for spec in specs}

    with Session.open(folder / f"{name}.tflite", delegate="cpu", keep_state=True) as session:
        keys = ["prefill", "decode"] if name.startswith("calls") else []
        for round_ in range(3):
            for key in [*keys, *keys[1:]]:
                called = session.signature(key)
                given = drawn(called.inputs)
                yield _step(given, called.run(given), key=key)
            if keys:
                sequence = session.sequence([*keys, *keys[1:]])
                given = drawn(sequence.inputs)
                yield _step(given, sequence.run(given), calls=[*keys, *keys[1:]])
            for _ in range(2):
                given = drawn(session.inputs)
                yield _step(given, session.run(given))
            if round_ == 1:
                session.reset()
                yield {"reset": True}


def _step(given: dict[str, Any], made: dict[str, Any], **how: Any) -> dict[str, Any]:
    return {
        "inputs": {name: _array(values) for name, values in given.items()},
        "outputs": {name: _array(values) for name, values in made.items()},
        **how,
    }


def _lies(folder: Path) -> Iterator[dict[str, str]]:
    """Bundles whose manifest says of its sequences what is not so."""
    with open_bundle(folder / "calls.edge") as opened:
        table = opened.manifest.as_json()
    (sequence,) = table["variants"][0]["sequences"]
    changes: list[tuple[dict[str, Any], str]] = [
        ({"calls": ["prefill", "decode"]}, "in prefill then decode than the manifest says"),
        ({"calls": ["prefill", "absent"]}, "in prefill then absent than the manifest says"),
        ({"calls": []}, "a sequence without calls or runs"),
        ({"golden": []}, "a sequence without calls or runs"),
        ({"tolerance": {}}, "its tolerances are not those"),
    ]
    for place, (change, words) in enumerate(changes):
        table["variants"][0]["sequences"] = [sequence | change]
        yield {"file": repacked(folder / "calls.edge", table, folder / f"lie-{place}.edge").name, "words": words}


def _variables() -> Iterator[dict[str, Any]]:
    files = [*(make() for make in _FILES.values()), branches(), kinds.several("float32", (2, 3)), model(2.0)]
    for content in files:
        found = variables(parse_artifact(content))
        named = {
            "needs": found.needs,
            "gives": found.gives,
            "initial": frozenset().union(*found.inits.values()),
        }
        plain = {what: sorted(name.strip("/") for name in names) for what, names in named.items()}
        yield {"model": base64.b64encode(content).decode(), **plain}


def _array(values: Any) -> dict[str, Any]:
    values = np.asarray(values, order="C")
    data = base64.b64encode(values.astype(values.dtype.newbyteorder("<")).tobytes()).decode()
    return {"dtype": values.dtype.name, "shape": list(values.shape), "data": data}


def _dump(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value), encoding="utf-8")
