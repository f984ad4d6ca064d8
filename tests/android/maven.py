"""Maven, for tests on the JVM: what is on their class path is held against ``deps.lock`` before any of it runs."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from edge_sdk.android.locked import hashes_of_tests
from edge_sdk.android.properties import project

_CLASS_PATH = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:build-classpath"


def run_tests(pom: Path, words: Sequence[str], made: Path) -> str:
    """What Maven printed; a test that fails here is an AssertionError there.

    Args:
        pom: of the tests.
        words: Maven's, such as ``-Dtest=PolicyTest``.
        made: folder with JARs of our own making on the class path, and for a file of ours.
    """
    listing = made / "class-path"
    _maven(pom, [*words, f"-Dmdep.outputFile={listing}", _CLASS_PATH])
    faults = list(unlocked([Path(name) for name in listing.read_text().strip().split(":")], made))
    assert not faults, "\n".join(faults)
    return _maven(pom, [*words, "test"])


def unlocked(paths: Sequence[Path], made: Path) -> list[str]:
    """What is wrong with each JAR that is not as it was locked."""
    locked = hashes_of_tests(project())
    faults = []
    for path in paths:
        found = hashlib.sha256(path.read_bytes()).hexdigest()
        if path.parent != made and found != locked.get(path.name):
            faults.append(f"{path}: SHA-256 {found}, deps.lock has {locked.get(path.name, 'no such file')}")
    return faults


def _maven(pom: Path, words: Sequence[str]) -> str:
    maven = shutil.which("mvn") or ""
    command = [maven, "--batch-mode", "--no-transfer-progress", "-f", str(pom), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-8000:]
    return done.stdout
