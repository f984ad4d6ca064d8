"""Looking at devices: profiles drafted from afar, and what is listed."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from edge_sdk.devices import interpreter
from edge_sdk.devices.detecting import detect_on
from edge_sdk.profile.detect import UNNAMED, Machine, detect
from tests.devices.phone import Phone
from tests.devices.ready import invoke, make_ready
from tests.devices.sshd import Server
from tests.devices.test_ssh import left

ADDRESS = "ssh://board"


@pytest.mark.parametrize("address", [ADDRESS, "local"])
def test_a_draft_profile_from_there(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    """The board is this machine: what is told from afar is what this machine tells of itself."""
    monkeypatch.setattr(interpreter, "_NAMES", (sys.executable,))
    # No maker named it; on the board the user's own name stands for that.
    here = detect(Machine(called="board" if address == ADDRESS else UNNAMED))
    assert detect_on(address) == here
    done = invoke("profiles", "detect", "--on", address, "-o", tmp_path / "drafts")
    assert done.exit_code == 0, done.output
    drafts = {path.relative_to(tmp_path / "drafts").as_posix() for path in tmp_path.glob("drafts/**/*.toml")}
    assert drafts == {f"{here.id}.toml", f"socs/{here.id}.toml"}
    assert left(server) == []


def test_an_engine_that_was_prepared_is_in_the_draft(home: Path, tmp_path: Path) -> None:
    """Of whichever edge-sdk."""
    make_ready(home, tmp_path / "there")
    record = home / "prepared.json"
    record.write_text(
        json.dumps(json.loads(record.read_text()) | {"edge_sdk_sha256": "0", "engine": "ai-edge-litert 2.2.9"})
    )
    assert "2.2.9" in detect_on(ADDRESS).device


def test_no_python_there_is_no_obstacle_to_a_draft(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interpreter, "_NAMES", ("nopython",))
    assert detect_on(ADDRESS).soc == detect(Machine(called="board")).soc


def test_a_draft_of_what_cannot_be_reached(server: Server, tmp_path: Path) -> None:
    done = invoke("profiles", "detect", "--on", "ssh://no-such-host.invalid", "-o", tmp_path / "drafts")
    assert done.exit_code == 1
    assert "there is no host of this name" in done.stderr
    assert not (tmp_path / "drafts").exists()


def test_devices_are_listed_and_a_failure_stands_beside_the_others(home: Path, tmp_path: Path) -> None:
    make_ready(home, tmp_path / "there")
    done = invoke("devices", "list", ADDRESS, "ssh://no-such-host.invalid", "local", "--json")
    assert done.exit_code == 1
    board, unknown, here = json.loads(done.stdout)["devices"]
    assert board["ready"] == "ai-edge-litert 2.3.0"
    assert board["identity"] == here["identity"]
    assert "no host of this name" in unknown["error"]["message"]
    (home / "prepared.json").unlink()
    assert "not prepared: edge-sdk devices prepare ssh://board" in invoke("devices", "list", ADDRESS).stdout


def test_all_of_it_is_removed(home: Path, tmp_path: Path) -> None:
    make_ready(home, tmp_path / "there")
    assert invoke("devices", "prepare", ADDRESS, "--remove").exit_code == 0
    assert not home.exists()


def test_an_android_phone_drafts_a_profile(phone: Phone) -> None:
    done = invoke("profiles", "detect", "--on", "adb://S1", "--json")
    assert done.exit_code == 0, done.output
    assert any("android" in text for text in json.loads(done.stdout)["files"].values())
