"""The command line: exit codes, streams, JSON, and errors in one line."""

from __future__ import annotations

import json
import pkgutil
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
from click.testing import CliRunner, Result

from edge_sdk.cli import COMMANDS, cli


def invoke(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, [str(argument) for argument in arguments], prog_name="edge-sdk")


def test_help_lists_every_command() -> None:
    result = invoke("--help")
    assert result.exit_code == 0
    assert all(name in result.output for name in COMMANDS)


def every_command() -> list[tuple[str, ...]]:
    """All commands, and those of groups."""
    found: list[tuple[str, ...]] = []
    for name, reference in COMMANDS.items():
        command = pkgutil.resolve_name(reference)
        found += [(name, inner) for inner in command.commands] if isinstance(command, click.Group) else [(name,)]
    return found


@pytest.mark.parametrize("words", every_command(), ids=" ".join)
def test_every_command_has_help_json_and_quiet(words: tuple[str, ...]) -> None:
    output = invoke(*words, "--help").output
    assert "--json" in output
    assert "--quiet" in output


def test_unknown_command_offers_the_nearest() -> None:
    result = invoke("convrt")
    assert result.exit_code == 2
    assert "no command `convrt`, did you mean `convert`" in result.output


def test_usage_error_is_exit_code_2() -> None:
    assert invoke("convert").exit_code == 2


def test_version_and_help_import_no_toolchain() -> None:
    script = (
        "import sys\nfrom edge_sdk.cli import cli\n"
        "for arguments in (['--version'], ['--help'], ['convert', '--help'], ['demo', '--help']):\n"
        "    try:\n        cli(arguments)\n    except SystemExit as done:\n        assert done.code == 0\n"
        "heavy = {'numpy', 'tensorflow', 'torch', 'cattrs', 'onnx', 'keras'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, capture_output=True)


def test_inspect_shows_the_truth(tflite: Path) -> None:
    result = invoke("inspect", tflite)
    assert result.exit_code == 0
    for words in ("image", "scores", "3 ops in float32, 100.0% of MACs", "tflite-runtime 2.7.0 or newer", "CONV_2D"):
        assert words in result.stdout


def test_inspect_json_is_one_object(tflite: Path) -> None:
    data = json.loads(invoke("inspect", tflite, "--json").stdout)
    assert data["ops_by_compute"] == {"float32": 3}
    assert data["note"] is None


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "No such file"), (b"", "not a whole TFLite file"), (b"PK\x03\x04" * 10, "not a whole TFLite file")],
)
def test_error_is_one_line_and_one_hint(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "model.tflite"
    if content is not None:
        path.write_bytes(content)
    result = invoke("inspect", path)
    assert result.exit_code == 1
    assert result.stdout == ""
    lines = result.stderr.splitlines()
    assert lines[0].startswith("error: ")
    assert message in lines[0]
    assert all(line.startswith("hint: ") for line in lines[1:])


def test_error_with_json_is_an_object_on_stdout(tmp_path: Path) -> None:
    result = invoke("inspect", tmp_path / "absent.tflite", "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["error"] == "ModelError"


@pytest.mark.runtime
def test_run_writes_outputs_by_name(tflite: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "in.npz", image=np.random.rand(4, 8, 8, 3).astype(np.float32))
    result = invoke("run", tflite, "--input", tmp_path / "in.npz", "-o", tmp_path / "out.npz")
    assert result.exit_code == 0, result.stderr
    assert "first run, largest: " in result.stdout
    with np.load(tmp_path / "out.npz") as outputs:
        assert outputs["scores"].shape == (4, 1, 5)
        assert np.ptp(outputs["scores"][:, 0, 0]) > 0


@pytest.mark.runtime
@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"imag": np.zeros((2, 8, 8, 3), np.float32)}, "`imag` is not an input of the model, did you mean `image`"),
        ({"image": np.zeros((2, 8, 8, 3))}, "expects float32, got float64"),
        ({"image": np.full((2, 8, 8, 3), np.nan, np.float32)}, "holds NaN"),
    ],
)
def test_run_refuses_bad_input_and_writes_nothing(
    tflite: Path, tmp_path: Path, arrays: dict[str, Any], message: str
) -> None:
    np.savez(tmp_path / "in.npz", **arrays)
    result = invoke("run", tflite, "--input", tmp_path / "in.npz", "-o", tmp_path / "out.npz")
    assert result.exit_code == 1
    assert message in result.stderr
    assert not (tmp_path / "out.npz").exists()


