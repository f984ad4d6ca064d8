"""ai-edge-quantizer under either of its names: from 0.11 on it is litert-quantizer, of another module."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any

from edge_sdk.converters.workers.child import tool_version
from edge_sdk.errors import MissingDependencyError

# The newer name first: who has both installed it later.
_NAMES = {"litert_quantizer": "litert-quantizer", "ai_edge_quantizer": "ai-edge-quantizer"}
MODULES = tuple(_NAMES)


def opened(why: str) -> tuple[Any, Any]:
    """The classes ``Quantizer`` and ``qtyping`` of the package that is installed.

    Raises:
        MissingDependencyError: neither is.
    """
    module = _installed()
    if module is None:
        raise MissingDependencyError("ai-edge-quantizer", extra="keras", why=why)
    return import_module(f"{module}.quantizer").Quantizer, import_module(f"{module}.qtyping")


def tool() -> str:
    """Name and version of the package that is used, for what a conversion says of its tools."""
    name = _NAMES[_installed() or "ai_edge_quantizer"]
    return f"{name} {tool_version(name)}"


def _installed() -> str | None:
    return next((module for module in MODULES if find_spec(module) is not None), None)
