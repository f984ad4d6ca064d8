"""All that a search has found out, one JSON object a line: written as it comes, read again by ``--resume``.

A line is whole or not there: what a kill leaves half-written at the end is dropped, and found out again.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from edge_sdk.errors import OutputError

NAME = "archive.jsonl"


def content_key(facts: Any) -> str:
    """SHA-256 of plain data, whatever the order of its keys."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()


class Archive:
    """Answers by kind and key, in a file of one folder.

    Args:
        folder: where the file is, or will be.
        context: what all answers depend on: source, data, settings, versions.
        resume: take what is there.

    Raises:
        OutputError: there is an archive, and it is not to be resumed, or is of another search.
    """

    def __init__(self, folder: Path, context: Mapping[str, Any], *, resume: bool) -> None:
        self._path = folder / NAME
        self._known: dict[tuple[str, str], Any] = {}
        self.recalled = 0
        whole = self._read() if self._path.exists() else []
        if whole and not resume:
            raise OutputError(
                f"{self._path}: a search was begun here", hint="go on with --resume, or give another folder with -o"
            )
        if whole and whole[0].get("context") != dict(context):
            raise OutputError(
                f"{self._path}: is of another search: {_differing(whole[0].get('context', {}), context)}",
                hint="resume with the same source, data and options, or give another folder with -o",
            )
        for line in whole[1:]:
            self._known[line["kind"], line["key"]] = line["answer"]
        if not whole:
            self._path.write_bytes(b"")
            self._append({"context": dict(context)})

    def recall(self, kind: str, key: str, find_out: Callable[[], Any]) -> Any:
        """What is known, else what is found out now, which is written at once; plain data both ways."""
        place = (kind, key)
        if place in self._known:
            self.recalled += 1
            return self._known[place]
        answer = json.loads(json.dumps(find_out()))
        self._append({"kind": kind, "key": key, "answer": answer})
        self._known[place] = answer
        return answer

    def _read(self) -> list[dict[str, Any]]:
        data = self._path.read_bytes()
        end = data.rfind(b"\n") + 1
        if end < len(data):
            os.truncate(self._path, end)
        try:
            return [json.loads(line) for line in data[:end].splitlines()]
        except ValueError as error:
            raise OutputError(f"{self._path}: damaged: {error}", hint="give another folder with -o") from error

    def _append(self, line: dict[str, Any]) -> None:
        with self._path.open("ab") as file:
            file.write(json.dumps(line, sort_keys=True).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())


def _differing(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    keys = sorted(key for key in {*old, *new} if old.get(key) != new.get(key))
    return "; ".join(f"{key} was {old.get(key)!r}, is {new.get(key)!r}" for key in keys[:3])