def test_doctor_names_the_engine_and_what_extras_would_add() -> None:
    result = invoke("doctor", "--json")
    data = json.loads(result.stdout)
    assert {extra["name"] for extra in data["extras"]} >= {"runtime", "keras", "torch", "onnx", "convert"}
    assert result.exit_code == (3 if data["conflicts"] else 0)


def test_doctor_ends_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    told = json.loads(invoke("doctor", "--json").stdout)
    lines = invoke("doctor").stdout.splitlines()
    assert lines[-len(told["steps"]) - 1 :] == ["what to do", *(f"  {step}" for step in told["steps"])]
    monkeypatch.setattr("edge_sdk.doctor._version", lambda name: None)
    without = json.loads(invoke("doctor", "--json").stdout)
    bare = without["steps"]
    adds = {extra["name"]: extra["adds_bytes"] for extra in without["extras"]}
    assert adds["keras"] > 1e9 > adds["onnx"] > adds["images"] > 1e6, "as measured; see benchmarks/extras.py"
    assert adds["rockchip"] is None
    assert re.search(r"\[keras\] would add .*, 2\.\d GB: pip install", invoke("doctor").stdout)
    assert any("pip install 'edge-sdk[keras]'" in step for step in bare)
    assert any("pip install 'edge-sdk[torch]'" in step for step in bare)
    assert not any(step.startswith("ready to convert") for step in bare)


def test_doctor_tells_what_a_session_would_find() -> None:
    here = json.loads(invoke("doctor", "--json").stdout)["here"]
    assert [one["name"] for one in here["engines"]] == ["ai-edge-litert", "tflite-runtime"]
    found = {one["name"]: one for one in here["delegates"]}
    if any(one["present"] for one in here["engines"]):
        assert {"xnnpack", "weight cache", "gpu", "npu", "nnapi"} <= found.keys()
        assert any(name.startswith("external") for name in found)
        assert not found["nnapi"]["present"]
    assert all(one["words"] for one in (*found.values(), *here["engines"]))
    assert all(count >= 0 for count in here["free_bytes"].values())
    text = invoke("doctor").stdout
    assert all(f"{name}: " in text for name in found)


def test_doctor_says_what_a_cpu_without_lse_means(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge_sdk.runtime.here.has_atomics", lambda: False)
    assert "without LSE, which LiteRT's CompiledModel dies of" in invoke("doctor").stdout


def test_python_m_edge_sdk_works() -> None:
    done = subprocess.run([sys.executable, "-m", "edge_sdk", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("edge-sdk, version ")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("image=1,2,3", ("image", (1, 2, 3), None)),
        ("ids=1x16:int64", ("ids", (1, 16), "int64")),
        ("s=", ("s", (), None)),
    ],
)
def test_input_option(text: str, expected: tuple[Any, ...]) -> None:
    from edge_sdk.cli.options.kinds import InputShape

    assert InputShape().convert(text, None, None) == expected


def test_number_option_takes_fractions() -> None:
    from edge_sdk.cli.options.kinds import Numbers

    assert Numbers().convert("1/255,0.5", None, None) == (1 / 255, 0.5)
    result = invoke("run", "x", "--input", "y", "--image-mean", "a")
    assert result.exit_code == 2
    assert "expected numbers separated by commas" in result.output
