"""Reports as text for a terminal."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from edge_sdk.artifact.model import Artifact
from edge_sdk.artifact.summary import Summary, signature_rows
from edge_sdk.converters.reports.conversion import ConversionReport
from edge_sdk.data.checks import InputFacts
from edge_sdk.measure.side_by_side import Timing
from edge_sdk.parity.compare import OutputParity
from edge_sdk.parity.labelled import Labelled
from edge_sdk.parity.verdict import Rightness
from edge_sdk.report.checking import check_text
from edge_sdk.report.lines import field, size_text, table
from edge_sdk.report.training import training_lines
from edge_sdk.signature import shape_text

_METHODS = {
    "minmax": "extremes",
    "clamp": "extremes up to a clamp",
    "levels": "the input's own levels",
    "mse": "least squares",
    "percentile": "99.99 %",
    "percentile_99.9": "99.9 %",
    "percentile_99.99": "99.99 %",
    "percentile_99.999": "99.999 %",
}


_WIN_BACK = (
    "--tune rounds the weights anew; --repair with --min-sqnr-db or --max-drop leaves the fewest ops in float; "
    "--html PAGE shows where it is lost"
)


def conversion_text(report: ConversionReport) -> str:
    """A conversion's report; an unverified file says so in the first line."""
    lines = [_headline(report)]
    lines.append(field("recipe", f"{report.recipe} ({report.choice})" if report.choice else report.recipe))
    lines.append(field("source", f"{report.source} ({report.framework})"))
    tools = ", ".join(dict.fromkeys(report.tools))
    lines.append(field("made by", f"{tools}; lowering {len(report.attempts)}: {report.attempts[-1].name}"))
    lines += [field("", f"rejected: {a.name}: {a.reason}") for a in report.attempts if not a.accepted]
    lines.append(field("file", f"{size_text(report.artifact.size_bytes)}, sha256 {report.artifact.sha256[:16]}..."))
    lines += _compute_lines(report.summary)
    lines += [field("layout", f"{p.role} `{p.name}`: {p}") for p in report.layouts if p.axes]
    if report.calibration:
        lines.append(field("calibrated", f"on {report.calibration.count} samples of {report.calibration.description}"))
        lines += [field("", f"the model saw {_seen(one)}") for one in report.calibration.inputs]
    if report.ranges:
        lines.append(field("ranges", _ranges_text(report.ranges)))
    lines += [
        field(kind, text(report.corrections[kind])) for kind, text in _CORRECTED.items() if kind in report.corrections
    ]
    lines.append(
        field(
            "compared",
            f"with the {'trained model' if report.training else 'source'} on {report.data.count} samples of "
            f"{report.data.description}",
        )
    )
    if report.labelled:
        lines += labelled_lines(report.labelled)
    lines += _right_lines(report.right)
    lines += ["", *parity_lines(report.parity)]
    if report.timings:
        lines += ["", field("time", timing_text(report.timings[1]))]
    if report.calibration and report.verified and report.accuracy.state == "reduced":
        lines += ["", field("next", _WIN_BACK)]
    if report.training:
        lines += ["", *training_lines(report.training)]
    if report.findings:
        lines += ["", *(f"  {finding}" for finding in report.findings)]
    if report.check:
        lines += ["", check_text(report.check)]
    return "\n".join(lines)


def _headline(report: ConversionReport) -> str:
    if report.verified and not all(row.has_power for row in report.parity):
        return f"converted, but the check had no power: {report.output}"
    if report.verified and all(row.bound and row.bound.kind == "max_abs_error" for row in report.parity):
        return f"verified: {report.output} computes what its source computes{_faint_text(report)}"
    if report.verified:
        return f"verified, {report.accuracy}: {report.output}"
    why = {"right": "wrong", "accurate": str(report.accuracy)}.get(report.failed or "", "its float file is")
    return f"UNVERIFIED, {why}: {report.output} is beyond its bound and was kept as asked"


