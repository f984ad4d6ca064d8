"""Pages of results: they stand alone, say what the result says, and are the same bytes for the same result."""

from __future__ import annotations

import json
import re
from pathlib import Path
from time import process_time
from typing import Any

import pytest
from click.testing import CliRunner

from edge_sdk.cli import cli
from edge_sdk.errors import EdgeSdkError
from edge_sdk.report.html.kinds import KINDS, page_of, page_of_both, write_page
from edge_sdk.report.html.next_steps import pattern
from tests.browser import browse, check_alone, in_a_browser, seen
from tests.core.report.html.results import (
    HOSTILE,
    as_read,
    check_result,
    comparison,
    conversion,
    details,
    grown,
    optimization,
    output,
    sweep,
)

REFUSED = {"error": "AccuracyError", "message": "refused: accuracy lost", "hint": "int16x8", "report": conversion()}
RESULTS: dict[str, Any] = {
    "conversion": conversion(),
    "conversions": {"conversions": [conversion(), conversion(recipe="float16")]},
    "refused conversion": REFUSED,
    "check": check_result(40),
    "check of a bundle": {"bundle": "a.edge", "profile": "pixel-8", "fits": True, "variants": [check_result(4)] * 2},
    "comparison": comparison(),
    "optimization": optimization(),
    "sweep": sweep(),
}


def test_every_kind_is_tried() -> None:
    elsewhere = {"benchmark"}  # tests/measure/test_page.py: it takes a measurement
    assert set(RESULTS) | elsewhere == set(KINDS)


@pytest.mark.parametrize("kind", RESULTS)
def test_a_page_stands_alone_and_escapes_names(kind: str) -> None:
    page = page_of(as_read(RESULTS[kind])).html()
    check_alone(page)
    assert "&lt;script&gt;alert(" in page
    assert "\x07" not in page
    assert HOSTILE not in page


def test_a_conversion_shows_all_that_it_knows() -> None:
    page = page_of(conversion()).html()
    for words in (
        "✓ Verified: right on every op that was checked, accuracy kept (31 dB)",
        "31.5 dB",
        "90.0% of 20",
        "25.00% of the float values are outside",
        "holds -1 to 5",
        "class 1</b> became <b>class 0",
        "Fullest at op",
        "edge-sdk check --explain slower-than-float",
        "1 more place",
        "5 ops as a table",
    ):
        assert words in page
    assert page.count("data:image/png;base64,") == 1, "only what is a PNG is shown"


def test_a_verdict_says_what_is_wrong() -> None:
    lost = conversion(verified=False, failed="accurate", accurate={"state": "lost", "reason": "3 dB"})
    assert "✗ Unverified, accuracy lost (3 dB)" in page_of(lost).html()
    powerless = conversion(parity=[output(has_power=False)])
    assert "! Converted, but the comparison had no power" in page_of(powerless).html()
    assert "✗ An output is beyond its bound" in page_of(comparison()).html()
    assert "✗ refused: accuracy lost" in page_of(REFUSED).html()


def test_lost_accuracy_has_commands_against_it() -> None:
    lost = conversion(accurate={"state": "reduced", "reason": "15 dB"})
    page = page_of(lost).html()
    assert "--keep-float-tensor" in page
    name = "a/b(1).c+d;fused"
    assert re.search(pattern(name), f"x/{name}")
    assert not re.search(pattern(name), "a/b1xc+d")
    assert "--tune" not in page, "without calibration data"
    calibrated = {**lost, "calibration": {"count": 5, "description": "photos"}, "corrections": {}, "training": None}
    again = page_of(calibrated).html()
    assert "--repair --min-sqnr-db 30" in again
    assert "--tune" in again
    assert "--tune" not in page_of({**calibrated, "corrections": {"tuned": {"kept": True}}}).html()
    assert "-r static_wi8_ai16" in page
    assert "-r qat_wi8_ai8" in page
    assert "-r qat_wi8_ai8" not in page_of(conversion()).html()


def test_what_is_in_float_already_is_not_to_be_left_in_float() -> None:
    told = details()
    told["tensors"][1]["added_noise"] = 0.5
    assert "RELU 1 adds most noise" in page_of(comparison(details=told)).html()
    told["timeline"]["ops"][1]["computes"] = "float32"
    page = page_of(comparison(details=told)).html()
    assert "RELU 1 adds most noise" not in page
    assert "adds most noise" in page


