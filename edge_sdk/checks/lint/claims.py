"""What a file is called against what it computes in."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from edge_sdk.artifact.compute import compute_type, macs
from edge_sdk.artifact.model import Artifact
from edge_sdk.artifact.note import note_of
from edge_sdk.checks.lint.scene import EIGHT_BITS, Mark, Rule, Scene

_INT8_NAME = re.compile(r"(?<![a-z0-9])(w8a8|u?int8|qint8|i8|integer)(?![a-z0-9])", re.IGNORECASE)
_OTHER_NAME = re.compile(r"dynamic|dyn_range|drq|weight_only|weight-only|int16|16x8|a16|float", re.IGNORECASE)
_STATIC = ("static_wi8_ai8", "qat_wi8_ai8")
_FLOATS = ("float32", "float16", "hybrid_int8")
_TOLERATED = 0.01
_FLOAT_BYTES = 0.1
_SMALL = 4096


def claim(artifact: Artifact) -> str:
    """Why a file passes for int8, in words; empty where it does not."""
    note = note_of(artifact) or {}
    recipe = str(note.get("recipe", ""))
    if recipe:
        return f"its recipe is {recipe}" if recipe.startswith(_STATIC) else ""
    name = artifact.path.stem if artifact.path else ""
    if _INT8_NAME.search(name.replace("_", " ")) and not _OTHER_NAME.search(name):
        return "its name says int8"
    ends = [t.dtype for t in (*artifact.signature.inputs.values(), *artifact.signature.outputs.values())]
    return "its inputs and outputs are of 8 bits" if ends and set(ends) <= EIGHT_BITS else ""


def _work(artifact: Artifact) -> Counter[str]:
    """Compute type to MACs; to ops where the file has no MACs."""
    work: Counter[str] = Counter()
    has_macs = any(macs(graph, op) for graph, op in artifact.all_ops())
    for graph, op in artifact.all_ops():
        kind = compute_type(graph, op)
        if kind not in {"convert", "control", "integer"}:
            work[kind] += macs(graph, op) if has_macs else 1
    return work


def int8_is_float(scene: Scene) -> Iterator[Mark]:
    """Called int8 by name, note or ends, and float or dynamic range inside."""
    why, work = claim(scene.artifact), _work(scene.artifact)
    total = sum(work.values())
    share = sum(work[kind] for kind in _FLOATS) / total if total else 0.0
    if why and share > _TOLERATED:
        parts = ", ".join(f"{work[kind] / total:.0%} {kind}" for kind in _FLOATS if work[kind])
        message = f"passes for int8, for {why}; {share:.0%} of its work is done in float ({parts})"
        yield Mark("warning", message, found=f"{share:.1%} in float", limit=f"{_TOLERATED:.0%}", share=share)


def dynamic_range(scene: Scene) -> Iterator[Mark]:
    """int8 weights under float activations, which nobody called int8."""
    work = _work(scene.artifact)
    share = work["hybrid_int8"] / max(1, sum(work.values()))
    if share > _TOLERATED and not claim(scene.artifact):
        message = f"{share:.0%} of its work is dynamic range: int8 weights, float activations; no NPU takes that"
        yield Mark("info", message, found=f"{share:.1%} dynamic range", limit="static int8 for an NPU", share=share)


def float_constants(scene: Scene) -> Iterator[Mark]:
    """A file that passes for int8 whose bytes are float."""
    stored = {t.buffer: t for g in scene.artifact.subgraphs for t in g.tensors if t.constant is not None}
    sizes = [(t.constant.nbytes, t) for t in stored.values() if t.constant is not None and t.dtype == "float32"]
    floats, total = sum(size for size, _ in sizes), max(1, scene.artifact.weights_bytes)
    if claim(scene.artifact) and floats >= _SMALL and floats / total > _FLOAT_BYTES:
        largest = max(sizes, key=lambda item: item[0])[1]
        message = f"passes for int8, but {floats / total:.0%} of its constants' bytes are float32"
        limit = f"{_FLOAT_BYTES:.0%}"
        yield Mark("warning", message, tensor=largest, found=f"{floats} bytes", limit=limit, share=floats / total)


RULES = (
    Rule("int8-is-float", int8_is_float, "convert with recipe static_wi8_ai8 and calibration data", whole_file=True),
    Rule("dynamic-range", dynamic_range, "static_wi8_ai8 where an NPU or DSP shall run it", whole_file=True),
    Rule("float-constants", float_constants, "convert again; a whole layer was left in float", whole_file=True),
)
