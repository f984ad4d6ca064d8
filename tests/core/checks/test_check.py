"""`check`: one file against one device, from rules alone."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from edge_sdk.artifact.model import Artifact, parse_artifact
from edge_sdk.artifact.tree import pack_tree, parse_tree
from edge_sdk.checks import delegation
from edge_sdk.checks.checking import check
from edge_sdk.checks.verdict import CheckReport
from edge_sdk.cli import cli
from edge_sdk.errors import ProfileError
from edge_sdk.profile.reading import find_profile
from edge_sdk.profile.records import DeviceProfile, Runtime
from tests.core.checks.memory.arena_net import Net
from tests.core.checks.memory.test_arena import loop
from tests.graphs import Graph, conv_model, depthwise_model, options


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
    assert rules_of(report) == ["rules-of-other-version"]
    assert [finding.rule for finding in report.lint] == ["open-shape"]
    assert [delegate.rules for delegate in report.delegates] == ["gpu_v2", "nnapi", "xnnpack"]
    xnnpack = report.delegates[-1]
    assert (xnnpack.verdict, xnnpack.claimed, xnnpack.partitions, xnnpack.mac_share) == ("all", 3, 1, 1.0)
    # The image (8*8*3 values) goes in and five scores come out, four bytes each.
    assert xnnpack.boundary_bytes == 4 * (8 * 8 * 3 + 5)
    assert (xnnpack.byte_share, xnnpack.engine) == (1.0, "litert-android 2.3.0")


def test_memory_is_told_for_each_delegate_and_the_floor_is_xnnpacks(artifact: Artifact) -> None:
    memory = check(artifact, find_profile("pixel-8")).memory
    assert [path.name for path in memory.paths] == ["gpu_v2 on gpu", "nnapi on npu", "xnnpack on cpu", "no delegate"]
    gpu, _, xnnpack, alone = memory.paths
    assert memory.floor_path == xnnpack.name
    assert memory.floor_because == "litert-android 2.3.0 uses XNNPACK by default"
    assert memory.floor_bytes == xnnpack.total_bytes == artifact.size_bytes + xnnpack.heap_bytes
    assert (memory.input_bytes, memory.output_bytes) == (4 * 8 * 8 * 3, 4 * 5)
    # 3x3x3 floats and a bias for each of 4 channels, and 4 floats and a bias for each of 5: in tiles of 2 channels.
    assert 4 * (4 * (27 + 1) + 6 * (4 + 1)) <= xnnpack.packed_bytes < 4 * 8 * (27 + 1 + 4 + 1)
    # With a delegate only the image and the scores are left in TFLite's arena.
    assert gpu.arena_bytes == xnnpack.arena_bytes < alone.arena_bytes
    assert (gpu.complete, gpu.packed_bytes, gpu.claimed_weight_bytes > 0) == (False, 0, True)


@pytest.mark.parametrize(
    ("device", "kind", "evidence", "error"),
    [
        # It has LiteRT 2.3.0, and 2.1 is what was counted.
        ("pixel-8", "arm64-i8mm", "translated", 0.15),
        ("intel-n100", "x86-avx-vnni", "read", 0.25),
    ],
)
def test_a_heap_has_an_interval_by_what_was_counted(
    artifact: Artifact, device: str, kind: str, evidence: str, error: float
) -> None:
    report = check(artifact, find_profile(device))
    path = next(path for path in report.memory.paths if path.cpu_kernels)
    assert (path.cpu_kernels, path.cpu_evidence) == (kind, evidence)
    assert path.heap_most_bytes - path.heap_bytes == path.heap_bytes - path.heap_least_bytes
    assert path.heap_most_bytes == path.heap_bytes + int(error * path.heap_bytes) + 1024
    assert report.memory.floor_most_bytes == artifact.size_bytes + path.heap_most_bytes


def test_kernels_that_were_only_read_are_told(tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(conv_model())
    told = CliRunner().invoke(cli, ["check", str(path), "--profile", "intel-n100"]).stdout
    assert "kernels of x86-avx-vnni read, not counted" in told
    assert "[memory-kernels-read]" in told
    data = json.loads(CliRunner().invoke(cli, ["check", str(path), "--profile", "intel-n100", "--json"]).stdout)
    xnnpack = next(path for path in data["memory"]["paths"] if path["cpu_kernels"])
    assert xnnpack["cpu_evidence"] == "read"
    assert xnnpack["heap_least_bytes"] < xnnpack["heap_bytes"] < xnnpack["heap_most_bytes"]


def test_a_file_that_may_be_too_large_is_warned_of(artifact: Artifact) -> None:
    profile = find_profile("pixel-8")
    large = parse_artifact(conv_model(side=160, channels=24))
    memory = check(large, profile).memory
    # A mebibyte that lies between what is predicted and what it may be.
    budget = memory.floor_most_bytes >> 20
    assert memory.floor_bytes < budget << 20
    near = check(large, changed(profile, memory=replace(profile.device.memory, process_mib=budget)))
    assert near.fits
    assert rules_of(near, "warning").count("memory-near-budget") == 1
    assert "memory-near-budget" not in rules_of(check(large, profile))


def test_a_device_whose_runtimes_have_no_xnnpack_is_held_against_tflite_alone(artifact: Artifact) -> None:
    memory = check(artifact, find_profile("stm32mp157")).memory
    assert [path.name for path in memory.paths] == ["no delegate"]
    assert memory.floor_because == "no runtime of the device is known to use XNNPACK"
    assert memory.floor_bytes == memory.paths[0].total_bytes


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


def test_xnnpack_is_placed_as_the_devices_newest_runtime_has_it() -> None:
    graph = Graph()
    x, y = (graph.tensor(name, (1, 4)) for name in "xy")
    graph.op("LOG", (x,), (y,))
    logarithm = parse_artifact(graph.finish((x,), (y,)))
    report = check(logarithm, find_profile("raspberry-pi-4"))
    (xnnpack,) = report.delegates
    assert (xnnpack.engine, xnnpack.claimed) == ("ai-edge-litert 2.3.0", 1)
    (finding,) = [finding for finding in report.findings if finding.rule == "runtime-places-otherwise"]
    assert finding.where == "xnnpack in tflite-runtime 2.14.0"
    assert finding.message == "takes 0 of 1 ops, in ai-edge-litert 2.3.0 1"


def test_runtimes_whose_rules_are_not_known_are_said(artifact: Artifact) -> None:
    runtimes = (Runtime("ai-edge-litert", "9.0.0"), Runtime("tflite-runtime", "2.5.0"))
    report = check(artifact, changed(find_profile("raspberry-pi-4"), runtimes=runtimes))
    said = {finding.where for finding in report.findings if finding.rule == "rules-of-other-version"}
    assert said == {"xnnpack in ai-edge-litert 9.0.0", "xnnpack in tflite-runtime 2.5.0"}


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
    monkeypatch.setattr(delegation, "rule_set_names", lambda: ("xnnpack",))
    report = check(artifact, find_profile("imx8m-plus"))
    (unknown,) = [delegate for delegate in report.delegates if delegate.rules == "vx"]
    assert (unknown.verdict, unknown.claimed) == ("not predicted", 0)


def test_only_the_delegates_asked_for(artifact: Artifact) -> None:
    report = check(artifact, find_profile("pixel-8"), delegates=["xnnpack"])
    assert [delegate.rules for delegate in report.delegates] == ["xnnpack"]
    with pytest.raises(ProfileError, match="pixel-8 has no delegate with rules `edgetpu`"):
        check(artifact, find_profile("pixel-8"), delegates=["edgetpu"])


def findings(content: bytes, profile: str = "pixel-8") -> dict[str, str]:
    """Rule to the last message."""
    return {found.rule: str(found) for found in check(parse_artifact(content), find_profile(profile)).findings}


def test_loops_are_placed_inside_and_said() -> None:
    model = loop(body_calls=-1)
    report = check(parse_artifact(model), find_profile("pixel-8"), delegates=["xnnpack"])
    (xnnpack,) = report.delegates
    # WHILE itself stays outside; the body's two LOGISTIC are taken, and the condition has no op.
    assert (xnnpack.ops, xnnpack.claimed, xnnpack.partitions) == (3, 2, 1)
    assert "1 x WHILE run 2 other subgraphs" in findings(model)["control-flow"]


def test_variables_are_said_and_counted() -> None:
    graph = Graph()
    x, y = (graph.tensor(name, (1, 4)) for name in "xy")
    handle = graph.tensor("handle", (), "resource")
    graph.op("VAR_HANDLE", (), (handle,), options("VarHandleOptions", shared_name="state"))
    graph.op("ASSIGN_VARIABLE", (handle, x), ())
    graph.op("READ_VARIABLE", (handle,), (y,))
    model = graph.finish((x,), (y,))
    assert "keeps 16 bytes of variables" in findings(model)["resource-variables"]
    assert check(parse_artifact(model), find_profile("pixel-8")).memory.paths[-1].variable_bytes == 16


def test_custom_op_is_a_finding_and_the_runtimes_own_ones_load() -> None:
    def with_custom(name: str) -> bytes:
        net = Net()
        x, y = net.input(1, 4), net.tensor("y", (1, 4))
        net.op("CUSTOM", (x,), (y,), custom=name)
        return net.finish([x], [y])

    assert {"custom-op", "no-runtime-loads"} <= set(findings(with_custom("Mystery"), "raspberry-pi-4"))
    known = findings(with_custom("TFLite_Detection_PostProcess"), "raspberry-pi-4")
    assert "custom-op" in known
    assert "no-runtime-loads" not in known


def test_float_ends_of_an_integer_accelerator(artifact: Artifact) -> None:
    report = check(artifact, find_profile("coral-usb"))
    said = [finding for finding in report.findings if finding.rule == "float-io"]
    assert [finding.where for finding in said] == ["edgetpu on npu"] * 2
    assert "input `image` is float32" in said[0].message


def test_wide_windows_are_told_where_xnnpack_runs_them() -> None:
    device = find_profile("raspberry-pi-5")
    (told,) = [one for one in check(parse_artifact(depthwise_model()), device).findings if one.rule == "wide-windows"]
    assert (told.severity, told.where) == ("warning", "xnnpack on cpu")
    assert told.message.startswith("1 DEPTHWISE_CONV_2D (1 of 7x7) have more than 25 taps")
    assert "wide-windows" not in findings(depthwise_model((5, 5)), "raspberry-pi-5")
    assert "wide-windows" not in findings(depthwise_model(), "imx93")


def test_a_file_beyond_2_gib_does_not_fit(artifact: Artifact) -> None:
    report = check(replace(artifact, size_bytes=1 << 31), find_profile("pixel-8"))
    assert "file-too-large" in rules_of(report, "error")


def test_second_signature_of_another_subgraph_is_not_predicted(artifact: Artifact) -> None:
    first = artifact.signature
    more = replace(artifact, signatures=(first, replace(first, key="train", subgraph=1)))
    (finding,) = [one for one in check(more, find_profile("pixel-8")).findings if one.rule == "several-signatures"]
    assert finding.severity == "warning"
    assert "nothing is predicted for train" in finding.message


def invoke(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, ["check", *map(str, arguments)], prog_name="edge-sdk")


def test_command_says_predicted_and_ends_with_its_verdict(tflite: Path) -> None:
    result = invoke(tflite, "--profile", "pixel-8")
    assert result.exit_code == 0, result.stderr
    assert result.stdout.splitlines()[0].endswith("(predicted from rules; nothing ran on the device)")
    assert "on cpu: all; 3 of 3 ops, 100.0% of MACs, 100.0% of bytes, 1 partition, " in result.stdout
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


def test_custom_op_that_xnnpack_takes_needs_no_kernel_in_a_runtime_that_has_it() -> None:
    """MediaPipe's selfie segmentation: LiteRT runs it, and no kernel of that name was ever registered."""
    from tests.core.checks.delegates.xnnpack import one_op

    probes = dict(one_op.custom())
    profile = find_profile("raspberry-pi-5")
    report = check(parse_artifact(probes["options (1, 2, 2)"]), profile)
    loads = {runtime.name: runtime.loads for runtime in report.runtimes}
    assert loads == {"ai-edge-litert": True, "tflite-runtime": False}
    refused = check(parse_artifact(probes["options (0, 2, 2)"]), profile)
    assert not any(runtime.loads for runtime in refused.runtimes)