def _faint_text(report: ConversionReport) -> str:
    data = "drawn data" if report.data.drawn else "these samples"
    for row in report.parity:
        if row.is_drowned:
            return f", as far as {data} can tell: to {row.sqnr_db:.0f} dB of outputs of {row.max_abs_reference:.1g}"
        if row.is_faint:
            return f", as far as {data} can tell: to {row.varied_db or 0:.0f} dB of what differs between samples"
    return ""


def labelled_lines(found: Labelled) -> list[str]:
    """Accuracy before and after, by the data's own folders."""
    words = f"{found.source:.2%} in the source, {found.file:.2%} in the file: {found.samples} samples of "
    words += f"{found.classes} classes, by subfolder (measured)"
    lines = [field("accuracy", words)]
    if found.is_chance:
        lines.append(field("", "the source does no better than chance: are its classes numbered as the folders sort?"))
    return lines


def _seen(facts: InputFacts) -> str:
    return f"{facts.minimum:.4g} to {facts.maximum:.4g} at `{facts.name}`"


def _ranges_text(ranges: Mapping[str, Any]) -> str:
    counts = ", ".join(f"{_METHODS.get(name, name)} {count}" for name, count in ranges["counts"].items())
    chosen = "chosen by the error of the ops that read them" if ranges["method"] == "auto" else "as asked"
    return f"of {len(ranges['tensors'])} tensors {chosen}: {counts}"


def _bought_text(made: Mapping[str, Any], where: str) -> str:
    before, after = made["sqnr_db"]
    return f"outputs at {before:.1f} dB before and {after:.1f} after, on {where}"


def _equalized_text(made: Mapping[str, Any]) -> str:
    bought = _bought_text(made, f"{made['samples']} calibration samples")
    if not made["kept"]:
        return f"left as it was: with channels of like range, the {bought}"
    clips = f"; {made['clips']} ReLU6 that no sample reached are ReLU" if made["clips"] else ""
    return f"channels between {made['pairs']} pairs of layers and behind {made['norms']} norms{clips}; {bought}"


def _evened_text(made: Mapping[str, Any]) -> str:
    bought = _bought_text(made, f"{made['samples']} calibration samples")
    if not made["kept"]:
        return f"left as they were: with like ranges in each channel, the {bought}"
    return f"of {made['tensors']} tensors brought to like ranges, across {made['gates']} gates; {bought}"


def _biases_text(made: Mapping[str, Any]) -> str:
    bought = _bought_text(made, f"{made['samples']} calibration samples")
    if not made["kept"]:
        return f"left as they are: corrected, the {bought}"
    off = f"{made['largest_steps']:.1f} steps"
    return f"of {made['ops']} ops corrected for rounded weights, whose channels' means were up to {off} off; {bought}"


def _tuned_text(made: Mapping[str, Any]) -> str:
    bought = _bought_text(made, f"{made['held_out']} samples held out of it")
    if not made["kept"]:
        before, after = made["sqnr_db"]
        chance = ", which may be chance" if after > before else ""
        return f"left as it was: tuned, the {bought}{chance}{_learned_text(made)}{_ended_text(made)}"
    wide = f", {made['too_wide']} were too wide" if made["too_wide"] else ""
    layers = f"{made['rounded']} of {made['layers']} layers{wide} rounded anew on {made['samples']} calibration samples"
    return f"{layers}{_learned_text(made)}; {bought}{_ended_text(made)}"


_STAGES = {
    "layers": "layer {} of {}",
    "blocks": "step {} of {} of the blocks",
    "whole": "step {} of {} from end to end",
    "floats": "file {} of {} with ops in float",
}


def _ended_text(made: Mapping[str, Any]) -> str:
    """Where time ended what would have gone on: another machine would have come to another place."""
    ended = made.get("ended")
    if not ended or ended["by"] != "time":
        return ""
    places = [_STAGES[one["stage"]].format(one["done"], one["of"]) for one in ended["stages"] if one["by_time"]]
    return f"; ended by time at {', '.join(places)} (--tune-minutes {ended['minutes']:g})"


