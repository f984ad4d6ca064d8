"""Writes the reference from the code, and pages of the repository outside ``docs/``, before Sphinx reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import commands
import json_forms
import python_names
import repository
import rules
import tables

PAGES = {
    "cli.md": commands.page,
    "python.md": python_names.page,
    "recipe-toml.md": tables.recipe_page,
    "profile-toml.md": tables.profile_page,
    "sweep-toml.md": tables.plan_page,
    "json.md": json_forms.page,
    "rules.md": rules.page,
    "devices.md": tables.devices_page,
}
"""Page of the reference to what writes it."""


def write_pages(folder: Path) -> None:
    """All of them, into ``folder``/reference and ``folder``/repository; what has not changed is left alone."""
    for name, page in PAGES.items():
        write(folder / "reference" / name, page())
    for path, text in repository.pages(folder.parent):
        write(folder / path, text)


def write(path: Path, text: str) -> None:
    """Only where it differs, so that Sphinx reads again only what changed."""
    path.parent.mkdir(exist_ok=True)
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def setup(app: Any) -> dict[str, bool]:
    """Sphinx calls this."""
    app.connect("builder-inited", lambda app: write_pages(Path(app.srcdir)))
    app.connect("source-read", repository.link_pages)
    return {"parallel_read_safe": True}
