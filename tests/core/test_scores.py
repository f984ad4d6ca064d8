"""Classes of sequences and maps: found by values, compared place by place, and read as strings."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from edge_sdk.converters.proving.telling import findings_of
from edge_sdk.errors import SignatureError
from edge_sdk.parity import Bound, ParityMeter
from edge_sdk.parity.bounds import measured_bound
from edge_sdk.parity.compare import OutputParity
from edge_sdk.parity.verdict import accuracy_of

RNG = np.random.default_rng(0)
Values = npt.NDArray[Any]


def softmax(values: Values, axis: int = -1) -> Values:
    shares = np.exp(values - values.max(axis, keepdims=True))
    return np.asarray(shares / shares.sum(axis, keepdims=True), np.float32)


def row_of(wanted: list[Values], got: list[Values], told: str | None = None) -> OutputParity:
    meter = ParityMeter(classes={} if told is None else {"y": told})
    for one, other in zip(wanted, got, strict=True):
        meter.add({"y": one}, {"y": other})
    return meter.report()[0]


def written(text: str, classes: int = 11) -> Values:
    """Scores of steps that read as the text's digits; ``.`` is the blank, class 0."""
    path = [0 if letter == "." else 1 + int(letter) for letter in text]
    noise = RNG.standard_normal((1, len(path), classes)).astype(np.float32)
    return np.asarray(12 * np.eye(classes, dtype=np.float32)[path][None] + noise)


@pytest.mark.parametrize("axis", [-1, 1])
def test_probabilities_of_any_rank_are_found_along_their_axis(axis: int) -> None:
    wanted = [softmax(RNG.standard_normal((1, 6, 5, 7)), axis) for _ in range(3)]
    got = [one.copy() for one in wanted]
    # One pixel of 3 * 30 (or 3 * 35) goes to another class.
    place = (0, 2, 3) if axis == -1 else (0, slice(None), 2, 3)
    got[1][place] = np.roll(got[1][place], 1)
    row = row_of(wanted, got)
    rows = 3 * wanted[0].size // wanted[0].shape[axis]
    assert row.scores is not None
    assert (row.scores.axis, row.scores.kind, row.rows) == (axis % 4, "probabilities", rows)
    assert row.top1_agreement == pytest.approx(1 - 1 / rows)
    assert row.divergence is not None
    assert row.divergence > 0
    assert "top-1 differs on 1 of" in str(accuracy_of([row]))


def test_logarithms_of_probabilities_diverge_as_probabilities_do() -> None:
    plain = [softmax(3 * RNG.standard_normal((2, 4, 6))) for _ in range(2)]
    moved = [softmax(np.log(one) + 0.1 * RNG.standard_normal(one.shape)) for one in plain]
    logs = row_of([np.log(one) for one in plain], [np.log(one) for one in moved])
    assert logs.scores is not None
    assert logs.scores.kind == "log-probabilities"
    assert logs.divergence == pytest.approx(row_of(plain, moved).divergence, rel=1e-4)


def test_sure_scores_are_classes_and_features_are_not() -> None:
    winners = np.eye(9)[RNG.integers(0, 9, (1, 50))]
    sure = row_of([12 * winners + RNG.standard_normal((1, 50, 9))] * 2, [12 * winners] * 2)
    assert sure.scores is not None
    assert (sure.scores.kind, sure.rows, sure.top1_agreement) == ("scores", 100, 1.0)
    features = RNG.standard_normal((1, 50, 9))
    assert row_of([features], [features]).scores is None
    # One place that is always the largest is an outlier of a transformer's features.
    features[..., 3] += 60
    assert row_of([features], [features]).scores is None
    pixels = RNG.uniform(0, 640, (1, 50, 4))
    assert row_of([pixels], [pixels]).scores is None


def test_a_user_tells_where_classes_are_and_that_there_are_none() -> None:
    features = RNG.standard_normal((1, 3, 4, 5))
    told = row_of([features], [-features], "1")
    assert told.scores is not None
    assert (told.scores.told, told.rows) == (True, 20)
    assert told.top1_agreement is not None
    assert told.top1_agreement < 0.5
    shares = softmax(features)
    assert row_of([shares], [shares], "none").top1_agreement is None
    with pytest.raises(SignatureError, match="axis 7 has no scores"):
        row_of([features], [features], "7")


