"""The published form of what commands print; conftest.py looks, wherever a test runs one, whether they keep to it."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest
from click.testing import CliRunner

from edge_sdk.cli import cli
from edge_sdk.cli.ending import Ended
from edge_sdk.cli.results import RESULTS, schema_of
from edge_sdk.cli.screen import Screen
from tests.core.test_cli import every_command, invoke
from tests.forms import check_form, check_printed

pytestmark = pytest.mark.forms


def test_every_command_has_a_form() -> None:
    assert {" ".join(words) for words in every_command()} == set(RESULTS)


@pytest.mark.parametrize("command", RESULTS)
def test_a_command_prints_its_form(command: str) -> None:
    done = CliRunner().invoke(cli, [*command.split(), "--json-schema"], prog_name="edge-sdk")
    assert done.exit_code == 0, done.stderr
    schema = json.loads(done.stdout)
    assert schema == schema_of(command)
    check_form(command, {"error": "UsageError", "message": "such", "hint": None})


def test_a_name_is_one_record() -> None:
    """Two commands may share a record, and then all of it: the reference has one table for each name."""
    found: dict[str, object] = {}
    for command in RESULTS:
        for name, definition in schema_of(command)["$defs"].items():
            assert found.setdefault(name, definition) == definition, (command, name)


def test_another_form_is_seen(tflite: Path) -> None:
    told = json.loads(invoke("inspect", tflite, "--json").stdout)
    check_form("inspect", told, closed=True)
    for change in ({"size_bytes": "many"}, {"lint": [{"rule": "a"}]}, {"one_more": 1}):
        with pytest.raises(AssertionError):
            check_form("inspect", told | change, closed=True)
    del told["sha256"]
    with pytest.raises(AssertionError):
        check_form("inspect", told)


@pytest.mark.parametrize(
    "words",
    [
        ["recipes"],
        ["recipes", "int8"],
        ["doctor"],
        ["profiles", "list"],
        ["profiles", "show", "pixel-8"],
        ["profiles", "validate"],
        ["profiles", "detect"],
        ["devices", "list", "local"],
        ["check", "--explain", "all"],
        ["check", "--explain", "shared-scale"],
        ["check", "conv.tflite", "--profile", "pixel-8"],
        ["report", "no-such.json"],
    ],
    ids=" ".join,
)
def test_printed_as_published(words: list[str], tflite: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tflite.parent)
    done = CliRunner().invoke(cli, [*words, "--json"], prog_name="edge-sdk")
    check_form(" ".join(words[: 1 + (words[0] in ("profiles", "devices"))]), json.loads(done.stdout), closed=True)


def test_what_is_no_json_is_seen() -> None:
    with pytest.raises(ValueError, match="JSON"):
        check_printed({"ratio": float("nan")})


def test_what_ends_a_command_is_an_object_too(capsys: pytest.CaptureFixture[str]) -> None:
    for ended_by, code, name in ((KeyboardInterrupt(), 130, "Interrupted"), (Ended(signal.SIGTERM), 143, "Terminated")):
        screen = Screen(as_json=True, quiet=True)
        screen.kept = "a\udcffb.tflite is kept"  # a name that is no text
        assert screen.last_words(ended_by) == code
        told = json.loads(capsys.readouterr().out)
        check_form("convert", told, closed=True)
        assert told["error"] == name