def _floated_text(made: Mapping[str, Any]) -> str:
    if made["why"]:
        return f"none: {made['why']}{_ended_text(made)}"
    before, after = made["sqnr_db"]
    span = f"{made['kinds']}, {made['share']:.0%} of the work"
    bought = f"{before:.1f} to {after:.1f} dB on {made['samples']} calibration samples, chosen on half of them"
    kept = f"{span}: {bought}" if made["kept"] else f"none: {span} would go from {bought}, not surely worth it"
    return f"{kept}{_ended_text(made)}"


def _learned_text(made: Mapping[str, Any]) -> str:
    one = made["learned"]
    if one is None:
        return f"; not learned as a whole: {made['not_learned']}"
    before, after = one["sqnr_db"]
    steps = f"{one['steps']} steps over {one['blocks']} blocks and from end to end"
    if after <= before:
        return f"; {steps} won nothing ({after:.1f} dB)"
    return f"; {steps} from {before:.1f} to {after:.1f} dB"


_CORRECTED = {
    "equalized": _equalized_text,
    "evened": _evened_text,
    "biases": _biases_text,
    "tuned": _tuned_text,
    "floated": _floated_text,
}


def _right_lines(right: Rightness) -> list[str]:
    if not right.ok:
        return [field("wrong", str(fault["text"])) for fault in right.faults]
    if not right.ops_checked:
        return []
    left = ", ".join(f"{count} {name}" for name, count in right.ops_unchecked.items())
    text = f"{right.ops_checked} ops are within a step of float ops on the same inputs"
    return [field("right", text + (f"; not checked: {left}" if left else ""))]


def parity_lines(rows: Sequence[OutputParity]) -> list[str]:
    """Errors per output."""
    headers = ("output", "max abs error", "SQNR dB", "cosine", "top-1", "bound", "")
    lines = table(headers, (line for row in rows for line in (_parity_row(row), *_part_rows(row))))
    lines += [field("", _boxes_text(row)) for row in rows if row.boxes]
    lines += [field("", _scores_text(row)) for row in rows if row.scores]
    lines += [field("", f"`{row.name}` {row.decisions}") for row in rows if row.decisions]
    return lines + [field("", f"`{row.name}` {row.kept}") for row in rows if row.kept and not row.boxes]


def _boxes_text(row: OutputParity) -> str:
    boxes = row.boxes
    if boxes is None:
        return ""
    known = "as told" if boxes.told else "found by their values; --boxes tells otherwise"
    counted = f", scores from {boxes.threshold:g} on" if boxes.threshold else ""
    return f"`{row.name}` {boxes} ({boxes.form}, {known}{counted})"


def _scores_text(row: OutputParity) -> str:
    form = row.scores
    if form is None:
        return ""
    known = "as told" if form.told else "found by their values; --classes tells otherwise"
    read = f"; {row.reading} strings" if row.reading else ""
    return f"`{row.name}` same class in {row.top1_agreement or 0:.1%} of {row.rows} places{read} ({form}, {known})"


def _part_rows(row: OutputParity) -> Iterator[tuple[str, ...]]:
    """What a final concatenation joined, each by itself."""
    for part in row.parts:
        verdict = "dead" if part.dead else "" if row.bound is None else "ok" if part.ok else "BEYOND"
        yield (f"  {part.name}", "-", f"{part.sqnr_db:.1f}", "-", "-", "-", verdict)


def _parity_row(row: OutputParity) -> tuple[str, ...]:
    top1 = "-" if row.top1_agreement is None else f"{row.top1_agreement:.1%}"
    if row.divergence is not None:
        top1 += f", KL {row.divergence:.2g}"
    cosine = "-" if math.isnan(row.cosine) else f"{row.cosine:.6f}"
    verdict = "" if row.bound is None else ("ok" if row.ok else "BEYOND")
    bound = str(row.bound) if row.bound else "-"
    return (row.name, f"{row.max_abs_error:.3g}", f"{row.sqnr_db:.1f}", cosine, top1, bound, verdict)


def timing_text(timing: Timing) -> str:
    """A measured ratio with its conditions."""
    return (
        f"{timing.ratio:.2f}x the float file (measured here, {timing.median_us:.0f} us median, "
        f"{timing.threads} thread, {timing.engine}, {timing.rounds} interleaved rounds, "
        f"95 % {timing.ratio_low:.2f} to {timing.ratio_high:.2f})"
    )


