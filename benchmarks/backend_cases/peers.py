"""The same cases through a peer: onnx2tf, called as its documentation says, and given every benefit of the doubt.

Inputs keep their shapes (``keep_shape_absolutely_input_names``), onnxsim runs where it likes, and a result that is
right but for its layout counts as equal. litert-torch takes programs of torch.export and no ONNX: it has no row.
"""

from __future__ import annotations

import importlib
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import by_onnx2tf, kept
from benchmarks.backend_cases import cases as onnx_cases
from benchmarks.corpus.forked import ChildError, forked

_SECONDS, _MEMORY_BYTES = 300, 12 << 30
NO_FILE = "no file"


def row(case: Path) -> dict[str, str]:
    """The outcome of one case: equal, with parameters known or not; differs; no file, and the first line of why."""
    for module in ("onnx2tf", "ai_edge_litert.interpreter"):
        importlib.import_module(module)
    try:
        model, feeds, wants = onnx_cases.read(case)
    except onnx_cases.NoTensorError as error:
        return {"case": case.name, "outcome": onnx_cases.NO_FORM, "why": str(error)}
    outcome, why = _tried(model, feeds, wants)
    if outcome != onnx_cases.EQUAL and len(feeds) > 1:
        known, first = onnx_cases.with_known_parameters(model, feeds)
        again, _ = _tried(known, first, wants)
        if again == onnx_cases.EQUAL:
            outcome, why = onnx_cases.KNOWN, ""
    return {"case": case.name, "outcome": outcome, "why": why}


def _tried(model: Any, feeds: dict[str, Any], wants: list[Any]) -> tuple[str, str]:
    try:
        outcome, why = forked(lambda: _outcome(model, feeds, wants), seconds=_SECONDS, memory_bytes=_MEMORY_BYTES)
    except ChildError as error:
        return NO_FILE, str(error).splitlines()[0][:120]
    return outcome, why


def _outcome(model: Any, feeds: dict[str, Any], wants: list[Any]) -> tuple[str, str]:
    content = by_onnx2tf.float_file(
        model,
        keep_shape_absolutely_input_names=list(feeds) or None,
        copy_onnx_input_output_names_to_tflite=True,
    )
    results = _run(content, feeds)
    faults = [_fault(got, want) for got, want in zip(results, wants, strict=True)]
    return (onnx_cases.DIFFERS, "; ".join(filter(None, faults))) if any(faults) else (onnx_cases.EQUAL, "")


def _run(content: bytes, feeds: dict[str, Any]) -> list[Any]:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=content)
    interpreter.allocate_tensors()
    ports = interpreter.get_input_details()
    by_name = {port["name"].removeprefix("serving_default_").split(":")[0]: port for port in ports}
    for place, (name, values) in enumerate(feeds.items()):
        port = by_name.get(name, ports[min(place, len(ports) - 1)])
        turned = tuple(port["shape"]) != values.shape and values.ndim > 2
        given = np.moveaxis(values, 1, -1) if turned else values
        interpreter.set_tensor(port["index"], given.astype(port["dtype"]))
    interpreter.invoke()
    return [interpreter.get_tensor(port["index"]) for port in interpreter.get_output_details()]


def _fault(got: Any, want: Any) -> str:
    """None where one order of axes is right: the peer's layout is its own."""
    fault = onnx_cases.fault(got, want)
    if fault and got.ndim == want.ndim > 2:
        return min(fault, onnx_cases.fault(np.moveaxis(got, -1, 1), want), key=len)
    return fault


def drawn(count: int) -> list[Path]:
    """So many cases, the same each time; all of them if 0."""
    every = list(onnx_cases.cases())
    return random.Random(0).sample(every, count) if count else every


def rows(folder: Path, chosen: list[Path], seconds: float = 0.0) -> Iterator[dict[str, Any]]:
    """``case``, and the outcome of each as ``peer`` and ``own``; see :mod:`benchmarks.kept`.

    Args:
        folder: for a file of each case.
        chosen: folders of cases.
        seconds: after which no new case is begun.
    """
    by_name = {f"{case.parent.name}/{case.name}": case for case in chosen}

    def both(name: str) -> dict[str, Any]:
        case = by_name[name]
        return {"case": case.name, "peer": row(case), "own": onnx_cases.row(case)}

    return kept.rows(folder, by_name, both, seconds=seconds)


def table(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Counts of outcomes for both, and each case that came out of the peer with other numbers."""
    peers = [one["peer"] for one in rows]
    peer, own = onnx_cases.summary(peers), onnx_cases.summary([one["own"] for one in rows])
    outcomes = dict.fromkeys([*own, *peer])
    counted = [{"outcome": o, "onnx2tf": peer.get(o, 0), "edge_sdk": own.get(o, 0)} for o in outcomes]
    return [*counted, *(one for one in peers if one["outcome"] == onnx_cases.DIFFERS)]
