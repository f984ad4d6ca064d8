"""Weights of less than 8 bits: forms that engines run slowly, otherwise than they were meant, or not at all.

*Measured* on ai-edge-litert 2.0.3, 2.1.0, 2.1.2, 2.1.5, 2.2.0 and 2.3.0 (x86-64, one thread; benchmarks/README.md).
"""

from __future__ import annotations

from collections.abc import Iterator

from edge_sdk.artifact.model import Artifact, Op, Subgraph, Tensor
from edge_sdk.checks.lint.scene import Mark, Rule, Scene

NARROW = frozenset({"int4", "int2"})
_LEAST_ROWS = 4
_LAYERS = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "EMBEDDING_LOOKUP"})


def narrow_weights(graph: Subgraph) -> Iterator[tuple[Op, Tensor]]:
    """Ops that read stored weights of 4 or 2 bits, with these."""
    for op in graph.ops:
        for tensor in graph.operands(op):
            if tensor.dtype in NARROW and tensor.is_stored:
                yield op, tensor


def form_of(artifact: Artifact) -> set[str]:
    """What a file has of them: ``int4``, ``int4 blocks``, ``int2``, ``int2 blocks``."""
    found = (tensor for graph in artifact.subgraphs for _, tensor in narrow_weights(graph))
    return {f"{tensor.dtype} blocks" if tensor.blockwise else tensor.dtype for tensor in found}


def expanded(scene: Scene) -> Iterator[Mark]:
    """Weights of 4 bits behind a DEQUANTIZE, which no engine computes once: the delegate takes no such weights."""
    found = [(op, tensor) for op, tensor in narrow_weights(scene.graph) if op.name == "DEQUANTIZE"]
    if found:
        op, tensor = found[0]
        message = (
            f"{len(found)} weights of {tensor.dtype} are expanded to float in each run, outside the delegate: dense "
            "layers took 1.4 to 1.7 times as long as in float, convolutions 5.5 to 6.9 times (measured)"
        )
        yield Mark("warning", message, op, tensor, f"{len(found)} DEQUANTIZE", "0")


def unpacked(scene: Scene) -> Iterator[Mark]:
    """Convolutions with weights of 4 bits: no XNNPACK has a kernel, and TFLite's unpacks them first."""
    found = [(op, tensor) for op, tensor in narrow_weights(scene.graph) if op.name.endswith("CONV_2D")]
    if found:
        op, tensor = found[0]
        share = scene.share(*(op for op, _ in found))
        message = (
            f"{len(found)} convolutions have weights of {tensor.dtype}, which XNNPACK takes in dense layers alone: "
            "they took 1.0 to 1.15 times as long as in float, with int8 weights 0.27 times (measured)"
        )
        yield Mark("warning", message, op, tensor, tensor.dtype, "int8 where time counts", share)


def blocks_by_xnnpack_alone(scene: Scene) -> Iterator[Mark]:
    """Blocks that TFLite's own kernels read without their scales: beside a fused activation, or of few rows."""
    found = [
        (op, tensor)
        for op, tensor in narrow_weights(scene.graph)
        if op.name == "FULLY_CONNECTED" and tensor.dtype == "int4" and tensor.blockwise
        if op.options.get("fused_activation_function") or tensor.shape[0] < _LEAST_ROWS
    ]
    if found:
        op, tensor = found[0]
        message = (
            f"{len(found)} dense layers with blocks of int4 weights have a fused activation or fewer than "
            f"{_LEAST_ROWS} results: XNNPACK computes them right, TFLite's own kernels at 0 dB (measured)"
        )
        yield Mark("warning", message, op, tensor, f"{len(found)}", "0 where XNNPACK may be off")


def blocks_of_two_bits(scene: Scene) -> Iterator[Mark]:
    """XNNPACK's blocks are of int4; it refuses the whole file, and so does the interpreter."""
    for op, tensor in narrow_weights(scene.graph):
        if tensor.dtype == "int2" and tensor.blockwise:
            message = "has a scale for each block of int2 weights: ai-edge-litert 2.0.3 to 2.3.0 does not run the file"
            yield Mark("error", message, op, tensor, "int2 in blocks", "int4 in blocks, int2 by channel")
            return


RULES = (
    Rule("int4-expanded", expanded, "dynamic ranges (dynamic_wi4_afp32) for dense layers, else int8"),
    Rule("int4-unpacked", unpacked, "int8 weights; 4 bits where size alone counts"),
    Rule("int4-blocks", blocks_by_xnnpack_alone, "convert again, or keep XNNPACK on; int4 by channel"),
    Rule("int2-blocks", blocks_of_two_bits, "int4 weights"),
)
