"""Our rules of GPU, NPU and CPU against what edge-compat measured: 659 entries of one op and one backend each.

The package's source archive (``pip download --no-deps --no-binary edge-compat edge-compat``, Apache-2.0) holds the
entries and the generator of its probes, files of one op; nothing of it is kept here. An entry whose conditions are
prose about a whole model has no probe, and is counted as that. A backend that crashed says nothing of what it would
have taken.
"""

from __future__ import annotations

import json
import sys
import tarfile
import tempfile
from collections import Counter
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from edge_sdk.artifact.model import Artifact, read_artifact
from edge_sdk.checks.checking import check
from edge_sdk.checks.placement.rule_sets import place_by
from edge_sdk.profile.reading import find_profile

_TAKEN = {"delegated": True, "incorrect": True, "fallback": False}
_CPUS = ("cpu_xnnpack", "wasm_xnnpack")
_CPU = "generic-x86-64-linux"
_ML_DRIFT = "ML Drift, behind CompiledModel, is another program than the GPU delegate that the rules are of"
EXPLAINED = {
    ("gpu_v2", "delegated", "ABS"): f"{_ML_DRIFT}: it computes int32",
    ("gpu_v2", "delegated", "ADD"): f"{_ML_DRIFT}: it computes int32",
    ("gpu_v2", "delegated", "SUB"): f"{_ML_DRIFT}: it computes int32",
    ("gpu_v2", "delegated", "RESHAPE"): f"{_ML_DRIFT}: it moves int32 and bool",
    ("gpu_v2", "delegated", "EMBEDDING_LOOKUP"): f"{_ML_DRIFT}, which has this op (the rules' note says so)",
    ("gpu_v2", "delegated", "ROUND"): f"{_ML_DRIFT}, which has this op (the rules' note says so)",
    ("gpu_v2", "delegated", "SLICE"): f"{_ML_DRIFT}: it slices fewer than three dimensions",
    ("gpu_v2", "delegated", "TRANSPOSE"): f"{_ML_DRIFT}: it takes five dimensions on the web",
    ("gpu_v2", "fallback", "RELU_0_TO_1"): f"{_ML_DRIFT}: on the web it lacks this op, which the delegate's parser has",
    (
        "gpu_v2",
        "fallback",
        "DEQUANTIZE",
    ): "their float16 is a model's input: ML Drift leaves it on the web, the delegate takes it",
    (
        "gpu_v2",
        "fallback",
        "BATCH_MATMUL",
    ): "their entry is of a constant left side, which our rules refuse; probes have none",
    ("gpu_v2", "fallback", "TRANSPOSE"): "their entry knows neither rank nor permutation, and their probe's is another",
    ("gpu_v2", "delegated", "MUL"): f"{_ML_DRIFT}: it takes values without dimensions on the web",
    (
        "gpu_v2",
        "fallback",
        "DIV",
    ): "their entry is of a value without dimensions, which our rules refuse; not so the probe",
    (
        "gpu_v2",
        "fallback",
        "MUL",
    ): "their entry is of a value without dimensions, which our rules refuse; not so the probe",
    ("qnn_htp", "delegated", "MUL"): "their probe's int16 has no scale, as no quantizer writes it",
    ("qnn_htp", "delegated", "SOFTMAX"): "their probe's int16 has no scale, as no quantizer writes it",
}
"""(rules, their status, op) to why both may be right. A difference that is not here is printed as one."""


def rows(archive: Path) -> Iterator[dict[str, Any]]:
    """A row for each snapshot: backend and version, entries, probes, agreement, each difference.

    Args:
        archive: ``edge_compat-*.tar.gz``.
    """
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(archive) as packed:
            packed.extractall(folder, filter="data")
        (source,) = Path(folder).iterdir()
        sys.path.insert(0, str(source / "src"))
        try:
            for path in sorted((source / "data" / "matrix").glob("*.json")):
                yield _row(json.loads(path.read_bytes()), Path(folder) / "probes")
        finally:
            sys.path.remove(str(source / "src"))


def _row(snapshot: dict[str, Any], folder: Path) -> dict[str, Any]:
    backend, rules = snapshot["backend"], _rules(snapshot["backend"])
    counts: Counter[str] = Counter()
    differences: Counter[tuple[str, str, str]] = Counter()
    for entry in snapshot["entries"]:
        probe = _probe(backend, entry, folder)
        taken = _TAKEN.get(entry["status"])
        if probe is None:
            counts["without_probe"] += 1
        elif taken is None:
            counts["crashed"] += 1
        elif _takes(rules, probe) == taken:
            counts["agree"] += 1
        else:
            differences[rules, entry["status"], entry["op"]] += 1
    held = counts["agree"] + sum(differences.values())
    return {
        "backend": backend,
        "version": snapshot["litert_version"],
        "rules": rules,
        "entries": len(snapshot["entries"]),
        "without_probe": counts["without_probe"],
        "crashed": counts["crashed"],
        "held": held,
        "agree": counts["agree"],
        "explained": sum(number for key, number in differences.items() if key in EXPLAINED),
        "differences": [
            {"op": op, "theirs": status, "count": number, "why": EXPLAINED.get((rules, status, op))}
            for (_, status, op), number in sorted(differences.items())
        ],
    }


def _rules(backend: str) -> str:
    if backend in _CPUS:
        return "cpu"
    return "qnn_htp" if backend.startswith("npu_qnn") else "gpu_v2"


def _probe(backend: str, entry: dict[str, Any], folder: Path) -> Artifact | None:
    """The file of one op that stands for an entry; None where its conditions cannot be built."""
    # Of the archive, which is unpacked for this run only.
    signatures, generator = (import_module(f"litert_compat.probe.{name}") for name in ("signatures", "gen"))
    try:
        made = generator.generate_fixture(signatures.signature_from_entry(backend, entry), folder)
    except signatures.UnprobeableSignatureError:
        return None
    return read_artifact(made.path)


def _takes(rules: str, probe: Artifact) -> bool:
    """Whether our rules say it is taken; on a CPU, whether `check` lets the file run."""
    if rules == "cpu":
        return bool(check(probe, find_profile(_CPU)).fits)
    return bool(place_by(rules, probe.main).claimed)


def table(result: dict[str, Any]) -> str:
    """Agreement by snapshot, and each difference with its reason."""
    if not result["rows"]:
        return ""
    head = "their backend | our rules | entries | with a probe | crashed there | agree | differ, explained | differ"
    lines = [f"| {head} |", "|" + " --- |" * 8]
    for row in result["rows"]:
        probes, held, agree = row["entries"] - row["without_probe"], row["held"], row["agree"]
        open_still = held - agree - row["explained"]
        cells = (f"{row['backend']} {row['version']}", row["rules"], row["entries"], probes, row["crashed"])
        share = f"{agree} of {held}" if held else "-"
        lines.append("| " + " | ".join(map(str, (*cells, share, row["explained"], open_still))) + " |")
    reasons = {
        (row["rules"], one["theirs"], one["op"]): one["why"] for row in result["rows"] for one in row["differences"]
    }
    lines.append("")
    for (rules, status, op), why in sorted(reasons.items(), key=str):
        lines.append(f"* {op}, `{status}` there, {rules} says otherwise: {why or 'NOT EXPLAINED'}")
    return "\n".join(lines)
