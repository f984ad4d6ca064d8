"""Which ops the XNNPACK delegate of LiteRT v2.1.0 claims, and whether the engine can then load the file.

All of it is *predicted* from the delegate's source. Ops are visited in order, as the delegate does, for it remembers
two things from one op to the next: constants that it unpacks (a DEQUANTIZE of float16 or int8 weights, a DENSIFY) and
variables.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from edge_sdk.artifact.model import Artifact, Op, Subgraph, Tensor
from edge_sdk.checks.delegates.xnnpack.claims import CLAIM_CHECKS
from edge_sdk.checks.delegates.xnnpack.loading import LOAD_CHECKS, crash, load_failure
from edge_sdk.checks.placement.placing import Placement, refusal, rule_key
from edge_sdk.checks.placement.rule_sets import place_by, rule_set
from edge_sdk.checks.placement.rules import RuleSet
from edge_sdk.checks.placement.site import Check, Reason, Site

CHECKS: Mapping[str, Check] = MappingProxyType({**CLAIM_CHECKS, **LOAD_CHECKS})
_TAKES_FLOAT16 = frozenset({"FULLY_CONNECTED", "CONV_2D", "DEPTHWISE_CONV_2D"})
_PACKED = frozenset({"float16", "int8", "float32"})
_UNSEEN = "VALIDATION:"


def xnnpack_rules() -> RuleSet:
    """``device_profiles/rules/xnnpack.toml``."""
    return rule_set("xnnpack")


def place_on_xnnpack(artifact: Artifact, *, engine: str | None = None) -> tuple[Placement, ...]:
    """What the delegate is predicted to claim of each subgraph, in order.

    ``engine`` is the version of ai-edge-litert; None for the one whose source was read first.

    The engine's default delegate visits every subgraph, those included that nothing calls, but for those whose name
    starts with ``VALIDATION:``.
    """
    return tuple(place_by("xnnpack", graph, engine=engine) for graph in artifact.subgraphs)


def place_in_order(
    rules: RuleSet, graph: Subgraph, checks: Mapping[str, Check], *, level: int | None = None
) -> Placement:
    """What the delegate is predicted to claim of one subgraph, op by op; ``level`` says nothing to it."""
    del level
    if graph.name.startswith(_UNSEEN):
        return Placement(graph.index, (), {op.index: _unseen(op) for op in graph.ops})
    walk = _Walk(rules, graph, checks)
    for op in graph.ops:
        walk.visit(op)
    return walk.result()


def _unseen(op: Op) -> Reason:
    message = f"XNNPACK leaves subgraphs alone whose name starts with {_UNSEEN}"
    return Reason("subgraph-skipped", message, op.index, op.name, _UNSEEN, "another name")


class _Walk:
    """What the delegate remembers while it goes through one subgraph."""

    def __init__(self, rules: RuleSet, graph: Subgraph, checks: Mapping[str, Check]) -> None:
        self._rules = rules
        self._checks = checks
        self._graph = graph
        self._claimed: set[int] = set()
        self._refused: dict[int, Reason] = {}
        self._failures: dict[int, Reason] = {}
        self._unpacked: dict[int, str] = {}
        self._unpackers: dict[int, int] = {}
        self._handles: dict[int, Op] = {}
        self._variables: dict[int, Tensor] = {}
        self._readers: dict[int, list[Op]] = {}
        for op in graph.ops:
            for tensor in op.inputs:
                self._readers.setdefault(tensor, []).append(op)
        once = {tensor for tensor, readers in self._readers.items() if len(readers) == 1} - set(graph.outputs)
        self._producers = {tensor: op for op in graph.ops for tensor in op.outputs if tensor in once}

    def visit(self, op: Op) -> None:
        if (dtype := self._unpacks(op)) is not None:
            self._unpacked[op.outputs[0]] = dtype
            self._unpackers[op.outputs[0]] = op.index
            self._claimed.add(op.index)
        elif op.name == "VAR_HANDLE":
            self._handles.setdefault(op.outputs[0], op)
        elif (reason := self._refusal(op)) is not None:
            self._refused[op.index] = reason
            self._give_back(op)
            self._survive(op, reason)
        else:
            self._claimed.add(op.index)
            self._load(op)

    def result(self) -> Placement:
        """A VAR_HANDLE goes where one of its readers or writers went."""
        for resource, op in self._handles.items():
            if resource in self._variables:
                self._claimed.add(op.index)
            else:
                message = "no op that XNNPACK takes reads or assigns this variable"
                self._refused[op.index] = Reason("variable-unused", message, op.index, op.name, "none", "one or more")
        refused, failures = MappingProxyType(self._refused), MappingProxyType(self._failures)
        return Placement(self._graph.index, tuple(sorted(self._claimed)), refused, failures)

    def _refusal(self, op: Op) -> Reason | None:
        reason = refusal(self._rules, self._graph, op, self._checks, self._unpacked)
        if reason is not None or op.name not in {"READ_VARIABLE", "ASSIGN_VARIABLE"}:
            return reason
        return self._variable(self._site(op))

    def _variable(self, site: Site) -> Reason | None:
        """The handle must be made in this subgraph, and all values of one variable have one type and shape."""
        resource, value = site["variable"], site["value"]
        if resource.index not in self._handles:
            return site.about("variable-elsewhere", resource, "is made elsewhere", "a VAR_HANDLE in this subgraph")
        first = self._variables.setdefault(resource.index, value)
        if (first.dtype, first.shape) == (value.dtype, value.shape):
            return None
        found = f"is {value.dtype} {list(value.shape)}"
        return site.about("mixed-types", value, found, f"the variable's first, {first.dtype} {list(first.shape)}")

    def _give_back(self, op: Op) -> None:
        """What feeds an op outside is unpacked outside; its direct producer only, as the delegate has it."""
        for tensor in op.inputs:
            producer = self._unpackers.get(tensor)
            if producer in self._claimed:
                self._claimed.discard(producer)
                message = f"feeds op {op.index} {op.name}, which XNNPACK does not take"
                name = self._graph.ops[producer].name
                self._refused[producer] = Reason(
                    "feeds-refused-op", message, producer, name, op.name, "an op that is taken", tensor
                )

    def _load(self, op: Op) -> None:
        site = self._site(op)
        if failure := crash(site) or load_failure(site, self._checks):
            self._failures[op.index] = failure

    def _survive(self, op: Op, reason: Reason) -> None:
        """The delegate looks at the scales of a QUANTIZE of proper types before it refuses it, and crashes on some."""
        if op.name != "QUANTIZE" or reason.rule not in {"scale-ratio", "mixed-types"}:
            return
        if failure := crash(self._site(op)):
            self._failures[op.index] = failure

    def _site(self, op: Op) -> Site:
        return Site(self._rules, self._rules.by_op[rule_key(op)], self._graph, op, self._unpacked, self._producers)

    def _unpacks(self, op: Op) -> str | None:
        """The type in which an unpacking op's result is kept; None for all other ops."""
        if len(op.inputs) != 1 or len(op.outputs) != 1 or min(op.inputs) < 0:
            return None
        source, result = self._graph.tensors[op.inputs[0]], self._graph.tensors[op.outputs[0]]
        if op.name == "DENSIFY":
            fits = source.is_stored and source.is_sparse and result.dtype == source.dtype
            return result.dtype if fits and source.dtype in _PACKED else None
        known = source.is_stored or source.index in self._unpacked
        if op.name != "DEQUANTIZE" or source.is_sparse or not known or result.dtype != "float32":
            return None
        if source.dtype == "float16":
            return "float16" if self._only_weights(result) else "float32"
        return "float32" if source.dtype == "int8" and (source.quantization or source.blockwise) else None

    def _only_weights(self, tensor: Tensor) -> bool:
        """Whether all that read it are layers that take float16 weights, so that no float32 copy is made."""
        readers = self._readers.get(tensor.index, [])
        return all(op.name in _TAKES_FLOAT16 and op.inputs[0] != tensor.index for op in readers)
