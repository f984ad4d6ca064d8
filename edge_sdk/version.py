"""Which edge-sdk this is, and where: at the bottom of the house, so that nothing looks up for it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

__version__ = "0.1.0"
PACKAGE: Final = Path(__file__).resolve().parent
"""The folder ``edge_sdk`` itself, wherever it is installed."""
