"""Each tutorial is run from its folder of examples, and its numbers are as good as its page says."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.docs.pages import DOCS, prepare, run_page

slow = pytest.mark.slow
keras, torch = pytest.mark.keras, pytest.mark.torch
