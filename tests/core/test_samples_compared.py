"""How many samples a conversion is compared on where the user says nothing."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from edge_sdk.artifact.model import parse_artifact
from edge_sdk.artifact.summary import summarize
from edge_sdk.converters import samples
from edge_sdk.converters.options import Settings
from edge_sdk.engines.values import specs_of
from edge_sdk.progress import Silent
from tests.graphs import conv_model


@contextlib.contextmanager
def stage(_: str) -> Iterator[None]:
    yield


def compared(folder: Path, settings: Settings, *, float_only: bool) -> tuple[int, str]:
    artifact = parse_artifact(conv_model())
    made = samples.Samples(
        specs_of(artifact.signature.inputs), folder, settings, stage, Silent(), float_only=float_only
    )
    store, facts, _ = made.for_comparison(artifact)
    assert store.count == facts.count
    return store.count, facts.description


@pytest.fixture
def macs() -> int:
    return summarize(parse_artifact(conv_model())).total_macs


@pytest.mark.parametrize(("budget", "count"), [(100, 32), (31, 31), (9, 9), (2, 4)])
def test_dear_float_files_are_compared_on_fewer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, macs: int, budget: int, count: int
) -> None:
    monkeypatch.setattr(samples, "_MACS", budget * macs + 1)
    got, words = compared(tmp_path, Settings(), float_only=True)
    assert got == count
    assert ("not 32, for each takes" in words) == (count < 32), "a smaller number is told where it is used"


def test_as_many_as_were_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(samples, "_MACS", 1)
    assert compared(tmp_path / "a", Settings(samples=7), float_only=True) == (7, "seeded data (seed 0)")
    assert compared(tmp_path / "b", Settings(), float_only=False) == (32, "seeded data (seed 0)")
    assert compared(tmp_path / "c", Settings(keep_samples=6), float_only=True)[0] == 6, "a bundle's own runs"


def test_data_of_the_user_is_not_cut_for_its_cost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(samples, "_MACS", 1)
    (spec,) = specs_of(parse_artifact(conv_model()).signature.inputs)
    data = [{spec.name: np.full(spec.static_shape, i, np.float32)} for i in range(40)]
    assert compared(tmp_path, Settings(data=data), float_only=True)[0] == 32
