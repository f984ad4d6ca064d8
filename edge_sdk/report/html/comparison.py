"""Two models on the same samples."""

from __future__ import annotations

from collections.abc import Iterator

from edge_sdk.report.html.alone import losses_alone
from edge_sdk.report.html.arena import arena
from edge_sdk.report.html.findings import findings
from edge_sdk.report.html.flips import flips
from edge_sdk.report.html.histograms import histograms
from edge_sdk.report.html.markup import Data, facts, paragraph, plural, section
from edge_sdk.report.html.next_steps import after_comparison, steps_html
from edge_sdk.report.html.page import Page, Verdict
from edge_sdk.report.html.parity import parity_table
from edge_sdk.report.html.strip import Strip, sqnr_by_op, times_of, times_words


def comparison_page(data: Data) -> Page:
    """Verdict by the bounds that were asked for."""
    if not any(row["bound"] for row in data["outputs"]):
        verdict = Verdict("", "Compared; no bound was asked for")
    elif data["ok"]:
        verdict = Verdict("good", "Every output is within its bound")
    else:
        verdict = Verdict("bad", "An output is beyond its bound")
    return Page("comparison", f"{data['candidate']} against {data['reference']}", verdict, tuple(_sections(data)))


def _sections(data: Data) -> Iterator[str]:
    details = data["details"]
    yield section("Outputs", parity_table(data["outputs"]))
    if details:
        count = plural(details["tensor_samples"], "sample")
        words = f"Noise is the error of a result against the reference's, on {count}: a tall bar is a low SQNR."
        ops, times = details["timeline"]["ops"], times_of(details)
        words += times_words(times, len(ops))
        strip = Strip(ops, sqnr_db=sqnr_by_op(details["tensors"]), times_ms=times)
        yield section("The candidate, in execution order", paragraph(words), strip.html())
        roots = paragraph("Heights are square roots of counts, so that outliers show.") if details["histograms"] else ""
        yield section("Results that add most noise", roots, histograms(details["histograms"]))
        yield section("What each costs alone", *losses_alone(details))
        yield section("Samples that flipped", flips(details))
        yield section("Memory over time", arena(details["timeline"]))
    yield section("Findings", findings(data["findings"]))
    yield section("What to do next", steps_html(after_comparison(data)))
    compared = f"{data['data']['count']} samples of {data['data']['description']}"
    named = [("reference", data["reference"]), ("candidate", data["candidate"]), ("compared on", compared)]
    yield section("Provenance", facts(named))
