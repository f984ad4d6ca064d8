"""Ops of an integer file that XNNPACK takes in float only, computed in float between integers.

Before: ``CONV_2D -> HARD_SWISH -> CONV_2D``, all int8, of which XNNPACK has no HARD_SWISH: TFLite's own kernel runs it,
and what stands around it is cut in two. After: ``CONV_2D -> DEQUANTIZE -> HARD_SWISH -> QUANTIZE -> CONV_2D`` in one
partition, with the scales that were there. XNNPACK makes a table of 256 values of such a row
(``xnn_subgraph_fuse_unary_quantized_into_lut``), so that it costs what an integer kernel does, and is rounded once.

Which ops these are is for the delegate's rules to say: refused in integers, taken in float. Ops between two of them
stay in float; at the end of a file, where a DEQUANTIZE follows, the result is not rounded at all.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from edge_sdk.artifact.compute import CONVERT_OPS, macs
from edge_sdk.artifact.constants import real_values
from edge_sdk.artifact.model import Op, Subgraph, Tensor, parse_artifact
from edge_sdk.checks.placement.partition import partition
from edge_sdk.checks.placement.rule_sets import place_by
from edge_sdk.checks.runtimes import XnnpackEngine
from edge_sdk.converters.quantize.forms.clamps import with_quantized_clamps
from edge_sdk.converters.quantize.forms.in_float import EIGHT_BITS, in_float, newly_float
from edge_sdk.converters.quantize.forms.swishes import with_integer_swishes
from edge_sdk.converters.quantize.kept import kinds_in_words
from edge_sdk.findings import Finding


@dataclass(frozen=True)
class Islands:
    """A file with ops in float between integers, and what that is predicted to change.

    Attributes:
        data: the file.
        ops: type and name of the result of each such op.
        clamps: RELU_0_TO_1 that are a QUANTIZE now (:mod:`.clamps`).
        swishes: HARD_SWISH that are ADD and MUL now (:mod:`.swishes`).
        engine: whose rules were asked.
        before: partitions that XNNPACK takes of the file as it was.
        after: likewise of this one.
    """

    data: bytes
    ops: tuple[tuple[str, str], ...]
    engine: str
    before: int
    after: int
    clamps: int = 0
    swishes: int = 0

    @property
    def names(self) -> frozenset[str]:
        """Names of the results of ops that compute in float."""
        return frozenset(name for _, name in self.ops)

    def finding(self, recipe: str) -> Finding:
        """What was done and why, in words."""
        kinds = [kind for kind, _ in self.ops]
        verb = "computes" if len(self.ops) == 1 else "compute"
        said = [f"{kinds_in_words(kinds)} {verb} in float between integers"] if kinds else []
        said += [f"{self.clamps} RELU_0_TO_1 written as QUANTIZE"] if self.clamps else []
        said += [f"{self.swishes} HARD_SWISH written as MUL, ADD and MUL"] if self.swishes else []
        them = "it" if len(set(kinds)) + bool(self.clamps) + bool(self.swishes) == 1 else "them"
        return Finding(
            "forms-of-delegate",
            "info",
            f"{', '.join(said)}: XNNPACK of {self.engine} has no integer form of {them} "
            f"(predicted: {self.after} partition{'s' * (self.after != 1)} instead of {self.before})",
            recipe,
            "--forms plain leaves every op in integers",
        )


def with_islands(data: bytes, engine: XnnpackEngine, reference: bytes | None = None) -> Islands | None:
    """An int8 or uint8 .tflite in the form that XNNPACK takes; None where it helps nothing.

    Only the main subgraph is changed. Scales and results keep their names and numbers.

    Args:
        data: the file.
        engine: the runtime that brings XNNPACK.
        reference: the float file that it was made from, whose constants, never rounded, an op in float gets; without it
            they are what the integers stand for.
    """
    before = parse_artifact(data).main
    clamped, clamps = with_quantized_clamps(data)
    artifact = parse_artifact(clamped)
    chosen = _taken_in_float(artifact.main, engine)
    if not chosen and not clamps:
        return None
    made = in_float(clamped, chosen, reference)
    after = parse_artifact(made).main
    parts, refused = placed(before, engine), placed(after, engine)
    if refused[1] >= parts[1]:
        return None
    return Islands(made, tuple(newly_float(before, after)), engine.runtime, parts[0], refused[0], clamps)


def with_integers_only(data: bytes, engine: XnnpackEngine) -> Islands | None:
    """A file without float whose ops XNNPACK takes, as far as they have such a form; None where it helps nothing.

    Args:
        data: the file, whose activations are int8.
        engine: the runtime that brings XNNPACK.
    """
    clamped, clamps = with_quantized_clamps(data)
    made, swishes = with_integer_swishes(clamped)
    parts, refused = (placed(parse_artifact(file).main, engine) for file in (data, made))
    if refused[1] >= parts[1]:
        return None
    return Islands(made, (), engine.runtime, parts[0], refused[0], clamps, swishes)


def placed(graph: Subgraph, engine: XnnpackEngine) -> tuple[int, int]:
    """How many partitions and how many refused ops the engine's XNNPACK is predicted to have."""
    placement = place_by(engine.rules, graph, engine=engine.version)
    return sum(part.delegated for part in partition(graph, placement.claimed)), len(placement.refused)


def _taken_in_float(graph: Subgraph, engine: XnnpackEngine) -> set[int]:
    """Ops on 8 bits that compute no products, which XNNPACK refuses as they are and takes in float."""
    refused = place_by(engine.rules, graph, engine=engine.version).refused
    floats = replace(graph, tensors=tuple(_float_tensor(tensor) for tensor in graph.tensors))
    taken = place_by(engine.rules, floats, engine=engine.version)
    candidates = set(taken.claimed) & refused.keys() - taken.failures.keys()
    return {index for index in candidates if _on_eight_bits(graph, graph.ops[index])}


def _on_eight_bits(graph: Subgraph, op: Op) -> bool:
    results = graph.results(op)
    whole = results and all(t.dtype in EIGHT_BITS and t.quantization and not t.is_variable for t in results)
    return bool(whole) and op.name not in CONVERT_OPS and not macs(graph, op)


def _float_tensor(tensor: Tensor) -> Tensor:
    if tensor.dtype not in EIGHT_BITS or tensor.quantization is None:
        return tensor
    constant = None if tensor.constant is None else real_values(tensor).reshape(-1).view(np.uint8)
    return replace(tensor, dtype="float32", quantization=None, constant=constant)
