"""Calibration on a real engine: what is timed, kept, resumed and refused. A busy machine may make it INVALID."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest

from edge_sdk.checks.timing.table import SCHEMA, Table, Timed, parse_written, read_table
from edge_sdk.checks.timing.work import workload
from edge_sdk.engines.installed import find_engine
from edge_sdk.engines.interpreter import InterpreterExecutor
from edge_sdk.engines.options import DelegateOptions
from edge_sdk.engines.source import source_of
from edge_sdk.errors import MeasurementError
from edge_sdk.measure.calibration.kept import Kept
from edge_sdk.measure.calibration.kernels import Kernel, kernels
from edge_sdk.measure.calibration.networks import networks
from edge_sdk.measure.calibration.running import calibrate, of_the_whole
from edge_sdk.profile.schema import schema_text

pytestmark = pytest.mark.runtime


def some(count: int = 3) -> list[Kernel]:
    return list(islice(kernels(), count))


def test_a_table_says_what_was_timed_and_under_which_conditions(tmp_path: Path) -> None:
    engine = find_engine()
    found = calibrate(wanted=some(), kept=Kept(tmp_path / "kept"))
    assert (found.subject.engine, found.subject.version, found.subject.threads) == (engine.name, engine.version, 1)
    assert [one.id for one in found.timed] == [one.id for one in some()]
    assert all(one.us > 0 and len(one.work) == 1 for one in found.timed)
    assert found.conditions["before"]["at_s"] < found.conditions["after"]["at_s"]
    assert found.valid == (not found.reasons)
    assert not (tmp_path / "kept").exists()
    assert parse_written(json.loads(found.content()), where="x") == found


def test_an_interrupted_calibration_goes_on_where_it_was(tmp_path: Path) -> None:
    path, told = tmp_path / "kept", []

    def stop(line: str) -> None:
        told.append(line)
        if len(told) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        calibrate(wanted=some(), kept=Kept(path, stop))
    path.write_text("\n".join(told) + '\n{"id": "half a li')
    quiet = {one["id"]: one["us"] for one in map(json.loads, told[1:]) if not one["reasons"]}
    found = calibrate(wanted=some(), kept=Kept(path))
    assert {one.id: one.us for one in found.timed if one.id in quiet} == quiet


def test_what_was_begun_elsewhere_is_not_gone_on_with(tmp_path: Path) -> None:
    path = tmp_path / "kept"
    path.write_text('{"subject": {"device": "another"}, "plan": "1"}\n')
    with pytest.raises(MeasurementError, match="was begun on another device"):
        calibrate(wanted=some(), kept=Kept(path))
    assert "another" in path.read_text()


def test_a_kernel_that_the_engine_refuses_is_named(tmp_path: Path) -> None:
    def build() -> bytes:
        return some(1)[0].build()[:100]

    found = calibrate(wanted=[*some(1), Kernel("broken", "x", build)])
    assert [one.id for one in found.timed] == [some(1)[0].id]
    assert set(found.refused) == {"broken"}


def test_a_kernel_without_room_is_left_out(tmp_path: Path) -> None:
    large = replace(some(1)[0], id="large", needs_bytes=1 << 50)
    found = calibrate(wanted=[*some(1), large])
    assert [one.id for one in found.timed] == [some(1)[0].id]
    assert found.refused["large"].startswith("needs 1073741824 MiB, and ")


@pytest.mark.parametrize(
    "one", [*islice(kernels(), 3, None, 40), *islice(networks(), 0, None, 7)], ids=lambda one: one.id
)
def test_ops_go_where_they_are_predicted_to_go(one: Kernel) -> None:
    """A time is only worth what its placement is: the engine's own list of ops is asked."""
    engine = find_engine()
    source = source_of(one.build(), name=one.id)
    executor = InterpreterExecutor(source, DelegateOptions(engine), default_delegates=not one.plain)
    told = executor.placement()
    executor.close()
    load = workload(source.artifact, engine.name, engine.version, plain=one.plain)
    assert told is not None
    assert told.delegated == tuple(placed.op.index for placed in load.ops if placed.place == "xnnpack")


def test_all_kernels_are_distinct() -> None:
    listed = [one.id for one in (*kernels(), *networks())]
    assert len(set(listed)) == len(listed)


def test_the_published_schema_is_the_records() -> None:
    import edge_sdk.checks.timing.table as module

    assert (Path(module.__file__).parent / "schema.json").read_text(encoding="utf-8") == schema_text(Table)


def test_a_table_that_is_read_is_of_this_form(tmp_path: Path) -> None:
    path = tmp_path / "t.json"
    path.write_text(json.dumps({"schema": SCHEMA, "timed": 3}))
    with pytest.raises(MeasurementError, match="not a calibration table"):
        read_table(path)


@pytest.mark.parametrize(
    ("noisy", "anchors", "rules"),
    [
        (0, (10.0, 10.4), []),
        (0, (10.0, 10.6), ["drift"]),
        (0, (10.0, 9.4), ["drift"]),
        (5, (10.0, 10.0), []),
        (6, (10.0, 10.0), ["noisy"]),
        (6, (10.0, 20.0), ["noisy", "drift"]),
    ],
)
def test_a_busy_machine_and_a_clock_that_changes_make_a_table_invalid(
    noisy: int, anchors: tuple[float, float], rules: list[str]
) -> None:
    """Of 100 files, and of one that is timed at both ends: 5 % may be disturbed, and 5 % it may have moved."""
    timed = [Timed(str(one), "x", 1.0, None, 1, 0, (), ("noise: x",) if one < noisy else ()) for one in range(100)]
    found = list(of_the_whole(timed, anchors))
    assert [one.rule for one in found] == rules
    assert all(one.message for one in found)
