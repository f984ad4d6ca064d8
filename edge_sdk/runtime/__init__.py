"""Running models: sessions on a device, runners on a workstation, and the engines and delegates under both."""

from __future__ import annotations

import pkgutil
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edge_sdk.engines.installed import ENGINES as ENGINES
    from edge_sdk.engines.installed import Engine as Engine
    from edge_sdk.engines.installed import find_engine as find_engine
    from edge_sdk.engines.runner import Runner as Runner
    from edge_sdk.runtime.calls import Views as Views
    from edge_sdk.runtime.candidates import Candidate as Candidate
    from edge_sdk.runtime.load import Deadline as Deadline
    from edge_sdk.runtime.memory import MemoryBudget as MemoryBudget
    from edge_sdk.runtime.pipe import Pipe as Pipe
    from edge_sdk.runtime.policy import Policy as Policy
    from edge_sdk.runtime.receipt import Receipt as Receipt
    from edge_sdk.runtime.session import Session as Session

_PUBLIC = {
    "ENGINES": "edge_sdk.engines.installed:ENGINES",
    "Candidate": "edge_sdk.runtime.candidates:Candidate",
    "Deadline": "edge_sdk.runtime.load:Deadline",
    "Engine": "edge_sdk.engines.installed:Engine",
    "MemoryBudget": "edge_sdk.runtime.memory:MemoryBudget",
    "Pipe": "edge_sdk.runtime.pipe:Pipe",
    "Policy": "edge_sdk.runtime.policy:Policy",
    "Receipt": "edge_sdk.runtime.receipt:Receipt",
    "Runner": "edge_sdk.engines.runner:Runner",
    "Session": "edge_sdk.runtime.session:Session",
    "Views": "edge_sdk.runtime.calls:Views",
    "find_engine": "edge_sdk.engines.installed:find_engine",
}

__all__ = sorted(_PUBLIC)  # noqa: PLE0605 - names of strings


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module `edge_sdk.runtime` has no attribute `{name}`")
    return pkgutil.resolve_name(_PUBLIC[name])
