"""Placement on delegates that read float16 weights in place of the DEQUANTIZE that widens them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from edge_sdk.artifact.model import Op, Subgraph
from edge_sdk.checks.placement.placing import Placement, refusal
from edge_sdk.checks.placement.rules import RuleSet
from edge_sdk.checks.placement.site import Check, Reason


def place_with_half_weights(
    rules: RuleSet, graph: Subgraph, checks: Mapping[str, Check], *, level: int | None = None
) -> Placement:
    """Readers of a widened constant are judged as if they read the constant.

    The DEQUANTIZE itself is taken only along with all other ops of the subgraph. Source:
    ``FP16GraphPartitionHelper`` in ``tflite/delegates/utils.cc`` of LiteRT v2.1.0.
    """
    wideners = {op.index: op for op in graph.ops if _widens(graph, op)}
    unpacked = {op.outputs[0]: "float16" for op in wideners.values()}
    others = [op for op in graph.ops if op.index not in wideners]
    refused = {
        op.index: reason for op in others if (reason := refusal(rules, graph, op, checks, unpacked, level=level))
    }
    if refused:
        refused |= {index: _left(op, next(iter(refused.values()))) for index, op in wideners.items()}
    claimed = tuple(op.index for op in graph.ops if op.index not in refused)
    return Placement(graph.index, claimed, MappingProxyType(refused))


def _widens(graph: Subgraph, op: Op) -> bool:
    if op.name != "DEQUANTIZE" or len(op.inputs) != 1 or len(op.outputs) != 1 or min(*op.inputs, *op.outputs) < 0:
        return False
    source = graph.tensors[op.inputs[0]]
    return source.is_stored and source.dtype == "float16"


def _left(op: Op, first: Reason) -> Reason:
    found = f"op {first.op} {first.op_name}"
    message = f"float16 weights are taken without their {op.name} only if all other ops are, and {found} is not"
    return Reason("partly-taken", message, op.index, op.name, found, "all other ops")
