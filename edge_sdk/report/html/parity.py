"""Errors of outputs, as a table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from edge_sdk.report.html.markup import Data, Html, decibels, table, text

_HEADS = ("output", "", "SQNR", "max abs error", "same top-1", "cosine", "boxes", "bound")


def parity_table(rows: Sequence[Data]) -> str:
    """A row for each output and each part that a final join made it of."""
    return table(_HEADS, (line for row in rows for line in _lines(row)), words=(0, 1, 6, 7))


def _lines(row: Data) -> Iterator[tuple[object, ...]]:
    top1 = _top1(row)
    cosine = "-" if row["cosine"] is None else f"{row['cosine']:.6f}"
    error = "-" if row["max_abs_error"] is None else f"{row['max_abs_error']:.3g}"
    yield row["name"], _verdict(row), decibels(row["sqnr_db"]), error, top1, cosine, _boxes(row), _bound(row["bound"])
    for part in row["parts"]:
        verdict = _word("bad", "✗ dead") if part["dead"] else _verdict({**part, "bound": row["bound"]})
        yield Html(f"&emsp;{text(part['name'])}"), verdict, decibels(part["sqnr_db"]), "", "", "", "", ""


def _top1(row: Data) -> Html:
    """Agreement of the best class; of a sequence or a map by places, and what steps read as."""
    if row["top1_agreement"] is None:
        one = row.get("decisions")
        return Html(f"{one['both']} of {one['wanted']}<br><small>values above 0.5 again</small>" if one else "-")
    form, read = row.get("scores"), row.get("reading")
    lines = [f"{row['top1_agreement']:.1%} of {row['rows']}"]
    if form:
        known = "as told" if form["told"] else "found by their values"
        lines.append(f"<small>places; {form['kind']} along axis {form['axis']}, {known}</small>")
    if read:
        lines.append(f"<small>reads as the source in {read['same']} of {read['strings']}</small>")
    return Html("<br>".join(lines))


def _boxes(row: Data) -> Html:
    """How well boxes cover the reference's, and how it was known that they are boxes."""
    one = row.get("boxes")
    if one is None:
        return Html("-")
    size = "-" if one["mean_iou"] is None else f"mean IoU {one['mean_iou']:.3f}"
    known = f"{one['form']}, {'as told' if one['told'] else 'found by their values'}"
    if one["by"] == "place":
        return Html(f"{size} of {one['matched']}<br><small>by place; {known}</small>")
    found = f"{one['matched']} of {one['matched'] + one['lost']} found again, {one['invented']} others"
    counted = "the 20 best of a sample" if one["threshold"] is None else f"scores from {one['threshold']:g} on"
    counted = "all kept rows" if one["threshold"] == 0 else counted
    return Html(f"{size}<br><small>{found}; {counted}; {known}</small>")


def _verdict(row: Data) -> Html:
    if row["bound"] is None:
        return Html("")
    return _word("good", "✓ within") if row["ok"] else _word("bad", "✗ beyond")


def _bound(bound: Data | None) -> Html:
    if bound is None:
        return Html("none asked")
    value = bound["value"]
    limits = {"max_abs_error": f"at most {value:.3g}", "kept_rows": f"at least {value:.0%} of kept rows"}
    limit = limits.get(bound["kind"], f"at least {value:.1f} dB")
    return Html(f"{text(limit)}<br><small>{text(bound['derivation'])}</small>")


def _word(kind: str, words: str) -> Html:
    return Html(f'<span class="{kind}">{words}</span>')
