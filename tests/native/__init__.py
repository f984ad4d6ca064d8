"""C sources of the tests, compiled when they run."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

HERE = Path(__file__).parent


def compiler() -> str | None:
    """The C compiler of this machine, if it has one."""
    return shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")


def build_library(target: Path, *sources: Path, flags: tuple[str, ...] = ()) -> Path:
    """A shared library; warnings are errors."""
    warnings = ("-std=c11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror")
    command = [str(compiler()), *warnings, "-O1", "-shared", "-fPIC", "-fvisibility=hidden", "-o", str(target)]
    subprocess.run([*command, *map(str, sources), *flags], check=True)
    return target
