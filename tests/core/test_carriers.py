"""A few samples with most of the error are named; errors that are spread are not."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from edge_sdk.converters.proving.telling import few_carriers, untuned
from edge_sdk.parity.bounds import Bound
from edge_sdk.parity.carriers import carriers_of
from edge_sdk.parity.compare import OutputParity, ParityMeter
from edge_sdk.recipe import find_recipe


def test_two_of_forty_samples_that_hold_most_of_the_error_are_named_the_worst_first() -> None:
    errors = [0.01] * 40
    errors[7], errors[31] = 2.0, 3.0
    found = carriers_of(errors, [1.0] * 40)
    assert found is not None
    assert found.samples == (31, 7)
    assert found.share == pytest.approx(5 / 5.38)
    assert found.sqnr_db == pytest.approx(10 * math.log10(38 / 0.38))


@pytest.mark.parametrize(
    "errors", [[0.1] * 40, [0.0] * 40, [math.inf, *[0.1] * 39], [5.0, *[0.1] * 10]], ids=["even", "none", "inf", "few"]
)
def test_nothing_is_said_where_nothing_can_be_told(errors: list[float]) -> None:
    assert carriers_of(errors, [1.0] * len(errors)) is None


def outputs(wrong: float, bound: Bound) -> OutputParity:
    """Of 40 samples one differs by ``wrong``, the others by a hundredth."""
    meter = ParityMeter()
    for place in range(40):
        values = np.linspace(-1, 1, 64) * (1 + place / 40)
        meter.add({"y": values}, {"y": values + (wrong if place == 12 else 0.01)})
    return meter.report({"y": bound})[0]


def test_a_finding_names_them_where_accuracy_is_reduced() -> None:
    (told,) = few_carriers([outputs(3.0, Bound("sqnr_db", 5, "test"))])
    powers = [float(np.mean((np.linspace(-1, 1, 64) * (1 + place / 40)) ** 2)) for place in range(40) if place != 12]
    others = 10 * math.log10(sum(powers) / (39 * 0.01**2))
    assert f"in 1 of 40 samples (12): the others have {others:.1f} dB" in told.message
    assert few_carriers([outputs(0.05, Bound("sqnr_db", 5, "test"))]) == [], "all but equal anyway"
    assert few_carriers([outputs(3.0, Bound("max_abs_error", 5, "test"))]) == [], "no rounding is asked about"


def test_a_poor_file_of_four_bits_that_was_not_tuned_advises_it() -> None:
    poor, good = (outputs(wrong, Bound("sqnr_db", 5, "test")) for wrong in (3.0, 0.05))
    int4 = find_recipe("static_wi4_ai8")
    assert good.sqnr_db > 20 > poor.sqnr_db
    (told,) = untuned([poor, good], int4)
    assert told.rule == "int4-untuned"
    assert f"{poor.sqnr_db:.1f} dB" in told.message
    assert "--tune" in str(told.as_json())
    assert untuned([poor, good], replace(int4, tune=True)) == []
    assert untuned([poor, good], find_recipe("int8")) == [], "int8 says so in its last lines"
