"""The tables of README.md, written between its markers from ``results/*.json``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks import edge_compat, results
from benchmarks.backend_cases.tables import onnx_cases, onnx_cases_peers
from benchmarks.corpus.int8 import table as corpus_int8
from benchmarks.corpus.tables import corpus, corpus_peers, quantized_ops
from benchmarks.coverage import LEAST_DB
from benchmarks.int8.accuracy import table as int8_accuracy
from benchmarks.int8.verdicts import table as verdicts
from benchmarks.markdown import table, versions
from benchmarks.searching.search import table as search
from benchmarks.time_prediction.table import time_prediction

PAGE = Path(__file__).parent / "README.md"
_SHORT = {"float32": "float32", "float16": "float16", "static_wi8_ai8": "int8"}


def fill(page: str) -> str:
    """The page with every ``<!-- name -->`` ... ``<!-- /name -->`` filled anew."""
    for name, make in TABLES.items():
        made = make(results.read(name))
        before, begin, rest = page.partition(f"<!-- {name} -->\n")
        if not begin:
            raise ValueError(f"{PAGE.name} has no place for `{name}`: <!-- {name} --> and <!-- /{name} -->")
        _, end, after = rest.partition(f"<!-- /{name} -->")
        page = f"{before}{begin}{made}\n{end}{after}"
    return page


def coverage(result: dict[str, Any]) -> str:
    """A line for each model, and how many passed."""
    rows = []
    for row in result["rows"]:
        cells = [_coverage_cell(row["results"][recipe]) for recipe in _SHORT]
        rows.append([row["model"], *(part for cell in cells for part in cell)])
    head = ["model", *(f"{short}{unit}" for short in _SHORT.values() for unit in (", dB", ", s"))]
    return "\n\n".join([table(head, rows), _totals(result["rows"]), *_reasons(result["rows"]), versions(result)])


def keras_sequences(result: dict[str, Any]) -> str:
    """A line for each recurrent or attention model."""
    cells = [[row["model"], *_coverage_cell(row), str(row.get("ops", "-"))] for row in result["rows"]]
    return "\n\n".join([table(["model", "float32, dB", "s", "ops"], cells), versions(result)])


def _coverage_cell(cell: dict[str, Any]) -> tuple[str, str]:
    if cell["sqnr_db"] is None:
        return "not made", "-"
    return f"{cell['sqnr_db']:.1f}{'' if cell['verified'] else ' rejected'}", str(cell["seconds"] or "-")


def _totals(rows: list[dict[str, Any]]) -> str:
    words = []
    for recipe, short in _SHORT.items():
        cells = [row["results"][recipe] for row in rows]
        verified = sum(cell["verified"] for cell in cells)
        words.append(f"{short} {verified} of {len(cells)} verified")
        if short == "int8":
            words[-1] += f", {sum(not _is_weak(cell) for cell in cells)} of them with {LEAST_DB:.0f} dB or more"
    return "; ".join(words) + "."


def _reasons(rows: list[dict[str, Any]]) -> list[str]:
    cells = [(row["model"], row["results"]["static_wi8_ai8"]) for row in rows]
    weak = [f"{model}: {cell.get('reason') or cell.get('error')}" for model, cell in cells if _is_weak(cell)]
    if not weak:
        return []
    return [f"int8 below 15 dB, and the ops that add most noise (SQNR of operands to result): {'; '.join(weak)}."]


def _is_weak(cell: dict[str, Any]) -> bool:
    return cell["sqnr_db"] is None or cell["sqnr_db"] < LEAST_DB


def conversion(result: dict[str, Any]) -> str:
    """Seconds and ratios."""
    rows = [
        [r["source"], r["way"], *(_every(r.get(key, ())) for key in ("seconds", "cpu_seconds")), _ratios(r)]
        for r in result["rows"]
    ]
    head = ["source", "way", "seconds, every run", "of the processor", "ratio of medians, on the clock / processor"]
    return f"{table(head, rows)}\n\n{versions(result)}"


def _every(seconds: Sequence[float]) -> str:
    return " ".join(map(str, seconds))


def _ratios(row: dict[str, Any]) -> str:
    return f"{row['ratio']:.2f} / {row['cpu_ratio']:.2f}" if "cpu_ratio" in row else f"{row['ratio']:.2f}"


def latency(result: dict[str, Any]) -> str:
    """Microseconds and ratios."""
    rows = [
        [
            r["model"],
            str(r["by_hand_us"]),
            str(r["ours_us"]),
            f"{r['ratio']:.3f}",
            f"{r['ratio_95'][0]:.3f} to {r['ratio_95'][1]:.3f}",
            f"{r['float_us'] / r['ours_us']:.2f}" if "float_us" in r else "",
            f"{r['float_ops']} / {r['float_ops_by_hand']}",
        ]
        for r in result["rows"]
    ]
    faster = "faster than float, times"
    head = ["model", "by hand, us", "edge-sdk, us", "ratio", "95 %", faster, "float ops, ours / by hand"]
    return f"{table(head, rows)}\n\n{versions(result)}"


def runtime(result: dict[str, Any]) -> str:
    """Microseconds, and what is added."""
    rows = [
        [
            r["what"],
            f"{r['base_us']:.4g}",
            f"{r['ours_us']:.4g}",
            f"{r['more_us']:+.3g}",
            f"{r['ratio']:.3f}",
            f"{r['ratio_95'][0]:.3f} to {r['ratio_95'][1]:.3f}",
        ]
        for r in result["rows"]
    ]
    head = ["what", "without, us", "with, us", "more, us", "ratio", "95 %"]
    return f"{table(head, rows)}\n\n{versions(result)}"


def startup(result: dict[str, Any]) -> str:
    """Milliseconds."""
    rows = [[f"`{r['command']}`", f"{r['median_ms']:.1f}", f"{r['more_ms']:.1f}"] for r in result["rows"]]
    return f"{table(['command', 'median, ms', 'more than Python, ms'], rows)}\n\n{versions(result)}"


def bundle(result: dict[str, Any]) -> str:
    """Milliseconds, ratios and heap."""
    rows = [
        [
            r["variant"],
            f"{r['size_bytes'] / (1 << 20):.1f}",
            f"{r['bare_ms']:.2f}",
            f"{r['bundle_ms']:.2f}",
            f"{r['ratio']:.3f}",
            f"{r['first_bare_ms']:.0f} / {r['first_bundle_ms']:.0f}",
            f"{r['heap_bare_kib']} / {r['heap_bundle_kib']}",
        ]
        for r in result["rows"]
    ]
    head = ["MobileNetV2", "MiB", "bare, ms", "bundle, ms", "ratio", "first in a process, ms", "heap at most, KiB"]
    return f"{table(head, rows)}\n\n{versions(result)}"


def wrapper(result: dict[str, Any]) -> str:
    """Microseconds of a run."""
    rows = [
        [r["model"], str(r["values"]), f"{r['by_hand_us']:.2f}", f"{r['session_us']:.2f}", f"{r['overhead_us']:.2f}"]
        for r in result["rows"]
    ]
    head = ["variant", "input values", "by hand, us", "session, us", "added, us"]
    return f"{table(head, rows)}\n\nMeasured on {result['machine']['cpu']}, {result['java']}; not on Android."


def checking(result: dict[str, Any]) -> str:
    """Seconds."""
    rows = [[r["model"], r["profile"], f"{r['median_s']:.2f}"] for r in result["rows"]]
    return f"{table(['file', 'profile', 'median, s'], rows)}\n\n{versions(result)}"


def memory(result: dict[str, Any]) -> str:
    """Bytes, and how far the prediction is off; the widest miss last."""
    rows = [
        [
            r["model"],
            f"{r['measured_bytes'] / 1024:.0f}",
            f"{r['predicted_bytes'] / 1024:.0f}",
            f"{r['error']:+.1%}",
            f"{r['packed_bytes'] / 1024:.0f}",
            f"{r['workspace_bytes'] / 1024:.0f}",
            f"{r['arena_bytes'] / 1024:.0f}",
        ]
        for r in result["rows"]
    ]
    off = sorted(abs(r["error"]) for r in result["rows"])
    words = f"{len(off)} files; off by {off[len(off) // 2]:.1%} in the median, {off[-1]:.1%} at worst." if off else ""
    head = ["file", "measured, KiB", "predicted, KiB", "off by", "packed and pointers", "workspace", "arena"]
    return "\n\n".join([table(head, rows), words, versions(result)])


def figures(result: dict[str, Any]) -> str:
    """What many benchmarks of the same pairs said."""
    rows = [
        [
            row["what"],
            str(row["runs"]),
            f"{min(row['ratios']):.3f} to {max(row['ratios']):.3f}",
            f"{row['above_1']} of {row['runs']}",
            ", ".join(f"{count} {name}" for name, count in row["verdicts"].items()),
            f"{row['valid']}, of which {row['apart_2_percent_and_valid']} had medians 2 % apart",
            f"{min(row['others_busy_cpus']):.2f} to {max(row['others_busy_cpus']):.2f}",
        ]
        for row in result["rows"]
        if "runs" in row
    ]
    cost = [f"Timing adds {row['value']} us to a query." for row in result["rows"] if "value" in row]
    head = ["pair", "benchmarks", "ratios", "above 1", "verdicts", "VALID", "CPUs busy with others"]
    return "\n\n".join([table(head, rows), *cost, versions(result)])


def peers(result: dict[str, Any]) -> str:
    """A row for each model and number of threads, a column for each way."""
    ways = list(dict.fromkeys(row["way"] for row in result["rows"]))
    cells: dict[tuple[str, int], dict[str, dict[str, Any]]] = {}
    for row in result["rows"]:
        cells.setdefault((row["model"], row["threads"]), {})[row["way"]] = row
    rows = [
        [model, str(threads), *(_peer(found.get(way)) for way in ways)] for (model, threads), found in cells.items()
    ]
    reasons = sorted({reason for row in result["rows"] for reason in row["reasons"]})
    words = (
        f"INVALID by `edge-sdk benchmark`'s own rules ({', '.join(reasons)}): ratios only, with care."
        if reasons
        else ""
    )
    others = ", ".join(f"{name} {version}" for name, version in result.get("peers", {}).items())
    peers_too = f"In the peers' environments: {others}." if others else ""
    parts = [table(["model", "threads", *ways], rows), words, peers_too, versions(result)]
    return "\n\n".join(part for part in parts if part)


def channels(result: dict[str, Any]) -> str:
    """Microseconds, and what that is in MACs."""
    rows = [
        [str(r["channels"]), str(r["median_us"]), _ratio(r), f"{r['macs'] / r['median_us'] / 1e3:.0f}"]
        for r in result["rows"]
    ]
    return f"{table(['input channels', 'us', 'to 64 channels', 'MACs in a ns'], rows)}\n\n{versions(result)}"


def _ratio(row: dict[str, Any]) -> str:
    low, high = row["ratio_95"]
    return "1" if low == high else f"{row['ratio']:.2f} ({low:.2f} to {high:.2f})"


def _peer(row: dict[str, Any] | None) -> str:
    if row is None:
        return "not made"
    low, high = row["ratio_95"]
    return f"{row['median_us']:.0f} us" if low == high else _ratio(row)


def pruning(result: dict[str, Any]) -> str:
    """The worst of all runs, figure by figure."""
    rows = [
        [
            r["framework"],
            r["set"],
            _WAYS[r["way"]],
            f"{100 * r['accuracy']:.1f} %",
            f"{0 - r['drop_points']:+.2f}",
            f"{r['macs_ratio']:.2f}",
            f"{r['speed_up']:.2f}x",
            f"{r['smaller']:.1f}x",
            f"{r['zeros']:.0%}",
            str(r["runs"]),
        ]
        for r in result["rows"]
    ]
    head = [
        "framework",
        "set",
        "way",
        "accuracy before",
        "points after",
        "MACs left",
        "faster",
        "smaller, gzip",
        "zeros",
    ]
    return f"{table([*head, 'runs'], rows)}\n\n{versions(result)}"


_WAYS = {"structured": "half of the MACs cut", "sparse_clustered": "80 % zeros, 16 values"}


def distillation(result: dict[str, Any]) -> str:
    """Students alone and taught."""
    rows = [
        [
            r["framework"],
            r["set"],
            r["labels"],
            f"{r['alone']:.1f} %",
            f"{r['taught']:.1f} %",
            ", ".join(f"{gain:+.2f}" for gain in r["all_gains"]),
        ]
        for r in result["rows"]
    ]
    head = ["framework", "set", "data", "alone (worst run)", "taught (same run)", "points gained, every run"]
    return f"{table(head, rows)}\n\n{versions(result)}"


def training(result: dict[str, Any]) -> str:
    """Accuracy of the files, every run; the worst of each figure."""
    rows = [
        [
            row["data"],
            row["framework"],
            *(" ".join(f"{100 * run[key]:.1f}" for run in row["runs"]) for key in ("float", "int8", "qat")),
            f"{row['worst']['qat_loss_points']:.2f}",
            f"{row['worst']['within_one_lsb']:.2%}, {row['worst']['largest_lsb']}",
            f"{row['worst']['epoch_ratio']:.2f}",
        ]
        for row in result["rows"]
    ]
    head = ["data", "framework", "float, %", "int8, %", "qat, %", "worst loss, points", "within 1 LSB, most", "epoch"]
    return f"{table(head, rows)}\n\n{versions(result)}"


def weights(result: dict[str, Any]) -> str:
    """Milliseconds and KiB."""
    rows = [
        [
            r["model"],
            r["way"],
            f"{r['load_ms']:.1f}",
            f"{r['heap_kib']:.0f}",
            f"{r['anonymous_kib']:.0f}",
            f"{r['files_kib']:.0f}",
            f"{r['run_ms']:.2f}",
        ]
        for r in result["rows"]
    ]
    head = ["file", "way", "load, ms of processor", "heap, KiB", "anonymous, KiB", "mapped files, KiB", "run, ms"]
    sizes = dict.fromkeys(f"{r['model']} {r['weights_kib']} KiB" for r in result["rows"])
    return "\n\n".join([table(head, rows), f"Files of weights: {', '.join(sizes)}.", versions(result)])


TABLES: dict[str, Callable[[dict[str, Any]], str]] = {
    "startup": startup,
    "conversion": conversion,
    "latency": latency,
    "runtime": runtime,
    "bundle": bundle,
    "wrapper": wrapper,
    "checking": checking,
    "memory": memory,
    "figures": figures,
    "int8_accuracy": int8_accuracy,
    "corpus_int8": corpus_int8,
    "verdicts": verdicts,
    "search": search,
    "peers": peers,
    "channels": channels,
    "corpus": corpus,
    "corpus_peers": corpus_peers,
    "quantized_ops": quantized_ops,
    "weights": weights,
    "coverage_keras": coverage,
    "pruning": pruning,
    "distillation": distillation,
    "coverage_pytorch": coverage,
    "keras_sequences": keras_sequences,
    "training": training,
    "onnx_cases": onnx_cases,
    "onnx_cases_peers": onnx_cases_peers,
    "time_prediction": time_prediction,
    "edge_compat": edge_compat.table,
}
"""Result name to what makes its table."""