def test_steps_of_a_recogniser_are_compared_as_strings() -> None:
    texts = ["..1.22.3..", ".44..5.6..", "7..8..9..."]
    # Another length of the same letters reads the same, another digit does not.
    others = ["..11.2.3..", ".44..5.6..", "7..8..1..."]
    row = row_of([written(one) for one in texts], [written(one) for one in others])
    assert row.reading is not None
    assert (row.reading.same, row.reading.strings, row.reading.symbols, row.reading.blank) == (2, 3, 9, 0)
    verdict = accuracy_of([row])
    assert verdict.state == "reduced"
    assert "reads as the source in 2 of 3" in verdict.reason


def test_steps_first_and_the_blank_last_read_the_same() -> None:
    scores = np.roll(written("1..2..3.."), -1, axis=-1).transpose(1, 0, 2)
    row = row_of([scores], [scores])
    assert row.reading is not None
    assert (row.reading.blank, row.reading.symbols, row.reading.same) == (10, 3, 1)


def test_a_map_of_regions_is_no_string() -> None:
    regions = written("....111111112222222......")
    row = row_of([regions], [regions])
    assert row.scores is not None
    assert row.reading is None


def test_masks_are_compared_at_one_half() -> None:
    mask = RNG.uniform(0, 1, (1, 1, 20, 20)).astype(np.float32)
    other = mask.copy()
    other[0, 0, :2] = 1 - other[0, 0, :2]
    row = row_of([mask], [other])
    want, got = mask > 0.5, other > 0.5
    assert row.decisions is not None
    assert (row.decisions.wanted, row.decisions.got) == (want.sum(), got.sum())
    assert row.decisions.both == (want & got).sum() < want.sum()
    assert row.decisions.overlap == pytest.approx((want & got).sum() / (want | got).sum())
    assert row_of([mask * 3], [other]).decisions is None
    assert row_of([mask / 3], [other]).decisions is None
    shares = softmax(RNG.standard_normal((1, 6, 7)) * 4)
    assert row_of([shares], [shares]).decisions is None


def test_outputs_within_float_rounding_are_told() -> None:
    meter = ParityMeter()
    wanted = RNG.uniform(0, 1e-6, (1, 1, 8, 8))
    meter.add({"y": wanted}, {"y": wanted + 3e-8 * RNG.standard_normal(wanted.shape)})
    (row,) = meter.report({"y": Bound("max_abs_error", 2e-7, "a test's own")})
    assert row.ok
    assert row.is_drowned
    assert not meter.report({"y": Bound("max_abs_error", 1e-9, "a test's own")})[0].is_drowned
    assert [finding.rule for finding in findings_of([row], drawn=True)] == ["faint-answers", "parity-no-power"]


def test_what_all_samples_share_is_no_answer() -> None:
    base = 5 + RNG.standard_normal((1, 40))
    wanted = [base + 0.01 * RNG.standard_normal((1, 40)) for _ in range(12)]
    blind = row_of(wanted, [base] * 12)
    assert blind.sqnr_db > 40
    assert blind.varied_db == pytest.approx(0, abs=0.5)
    assert blind.is_faint
    seeing = row_of(wanted, [one + 1e-4 * RNG.standard_normal((1, 40)) for one in wanted])
    assert not seeing.is_faint
    assert "0 dB of what differs between samples" in str(accuracy_of([blind]))
    rules = [finding.rule for finding in findings_of([blind], drawn=True)]
    assert rules == ["faint-answers", "one-class"]
    assert [finding.rule for finding in findings_of([seeing], drawn=True)] == ["one-class"]
    assert "drawn by a seed" in str(findings_of([blind], drawn=True)[0].hint)


def test_a_source_without_a_finite_answer_leaves_the_usual_bound() -> None:
    bound = measured_bound(-math.inf, "int8")
    assert bound.value == 10
    assert "no finite answer" in bound.derivation
