"""Compiled variants of a bundle: which file, for which chips, refused before anything is converted; by Vela itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from edge_sdk.cli import cli
from edge_sdk.converters.compilers.for_bundle import CompileFor, chips_of, compiled_files
from edge_sdk.converters.compilers.seam import COMPILERS, Compilation, Job, License, Simulated
from edge_sdk.errors import LicenseError, MissingDependencyError, TargetError, UnknownDeviceError
from edge_sdk.progress import Silent
from tests.graphs import conv_model, int8_model


class _Copies:
    """A compiler that gives back what it was given."""

    name, extra, elsewhere, license = "qualcomm", "qualcomm", True, License("none", "none", asks=False)

    def __init__(self) -> None:
        self.jobs: list[Job] = []

    def target_of(self, profile: Any) -> str | None:
        return profile.soc.part if profile.soc.vendor == "Qualcomm" else None

    def ending(self, _: str) -> str:
        return "_x.tflite"

    def ready(self, _: str, __: Path | None) -> None:
        return

    def compile(self, job: Job) -> Compilation:
        self.jobs.append(job)
        told = Simulated(0.5, 0.4, 0.7, "a test's")
        return Compilation("qualcomm", "copies 1", job.target, job.content, ".tflite", (), 1, simulated=told)


@pytest.fixture
def copies(monkeypatch: pytest.MonkeyPatch) -> _Copies:
    made = _Copies()
    monkeypatch.setattr("edge_sdk.converters.compilers.seam.find_compiler", lambda _: made)
    return made


def test_one_for_each_chip_of_the_file_that_suits_an_npu(tmp_path: Path, copies: _Copies) -> None:
    files = [tmp_path / "a.tflite", tmp_path / "b.tflite"]
    files[0].write_bytes(conv_model())
    files[1].write_bytes(int8_model())
    asked = CompileFor(["xiaomi-14", "oneplus-12", "galaxy-s23"])
    made = list(compiled_files(files, chips_of(asked), asked, Silent()))
    assert [one.facts.profiles for one in made] == [("xiaomi-14", "oneplus-12"), ("galaxy-s23",)]
    assert {one.source for one in made} == {files[1]}
    assert [one.facts.target for one in made] == [job.target for job in copies.jobs]
    assert made[0].facts.chips == ("sm8650", "snapdragon-8-gen-3")
    facts = made[0].facts
    assert (facts.simulated_ms, facts.low_ms, facts.high_ms, facts.delegate) == (0.5, 0.4, 0.7, "external")


@pytest.mark.parametrize(
    ("asked", "error", "words"),
    [
        (CompileFor(["xiaomi-41"]), UnknownDeviceError, "xiaomi-14"),
        (CompileFor(["raspberry-pi-4"]), TargetError, "none of the compilers vela, qualcomm, rockchip is for its chip"),
        (CompileFor(["rk3588"]), TargetError, "rockchip makes no .tflite for rk3588"),
        (CompileFor(["xiaomi-14"]), LicenseError, "has a licence that you must accept"),
        (CompileFor(["xiaomi-14"], ("qualcomm",)), MissingDependencyError, "onnxruntime-qnn|ai-edge-litert"),
    ],
)
def test_what_cannot_be_is_refused_first(asked: CompileFor, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        chips_of(asked)
    assert set(COMPILERS) == {"vela", "qualcomm", "rockchip"}


def test_options_of_no_compiler_are_a_mistake(tmp_path: Path) -> None:
    (tmp_path / "m.tflite").write_bytes(conv_model())
    words = ["bundle", "create", str(tmp_path / "m.tflite"), "-o", str(tmp_path / "m.edge"), "--accept-license", "vela"]
    told = CliRunner().invoke(cli, words)
    assert told.exit_code == 2
    assert "--accept-license and --compiler-env are of --compile" in told.output
    convert = ["convert", str(tmp_path / "m.tflite"), "-o", str(tmp_path / "n.tflite"), "--compile", "imx93"]
    told = CliRunner().invoke(cli, convert)
    assert told.exit_code == 2
    assert "--compile: only with --bundle" in told.output


@pytest.mark.ethos_u
@pytest.mark.runtime
def test_velas_file_is_a_variant(tmp_path: Path) -> None:
    (tmp_path / "m.tflite").write_bytes(int8_model())
    words = ["bundle", "create", str(tmp_path / "m.tflite"), "-o", str(tmp_path / "m.edge"), "--compile", "imx93"]
    told = CliRunner().invoke(cli, [*words, "--json"])
    assert told.exit_code == 0, told.output
    plain, made = json.loads(told.stdout)["manifest"]["variants"]
    assert (plain["compiled"], made["id"]) == (None, f"{plain['id']}_ethos-u65-256")
    facts = made["compiled"]
    assert (facts["compiler"], facts["chips"], facts["made_from"]) == ("vela", ["imx93"], plain["id"])
    assert 0 < facts["ops_on_npu"] <= facts["ops"]
    assert facts["simulated_ms"] > 0
    assert (facts["low_ms"], facts["high_ms"]) == (None, None)
    shown = CliRunner().invoke(cli, ["bundle", "inspect", str(tmp_path / "m.edge")])
    assert f"{made['id']}: {plain['id']} for ethos-u65-256 (imx93) by ethos-u-vela" in shown.output
    assert "ms simulated" in shown.output
