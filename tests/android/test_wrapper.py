"""The Java wrapper: JUnit on the JVM, on what Python answers to the same bundles, steps and policies."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from edge_sdk.android.properties import project
from edge_sdk.android.reachable import referred_classes
from edge_sdk.errors import BuildError

ENGINE = Path(__file__).parents[2] / ".venv-tf216/bin/python"
pytestmark = [pytest.mark.android, pytest.mark.runtime, pytest.mark.signing]


@pytest.fixture(scope="module")
def vectors(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made in a process of its own, for it runs pytest."""
    folder = tmp_path_factory.mktemp("vectors")
    done = subprocess.run(
        [sys.executable, "-m", "tests.android.vectors", str(folder)],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def junit(vectors: Path, build: Path, *chosen: str) -> tuple[int, int]:
    """Tests run and skipped; all must pass."""
    maven = shutil.which("mvn") or ""
    where = [f"-Dedge.build={build}", f"-Dedge.made={vectors}"]
    command = [maven, "--batch-mode", "--no-transfer-progress", "-f", str(project()), *where, *chosen, "test"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-6000:]
    found = re.findall(r"Tests run: (\d+), Failures: 0, Errors: 0, Skipped: (\d+)$", done.stdout, re.MULTILINE)
    assert found, done.stdout[-2000:]
    return int(found[-1][0]), int(found[-1][1])


@pytest.mark.slow
def test_the_wrapper_answers_as_python_does(vectors: Path, tmp_path: Path) -> None:
    """Without an engine: bundles, signatures, steps, policies, fallback, receipts, threads, load."""
    run, skipped = junit(vectors, tmp_path, "-Dtest=!EngineTest")
    assert run >= 25
    assert skipped == 0


@pytest.mark.slow
@pytest.mark.skipif(not ENGINE.exists(), reason="make test-android (TensorFlow 2.16.1 in an environment of its own)")
def test_the_wrapper_on_the_engine_of_the_apk(vectors: Path, tmp_path: Path) -> None:
    run, skipped = junit(vectors, tmp_path, "-Dtest=EngineTest", f"-Dedge.python={ENGINE}")
    assert (run, skipped) == (5, 0)


def test_a_class_file_that_is_none() -> None:
    for content in (b"", b"\xca\xfe\xba\xbe", b"PK\x03\x04" + bytes(40)):
        with pytest.raises(BuildError, match="class file cannot be read"):
            referred_classes(content)