def _compute_lines(summary: Summary) -> list[str]:
    parts = []
    for kind, count in summary.ops.items():
        share = f", {summary.macs.get(kind, 0) / summary.total_macs:.1%} of MACs" if summary.total_macs else ""
        if kind in ("convert", "control", "integer"):
            parts.append(f"{count} {kind}")
        else:
            parts.append(f"{count} op{'s' * (count != 1)} in {kind}{share}")
    lines = [field("compute", "; ".join(parts))]
    runtime = summary.runtime
    lines.append(
        field(
            "needs",
            f"{runtime.runtime} or newer" if runtime.runtime else f"no known runtime has {_pairs(runtime.because)}",
        )
    )
    return lines


def _pairs(pairs: Iterable[tuple[str, int]]) -> str:
    return ", ".join(f"{name} version {version}" for name, version in pairs)


def inspect_text(artifact: Artifact, summary: Summary, note: Mapping[str, Any] | None) -> str:
    """Everything known of a file."""
    lines = [f"{artifact.path}: {size_text(artifact.size_bytes)}, sha256 {artifact.sha256}"]
    if note:
        lines.append(field("made by", f"edge-sdk {note['edge_sdk']}, recipe {note['recipe']}, from {note['source']}"))
    for signature in artifact.signatures:
        name = "none declared; tensor names stand in" if artifact.implicit_signature else signature.key
        lines += ["", field("signature", name), *_signature_lines(signature_rows(signature))]
    lines += ["", *_compute_lines(summary)]
    if summary.runtime.because:
        lines.append(field("", f"because of {_pairs(summary.runtime.because)}"))
    lines.append(field("MACs", f"{summary.total_macs:,}"))
    stored = ", ".join(f"{size_text(n)} {dtype}" for dtype, n in summary.weight_storage.items())
    lines.append(
        field(
            "constants",
            f"{size_text(summary.weights_bytes)} ({stored or 'none'}), {summary.per_channel_tensors} per channel",
        )
    )
    lines.append(field("left over", _leftovers(summary)))
    if artifact.metadata:
        listing = ", ".join(f"{name} ({size_text(len(data))})" for name, data in artifact.metadata.items())
        lines.append(field("metadata", listing))
    if artifact.unknown:
        lines.append(field("unknown", f"fields newer than this schema: {', '.join(artifact.unknown[:4])}"))
    lines += ["", *_op_lines(summary)]
    if summary.float_ops and summary.ops.keys() & {"int8", "uint8", "int16"}:
        lines += ["", f"  {len(summary.float_ops)} ops compute in float inside a quantized file:"]
        lines += [f"    {name[:110]}" for name in summary.float_ops[:20]]
    return "\n".join(lines)


def _leftovers(summary: Summary) -> str:
    parts = [
        f"{summary.quantize_ops} QUANTIZE",
        f"{summary.dequantize_ops} DEQUANTIZE",
        f"{summary.weight_expansions} weight expansions",
        f"{summary.transpose_ops} TRANSPOSE",
    ]
    if summary.subgraphs > 1:
        parts.append(f"{summary.subgraphs - 1} inner subgraphs")
    return ", ".join(parts) + ("; holds state between runs" if summary.stateful else "")


def _signature_lines(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    return table(
        ("name", "", "dtype", "shape", "scale", "zero point"),
        (
            (
                row["name"],
                row["role"],
                row["dtype"],
                shape_text(None if extent < 0 else extent for extent in row["shape_signature"]),
                "-" if row["scale"] is None else f"{row['scale']:.6g}",
                "-" if row["zero_point"] is None else str(row["zero_point"]),
            )
            for row in rows
        ),
    )


def _op_lines(summary: Summary) -> list[str]:
    total = max(1, summary.total_macs)
    return table(
        ("op", "count", "computes in", "version", "MACs"),
        (
            (use.op, str(use.count), use.compute, str(use.version), f"{use.macs / total:.1%}" if use.macs else "-")
            for use in summary.uses
        ),
    )
