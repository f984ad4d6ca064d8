"""The built-in rule sets by name, each with the Python that its data needs. One line adds one."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from types import MappingProxyType
from typing import Any

from edge_sdk.artifact.model import Subgraph
from edge_sdk.checks.placement.placing import Placement
from edge_sdk.checks.placement.rule_versions import at_engine
from edge_sdk.checks.placement.rules import RuleSet, find_rules
from edge_sdk.checks.placement.site import Check

CHECKS: Mapping[str, str] = MappingProxyType(
    {
        "xnnpack": "edge_sdk.checks.delegates.xnnpack.walk:CHECKS",
        "xnnpack_tflite_runtime": "edge_sdk.checks.delegates.xnnpack.tflite_runtime:CHECKS",
        "xnnpack_tensorflow_lite": "edge_sdk.checks.delegates.xnnpack.tflite_runtime:OF_TENSORFLOW_LITE",
        "gpu_v2": "edge_sdk.checks.delegates.gpu_v2:CHECKS",
        "nnapi": "edge_sdk.checks.delegates.nnapi.rules:CHECKS",
        "edgetpu": "edge_sdk.checks.delegates.edgetpu:CHECKS",
        "hexagon": "edge_sdk.checks.delegates.hexagon:CHECKS",
        "vx": "edge_sdk.checks.delegates.vx:CHECKS",
        "teflon": "edge_sdk.checks.delegates.teflon:CHECKS",
        "qnn_htp": "edge_sdk.checks.delegates.qnn_htp:CHECKS",
        "ethos_u": "edge_sdk.checks.delegates.ethos_u.moves:CHECKS",
        "ethos_u85": "edge_sdk.checks.delegates.ethos_u.moves:CHECKS_U85",
    }
)
"""What a rule set may name in ``also``; sets that are not listed name nothing."""
PLACING: Mapping[str, str] = MappingProxyType(
    {
        "xnnpack": "edge_sdk.checks.delegates.xnnpack.walk:place_in_order",
        "xnnpack_tflite_runtime": "edge_sdk.checks.delegates.xnnpack.walk:place_in_order",
        "xnnpack_tensorflow_lite": "edge_sdk.checks.delegates.xnnpack.walk:place_in_order",
        "gpu_v2": "edge_sdk.checks.placement.half_weights:place_with_half_weights",
        "nnapi": "edge_sdk.checks.placement.half_weights:place_with_half_weights",
        "edgetpu": "edge_sdk.checks.delegates.edgetpu:place_first_run",
        "ethos_u": "edge_sdk.checks.delegates.ethos_u.moves:place_by_vela",
        "ethos_u85": "edge_sdk.checks.delegates.ethos_u.moves:place_by_vela",
    }
)
"""How a delegate goes through a subgraph, where it does more than ask about each op."""
_PLAIN = "edge_sdk.checks.placement.placing:place"


@cache
def rule_set(name: str, engine: str | None = None) -> RuleSet:
    """A built-in rule set.

    Args:
        name: of the rule set.
        engine: version of the engine, where the rules tell them apart; None for the one that the file says.

    Raises:
        ProfileError: there is none of that name, or its file has faults.
    """
    return at_engine(_read(name), engine)


@cache
def _read(name: str) -> RuleSet:
    return find_rules(name, checks_of(name))


def checks_of(name: str) -> Mapping[str, Check]:
    """The functions that the set's rules may name."""
    checks: Mapping[str, Check] = _find(CHECKS[name]) if name in CHECKS else {}
    return checks


def place_by(name: str, graph: Subgraph, *, level: int | None = None, engine: str | None = None) -> Placement:
    """What a delegate is predicted to claim of one subgraph.

    Args:
        name: of the rule set.
        graph: one subgraph.
        level: the device's NNAPI feature level; None leaves out what depends on it.
        engine: see :func:`rule_set`.

    Raises:
        ProfileError: there is no such rule set, or its file has faults.
    """
    rules = rule_set(name, engine)
    placement: Placement = _find(PLACING.get(name, _PLAIN))(rules, graph, checks_of(name), level=level)
    return placement


def _find(path: str) -> Any:
    module, _, name = path.partition(":")
    return getattr(import_module(module), name)
