"""``devices calibrate`` and ``check --calibration-table``: on a board, unplugged in the middle."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from edge_sdk.checks.timing.table import Table, beside, read_table, write_table
from tests.core.checks.timing.planted import planted
from tests.devices.ready import invoke, make_ready, saying

ADDRESS = "ssh://board"
_LOST = """
import json, os, signal, sys
print("calibrated: " + json.dumps({head}), file=sys.stderr)
print("calibrated: " + json.dumps({row}), file=sys.stderr, flush=True)
print(json.dumps([sys.argv, os.listdir()]), file=sys.stderr, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def table() -> Table:
    """A short one: it is carried, not read from."""
    return replace(planted(), timed=planted().timed[:2])


def test_a_board_measures_and_the_table_is_written_here(home: Path, tmp_path: Path, table: Table) -> None:
    make_ready(home, tmp_path / "there", saying(table.as_json()))
    kept = tmp_path / "board.json"
    done = invoke("devices", "calibrate", ADDRESS, "--threads", 4, "-o", kept)
    assert done.exit_code == 0, done.output
    assert read_table(kept) == table
    assert "measured: planted board, ai-edge-litert 2.1.0, 1 thread" in done.stdout


def test_an_invalid_table_is_written_and_told(home: Path, tmp_path: Path, table: Table) -> None:
    busy = replace(table, valid=False, reasons=("busy-machine: other programs kept 1.50 CPUs busy",))
    make_ready(home, tmp_path / "there", saying(busy.as_json(), 3))
    done = invoke("devices", "calibrate", ADDRESS, "-o", tmp_path / "board.json")
    assert done.exit_code == 3
    assert "INVALID: planted board" in done.stdout
    assert json.loads((tmp_path / "board.json").read_text())["valid"] is False


def test_a_board_that_is_lost_in_the_middle_is_gone_on_with(home: Path, tmp_path: Path, table: Table) -> None:
    head, row = {"subject": {}, "plan": "1"}, asdict(table.timed[0])
    make_ready(home, tmp_path / "there", _LOST.format(head=repr(head), row=repr(row)))
    kept = tmp_path / "board.json"
    done = invoke("devices", "calibrate", ADDRESS, "-o", kept)
    assert done.exit_code == 1
    assert done.stderr.count("error:") == 1
    assert not kept.exists()
    partial = tmp_path / "board.json.partial"
    assert [json.loads(line) for line in partial.read_text().splitlines()] == [head, json.loads(json.dumps(row))]
    again = invoke("devices", "calibrate", ADDRESS, "-o", kept)
    words, files = json.loads(next(line for line in again.stderr.splitlines() if "board: [" in line).partition(": ")[2])
    assert words[-2:] == ["board.json.partial", "--json"]
    assert "board.json.partial" in files


def test_check_predicts_from_a_table_without_a_profile(model: Path, tmp_path: Path) -> None:
    path = tmp_path / "here.json"
    write_table(planted(), path)
    done = invoke("check", model, "--calibration-table", path, "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["time"]["truth"] == "predicted"
    assert found["time"]["low_ms"] < found["time"]["ms"] < found["time"]["high_ms"]
    assert [one["precision"] for one in found["will_it_help"]] in ([], ["float16", "dynamic", "int8", "int4"])
    told = invoke("check", model, "--calibration-table", path)
    assert "time: predicted" in told.stdout
    assert "90% within" in told.stdout


def test_check_refuses_a_table_of_another_device(model: Path, tmp_path: Path) -> None:
    path = tmp_path / "here.json"
    write_table(planted(), path)
    done = invoke("check", model, "--profile", "raspberry-pi-4", "--calibration-table", path)
    assert done.exit_code == 1
    assert "was measured on planted board" in done.stderr
    assert "edge-sdk devices calibrate" in done.stderr


def test_a_table_alone_answers_nothing_about_delegates(model: Path, tmp_path: Path) -> None:
    done = invoke("check", model, "--calibration-table", tmp_path / "x.json", "--delegate", "gpu_v2")
    assert done.exit_code == 2
    assert "--delegate needs --profile ID" in done.stderr


def test_profiles_detect_puts_a_table_beside_the_profile(home: Path, tmp_path: Path, table: Table) -> None:
    make_ready(home, tmp_path / "there", saying(table.as_json()))
    folder = tmp_path / "profiles"
    done = invoke("profiles", "detect", "--on", ADDRESS, "--calibrate", "-o", folder, "--json")
    assert done.exit_code == 0, done.output
    name = json.loads(done.stdout)["id"]
    assert read_table(folder / "calibration" / f"{name}.json") == table
    assert beside(str(folder / f"{name}.toml")) == folder / "calibration" / f"{name}.json"


def test_a_table_beside_a_profile_needs_a_folder() -> None:
    done = invoke("profiles", "detect", "--calibrate")
    assert done.exit_code == 2
    assert "give -o FOLDER" in done.stderr
