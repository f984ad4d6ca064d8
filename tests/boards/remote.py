"""Sessions opened in a process of another kind: with another driver, or on another processor."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

OPENING = Path(__file__).with_name("opening.py")
ROOT = OPENING.parents[2]


def open_all(
    cases: Sequence[Mapping[str, Any]],
    folder: Path,
    *,
    python: Path = Path(sys.executable),
    environment: Mapping[str, str] | None = None,
) -> list[dict[str, Any]]:
    """What ``opening.py`` answers to the cases.

    Args:
        cases: arguments of its ``_answer``.
        folder: gets the file of cases.
        python: which runs it: a board's, with what is installed there, or this one with this checkout.
        environment: in addition to this process's.
    """
    path = folder / "cases.json"
    path.write_text(json.dumps(list(cases)), encoding="utf-8")
    command = [str(python), str(OPENING), str(path)]
    checkout = {} if python != Path(sys.executable) else {"PYTHONPATH": _with_checkout()}
    given = {**os.environ, **checkout, **(environment or {})}
    done = subprocess.run(command, env=given, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (done.returncode, done.stderr[-2000:])
    # Nothing but the answers: what engines and drivers print goes to standard error.
    answers: list[dict[str, Any]] = json.loads(done.stdout)
    return answers


def _with_checkout() -> str:
    return os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
