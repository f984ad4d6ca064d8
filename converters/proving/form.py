"""Is the file what the recipe says: nothing float inside an integer file, nothing untouched in a quantized one."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

from edge_sdk.artifact.compute import compute_type
from edge_sdk.artifact.model import Artifact, Op, Subgraph
from edge_sdk.artifact.summary import float_ops, summarize
from edge_sdk.converters.quantize.kept import int16_ops, is_named, kept_ops, result_name
from edge_sdk.errors import ConversionError
from edge_sdk.findings import Finding
from edge_sdk.recipe import Recipe

_NAMED = 6
_IN_SOURCE = "the source computes them in float too, or has no quantizer on one of their sides"
_AS_IN_SOURCE = "; quantize these ops in the source's tool, or give its float model and let edge-sdk quantize it"


def check_form(
    artifact: Artifact, lowered: Artifact, recipe: Recipe, islands: Collection[str] = (), *, quantized: bool = False
) -> list[Finding]:
    """Findings on a file's form.

    Args:
        artifact: the finished file.
        lowered: the float file it was made from.
        recipe: what it should be.
        islands: names of results that are in float for the delegate's sake.
        quantized: whether the source is quantized already, so that what it has in float stays.

    Raises:
        ConversionError: nothing was quantized, or an integer-only file holds float.
    """
    _require_effect(artifact, recipe)
    findings = []
    if recipe.mode == "static_range":
        findings += _stray_floats(artifact, lowered, recipe, islands, quantized=quantized)
    if artifact.main.inputs and _stateful(artifact):
        findings.append(
            Finding(
                "stateful-model",
                "warning",
                "holds state between runs: reset it before each independent input (reset_all_variables)",
            )
        )
    return findings


def _require_effect(artifact: Artifact, recipe: Recipe) -> None:
    summary = summarize(artifact)
    effect = {
        "float": True,
        "float16": summary.weight_expansions > 0,
        "weight_only": summary.weight_expansions > 0,
        "dynamic_range": summary.ops.get("hybrid_int8", 0) > 0,
        "static_range": any(summary.ops.get(kind, 0) for kind in ("int8", "uint8", "int16")),
    }[recipe.mode]
    if not effect:
        kinds = sorted({op.name for op in artifact.main.ops})
        raise ConversionError(
            f"recipe {recipe.name} changed nothing: none of the model's ops ({', '.join(kinds)}) has that form",
            hint="use recipe float32 or float16",
        )


def _stray_floats(
    artifact: Artifact, lowered: Artifact, recipe: Recipe, islands: Collection[str], *, quantized: bool
) -> list[Finding]:
    kept = {result_name(graph, op) for graph, op in kept_ops(lowered, recipe)}
    every = [(g, op) for g, op in float_ops(artifact) if not is_named(g, op, kept | set(islands))]
    shifted = [(g, op) for g, op in every if _zero_of_factor(g, op)]
    stray = [one for one in every if one not in shifted]
    listing = "; ".join(_of_why(stray, lambda g, op: _IN_SOURCE if quantized and g.index == 0 else _why(g, op)))
    if recipe.integer_only and (every or _float_io(artifact)):
        listing = listing or f"{len(shifted)} BATCH_MATMUL by a factor whose zero point is not 0"
        what = f"{len(every)} ops are float: {listing}" if every else _float_ends(artifact)
        raise ConversionError(
            f"recipe {recipe.name} must be integer-only, but {what}",
            hint="use float32 inputs and outputs (--io float32), or replace these ops in the source model",
        )
    found = [_shifted_factors(shifted, recipe)] if shifted else []
    if stray:
        found.append(
            Finding(
                "float-ops-left",
                "warning",
                f"{len(stray)} ops compute in float: {listing}",
                recipe.name,
                f"an NPU would leave them to the CPU{_AS_IN_SOURCE if quantized else ''}",
            )
        )
    if narrow := _not_in_int16(artifact, lowered, recipe):
        found.append(
            Finding(
                "int16-ops-left",
                "warning",
                f"{len(narrow)} ops that were asked for in int16 are not: {', '.join(narrow[:_NAMED])}",
                recipe.name,
                "ai-edge-quantizer has no int16 form of them",
            )
        )
    if kept:
        found.append(Finding("float-ops-kept", "info", f"{len(kept)} ops were left in float as asked", recipe.name))
    return found


def _of_why(stray: list[tuple[Subgraph, Op]], why: Callable[[Subgraph, Op], str]) -> Iterator[str]:
    """Each reason once, with the first of its ops by name."""
    reasons: dict[str, list[str]] = {}
    for graph, op in stray:
        reasons.setdefault(why(graph, op), []).append(f"{op.name} `{result_name(graph, op)}`")
    for reason, ops in reasons.items():
        more = f" and {len(ops) - _NAMED} more" if len(ops) > _NAMED else ""
        yield f"{', '.join(ops[:_NAMED])}{more} ({reason})"


def _shifted_factors(shifted: list[tuple[Subgraph, Op]], recipe: Recipe) -> Finding:
    zeros = sorted({_zero_of_factor(g, op) for g, op in shifted})
    return Finding(
        "factors-in-float",
        "info",
        f"{len(shifted)} BATCH_MATMUL compute in float between integers: their second factors have the source's zero "
        f"point{'s' * (len(zeros) > 1)} {', '.join(map(str, zeros))}, which XNNPACK of ai-edge-litert 2.1.0 to 2.1.2 "
        "takes for 0",
        recipe.name,
        "quantize these activations symmetrically in the source for integers throughout",
    )


def _zero_of_factor(graph: Subgraph, op: Op) -> int:
    """The zero point of the integers behind the second factor of a BATCH_MATMUL in float; 0 where there are none."""
    maker = graph.makers.get(op.inputs[1]) if op.name == "BATCH_MATMUL" else None
    held = graph.tensors[maker.inputs[0]].quantization if maker is not None and maker.name == "DEQUANTIZE" else None
    return held.zero_point[0] if held is not None and held.zero_point else 0


def _not_in_int16(artifact: Artifact, lowered: Artifact, recipe: Recipe) -> list[str]:
    wanted = {result_name(graph, op): op.name for graph, op in int16_ops(lowered, recipe)}
    wide = {t.name for op in artifact.main.ops for t in artifact.main.results(op) if t.dtype == "int16"}
    return [f"{kind} `{name}`" for name, kind in wanted.items() if name not in wide]


def _why(graph: Subgraph, op: Op) -> str:
    if graph.index > 0:
        return "inside a loop or branch, which has no observed ranges"
    if compute_type(graph, op) == "hybrid_int8":
        return "int8 weights with float activations"
    return "the quantizer has no integer form for it here"


def _float_ends(artifact: Artifact) -> str:
    """Which inputs and outputs are float, by name; a constant is said to be one."""
    ends = {"input": artifact.signature.inputs, "output": artifact.signature.outputs}
    listing = ", ".join(
        f"{word} `{name}`" + (" (a constant, which the app can hold itself)" if tensor.constant is not None else "")
        for word, tensors in ends.items()
        for name, tensor in tensors.items()
        if tensor.dtype == "float32"
    )
    return f"{listing or 'an input or output'} is float"


def _float_io(artifact: Artifact) -> bool:
    graph = artifact.main
    return any(graph.tensors[i].dtype == "float32" for i in (*graph.inputs, *graph.outputs))


def _stateful(artifact: Artifact) -> bool:
    return summarize(artifact).stateful
