"""The command line speaks plainly: errors soon, outputs without being told, colour where it helps, JSON for all."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from edge_sdk.cli import cli
from edge_sdk.cli.colour import folded, painted
from edge_sdk.cli.convert import convert
from edge_sdk.cli.grouping import GroupedCommand
from edge_sdk.cli.outputs import TargetPath, converted_paths
from edge_sdk.cli.screen import Screen
from edge_sdk.errors import MissingDependencyError
from edge_sdk.recipe import find_recipe, recipe_names
from edge_sdk.report.recipes import _WHEN


def invoke(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, [str(argument) for argument in arguments], prog_name="edge-sdk")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["modl.keras"], "modl.keras: no such file or folder, did you mean `model.keras`?"),
        (["model.keras", "--calibration", "none/data.npz"], "there is no folder none"),
        (["model.keras", "--data", "model.npz"], "model.npz: not a whole .npz file"),
        (["model.keras", "--calibration", "yes.wav"], "yes.wav: sound is not read"),
        (["model.keras", "--calibration", "table.csv"], "table.csv: unknown kind of data `.csv`"),
        (["model.keras", "--calibration", "x.npy"], "x.npy: not a whole .npy file"),
        (["model.keras", "--keep-float-op", "("], "--keep-float-op `(`: not a regular expression"),
        (["model.py:make"], "model.py:make: no such file"),
        (["model.edge"], "model.edge: is a bundle, and a model is asked for"),
        (["folder"], "folder: this folder holds no saved_model.pb"),
        (["model.keras", "-r", "int88"], "did you mean `int8`?"),
    ],
)
def test_what_is_spelled_wrong_is_told_without_a_toolchain(
    arguments: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("folder").mkdir()
    for name in ("model.keras", "model.npz", "x.npy", "model.edge", "yes.wav", "table.csv"):
        Path(name).write_bytes(b"whatever")
    done = invoke("convert", *arguments)
    assert done.exit_code == 1
    assert message in done.stderr
    assert len(done.stderr.splitlines()) <= 2


def test_a_wrong_path_is_told_before_numpy_is_imported(tmp_path: Path) -> None:
    script = (
        "import sys\nfrom edge_sdk.cli import cli\n"
        "try:\n    cli(['convert', 'absent.keras', '--calibration', 'x.npz'])\n"
        "except SystemExit as done:\n    assert done.code == 1\n"
        "heavy = {'numpy', 'tensorflow', 'torch', 'onnx', 'keras'} & set(sys.modules)\nassert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, cwd=tmp_path)


@pytest.mark.parametrize(
    ("output", "recipes", "expected"),
    [
        (None, ["float32"], ["in/model_float32.tflite"]),
        (None, ["float16", "static_wi8_ai8"], ["in/model_float16.tflite", "in/model_static_wi8_ai8.tflite"]),
        ("out/", ["float16"], ["out/model_float16.tflite"]),
        ("out.tflite", ["float16"], ["out.tflite"]),
    ],
)
def test_outputs_have_names_where_the_user_gives_none(output: str | None, recipes: Any, expected: list[str]) -> None:
    target = None if output is None else TargetPath(Path(output), named_folder=output.endswith("/"))
    assert [str(path) for path in converted_paths("in/model.keras", target, recipes)] == expected


def test_two_recipes_and_one_file_name_is_a_usage_error() -> None:
    with pytest.raises(click.UsageError, match=r"`-o out\.tflite/`, or leave it out"):
        converted_paths("model.keras", TargetPath(Path("out.tflite")), ["float16", "float32"])
    assert converted_paths("a.py:make", None, ["float32"]) == [Path("make_float32.tflite")]


def test_every_option_of_convert_is_in_a_group() -> None:
    assert isinstance(convert, GroupedCommand)
    options = [one for one in convert.params if isinstance(one, click.Option)]
    groups = {one.name: convert.group_of(one) for one in options}
    assert "Other" not in groups.values(), groups
    text = invoke("convert", "--help").output
    order = ["Common:", "Data:", "Precision:", "Source:", "Training:", "Files:", "Bundle:", "About this command:"]
    places = [text.index(f"\n{name}") for name in order]
    assert places == sorted(places)
    assert text.index("--recipe") < text.index("\nData:") < text.index("--samples")


def test_recipes_says_which_one_when() -> None:
    text = invoke("recipes").output
    assert all(name in text for name in recipe_names())
    assert all(find_recipe(name).name == name for _, name in _WHEN), "every recipe named there exists"
    told = json.loads(invoke("recipes", "--json").stdout)
    assert {one["name"] for one in told["recipes"]} == set(recipe_names())
    assert "needs       calibration" in invoke("recipes", "int8").output
    assert invoke("recipes", "int9").exit_code == 1


@pytest.mark.parametrize(
    "arguments",
    [["convert", "--bogus"], ["convert"], ["convrt"], ["check", "x.tflite"], ["run", "--threads", "0", "x"]],
)
def test_a_usage_error_is_json_too(arguments: list[str]) -> None:
    done = invoke(*arguments, "--json")
    assert done.exit_code == 2
    told = json.loads(done.stdout)
    assert told["message"]
    assert set(told) == {"error", "message", "hint"}
    assert done.stderr.startswith("Usage:")
    assert invoke(*arguments).stdout == ""


def test_long_lines_are_folded_below_their_text() -> None:
    line = "  gpu_v2      on gpu: all; " + "many words " * 10
    lines = list(folded(line.rstrip(), 60))
    assert all(len(one) <= 60 for one in lines)
    assert all(one.startswith(" " * 14) for one in lines[1:])
    assert " ".join(" ".join(lines).split()) == " ".join(line.split())
    assert list(folded("x" * 100, 60)) == ["x" * 100], "a path is not broken"
    row = "  scores   0.0217     47.0  0.999997  100.0%, KL 2.2e-05      - " * 2
    assert list(folded(row, 60)) == [row], "a row of a table is not broken"


def test_an_edge_file_is_a_bundle() -> None:
    done = invoke("convert", "model.keras", "-o", "model.edge")
    assert done.exit_code == 2
    assert "-o model.edge: an .edge file is a bundle: add --bundle" in done.stderr


@pytest.mark.parametrize(
    ("line", "code"),
    [("error: no", "\x1b[31"), ("verified: out.tflite", "\x1b[32"), ("x on y: DOES NOT FIT (z)", "\x1b[31")],
)
def test_verdicts_are_painted(line: str, code: str) -> None:
    assert code in painted(line)
    assert click.unstyle(painted(line)) == line


@pytest.mark.parametrize(("no_colour", "expected"), [(None, True), ("1", False)])
def test_colour_is_for_terminals_whose_user_wants_it(no_colour: str | None, expected: bool, tmp_path: Path) -> None:
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "80"}
    environment.pop("NO_COLOR", None)
    if no_colour:
        environment["NO_COLOR"] = no_colour
    command = [sys.executable, "-m", "edge_sdk", "inspect", "absent.tflite"]
    leader, follower = pty.openpty()
    done = subprocess.run(command, stderr=follower, stdout=subprocess.PIPE, cwd=tmp_path, env=environment, check=False)
    os.close(follower)
    told = os.read(leader, 4096).decode()
    os.close(leader)
    assert done.returncode == 1
    assert ("\x1b[31" in told) is expected
    piped = subprocess.run(command, capture_output=True, cwd=tmp_path, env=environment, check=False)
    assert b"\x1b" not in piped.stderr


def test_what_tools_print_is_in_a_file_that_an_error_names(tmp_path: Path) -> None:
    script = (
        "import os, sys\nimport edge_sdk.cli as c\nfrom edge_sdk.cli.screen import command\n"
        "from edge_sdk.errors import ModelError\n"
        "import click\n@command(name='noisy')\n"
        "@click.option('--fault', is_flag=True)\n@click.option('--verdict', is_flag=True)\n"
        "def noisy(screen, fault, verdict):\n"
        "    os.write(2, b'INFO: Created a delegate\\n')\n    screen.say('mine')\n"
        "    if fault: raise ZeroDivisionError\n    if verdict: return 3\n"
        "    if len(sys.argv) > 2: raise ModelError('no')\n"
        "c.COMMANDS['noisy'] = '__main__:noisy'\nc.main()\n"
    )
    environment = {**os.environ, "TMPDIR": str(tmp_path)}

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", script, "noisy", *words]
        return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)

    well = run()
    assert (well.returncode, well.stderr) == (0, "mine\n")
    assert not list(tmp_path.iterdir()), "nothing is left where nothing went wrong"
    assert run("--verdict").returncode == 3
    assert not list(tmp_path.iterdir()), "nor a file that nobody named"
    crashed = run("--fault").stderr
    (log,) = tmp_path.glob("edge-sdk-*.log")
    assert f"what tools printed: {log}" in crashed
    assert "ZeroDivisionError" in crashed
    log.unlink()
    failed = run("--json")
    (log,) = tmp_path.glob("edge-sdk-*.log")
    assert log.read_text() == "INFO: Created a delegate\n"
    assert "INFO" not in failed.stderr
    assert f"what tools printed: {log}" in failed.stderr
    assert json.loads(failed.stdout)["log"] == str(log)


def test_completion_is_told_and_works() -> None:
    assert "_EDGE_SDK_COMPLETE=bash_source edge-sdk" in invoke("--help").output
    environment = {**os.environ, "_EDGE_SDK_COMPLETE": "bash_complete", "COMP_WORDS": "edge-sdk rec", "COMP_CWORD": "1"}
    script = "from edge_sdk.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment, check=False)
    assert done.stdout.split() == ["plain,recipes"]


@pytest.mark.parametrize(
    ("words", "completed"),
    [
        ("edge-sdk che", "plain,check"),
        ("edge-sdk check m.tflite --profile raspberry-pi-4", "plain,raspberry-pi-4"),
        ("edge-sdk convert m.keras -r static_wi8_ai8_io", "plain,static_wi8_ai8_io8"),
        ("edge-sdk convert m.keras -r mine", "file,mine"),
        ("edge-sdk convert mod", "file,mod"),
        ("edge-sdk compare a.keras b", "file,b"),
        ("edge-sdk run model.edge ph", "file,ph"),
        ("edge-sdk convert m.keras --calibration ph", "file,ph"),
        ("edge-sdk optimize m.keras --eval ph", "file,ph"),
    ],
)
def test_a_shell_completes_what_is_begun(words: str, completed: str) -> None:
    asked = {"_EDGE_SDK_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(len(words.split()) - 1)}
    done = CliRunner().invoke(cli, [], prog_name="edge-sdk", env=asked)
    assert completed in done.stdout.splitlines(), done.output


def test_what_is_to_be_installed_is_told_with_its_size(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("edge_sdk.doctor._version", lambda name: None)
    screen = Screen(as_json=False, quiet=True)
    screen.error(MissingDependencyError("tensorflow", extra="keras", why="reading model.keras"))
    screen.error(MissingDependencyError("rknn-toolkit2", extra="rockchip", why="compiling"))
    lines = capsys.readouterr().err.splitlines()
    assert lines[1] == "hint: pip install 'edge-sdk[keras]' (adds 2.2 GB on disk)"
    assert lines[3] == "hint: pip install 'edge-sdk[rockchip]'", "not measured"
