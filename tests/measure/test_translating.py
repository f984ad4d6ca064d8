"""Times carried from one device to another of its family."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from edge_sdk.cli import cli
from edge_sdk.errors import MeasurementError
from edge_sdk.measure.measuring import measure
from edge_sdk.measure.plan import Plan
from edge_sdk.measure.records import Benchmark, Reason, Validity
from edge_sdk.measure.timed import Figure
from edge_sdk.measure.translating import FEWEST_PAIRS, translate
from edge_sdk.progress import Silent
from tests.measure.simulated import Model, Simulation


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Benchmark:
    simulation = Simulation(tmp_path_factory.mktemp("machine") / "machine")
    plan = Plan("custom", 100, 0.5)
    return measure([Model(simulation, 5.0).subject()], plan, machine=simulation.machine(), progress=Silent())


def device(base: Benchmark, name: str, times_ms: Sequence[float], first: int = 0, **told: Any) -> Benchmark:
    """A device that took so long for files number ``first`` and on."""
    environment = replace(base.environment_info, model_name=name, **told)
    return replace(base, environment_info=environment, results=tuple(
        _result(base, first + number, ms) for number, ms in enumerate(times_ms)
    ))  # fmt: skip


def _result(base: Benchmark, number: int, ms: float):  # type: ignore[no-untyped-def]
    (one,) = base.results
    run = replace(one.performance_run, latency_ms=replace(one.performance_run.latency_ms, p50=Figure(ms)))
    settings = replace(one.backend_settings, model_sha256=f"{number:064}")
    return replace(
        one, benchmark_id=f"m{number}", backend_settings=settings, performance_run=run, validity=Validity(True)
    )


HERE = (1.0, 2.5, 6.0, 11.0, 30.0, 80.0, 3.0, 0.7, 19.0, 44.0)


def there(noise: float = 0.0) -> list[float]:
    draw = np.random.default_rng(0)
    return [0.4 * ms**0.93 * float(np.exp(draw.normal(0, noise))) for ms in HERE]


def test_the_law_between_two_devices_is_found(base: Benchmark) -> None:
    pair = (device(base, "Board 4", HERE), device(base, "Board 5", there()))
    found = translate(device(base, "Board 4", (9.0,), first=50), [pair])
    (one,) = found.results
    assert (found.source, found.target, found.pairs, one.truth) == ("Board 4", "Board 5", len(HERE), "translated")
    assert one.ms == pytest.approx(0.4 * 9.0**0.93)
    assert found.error < 1e-6


def test_the_interval_is_what_the_pairs_show(base: Benchmark) -> None:
    pair = (device(base, "Board 4", HERE), device(base, "Board 5", there(0.08)))
    (one,) = translate(device(base, "Board 4", (9.0,), first=50), [pair]).results
    assert one.coverage == 0.9
    assert one.ms is not None
    assert one.low_ms is not None
    assert 0.05 < math.log(one.ms / one.low_ms) < 0.3


def test_what_would_be_off_by_two_is_not_said(base: Benchmark) -> None:
    pair = (device(base, "Board 4", HERE), device(base, "Board 5", there(1.0)))
    (one,) = translate(device(base, "Board 4", (9.0,), first=50), [pair]).results
    assert one.ms is None


def test_few_pairs_promise_less(base: Benchmark) -> None:
    pair = (device(base, "Board 4", HERE[:FEWEST_PAIRS]), device(base, "Board 5", there(0.05)))
    (one,) = translate(device(base, "Board 4", (9.0,), first=50), [pair]).results
    assert one.coverage == pytest.approx(FEWEST_PAIRS / (FEWEST_PAIRS + 1))


@pytest.mark.parametrize(
    ("told", "words"),
    [({"arch": "another"}, "two families"), ({"proc_cpuinfo_soc_name": "Other Chip"}, "two families")],
)
def test_families_are_not_mixed(base: Benchmark, told: dict[str, Any], words: str) -> None:
    pair = (device(base, "Board 4", HERE), device(base, "Phone", there(), **told))
    with pytest.raises(MeasurementError, match=words):
        translate(device(base, "Board 4", (9.0,)), [pair])


def test_too_few_common_files(base: Benchmark) -> None:
    pair = (device(base, "Board 4", HERE), device(base, "Board 5", there(), first=8))
    with pytest.raises(MeasurementError, match="2 results of Board 4 and Board 5"):
        translate(device(base, "Board 4", (9.0,)), [pair])


def test_a_result_of_a_third_device(base: Benchmark) -> None:
    pair = (device(base, "Board 4", HERE), device(base, "Board 5", there()))
    with pytest.raises(MeasurementError, match="a pair is of Board 4, expected Board 3"):
        translate(device(base, "Board 3", (9.0,)), [pair])


def test_invalid_results_are_not_built_on(base: Benchmark) -> None:
    busy = device(base, "Board 4", HERE)
    busy = replace(
        busy, results=(replace(busy.results[0], validity=Validity(False, (Reason("busy", "it was busy"),))),)
    )
    with pytest.raises(MeasurementError, match="INVALID: it was busy"):
        translate(device(base, "Board 4", (9.0,)), [(busy, device(base, "Board 5", there()))])


def test_the_command_reads_what_benchmark_wrote(base: Benchmark, tmp_path: Path) -> None:
    files = {
        "new": device(base, "Board 4", (9.0,), first=50),
        "here": device(base, "Board 4", HERE),
        "there": device(base, "Board 5", there()),
    }
    for name, one in files.items():
        (tmp_path / name).write_text(json.dumps(one.as_json()))
    words = ["devices", "translate", str(tmp_path / "new"), "--pair", str(tmp_path / "here"), str(tmp_path / "there")]
    done = CliRunner().invoke(cli, words)
    assert done.exit_code == 0, done.output
    assert "translated from Board 4 to Board 5: 10 files measured on both" in done.stdout
    assert "m50: measured 9 ms, translated" in done.stdout
    told = json.loads(CliRunner().invoke(cli, [*words, "--json"]).stdout)
    assert [one["truth"] for one in told["results"]] == ["translated"]


@pytest.mark.parametrize(
    ("content", "words"), [("", "it is not JSON"), ("[]", "expected an object"), ("{}", "`schema` is None")]
)
def test_the_command_refuses_what_is_no_result(tmp_path: Path, content: str, words: str) -> None:
    path = tmp_path / "x.json"
    path.write_text(content)
    done = CliRunner().invoke(cli, ["devices", "translate", str(path), "--pair", str(path), str(path)])
    assert done.exit_code == 1
    assert words in done.stderr
