"""Packages of this environment or of another: a vendor's pins seldom go with those of the converters."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from edge_sdk.errors import MissingToolError

_ASK = """
import importlib.metadata as m, importlib.util as u, json, sys
def look(package, module):
    try: version = m.version(package)
    except m.PackageNotFoundError: return None
    spec = u.find_spec(module)
    places = list(spec.submodule_search_locations or []) if spec else []
    return [version, places[0]] if places else None
print(json.dumps({p: look(p, n) for p, n in json.loads(sys.argv[1])}))
"""
_SECONDS = 60


@dataclass(frozen=True)
class Package:
    """An installed package: its version, and the folder of its module."""

    version: str
    folder: Path


def python_of(name: str, given: Path | None) -> Path:
    """The interpreter of the environment that holds a compiler.

    Args:
        name: of the compiler.
        given: by the user: an interpreter, or the folder of an environment; None for what ``EDGE_SDK_<NAME>_ENV`` says,
            else this one.

    Raises:
        MissingToolError: there is none.
    """
    variable = f"EDGE_SDK_{name.upper()}_ENV"
    told = given or (Path(os.environ[variable]) if os.environ.get(variable) else None)
    if told is None:
        return Path(sys.executable)
    python = told / "bin" / "python" if told.is_dir() else told
    if not python.is_file() or not os.access(python, os.X_OK):
        source = "--env" if given else variable
        raise MissingToolError(f"{source}: {told} is no Python environment", hint="give its folder, or its bin/python")
    # Not resolved: the link is what makes the environment.
    return python.absolute()


@cache
def packages(python: Path, wanted: Sequence[tuple[str, str]]) -> MappingProxyType[str, Package | None]:
    """What is installed there.

    Args:
        python: an interpreter.
        wanted: pairs of a package and its module.

    Raises:
        MissingToolError: the interpreter does not answer.
    """
    try:
        done = subprocess.run(  # noqa: S603 - an interpreter that the user named, or this one
            [str(python), "-c", _ASK, json.dumps(list(wanted))],
            capture_output=True,
            check=True,
            timeout=_SECONDS,
            stdin=subprocess.DEVNULL,
        )
        answer: dict[str, Any] = json.loads(done.stdout)
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        raise MissingToolError(f"{python}: does not answer as a Python does: {error}", hint="check --env") from error
    found = {name: Package(one[0], Path(one[1])) if one else None for name, one in answer.items()}
    return MappingProxyType(found)
