"""Every failure under ``--json`` is one object of the published form, whatever failed."""

from __future__ import annotations

import json
import re
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from edge_sdk import errors
from edge_sdk.cli import COMMANDS, cli

SCHEMA: dict[str, Any] = json.loads(resources.files("edge_sdk.errors").joinpath("schema.json").read_text())
_TYPES: dict[str, tuple[type, ...]] = {"string": (str,), "null": (type(None),), "object": (dict,)}


def check(told: Any) -> None:
    """The keywords that the schema uses; environments without the extra `dev` have no validator."""
    assert isinstance(told, dict)
    assert set(SCHEMA["required"]) <= set(told)
    for name, rule in SCHEMA["properties"].items():
        if name not in told:
            continue
        kinds = [rule["type"]] if isinstance(rule["type"], str) else rule["type"]
        assert isinstance(told[name], tuple(one for kind in kinds for one in _TYPES[kind])), (name, told[name])
        assert re.search(rule.get("pattern", ""), str(told[name]))
        assert len(str(told[name])) >= rule.get("minLength", 0)


@pytest.mark.parametrize("command", [*COMMANDS, "nothing"])
def test_usage_errors_of_every_command(command: str) -> None:
    done = CliRunner().invoke(cli, [command, "--no-such-option", "--json"], prog_name="edge-sdk")
    assert done.exit_code == 2
    check(json.loads(done.stdout))


@pytest.mark.parametrize(
    "words",
    [
        ["inspect", "absent.tflite"],
        ["check", "absent.tflite", "--profile", "pixel-8"],
        ["check", "absent.tflite", "--profile", "pixl"],
        ["convert", "absent.keras"],
        ["compare", "absent.tflite", "other.tflite"],
        ["run", "absent.tflite", "absent.npz"],
        ["benchmark", "absent.tflite"],
        ["report", "absent.json"],
        ["recipes", "int9"],
        ["profiles", "show", "pixl"],
        ["bundle", "verify", "absent.edge"],
        ["optimize", "absent.keras", "--eval", "absent", "-o", "out"],
    ],
    ids=" ".join,
)
def test_failures_are_of_the_form(words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(cli, [*words, "--json"], prog_name="edge-sdk")
    assert done.exit_code == 1, done.stdout
    told = json.loads(done.stdout)
    check(told)
    assert issubclass(getattr(errors, told["error"]), errors.EdgeSdkError)
    assert list(tmp_path.iterdir()) == [], "a command that failed leaves nothing"
