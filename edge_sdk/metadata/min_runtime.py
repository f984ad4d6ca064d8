"""``min_runtime_version``: the oldest TFLite runtime that has every op of a file at its version."""

from __future__ import annotations

import json
from functools import cache
from importlib import resources

from edge_sdk.artifact.model import Artifact
from edge_sdk.artifact.runtimes import runtime_need

# Their versions are TensorFlow's; LiteRT counts anew from 1.0.
_TENSORFLOW_LINE = ("tflite-runtime", "tensorflow")


def min_runtime_version(artifact: Artifact) -> str | None:
    """A version of TensorFlow Lite such as ``2.3.0``, or None where no release of that line has every op.

    By TensorFlow's own table where it lists the op at its version; for newer ones the oldest runtime that was measured
    to load it.
    """
    used = {(op.name, op.version) for _, op in artifact.all_ops()}
    known = [_oldest().get(name, {}).get(version) for name, version in used]
    versions = [version for version in known if version is not None]
    if len(versions) < len(used):
        measured = runtime_need(artifact).runtime
        name, _, version = (measured or "").partition(" ")
        if name not in _TENSORFLOW_LINE:
            return None
        versions.append(version)
    return max(versions, key=_key, default=None)


@cache
def _oldest() -> dict[str, dict[int, str]]:
    text = resources.files(__package__).joinpath("min_runtime.json").read_text(encoding="utf-8")
    table: dict[str, str] = json.loads(text)["oldest"]
    return {
        name: {version: oldest for version, oldest in enumerate(words.split(), 1) if oldest != "-"}
        for name, words in table.items()
    }


def _key(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))
