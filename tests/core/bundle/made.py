"""Bundles made without an engine: what the core tests need."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from edge_sdk.artifact.model import Artifact, parse_artifact
from edge_sdk.bundle.container import Member, frame
from edge_sdk.bundle.describe import describe_calls, describe_signature, precision, predicted_memory
from edge_sdk.bundle.manifest import (
    FORMAT,
    FORMAT_VERSION,
    MANIFEST,
    MANIFEST_HASH,
    GoldenRecord,
    GoldenSequence,
    Limit,
    Manifest,
    Provenance,
    Variant,
)
from edge_sdk.bundle.reading import manifest_hash_line
from edge_sdk.bundle.writing import write_bundle
from tests.graphs import conv_model

MODEL = "variants/float32/model.tflite"
LABELS = "labels/0.txt"
INPUT, OUTPUT = "golden/0/in-0.raw", "golden/0/out-0.raw"
RANKING = {"op": "top_k", "k": 2, "min_score": 0}


def contents() -> dict[str, bytes]:
    """Members of a small bundle with all kinds of them."""
    return {
        LABELS: b"a\nb\nc\nd\ne\n",
        INPUT: np.arange(192, dtype="<f4").tobytes(),
        OUTPUT: np.arange(5, dtype="<f4").tobytes(),
        MODEL: conv_model(),
    }


def manifest(model: bytes | None = None) -> Manifest:
    """Its manifest, but for the members."""
    artifact = parse_artifact(model or conv_model())
    limit = Limit("float32", "max_abs_error", 0.5, "a test's own")
    variant = Variant(
        id="float32",
        model=MODEL,
        recipe="float32",
        precision=precision(artifact),
        sha256=artifact.sha256,
        size_bytes=artifact.size_bytes,
        made_from_sha256=artifact.sha256,
        minimum_runtime="tflite-runtime 2.14.0",
        macs=1,
        signature=describe_signature(artifact),
        predicted_memory=predicted_memory(artifact),
        checked=(),
        golden=(GoldenRecord({"image": INPUT}, {"scores": OUTPUT}),),
        tolerance={"scores": (limit,)},
        sequences=(_sequence(artifact, limit),),
        report=None,
        compiled=None,
    )
    return Manifest(
        format=FORMAT,
        format_version=FORMAT_VERSION,
        name="digits",
        created_by="edge-sdk test",
        members=(),
        variants=(variant,),
        labels={"scores": LABELS},
        raw_processing={
            "inputs": [],
            "outputs": [{"name": "scores", "steps": [{"op": "top_k", "k": 2, "min_score": 0}]}],
        },
        provenance=Provenance(None, None, None, (), None, None),
    )


def _sequence(artifact: Artifact, limit: Limit) -> GoldenSequence:
    calls = (artifact.signature.key,)
    run = GoldenRecord({f"{calls[0]}/image": INPUT}, {f"{calls[0]}/scores": OUTPUT})
    return GoldenSequence(calls, *describe_calls(artifact, calls), (run,), {f"{calls[0]}/scores": (limit,)})


def write(path: Path, *, keys: Any = ()) -> Path:
    """A bundle as the writer makes it."""
    write_bundle(path, manifest(), contents(), keys=keys)
    return path


def pack(members: dict[str, bytes]) -> bytes:
    """Members in the one form, whatever they say."""
    made = frame(Member(name, len(data), zlib.crc32(data)) for name, data in members.items())
    parts = (part for pair in zip(made.headers, members.values(), strict=True) for part in pair)
    return b"".join(parts) + made.directory


def unpack(data: bytes) -> dict[str, bytes]:
    """Members by name, by another reader than ours."""
    import io
    import zipfile

    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def forged(path: Path, change: Callable[[dict[str, Any], dict[str, bytes]], None]) -> Path:
    """A bundle whose manifest was changed and whose hashes were made to fit again: what an attacker would do."""
    members = unpack(write(path).read_bytes())
    table = json.loads(members.pop(MANIFEST))
    members.pop(MANIFEST_HASH)
    change(table, members)
    for record in table.get("members", []):
        if record["name"] in members and record.pop("keep", None) is None:
            data = members[record["name"]]
            record |= {"size_bytes": len(data), "sha256": hashlib.sha256(data).hexdigest(), "crc32": zlib.crc32(data)}
    raw = json.dumps(table).encode()
    path.write_bytes(pack({MANIFEST: raw, MANIFEST_HASH: manifest_hash_line(raw), **members}))
    return path


def with_model(data: bytes) -> Callable[[dict[str, Any], dict[str, bytes]], None]:
    """A change that puts another model in, described as it is."""

    def change(table: dict[str, Any], members: dict[str, bytes]) -> None:
        members[MODEL] = data
        table["variants"][0] |= {"sha256": hashlib.sha256(data).hexdigest(), "size_bytes": len(data)}

    return change
