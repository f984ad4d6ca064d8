"""Results to make pages of, as the commands' JSON has them."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np

from edge_sdk.artifact.model import parse_artifact
from edge_sdk.checks.checking import check
from edge_sdk.data.png import png_bytes
from edge_sdk.profile.reading import find_profile
from tests.graphs import Graph, options

HOSTILE = '<script>alert("x")</script>\x07 & co'


def long_model(ops: int) -> bytes:
    """A chain of convolutions and what delegates refuse between them; names are HTML."""
    graph, generator = Graph(), np.random.default_rng(0)
    kernel = graph.constant("kernel", generator.standard_normal((8, 3, 3, 8)).astype(np.float32))
    bias = graph.constant("bias", np.zeros(8, np.float32))
    first = last = graph.tensor("image", (1, 8, 8, 8))
    for place in range(ops):
        name = ("CONV_2D", "RELU", "SIGN")[place % 3]
        result = graph.tensor(f"block_{place // 30}/{HOSTILE}/{name.lower()}_{place}", (1, 8, 8, 8))
        conv = options("Conv2DOptions", stride_w=1, stride_h=1) if name == "CONV_2D" else None
        graph.op(name, (last, kernel, bias) if conv else (last,), (result,), conv)
        last = result
    return graph.finish((first,), (last,))


def check_result(ops: int) -> dict[str, Any]:
    """A check of such a model."""
    artifact = parse_artifact(long_model(ops), path=Path("folder/<i>model</i>.tflite"))
    found: dict[str, Any] = as_read(check(artifact, find_profile("pixel-8")).as_json())
    return found


def grown(data: dict[str, Any], ops: int) -> dict[str, Any]:
    """A check of a model with so many ops: those of a small one again and again."""
    few = data["timeline"]["ops"]

    def again(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [{**rows[place % len(rows)], "op": place} for place in range(ops)]

    delegates = [{**one, "places": again(one["places"])} for one in data["delegates"]]
    return {**data, "delegates": delegates, "timeline": {**data["timeline"], "ops": again(few)}}


def as_read(data: Any) -> Any:
    """What reading the JSON gives."""
    return json.loads(json.dumps(data, default=str))


def details(ops: int = 5) -> dict[str, Any]:
    """Of a file with a result that is clipped, and two samples that flipped, one of them no picture."""
    timeline = check_result(ops)["timeline"]
    timeline["ops"] = [{**op, "computes": "int8"} for op in timeline["ops"]]
    rows = [
        {"tensor": op["result"], "op": op["name"], "op_index": op["op"], "sqnr_db": 40.0 - op["op"], "loss_db": 1.0}
        | {"added_noise": 0.01}
        for op in timeline["ops"]
    ]
    histogram = {**rows[0], "dtype": "int8", "low": -2.0, "high": 6.0, "reference": [1] * 64, "candidate": [2] * 64}
    histogram |= {"range_low": -1.0, "range_high": 5.0, "clipped": 0.25}
    picture = base64.b64encode(png_bytes(np.arange(192, dtype=np.uint8).reshape(8, 8, 3))).decode()
    flip = {"sample": 3, "output": "scores", "reference": 1, "candidate": 0, "lost": 0.5, "picture": picture}
    broken = {**flip, "sample": 4, "picture": '"><script>'}
    return {
        "timeline": timeline,
        "tensors": rows,
        "tensor_samples": 8,
        "histograms": [histogram],
        "flips": [flip, broken],
        "flipped": 2,
        "op_times": [{"op": 0, "us": 2500.0}],
    }


def output(**changes: Any) -> dict[str, Any]:
    """Parity of one output, within its bound."""
    bound = {"kind": "sqnr_db", "value": 10.0, "derivation": "asked for"}
    row = {"name": HOSTILE, "ok": True, "bound": bound, "sqnr_db": 31.5, "max_abs_error": 0.1, "cosine": 0.99}
    row |= {"top1_agreement": 0.9, "rows": 20, "parts": [], "has_power": True, "dead": [], "constant": False}
    return row | changes


def conversion(**changes: Any) -> dict[str, Any]:
    """A conversion that is right and kept its accuracy, with details."""
    finding = {"rule": "slower-than-float", "severity": "warning", "message": HOSTILE, "where": "x", "hint": "do y"}
    data = {
        "verified": True,
        "failed": None,
        "right": {"faults": [], "ops_checked": 5, "ops_unchecked": {"SIGN": 1}},
        "accurate": {"state": "kept", "reason": "31 dB"},
        "output": "out.tflite",
        "recipe": "static_wi8_ai8",
        "recipe_choice": "",
        "source": HOSTILE,
        "framework": "keras 3",
        "artifact": {"size_bytes": 1000, "macs": 5, "sha256": "ab"},
        "attempts": [{"name": "tensorflow", "accepted": True, "reason": ""}],
        "data": {"count": 20, "description": "data.npz"},
        "calibration": None,
        "parity": [output()],
        "timings_measured": [],
        "tools": ["tensorflow"],
        "findings": [finding, {**finding, "where": "z"}],
        "check": None,
        "details": details(),
    }
    return data | changes


def comparison(**changes: Any) -> dict[str, Any]:
    """Two files, one output beyond its bound."""
    told = details()
    data = {
        "reference": "a.tflite",
        "candidate": "b.tflite",
        "ok": False,
        "data": {"count": 20, "description": "seeded data"},
        "outputs": [output(ok=False, sqnr_db=3.0)],
        "tensors": told["tensors"],
        "details": told,
        "findings": [],
    }
    return data | changes


def optimization(**changes: Any) -> dict[str, Any]:
    """A search of three points, as ``front.json`` has it: the reference, the choice, and one that failed."""
    drop = {"value": 0.2, "low": -0.1, "high": 0.6, "samples": 100, "of": 200, "state": "within"}
    drop |= {"confidence": 0.97, "needed": None}
    latency = {"ms": 2.0, "low_ms": 1.9, "high_ms": 2.1, "truth": "measured", "where": "this machine's CPU"}
    file = {"key": "ab", "size_bytes": 1 << 20, "compressed_bytes": 9 << 16, "int8_macs": 0.9, "memory_bytes": None}
    plain = {"order": 0, "move": "reference", "why": HOSTILE, "recipe": "float32", "spared": [], "file": file}
    plain |= {"latency": {**latency, "ms": 4.0, "low_ms": None, "high_ms": None}, "confirmed": None, "misses": []}
    plain |= {"confirmation": None}
    plain |= {"score": {"value": 0.9, "drop": {**drop, "value": 0.0}}, "accurate": True, "state": "fits"}
    plain |= {"on_front": True, "chosen": False}
    best = {**plain, "order": 1, "recipe": "static_wi8_ai8", "spared": ["a", "b"], "latency": latency, "chosen": True}
    best["expected_ms"] = 2.25
    best |= {"score": {"value": 0.899, "drop": drop}, "confirmed": {"value": 0.898, "drop": drop}}
    best |= {"confirmation": "confirmed"}
    failed = {**plain, "order": 2, "file": None, "latency": None, "score": None, "state": "failed", "on_front": False}
    data = {
        "schema": "edge-sdk optimize 1",
        "source": HOSTILE,
        "profile": "pixel-8",
        "objective": "latency",
        "confidence": 0.95,
        "metric": {"name": "accuracy", "unit": "points", "higher_is_better": True, "data": "eval.npz"}
        | {"search_samples": 200, "confirm_samples": 100, "calibration": "100 samples"},
        "budgets": {"max_drop": 0.5, "max_latency_ms": 3.0, "max_size_mib": None, "max_memory_mib": None},
        "reference": plain,
        "points": [best, failed],
        "chosen": 1,
        "confirmation": "confirmed",
        "why": "nothing faster keeps it",
        "stopped": "done",
        "evaluations": 3,
        "samples_run": 1000,
        "seconds": 12.5,
        "ranking": "by noise",
        "groups": [{"name": "head", "ops": 2, "macs": 10, "damage": 0.1, "extra_us": 3.0, "spared": True}],
        "predicted_front": [
            {"spared": spared, "damage": 2.0 - spared, "ms": 2.0 + spared, "size_bytes": 1 << 20}
            | {"truth": "predicted" if spared == 1 else "measured"}
            for spared in range(3)
        ],
        "findings": ["a finding"],
        "folder": "out",
    }
    return data | changes


def sweep(**changes: Any) -> dict[str, Any]:
    """Three jobs: two on the front, one that failed; and a regression."""
    row = dict.fromkeys(("data", "profile", "device", "chosen", "fits", "memory_bytes", "sha256", "error", "attempts"))
    row |= {"source": HOSTILE, "recipe": "float32", "state": "done", "size_bytes": 4 << 20, "int8_macs": 0.0}
    row |= {"sqnr_db": 100.0, "metric": 0.9, "drop": 0.0, "latency_ms": 4.0, "seconds": 1.0}
    small = {**row, "recipe": "static_wi8_ai8", "size_bytes": 1 << 20, "drop": 0.4, "latency_ms": 1.0, "fits": False}
    failed = {**row, "recipe": "qat", "state": "failed", "error": "RecipeError: no data", "size_bytes": None}
    failed |= {"sqnr_db": None, "metric": None, "drop": None, "latency_ms": None, "int8_macs": None}
    change = {
        "labels": {"source": "m", "recipe": "int8"},
        "what": "drop",
        "before": 0.1,
        "after": 0.9,
        "regression": True,
    }
    data = {"schema": "edge-sdk sweep 1", "folder": "plan.sweep", "rows": [row, small, failed], "changes": [change]}
    return data | {"done": 3, "failed": 1, "seconds": 3.0, "files": ["plan.sweep/table.json"]} | changes
