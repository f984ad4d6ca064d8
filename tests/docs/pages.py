"""The pages of README and ``docs/``, and what stands on them."""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parents[2]
DOCS, README = ROOT / "docs", ROOT / "README.md"


def _runner() -> ModuleType:
    """``examples/run.py``, which users run as a file."""
    spec = importlib.util.spec_from_file_location("examples_run", ROOT / "examples" / "run.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


runner = _runner()
blocks, run_page, prepare = runner.blocks, runner.run_page, runner.prepare
RUNNABLE = runner.RUNNABLE


def pages(folder: Path) -> tuple[Path, ...]:
    """Those that people write; what is written from the code is not in the repository."""
    written = {"repository", "_build", "_ext"}
    found = sorted(path for path in folder.rglob("*.md") if not written & set(path.relative_to(folder).parts))
    return tuple(path for path in found if path.parent.name != "reference" or path.name == "index.md")


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def links(text: str) -> Iterator[str]:
    """Targets of links and pictures, code left out."""
    bare = re.sub(r"^```.*?^```|`[^`\n]*`(?!\])", "", text, flags=re.MULTILINE | re.DOTALL)
    yield from re.findall(r"\]\(([^)\s]+)\)", bare)


def anchors(page: Path) -> set[str]:
    """Of its headings, as MyST and forges make them."""
    prose = re.sub(r"^```.*?^```", "", text_of(page), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#{1,6} (.+)$", prose, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-") for heading in headings}
