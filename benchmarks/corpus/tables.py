"""Tables of published architectures."""

from __future__ import annotations

from typing import Any

from benchmarks.corpus.against import PEERS, is_peer, summary
from benchmarks.corpus.lowering import is_wrong
from benchmarks.markdown import table, versions


def corpus(result: dict[str, Any]) -> str:
    """A line for each family with how many were lowered, then a line for each model."""
    rows = result["rows"]
    counts = []
    for family in dict.fromkeys(row["family"] for row in rows):
        own = [row for row in rows if row["family"] == family]
        exported = [row for row in own if not str(row["error"]).startswith("export: ")]
        right = [row for row in exported if not row["error"] and not is_wrong(row)]
        counts.append([family, str(len(own)), str(len(exported)), str(len(right))])
    head = ["family", "tried", "exported", "lowered and equal"]
    lines = [_corpus_line(row) for row in rows if not str(row["error"]).startswith("export: ")]
    columns = ["model", "ops", "TRANSPOSE", "CPU s", "error", "PyTorch's own error"]
    each = f"<details><summary>Every model</summary>\n\n{table(columns, lines)}\n\n</details>"
    return "\n\n".join([table(head, counts), each, versions(result)])


def _corpus_line(row: dict[str, Any]) -> list[str]:
    name = f"{row['family']}/{row['model']}"
    if row["error"]:
        return [name, f"not made: {row['error'][:100]}".replace("|", "/"), "", "", "", ""]
    errors = [f"{row[key]:.0e}" for key in ("relative_error", "torch_error")]
    return [name, str(row["ops"]), str(row["transposes"]), f"{row['cpu_seconds']:.2f}", *errors]


def corpus_peers(result: dict[str, Any]) -> str:
    """Counts, then ops, TRANSPOSEs and latency of each network beside each peer's."""
    rows = [row for row in result["rows"] if not row.get("error")]
    counts = summary(rows)
    words = (
        f"{counts['models']} networks, {counts['with_peer']} of which a peer made a right file of: ours has at "
        f"most the ops of each peer's in {counts['ops_at_most']}, and takes at most 1.02 times as long in "
        f"{counts['latency_at_most']}."
    )
    columns = [f"{peer.replace('_', '-')}: {what}" for peer in PEERS for what in ("ops", "TRANSPOSE", "latency")]
    lines = [
        [f"{row['family']}/{row['model']}", *(cell for peer in PEERS for cell in _peer_cells(row["peers"].get(peer)))]
        for row in rows
    ]
    return "\n\n".join([words, table(["model", *columns], lines), versions(result)])


def _peer_cells(held: dict[str, Any] | None) -> list[str]:
    if held is None:
        return ["takes no ONNX", "", ""]
    if held.get("error"):
        return ["no file", "", ""]
    if not is_peer(held):
        return [f"wrong by {held['relative_error']:.0e}", "", ""]
    low, high = held["ratio_range"]
    pairs = [" / ".join(map(str, held[key])) for key in ("ops", "transposes")]
    return [*pairs, f"{held['ratio']:.3f} ({low:.3f} to {high:.3f})"]


def quantized_ops(result: dict[str, Any]) -> str:
    """Steps between our integer file and ONNX Runtime, op by op and of the whole."""
    lines = [
        [
            row["model"],
            row["form"],
            str(row["ops"]),
            f"{row['worst_op']:.0f}",
            f"{row['differing']:.3%}",
            f"{row['worst_op_of_its_own']:.0f}",
            *(f"{steps:.0f}" for steps in row["whole"]),
        ]
        for row in result["rows"]
    ]
    each = ["ops", "worst op, steps", "elements that differ", "ONNX Runtime's worst to itself"]
    whole = ["whole: to plain", "to optimised", "ONNX Runtime to itself"]
    return "\n\n".join([table(["model", "form", *each, *whole], lines), versions(result)])
