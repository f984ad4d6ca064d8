"""The floors of the house (`[tool.importlinter]` in pyproject.toml): kept as it stands, and broken on purpose."""

from __future__ import annotations

import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
needs_linter = pytest.mark.skipif(not find_spec("importlinter"), reason="pip install 'edge-sdk[dev]'")
_IN_A_FUNCTION = "\n\ndef late() -> None:\n    from {} import {}\n"
_FOR_TYPES = "\nfrom typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from {} import {}\n"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """The package and the contracts, to be broken; 370 small files."""
    data = shutil.ignore_patterns("__pycache__", "android_demo", "*.toml", "*.json", "*.md")
    shutil.copytree(ROOT / "edge_sdk", tmp_path / "edge_sdk", ignore=data)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def lint(folder: Path) -> tuple[int, str]:
    """Exit code and words; import-linter looks for the package in the folder that it is started in."""
    code = "import sys; sys.path.insert(0, '.'); from importlinter.cli import lint_imports_command as run; run()"
    command = [sys.executable, "-c", code, "--no-logo", "--no-cache"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


@needs_linter
def test_the_house_as_it_stands(tree: Path) -> None:
    code, words = lint(tree)
    assert code == 0, words
    assert "0 broken" in words
    # converters/ stands beside edge_sdk/ and is linked into it: it was read too.
    files = sum(1 for path in tree.rglob("*.py"))
    assert f"Analyzed {files} files" in words
    assert files > len(list((ROOT / "edge_sdk").glob("*/*.py")))


@needs_linter
@pytest.mark.parametrize(
    ("file", "form", "target", "contract"),
    [
        ("engines/source.py", _IN_A_FUNCTION, ("edge_sdk.runtime.session", "Session"), "edge_sdk, top floor first"),
        ("errors/base.py", _FOR_TYPES, ("edge_sdk.artifact.model", "Artifact"), "edge_sdk, top floor first"),
        ("bundle/tolerance.py", _IN_A_FUNCTION, ("edge_sdk.converters", "convert"), "edge_sdk, top floor first"),
        ("checks/placement/site.py", _FOR_TYPES, ("edge_sdk.checks.memory.need", "MemoryPlan"), "go down: checks"),
        (
            "converters/quantize/forms/norms.py",
            _IN_A_FUNCTION,
            ("edge_sdk.converters.train", "train"),
            "down: converters",
        ),
        ("checks/delegates/vx.py", _IN_A_FUNCTION, ("edge_sdk.checks.delegates.teflon", "CHECKS"), "know another's"),
        ("engines/delegates/npu.py", _IN_A_FUNCTION, ("edge_sdk.engines.delegates.gpu", "open_executor"), "another"),
        ("bundle/steps.py", _FOR_TYPES, ("edge_sdk.bundle.manifest", "Manifest"), "No cycles"),
    ],
)
def test_it_bites(tree: Path, file: str, form: str, target: tuple[str, str], contract: str) -> None:
    path = tree / "edge_sdk" / file
    path.write_text(path.read_text() + form.format(*target))
    code, words = lint(tree)
    assert code == 1, words
    broken = [line for line in words.splitlines() if line.endswith("BROKEN")]
    assert any(contract in line for line in broken), words


@needs_linter
def test_a_room_without_a_floor(tree: Path) -> None:
    """A new folder in edge_sdk must be given its floor."""
    (tree / "edge_sdk" / "attic").mkdir()
    (tree / "edge_sdk" / "attic" / "__init__.py").touch()
    code, words = lint(tree)
    assert code == 1
    assert "attic" in words
