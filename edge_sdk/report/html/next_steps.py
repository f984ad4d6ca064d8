"""What to do next, each with its command."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator

from edge_sdk.report.html.markup import Data, text

Step = tuple[str, str]
"""Why, and the command."""
_RULES = 4


def steps_html(steps: Iterable[Step]) -> str:
    """As a list; nothing for none."""
    items = [f"<li>{text(why)}<pre>{text(command)}</pre></li>" for why, command in dict.fromkeys(steps)]
    return "<ol>" + "\n".join(items) + "</ol>" if items else ""


def command(*words: object) -> str:
    """A command that a shell takes as it stands."""
    return shlex.join(["edge-sdk", *map(str, words)])


def pattern(tensor: str) -> str:
    """A regular expression for a result; TensorFlow joins names of fused ops with ``;``, and the first one will do."""
    return re.escape(tensor.split(";", maxsplit=1)[0])


def after_conversion(one: Data) -> Iterator[Step]:
    """Where accuracy was lost: how to get it back. Then what proves the file on its device."""
    output, source = one["output"] or "model.tflite", one["source"]
    if one["accurate"]["state"] != "kept" and _is_quantized(one):
        yield from _to_keep_accuracy(one, source, output)
    if not one["check"] and one["output"]:
        yield "See where each op would run on your device.", command("check", output, "--profile", "DEVICE")
    elif one["check"]:
        yield from after_check({**one["check"], "artifact": output}, known=True)
    if one["output"]:
        yield (
            "Measure it, with the conditions it was taken under.",
            command("benchmark", output, "--html", "speed.html"),
        )
        yield "Run it on your own data.", command("run", output, "--input", "DATA", "-o", "outputs.npz")
    yield from _explanations(one["findings"])


def after_check(check: Data, *, known: bool = False) -> Iterator[Step]:
    """Changes that would help, and what the reasons mean."""
    artifact = check["artifact"]
    for delegate in check["delegates"]:
        for advice in delegate["advice"][:1]:
            why = f"{delegate['rules']} would take more after: {' and '.join(advice['changes'])} ({advice['needs']})."
            yield (
                why,
                command("check", artifact, "--profile", check["profile"], "--delegate", delegate["rules"], "--verbose"),
            )
    if not known:
        yield from _explanations([*check["findings"], *check["lint"]])
        yield "Measure it on the device itself.", command("benchmark", artifact, "--on", "ssh://user@device")


def after_comparison(one: Data) -> Iterator[Step]:
    """Where the error begins."""
    if not one["details"]:
        words = command("compare", one["reference"], one["candidate"], "--tensors", "--html", "compare.html")
        yield "Two .tflite files: see where the error begins, op by op.", words
    for row in _noisiest(one):
        yield (
            f"{row['op']} {row['op_index']} adds most noise: convert again with it left in float.",
            command("convert", "SOURCE", "-o", "OUTPUT", "-r", "int8", "--keep-float-tensor", pattern(row["tensor"])),
        )
    yield from _explanations(one["findings"])


def _to_keep_accuracy(one: Data, source: str, output: str) -> Iterator[Step]:
    calibrated = ("--calibration", "DATA")
    again = ("convert", source, "-o", output, "-r", one["recipe"], *calibrated)
    if one["calibration"] and not one["training"]:
        if "tuned" not in one["corrections"]:
            yield "Round the weights anew, against the float file and without labels.", command(*again, "--tune")
        fewest = command(*again, "--repair", "--min-sqnr-db", 30)
        yield "Leave the fewest ops in float that reach a bound of yours.", fewest
    for row in _noisiest(one):
        kept = ("--keep-float-tensor", pattern(row["tensor"]))
        yield f"{row['op']} {row['op_index']} adds most noise: leave it in float.", command(*again, *kept)
    wider = command("convert", source, "-o", output, "-r", "static_wi8_ai16", *calibrated)
    yield (
        "Keep int8 weights and give activations 16 bits: larger steps cost no accuracy, the file runs slower on most.",
        wider,
    )
    yield (
        "Train with rounding in the loop, where you have labels.",
        command(
            "convert", source, "-o", output, "-r", "qat_wi8_ai8", "--train-data", "DATA", "--loss", "cross_entropy"
        ),
    )


def _noisiest(one: Data) -> list[Data]:
    """The result that adds most noise among those that are not in float already; none or one."""
    details = one["details"] or {}
    computes = {op["op"]: op["computes"] for op in details.get("timeline", {}).get("ops", ())}
    rows = details.get("tensors") or one.get("tensors") or ()
    inner = [row for row in rows if computes.get(row["op_index"]) not in ("float32", "float16")]
    return sorted(inner, key=lambda row: -row["added_noise"])[:1]


def _is_quantized(one: Data) -> bool:
    return str(one["recipe"]) not in ("float32", "float16")


def _explanations(findings: Iterable[Data]) -> Iterator[Step]:
    rules = dict.fromkeys(one["rule"] for one in findings if one["severity"] != "info")
    for rule in list(rules)[:_RULES]:
        yield f"What {rule} means, why it matters and what to do.", command("check", "--explain", rule)
