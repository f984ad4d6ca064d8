"""Pages in a real browser: what it makes of them, and how wide they are on a screen of a given width."""

from __future__ import annotations

import html
import re
import shutil
import subprocess
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
_THERE = pytest.mark.skipif(BROWSER is None, reason="apt-get install chromium")
_FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars")
_PROBE = """<!doctype html><body style="margin:0"><iframe id="f" style="border:0;width:{width}px;height:900px"
srcdoc="{page}"></iframe><script>f.onload = () => {{ const d = f.contentDocument;
document.title = [d.documentElement.scrollWidth, d.querySelectorAll("svg").length, d.images.length,
[...d.images].every(i => i.naturalWidth > 0)].join(" "); }};</script>"""


def in_a_browser(test: Any) -> Any:
    """A test of the marker ``browser``, skipped where there is none."""
    return pytest.mark.browser(_THERE(test))


def browse(folder: Path, *arguments: str) -> str:
    """What the browser prints; its profile lies in the folder."""
    command = [str(BROWSER), *_FLAGS, f"--user-data-dir={folder / 'profile'}", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def seen(page: str, width: int, folder: Path) -> tuple[int, int, int]:
    """How wide a page is on a screen so wide, and how many pictures of each kind it shows: SVG, and images."""
    (folder / "probe.html").write_text(_PROBE.format(width=width, page=html.escape(page, quote=True)))
    tree = browse(folder, "--dump-dom", (folder / "probe.html").as_uri())
    found = re.search(r"<title>(\d+) (\d+) (\d+) (\w+)</title>", tree)
    assert found, tree[:200]
    assert found[4] == "true", "an image is broken"
    return int(found[1]), int(found[2]), int(found[3])


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.outside: list[str] = []
        self.handlers: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.handlers += [name for name, _ in attrs if name.startswith("on")]
        links = [value or "" for name, value in attrs if name in ("href", "src", "xlink:href", "srcset", "action")]
        self.outside += [link for link in links if not link.startswith(("#", "data:image/png;base64,"))]


def check_alone(page: str) -> None:
    """The page loads nothing and runs nothing, each SVG of it is well formed, and it is below a megabyte."""
    links = _Links()
    links.feed(page)
    assert not links.outside
    assert not links.handlers
    assert not links.tags & {"script", "link", "iframe", "object", "embed", "form", "base"}
    assert "url(" not in page
    assert "@import" not in page
    for svg in re.findall(r"<svg.*?</svg>", page, re.DOTALL):
        ET.fromstring(svg)
    assert len(page.encode()) <= 1 << 20
