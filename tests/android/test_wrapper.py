"""The Java wrapper: JUnit on the JVM, on what Python answers to the same bundles, steps and policies."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from edge_sdk.android.properties import project
from edge_sdk.android.reachable import referred_classes
from edge_sdk.errors import BuildError
from tests.android.maven import run_tests, unlocked

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


@pytest.fixture(scope="module")
def run(vectors: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[int, int]]:
    """Class to its tests run and skipped; all passed. One Maven for all, for it compiles the wrapper."""
    made = tmp_path_factory.mktemp("junit")
    engine = [f"-Dedge.python={ENGINE}"] if ENGINE.exists() else []
    printed = run_tests(project() / "pom.xml", [f"-Dedge.build={made}", f"-Dedge.made={vectors}", *engine], made)
    line = r"Tests run: (\d+), Failures: 0, Errors: 0, Skipped: (\d+), .*\.(\w+)$"
    return {name: (int(count), int(skipped)) for count, skipped, name in re.findall(line, printed, re.MULTILINE)}


@pytest.mark.slow
def test_the_wrapper_answers_as_python_does(run: dict[str, tuple[int, int]]) -> None:
    """Without an engine: bundles, signatures, steps, policies, fallback, receipts, threads, load."""
    counts = [count for name, count in run.items() if name != "EngineTest"]
    assert sum(count for count, _ in counts) >= 25
    assert sum(skipped for _, skipped in counts) == 0


@pytest.mark.slow
@pytest.mark.skipif(not ENGINE.exists(), reason="make test-android (TensorFlow 2.16.1 in an environment of its own)")
def test_the_wrapper_on_the_engine_of_the_apk(run: dict[str, tuple[int, int]]) -> None:
    assert run["EngineTest"] == (10, 0)


def test_a_class_file_that_is_none() -> None:
    for content in (b"", b"\xca\xfe\xba\xbe", b"PK\x03\x04" + bytes(40)):
        with pytest.raises(BuildError, match="class file cannot be read"):
            referred_classes(content)


def test_a_jar_that_is_not_the_locked_one(tmp_path: Path) -> None:
    """Another hash, or a file that nobody locked; JARs of our own making are not asked for."""
    for name in ("junit-4.13.2.jar", "other-1.0.jar"):
        (tmp_path / name).write_bytes(b"PK")
    paths = sorted(tmp_path.iterdir())
    first, second = unlocked(paths, tmp_path / "elsewhere")
    assert "junit-4.13.2.jar: SHA-256" in first
    assert "deps.lock has 8e495b63" in first
    assert "deps.lock has no such file" in second
    assert unlocked(paths, tmp_path) == []
