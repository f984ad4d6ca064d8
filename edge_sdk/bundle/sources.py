"""What the models of a bundle were made from: the source's hash, and the conversion report without what varies."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_sdk.errors import BundleError

# Seconds differ from run to run, and equal inputs shall make equal bundles.
_MEASURED = ("timings_measured", "stages_seconds")
_BLOCK = 1 << 20


@dataclass(frozen=True)
class SourceFacts:
    """File name, SHA-256 and framework of the model that was converted, as far as they are known."""

    name: str | None
    sha256: str | None
    framework: str | None


def source_facts(source: object, framework: str | None) -> SourceFacts:
    """Of a path or ``file.py:function``; a model in memory has neither name nor hash.

    Raises:
        BundleError: the path cannot be read.
    """
    if not isinstance(source, str | Path):
        return SourceFacts(None, None, framework)
    path = Path(str(source).rpartition(":")[0] if ".py:" in str(source) else source)
    try:
        return SourceFacts(path.name, _hash(path), framework)
    except OSError as error:
        raise BundleError(f"{path}: the source cannot be read for its hash: {error.strerror}") from error


def read_reports(paths: Sequence[Path]) -> list[Mapping[str, Any]]:
    """Conversion reports from what ``convert --report`` wrote: one, or several under ``conversions``.

    Raises:
        BundleError: a file cannot be read, or holds no report.
    """
    made: list[Mapping[str, Any]] = []
    for path in paths:
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise BundleError(f"{path}: cannot be read: {error.strerror}") from error
        except ValueError as error:
            raise BundleError(f"{path}: not JSON: {error}", hint="`convert --report` writes it") from error
        if not isinstance(data, dict):
            raise BundleError(f"{path}: not a conversion report", hint="`convert --report` writes it")
        made += data.get("conversions", [data])
    return made


def stable_report(report: Mapping[str, Any]) -> dict[str, Any]:
    """A conversion report without seconds, and without the folders of the machine it was made on."""
    made = {key: value for key, value in report.items() if key not in _MEASURED}
    made["attempts"] = [{k: v for k, v in one.items() if k != "seconds"} for one in report.get("attempts", ())]
    made["source"] = Path(str(report.get("source", ""))).name
    made["output"] = None
    made["artifact"] = dict(report["artifact"]) | {"path": None}
    return made


def report_hash(report: Mapping[str, Any]) -> str:
    """The SHA-256 of the file that a conversion report is about.

    Raises:
        BundleError: it is no conversion report.
    """
    artifact = report.get("artifact")
    found = artifact.get("sha256") if isinstance(artifact, Mapping) else None
    if not isinstance(found, str):
        raise BundleError("not a conversion report: it has no artifact.sha256", hint="`convert --report` writes one")
    return found


def _hash(path: Path) -> str:
    if not path.is_dir():
        return _file_hash(path)
    lines = [
        f"{_file_hash(file)}  {file.relative_to(path).as_posix()}\n"
        for file in sorted(path.rglob("*"))
        if file.is_file()
    ]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _file_hash(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()
