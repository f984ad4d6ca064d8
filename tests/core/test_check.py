"""`check`: one file against one device, from rules alone."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from edge_sdk.artifact.model import Artifact, pack_tree, parse_artifact, parse_tree
from edge_sdk.checks import checking
from edge_sdk.checks.checking import check
from edge_sdk.checks.verdict import CheckReport
from edge_sdk.cli import cli
from edge_sdk.errors import ProfileError
from edge_sdk.profile.reading import find_profile
from edge_sdk.profile.records import DeviceProfile
from tests.graphs import conv_model


@pytest.fixture(scope="module")
def artifact() -> Artifact:
    """CONV_2D, MEAN, FULLY_CONNECTED in float32."""
    return parse_artifact(conv_model())


def rules_of(report: CheckReport, severity: str | None = None) -> list[str]:
    return [finding.rule for finding in report.findings if severity in (None, finding.severity)]


def changed(profile: DeviceProfile, **device: Any) -> DeviceProfile:
    return replace(profile, device=replace(profile.device, **device))


def test_small_float_model_fits_a_phone(artifact: Artifact) -> None:
    report = check(artifact, find_profile("pixel-8"))
    assert report.fits
    assert rules_of(report) == ["rules-of-other-version", "open-shape"]
    assert [delegate.rules for delegate in report.delegates] == ["gpu_v2", "nnapi", "xnnpack"]
    xnnpack = report.delegates[-1]
    assert (xnnpack.verdict, xnnpack.claimed, xnnpack.partitions, xnnpack.mac_share) == ("all", 3, 1, 1.0)
    # The image (8*8*3 values) goes in and five scores come out, four bytes each.
    assert xnnpack.boundary_bytes == 4 * (8 * 8 * 3 + 5)
    assert report.memory.floor_bytes == artifact.size_bytes + sum(
        (report.memory.arena_bytes, report.memory.persistent_bytes, report.memory.heap_bytes)
    )


def test_memory_beyond_the_budget_does_not_fit(artifact: Artifact) -> None:
    profile = find_profile("pixel-8")
    small = changed(profile, memory=replace(profile.device.memory, process_mib=0))
    report = check(artifact, small)
    assert not report.fits
    assert rules_of(report, "error") == ["memory-over-budget"]
    assert "a process may take 0" in report.findings[0].message


def test_op_version_that_no_runtime_has(artifact: Artifact) -> None:
    tree, _ = parse_tree(conv_model())
    tree.operator_codes[0].version = 99
    report = check(parse_artifact(pack_tree(tree)), find_profile("raspberry-pi-4"))
    assert not report.fits
    assert rules_of(report).count("runtime-lacks-op") == len(report.runtimes)
    assert "no-runtime-loads" in rules_of(report)
    assert report.runtimes[0].missing == (("CONV_2D", 99),)


def test_runtime_that_was_not_measured_is_not_judged(artifact: Artifact) -> None:
    report = check(artifact, find_profile("pixel-8"))
    loads = {f"{row.name} {row.version}": row.loads for row in report.runtimes}
    assert loads["play-services-tflite 16.4.0"] is None
    assert loads["litert-android 1.4.0"] is True


def test_rules_of_another_version_are_said(artifact: Artifact) -> None:
    report = check(artifact, find_profile("raspberry-pi-4"))
    (finding,) = [finding for finding in report.findings if finding.rule == "rules-of-other-version"]
    assert "ai-edge-litert 2.3.0, tflite-runtime 2.14.0 may place ops otherwise" in finding.message
    assert finding.hint == "tflite-runtime 2.14 gives XNNPACK float ops only"


def test_device_without_runtime_does_not_fit(artifact: Artifact) -> None:
    report = check(artifact, changed(find_profile("pixel-8"), runtimes=()))
    assert rules_of(report, "error") == ["no-runtime"]


def test_what_the_device_alone_cannot_take(artifact: Artifact) -> None:
    profile = find_profile("pixel-8")
    flat = changed(profile, delegates=tuple(replace(one, max_rank=3) for one in profile.device.delegates))
    report = check(artifact, flat)
    assert all(delegate.obstacles[0].rule == "device-rank" for delegate in report.delegates)
    assert "this accelerator takes 3 at most" in report.delegates[0].obstacles[0].first.message
    assert rules_of(report).count("falls-back-to-cpu") == 2


def test_rules_that_are_not_there_are_not_predicted(artifact: Artifact, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checking, "rule_set_names", lambda: ("xnnpack",))
    report = check(artifact, find_profile("imx8m-plus"))
    (unknown,) = [delegate for delegate in report.delegates if delegate.rules == "vx"]
    assert (unknown.verdict, unknown.claimed) == ("not predicted", 0)


def test_only_the_delegates_asked_for(artifact: Artifact) -> None:
    report = check(artifact, find_profile("pixel-8"), delegates=["xnnpack"])
    assert [delegate.rules for delegate in report.delegates] == ["xnnpack"]
    with pytest.raises(ProfileError, match="pixel-8 has no delegate with rules `edgetpu`"):
        check(artifact, find_profile("pixel-8"), delegates=["edgetpu"])


def invoke(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, ["check", *map(str, arguments)], prog_name="edge-sdk")


def test_command_says_predicted_and_ends_with_its_verdict(tflite: Path) -> None:
    result = invoke(tflite, "--profile", "pixel-8")
    assert result.exit_code == 0, result.stderr
    assert result.stdout.splitlines()[0].endswith("(predicted from rules; nothing ran on the device)")
    assert "on cpu: all; 3 of 3 ops, 100.0% of MACs, 1 partition, " in result.stdout
    assert "play-services-tflite 16.4.0: op versions not measured" in result.stdout


def test_command_exits_with_3_where_the_file_does_not_fit(tflite: Path, tmp_path: Path) -> None:
    tree, _ = parse_tree(tflite.read_bytes())
    tree.operator_codes[0].version = 99
    path = tmp_path / "new.tflite"
    path.write_bytes(pack_tree(tree))
    result = invoke(path, "--profile", "raspberry-pi-4", "--json")
    assert result.exit_code == 3
    report = json.loads(result.stdout)
    assert not report["fits"]
    assert "no-runtime-loads" in [finding["rule"] for finding in report["findings"]]


def test_unknown_profile_and_damaged_file_are_one_error(tflite: Path, tmp_path: Path) -> None:
    assert "did you mean `pixel-8`" in invoke(tflite, "--profile", "pixel_8").stderr
    (tmp_path / "cut.tflite").write_bytes(tflite.read_bytes()[:200])
    result = invoke(tmp_path / "cut.tflite", "--profile", "pixel-8")
    assert result.exit_code == 1
    assert "not a whole TFLite file" in result.stderr
