"""Sphinx: pages in Markdown (MyST), the theme Furo, the reference written from the code by ``_ext/reference.py``."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "_ext"))
sys.path.insert(0, str(HERE.parent))

from edge_sdk.version import __version__  # noqa: E402 - found by the lines above

project = "edge-sdk"
author = "edge-sdk maintainers"
copyright = author  # noqa: A001 - Sphinx's name for it
version = release = __version__

extensions = ["myst_parser", "reference", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
napoleon_use_ivar = True
# Docstrings name types of the code, few of which have a page.
nitpick_ignore_regex = [("py:.*", ".*")]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 4
exclude_patterns = ["_build", "_ext"]
nitpicky = True

html_theme = "furo"
html_title = f"edge-sdk {__version__}"
html_static_path = ["_static"]
html_css_files = ["edge-sdk.css"]
html_copy_source = False
html_show_sphinx = False
html_last_updated_fmt = None
pygments_style = "friendly"
pygments_dark_style = "github-dark"
