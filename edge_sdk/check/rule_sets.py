"""The built-in rule sets by name, each with the Python that its data needs. One line adds one."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from types import MappingProxyType
from typing import Any

from edge_sdk.artifact.model import Subgraph
from edge_sdk.check.placement import Placement
from edge_sdk.check.rules import RuleSet, find_rules
from edge_sdk.check.site import Check

CHECKS: Mapping[str, str] = MappingProxyType(
    {
        "xnnpack": "edge_sdk.check.xnnpack:CHECKS",
        "gpu_v2": "edge_sdk.check.gpu_v2:CHECKS",
        "nnapi": "edge_sdk.check.nnapi:CHECKS",
        "edgetpu": "edge_sdk.check.edgetpu:CHECKS",
        "hexagon": "edge_sdk.check.hexagon:CHECKS",
        "vx": "edge_sdk.check.vx:CHECKS",
        "teflon": "edge_sdk.check.teflon:CHECKS",
    }
)
"""What a rule set may name in ``also``; sets that are not listed name nothing."""
PLACING: Mapping[str, str] = MappingProxyType(
    {
        "xnnpack": "edge_sdk.check.xnnpack:place_in_order",
        "gpu_v2": "edge_sdk.check.half_weights:place_with_half_weights",
        "nnapi": "edge_sdk.check.half_weights:place_with_half_weights",
        "edgetpu": "edge_sdk.check.edgetpu:place_first_run",
    }
)
"""How a delegate goes through a subgraph, where it does more than ask about each op."""
_PLAIN = "edge_sdk.check.placement:place"


@cache
def rule_set(name: str) -> RuleSet:
    """A built-in rule set.

    Raises:
        ProfileError: there is none of that name, or its file has faults.
    """
    return find_rules(name, checks_of(name))


def checks_of(name: str) -> Mapping[str, Check]:
    """The functions that the set's rules may name."""
    checks: Mapping[str, Check] = _find(CHECKS[name]) if name in CHECKS else {}
    return checks


def place_by(name: str, graph: Subgraph, *, level: int | None = None) -> Placement:
    """What a delegate is predicted to claim of one subgraph.

    Args:
        name: of the rule set.
        graph: one subgraph.
        level: the device's NNAPI feature level; None leaves out what depends on it.

    Raises:
        ProfileError: there is no such rule set, or its file has faults.
    """
    placement: Placement = _find(PLACING.get(name, _PLAIN))(rule_set(name), graph, checks_of(name), level=level)
    return placement


def _find(path: str) -> Any:
    module, _, name = path.partition(":")
    return getattr(import_module(module), name)
