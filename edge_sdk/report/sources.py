"""A source as text, before it is converted."""

from __future__ import annotations

from edge_sdk.converters.describing import SourceFacts
from edge_sdk.report.lines import field, table
from edge_sdk.signature import shape_text


def source_text(facts: SourceFacts) -> str:
    """For a terminal; what to do next in the last line."""
    told = facts.description
    open_shapes = {spec.name: shape_text(spec.shape) for spec in told.open_inputs}
    rows = [
        (spec.name, spec.dtype, open_shapes.get(spec.name, "-"), shape_text(spec.shape), spec.layout or "-")
        for spec in told.inputs
    ]
    lines = [f"{facts.source}: {told.framework}, computes in {told.precision}"]
    lines += ["", *table(("input", "dtype", "as declared", "as converted", "layout"), rows)]
    lines += ["", field("outputs", ", ".join(told.outputs))]
    if told.quantized_by:
        lines.append(field("quantized", f"already, by {told.quantized_by}"))
    lines += [field("", str(finding)) for finding in told.findings]
    behind = "the part behind its lookup of text, as a model of its own: TFLite's kernels compute on numbers"
    after = behind if told.text_inputs else f"edge-sdk convert {facts.source}"
    return "\n".join([*lines, "", field("next", after)])
