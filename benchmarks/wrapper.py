"""What a session of the Java wrapper adds to a run, on an engine that computes nothing; on the JVM, not on Android."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from edge_sdk.android.properties import project

_ROOT = Path(__file__).parents[1]


def rows() -> list[dict[str, Any]]:
    """A row for a float and an int8 variant; JUnit's ``OverheadTest`` measures, the ways in turn."""
    maven = shutil.which("mvn")
    if maven is None:
        raise SystemExit("no mvn: apt-get install maven openjdk-17-jdk-headless")
    with tempfile.TemporaryDirectory() as folder:
        made, build = Path(folder) / "vectors", Path(folder) / "build"
        made.mkdir()
        subprocess.run([sys.executable, "-m", "tests.android.vectors", str(made)], check=True, cwd=_ROOT)
        options = [f"-Dedge.made={made}", f"-Dedge.build={build}", "-Dtest=OverheadTest"]
        subprocess.run([maven, "-q", "-B", "-f", str(project()), *options, "test"], check=True)
        found: list[dict[str, Any]] = json.loads((made / "overhead.json").read_text())
        return found


def java_version() -> str:
    """Of the JVM in PATH."""
    done = subprocess.run(["java", "-version"], capture_output=True, text=True, check=True)
    return done.stderr.splitlines()[0]