def test_what_each_op_costs_alone_is_listed_the_ten_worst_first() -> None:
    told = details(14)
    assert "What each costs alone" not in page_of(comparison(details=told)).html(), "none was tried"
    for place, row in enumerate(told["tensors"]):
        row |= {"module": f"block.{place}", "alone_db": 20.0 + place if place < 13 else None}
    told["modules"] = [{"module": "block", "ops": 7, "alone_db": 12.5}]
    page = page_of(comparison(details=told)).html()
    worst, rest = page.split("What each costs alone")[1].split("3 more results")
    assert "20.0 dB" in worst
    assert "29.0 dB" in worst
    assert "30.0 dB" not in worst
    assert "32.0 dB" in rest
    assert "12.5 dB" in rest


def test_reasons_are_there_on_hover_and_in_the_table() -> None:
    data = check_result(40)
    page = page_of(data).html()
    outside = [p for d in data["delegates"] for p in d["places"] if p["reason"]]
    assert outside
    for place in outside:
        assert page.count(f"[{place['reason']['rule']}]") >= 2
    assert page.count("<title>") >= 40


def test_predicted_times_are_a_track_and_said_to_be_predicted() -> None:
    ops = [{"op": place, "us": None if place == 1 else 250.0 * (place + 1)} for place in range(6)]
    time = {"ms": 5.0, "low_ms": 4.0, "high_ms": 6.0, "coverage": 0.9, "subject": "pixel-8, 1 thread", "ops": ops}
    page = page_of({**check_result(6), "time": time}).html()
    assert "a run, predicted (90%: 4 to 6), pixel-8, 1 thread" in page
    assert "<b>time</b><span>predicted, most 1.5 ms</span>" in page
    assert "250 us predicted" in page
    assert "<b>time</b>" not in page_of(check_result(6)).html()


def test_measured_times_of_ops_are_a_track_and_their_absence_is_said() -> None:
    for page in (page_of(conversion()).html(), page_of(comparison()).html()):
        assert "<b>time</b><span>measured, most 2.5 ms</span>" in page
        assert "The 1 ops with most MACs of 5 were timed, each alone in a file of its own" in page
    untimed = details() | {"op_times": []}
    page = page_of(conversion(details=untimed)).html()
    assert "<b>time</b>" not in page
    assert "Ops were not timed." in page


def test_ten_thousand_ops_are_a_small_page_soon() -> None:
    data = grown(check_result(40), 10_000)
    begin = process_time()
    page = page_of(data).html()
    # A twentieth of it is usual; what is quadratic in ops takes minutes.
    assert process_time() - begin < 10
    check_alone(page)
    # A browser takes 0.2 s for 7,000 elements (benchmarks/README.md); how many there are must not grow with the ops.
    assert len(re.findall(r"<[a-z]", page)) < 8000
    assert "10 ops to a column" in page
    assert "9,700 ops are not listed" in page


