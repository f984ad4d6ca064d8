"""`edge-sdk compile`: what is refused before a compiler starts, and compilers that misbehave."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from edge_sdk.cli import cli
from edge_sdk.converters.compilers import CompileOptions, Trial, compile_file
from edge_sdk.converters.compilers.compiling import ACCEPTED
from edge_sdk.converters.compilers.seam import COMPILERS, compiler_for, find_compiler
from edge_sdk.errors import (
    BuildError,
    LicenseError,
    MissingDependencyError,
    MissingToolError,
    ModelError,
    NothingPlacedError,
    OutputError,
    TargetError,
)
from edge_sdk.profile.reading import find_profile, profile_names
from tests.converters.compilers.fake import environment, toolkit
from tests.graphs import Graph, conv_model


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.tflite"
    path.write_bytes(conv_model())
    return path


def asked(env: Path | None = None, soc: str = "SM8650", **more: Any) -> CompileOptions:
    options: dict[str, Any] = {"soc": f"qualcomm:{soc}", "accepted": ("qualcomm",), "python": env, **more}
    return CompileOptions(**options)


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.is_file())


@pytest.mark.parametrize(
    ("deed", "error", "words"),
    [
        ("dies", BuildError, "was ended by SIGSEGV"),
        ("fails", BuildError, "refuses the file as a whole: Stride is 0"),
        ("hangs", BuildError, "did not end within 1 s"),
        (
            "nothing",
            NothingPlacedError,
            r"none of 3 ops on the SM8650; the first, CONV_2D: Unsupported input tensor type",
        ),
        ("writes nothing", BuildError, "ended well and left no file"),
        ("writes rubbish", BuildError, "left nothing that can be read: .*not a whole TFLite file"),
        ("lies", BuildError, "it says 2 of 3 ops of subgraph 0, its file shows 0"),
    ],
)
def test_compiler_that_misbehaves(model: Path, tmp_path: Path, deed: str, error: type[Exception], words: str) -> None:
    env = environment(tmp_path / "env", deed)
    with pytest.raises(error, match=words):
        compile_file(model, options=asked(env, seconds=1.0 if deed == "hangs" else 60.0))
    assert left(tmp_path) == ["model.tflite"]


@pytest.mark.parametrize("package", ["ai-edge-litert", "onnxruntime-qnn"])
def test_absent_package_names_the_extra(model: Path, tmp_path: Path, package: str) -> None:
    with pytest.raises(MissingDependencyError, match=f"SM8650 needs {package}") as found:
        compile_file(model, options=asked(environment(tmp_path / "env", "dies", without=package)))
    assert found.value.hint == "pip install 'edge-sdk[qualcomm]'"


def test_absent_library_is_named_with_its_package(model: Path, tmp_path: Path) -> None:
    with pytest.raises(MissingToolError, match=r"libQnnIr.so, which onnxruntime-qnn 2.7.0 does not have"):
        compile_file(model, options=asked(environment(tmp_path / "env", "dies", without="libQnnIr.so")))


@pytest.mark.parametrize("soc", ["SM8655", "sm8650"])
def test_unknown_chip_names_the_nearest(model: Path, tmp_path: Path, soc: str) -> None:
    with pytest.raises(TargetError, match=r"knows no chip `\w+`, did you mean `SM8650`") as found:
        compile_file(model, options=asked(environment(tmp_path / "env", "dies"), soc=soc))
    assert found.value.hint == "name one by --soc: SM8350, SM8650"


def test_license_is_asked_before_anything_is_looked_for(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(LicenseError, match="Qualcomm AI Stack License") as found:
        compile_file(model, options=asked(Path("/nowhere"), accepted=()))
    assert "--accept-license qualcomm" in (found.value.hint or "")
    monkeypatch.setenv(ACCEPTED, "qualcomm")
    with pytest.raises(MissingToolError, match="--env: /nowhere is no Python environment"):
        compile_file(model, options=asked(Path("/nowhere"), accepted=()))


def test_license_of_nobody_is_a_mistake(model: Path) -> None:
    with pytest.raises(LicenseError, match="no compiler `qualcom`, did you mean `qualcomm`"):
        compile_file(model, options=asked(accepted=("qualcom",)))


def test_environment_that_answers_nothing(model: Path, tmp_path: Path) -> None:
    program = tmp_path / "python"
    program.write_text("#!/bin/sh\nexit 3\n")
    program.chmod(0o755)
    with pytest.raises(MissingToolError, match="does not answer as a Python does"):
        compile_file(model, options=asked(program))


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        (CompileOptions(), TargetError, "neither a device nor a compiler"),
        (CompileOptions(soc="qualcom:SM8650"), TargetError, "no compiler `qualcom`, did you mean `qualcomm`"),
        (CompileOptions(find_profile("pixel-8")), TargetError, "Tensor G3: its Google Tensor TPU"),
        (CompileOptions(find_profile("raspberry-pi-4")), TargetError, "the profile names no NPU"),
        (CompileOptions(soc="vela:ethos-u66-256"), TargetError, "vela knows no `ethos-u66-256`, did you mean"),
    ],
)
def test_chip_without_compiler(model: Path, options: CompileOptions, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        compile_file(model, options=options)


def test_file_that_cannot_be_compiled(tmp_path: Path) -> None:
    graph = Graph()
    x, y = graph.tensor("x", (1, 4)), graph.tensor("y", (1, 4))
    graph.op("CUSTOM", (x,), (y,), custom="DISPATCH_OP")
    (tmp_path / "done.tflite").write_bytes(graph.finish((x,), (y,)))
    with pytest.raises(ModelError, match="was compiled for an NPU already: it holds CUSTOM:DISPATCH_OP"):
        compile_file(tmp_path / "done.tflite", options=asked())
    with pytest.raises(ModelError, match="cannot be read"):
        compile_file(tmp_path / "absent.tflite", options=asked())


def test_output_is_checked_first(model: Path) -> None:
    with pytest.raises(OutputError, match="is a file, not a folder"):
        compile_file(model, model / "m.tflite", asked())
    with pytest.raises(ModelError, match="overwritten by its own compiled form"):
        compile_file(model, model, asked())


def test_each_compiler_says_who_it_is() -> None:
    for name in COMPILERS:
        compiler = find_compiler(name)
        assert (compiler.name, bool(compiler.license.terms)) == (name, True)
        assert compiler.ending("X").endswith((".tflite", ".rknn"))


def test_devices_find_their_compiler() -> None:
    found = {}
    for name in profile_names():
        try:
            found[name] = compiler_for(find_profile(name))
        except TargetError as error:
            assert name in str(error)  # noqa: PT017 - most devices have none
    named = {name: (compiler.name, target) for name, (compiler, target) in found.items()}
    assert named["imx93"] == ("vela", "ethos-u65-256")
    assert named["xiaomi-14"] == ("qualcomm", "SM8650")
    assert "pixel-8" not in named


def test_compiler_without_emulator_says_so_first(model: Path) -> None:
    with pytest.raises(TargetError, match="vela brings no emulator"):
        compile_file(model, options=CompileOptions(soc="vela:ethos-u65-256", trial=Trial(1)))


def run(*arguments: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(cli, ["compile", *arguments])
    return done.exit_code, done.stdout, done.stderr


def test_command_ends_with_3_where_the_npu_takes_nothing(model: Path, tmp_path: Path) -> None:
    env = str(environment(tmp_path / "env", "nothing"))
    told = ("--soc", "qualcomm:SM8650", "--accept-license", "qualcomm", "--env", env, "--json")
    code, out, err = run(str(model), *told)
    assert code == 3
    assert json.loads(out)["error"] == "NothingPlacedError"
    assert "ask why 3 ops stay outside" in err


def rockchip(model: Path, python: Path | None) -> Any:
    options = CompileOptions(find_profile("rk3588"), accepted=("rockchip",), python=python)
    return compile_file(model, options=options)


def test_rockchips_file_is_looked_at_and_its_errors_are_told(model: Path, tmp_path: Path) -> None:
    made = rockchip(model, toolkit(tmp_path / "env", "works"))
    assert made.output == tmp_path / "model_rk3588.rknn"
    assert made.output.read_bytes().startswith(b"RKNN")
    assert made.compilation.account == {"errors_printed": ["Unkown op target: 0"]}
    assert {one.rule for one in made.compilation.findings} == {"rknn-prints-errors", "rknn-own-runtime"}


@pytest.mark.parametrize(
    ("deed", "words"),
    [
        ("writes nothing", "says that all went well and left no file: Unkown op target"),
        ("writes rubbish", "left a file that is no RKNN file: it begins with b'oops'"),
        ("fails", r"failed after build \(exit status 1\)"),
        ("raises", r"failed after load_tflite \(exit status 1\)"),
        ("connects", r"failed after load_tflite \(exit status 1\)"),
    ],
)
def test_rockchips_exit_code_is_not_trusted(model: Path, tmp_path: Path, deed: str, words: str) -> None:
    with pytest.raises(BuildError, match=words) as found:
        rockchip(model, toolkit(tmp_path / "env", deed))
    assert deed != "connects" or "compilers are offline" in found.value.log_tail
    assert left(tmp_path) == ["model.tflite"]


@pytest.mark.ethos_u
def test_vela_through_the_same_door(tmp_path: Path) -> None:
    graph = Graph()
    scale: dict[str, Any] = {"scale": [0.1], "zero_point": [0]}
    x, y = graph.tensor("x", (1, 4), "int8", **scale), graph.tensor("y", (1, 4), "int8", **scale)
    graph.op("RELU", (x,), (y,))
    (tmp_path / "m.tflite").write_bytes(graph.finish((x,), (y,)))
    code, out, _ = run(str(tmp_path / "m.tflite"), "--profile", "imx93", "--json")
    said = json.loads(out)
    assert (code, said["target"], said["ops_on_npu"], said["partitions"]) == (0, "ethos-u65-256", 1, 1)
    assert said["output"] == str(tmp_path / "m_vela.tflite")
    assert (tmp_path / "m_vela.tflite").read_bytes()[4:8] == b"TFL3"
