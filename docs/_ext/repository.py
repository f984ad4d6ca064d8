"""Pages of the repository that lie outside ``docs/``: on the site they are pages too, and links between all lead on."""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

OUTSIDE = {
    "benchmarks/README.md": "repository/measurements.md",
    "converters/README.md": "repository/the-line.md",
    "CONTRIBUTING.md": "repository/contributing.md",
    "CHANGELOG.md": "repository/changelog.md",
    "edge_sdk/bundle/FORMAT.md": "repository/bundle-format.md",
    "edge_sdk/runtime/POLICY.md": "repository/policy.md",
    "device_profiles/README.md": "repository/device-profiles.md",
    "android_demo/README.md": "repository/android-demo.md",
    "android_demo/WRAPPER.md": "repository/java-wrapper.md",
}
"""Page in the repository to page on the site."""
_LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)\s]+)\)")
# Diagrams in pages that were not written for Sphinx carry no language.
_BARE_FENCE = re.compile(r"^```\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def pages(root: Path) -> Iterator[tuple[str, str]]:
    """Where each page is to be written under ``docs/``, and its text."""
    for source, path in OUTSIDE.items():
        text = (root / source).read_text(encoding="utf-8")
        text = _BARE_FENCE.sub(r"```text\n\1```", text)
        yield path, _relinked(text, source, path)


def link_pages(_app: Any, name: str, content: list[str]) -> None:
    """Pages of ``docs/`` link to files of the repository: to their page here, else only named."""
    if not name.startswith("repository/"):
        path = f"docs/{name}.md"
        content[0] = _relinked(content[0], path, f"{name}.md")


def _relinked(text: str, source: str, page: str) -> str:
    """``text`` of ``source`` with its links as they must be on ``page``, a path under ``docs/``."""

    def relinked(found: re.Match[str]) -> str:
        picture, words, link = found.groups()
        if re.match(r"[a-z]+:|#", link):
            return found.group(0)
        target, mark, anchor = link.partition("#")
        path = posixpath.normpath(posixpath.join(posixpath.dirname(source), target))
        if path.startswith("docs/") or path in OUTSIDE:
            to = OUTSIDE.get(path, path.removeprefix("docs/"))
        elif picture:
            to = f"../{path}"
        else:
            return words if words.startswith("`") else f"{words} (`{path}`)"
        return f"{picture}[{words}]({os.path.relpath(to, posixpath.dirname(page) or '.')}{mark}{anchor})"

    return _LINK.sub(relinked, text)