def test_a_file_and_the_option_make_the_same_bytes(tflite: Path, tmp_path: Path) -> None:
    made = CliRunner().invoke(
        cli, ["check", str(tflite), "--profile", "pixel-8", "--json", "--html", str(tmp_path / "one.html")]
    )
    assert made.exit_code == 0, made.stderr
    (tmp_path / "two.json").write_text(made.stdout)
    told = CliRunner().invoke(cli, ["report", str(tmp_path / "two.json")])
    assert told.exit_code == 0, told.stderr
    assert told.stdout.startswith(f"{tmp_path / 'two.html'}: Predicted to fit pixel-8")
    assert (tmp_path / "one.html").read_bytes() == (tmp_path / "two.html").read_bytes()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "no JSON"),
        ("[]", "expected a JSON object, got list"),
        ('{"a": 1}', "no result that a page is made of"),
        ('{"error": "ModelError", "message": "cannot open", "hint": null}', "tells of a failure and no more: cannot"),
        (json.dumps({**check_result(3), "memory": {}}), "not whole: lacks 'file_bytes'"),
    ],
)
def test_what_is_no_result_is_one_error_and_no_page(content: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_text(content)
    told = CliRunner().invoke(cli, ["report", str(tmp_path / "bad.json")])
    assert told.exit_code == 1
    assert message in told.stderr
    assert not (tmp_path / "bad.html").exists()


def test_a_page_is_not_written_in_part(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text("old")
    with pytest.raises(EdgeSdkError):
        write_page({"recipe": 1, "parity": 2, "attempts": 3}, tmp_path / "page.html")
    assert (tmp_path / "page.html").read_text() == "old"


def test_a_search_shows_front_budget_and_choice() -> None:
    page = page_of(optimization()).html()
    for words in (
        "✓ Found: nothing faster keeps it",
        "0.2 points",
        "✓ chosen",
        "✗ failed",
        "static_wi8_ai8, 2 groups in float",
        "edge-sdk convert",
        "-r out/recipe.toml",
        "latency, measured",
        "2.25",
    ):
        assert words in page
    # Two of three points have a latency and a score: a mark each, one larger for the choice; both budgets' lines.
    first = page[page.index("<svg") : page.index("</svg>")]
    assert first.count("<title>") == 2
    assert first.count('class="mark"') == first.count('class="dash"') == 1
    none = optimization(chosen=None, points=[], reference={**optimization()["reference"], "state": "misses"})
    assert "✗ Nothing within the budgets" in page_of(none).html()


def test_a_sweep_shows_jobs_front_and_changes() -> None:
    page = page_of(sweep()).html()
    for words in (
        "3 jobs, 1 failed, 1 regression",
        "✗ worse",
        "✗ does not fit",
        "RecipeError: no data",
        "--retry-failed",
    ):
        assert words in page
    assert page.count("<svg") == 2, "by latency and by size"
    first = page[page.index("<svg") : page.index("</svg>")]
    assert first.count("<title>") == 2
    table_alone = {"schema": "edge-sdk sweep 1", "rows": sweep()["rows"][:2]}
    assert "✓ 2 jobs, 0 failed, 0 regressions" in page_of(table_alone).html()


def test_a_gate_stops_where_a_number_became_worse(tmp_path: Path) -> None:
    for name, drop in (("old", 30.0), ("new", 20.0)):
        parity = [{**output(), "sqnr_db": drop}]
        (tmp_path / f"{name}.json").write_text(json.dumps(conversion(parity=parity)))

    def told(*words: str) -> Any:
        files = [str(tmp_path / word) if word.endswith(".json") else word for word in words]
        return CliRunner().invoke(cli, ["report", *files], prog_name="edge-sdk")

    assert told("old.json", "new.json").exit_code == 0
    done = told("old.json", "new.json", "--fail-if-worse")
    assert done.exit_code == 3
    assert re.search(r"^  worse: .*: 20, was 30$", done.stdout, re.MULTILINE), done.stdout
    found = json.loads(told("old.json", "new.json", "--fail-if-worse", "--json").stdout)["changes"]
    assert [one["state"] for one in found if (one["before"], one["after"]) == (30.0, 20.0)] == ["worse"]
    assert told("new.json", "old.json", "--fail-if-worse").exit_code == 0
    assert told("old.json", "--fail-if-worse").exit_code == 2


def test_a_difference_says_what_is_better_and_what_is_worse() -> None:
    timing = {"ratio": 0.5, "ratio_low": 0.45, "ratio_high": 0.55, "median_us": 10.0}
    slower = {**timing, "ratio": 0.52, "ratio_low": 0.47, "ratio_high": 0.57}
    before = conversion(timings_measured=[{}, timing], details=None)
    parity = [output(sqnr_db=20.0)]
    came = {"rule": "new-rule", "severity": "error", "message": "m", "where": "w", "hint": ""}
    after = conversion(
        timings_measured=[{}, slower],
        parity=parity,
        artifact={"size_bytes": 500, "macs": 5},
        findings=[came],
        details=None,
    )
    page = page_of_both(before, after, ("a.json", "<b>.json")).html()
    check_alone(page)
    assert "1 better, 1 worse, 1 within their intervals" in page
    rows = {row.split("</td>")[0]: row for row in re.split('<td class="t[^"]*">', page)}
    assert "-50.0%" in rows["file"]
    assert "intervals overlap" in page
    assert page.index("Findings that came") < page.index("[new-rule]") < page.index("Findings that went")
    assert page.index("Findings that went") < page.index("[slower-than-float]")


def test_a_difference_of_two_kinds_is_an_error() -> None:
    with pytest.raises(EdgeSdkError, match="no number in common"):
        page_of_both(check_result(3), conversion(details=None), ("a", "b"))


@in_a_browser
@pytest.mark.parametrize(("kind", "width"), [*((kind, 400) for kind in RESULTS), ("check", 1400), ("conversion", 1400)])
def test_in_a_browser_nothing_is_wider_than_the_screen(kind: str, width: int, tmp_path: Path) -> None:
    data = grown(RESULTS[kind], 10_000) if kind == "check" else as_read(RESULTS[kind])
    page = page_of(data).html()
    wide, drawings, images = seen(page, width, tmp_path)
    assert wide == width
    assert (drawings, images) == (page.count("<svg"), page.count("<img"))


@in_a_browser
def test_a_browser_draws_it(tmp_path: Path) -> None:
    write_page(conversion(), tmp_path / "page.html")
    tree = browse(tmp_path, "--dump-dom", (tmp_path / "page.html").as_uri())
    assert tree.count("<svg") == 3
    assert "<script" not in tree
