"""Vela in a child process: what `check` makes of its answer, and of its failures."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from edge_sdk.artifact import parse_artifact, read_artifact
from edge_sdk.checks.checking import check
from edge_sdk.checks.delegates.ethos_u import check as vela_check
from edge_sdk.checks.delegates.ethos_u import vela
from edge_sdk.checks.delegates.ethos_u.vela import compile_for_ethos_u
from edge_sdk.checks.delegates.ethos_u.vela_answer import UnreadableAnswerError, read_answer
from edge_sdk.checks.verdict import CheckReport
from edge_sdk.cli import cli
from edge_sdk.errors import ConversionError, MissingDependencyError, ModelError, ProfileError
from edge_sdk.profile.checks import device_faults
from edge_sdk.profile.reading import find_profile
from tests.core.checks.delegates.ethos_u.families import q
from tests.core.checks.delegates.xnnpack.one_op import T, op
from tests.graphs import Graph, conv_model, options

needs_vela = pytest.mark.ethos_u
U65 = "ethos-u65-256"


def mixed(*, name: str = "r") -> bytes:
    """CONV_2D, L2_NORMALIZATION (no NPU has it), RESHAPE, SOFTMAX in int8; ``name`` is the second result's."""
    graph, rng = Graph(), np.random.default_rng(0)
    x = graph.tensor("x", (1, 8, 8, 4), "int8", scale=[0.1])
    kernel = graph.constant("kernel", rng.integers(-99, 99, (8, 3, 3, 4)).astype(np.int8), scale=[0.1] * 8)
    y = graph.tensor("y", (1, 8, 8, 8), "int8", scale=[0.1])
    r = graph.tensor(name, (1, 8, 8, 8), "int8", scale=[1 / 128])
    shape = graph.constant("shape", np.array([1, 512], np.int32))
    s = graph.tensor("s", (1, 512), "int8", scale=[1 / 128])
    z = graph.tensor("z", (1, 512), "int8", scale=[1 / 256], zero_point=[-128])
    graph.op("CONV_2D", (x, kernel), (y,), options("Conv2DOptions", stride_w=1, stride_h=1))
    graph.op("L2_NORMALIZATION", (y,), (r,), options("L2NormOptions"))
    graph.op("RESHAPE", (r, shape), (s,), options("ReshapeOptions", new_shape=[1, 512]))
    graph.op("SOFTMAX", (s,), (z,), options("SoftmaxOptions", beta=1.0))
    return graph.finish((x,), (z,))


def saved(folder: Path, content: bytes) -> Path:
    path = folder / "model.tflite"
    path.write_bytes(content)
    return path


def checked(folder: Path, content: bytes) -> CheckReport:
    return check(read_artifact(saved(folder, content)), find_profile("imx93"))


def rules_of(report: CheckReport, severity: str) -> list[str]:
    return [finding.rule for finding in report.findings if finding.severity == severity]


def invoke(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, ["check", *map(str, arguments)], prog_name="edge-sdk")


@needs_vela
def test_placement_and_cost_are_velas(tmp_path: Path) -> None:
    report = checked(tmp_path, mixed())
    assert report.fits
    ethos = report.delegates[0]
    assert (ethos.claimed, ethos.ops, ethos.vela_differs) == (3, 4, ())
    assert [row.first.message for row in ethos.obstacles] == [
        "Ethos-U55/U65 has no L2_NORMALIZATION; Vela: Unsupported opType"
    ]
    answer = ethos.vela
    assert answer is not None
    assert [one.target for one in answer.ops][:2] == ["npu", "cpu"]
    # 8x8 places, 3x3x4 values under the kernel, 8 channels.
    assert answer.ops[0].macs == 8 * 8 * 3 * 3 * 4 * 8
    assert answer.ops[1].cycles is None
    assert 0 < answer.npu_cycles <= answer.total_cycles
    assert answer.inference_ms == pytest.approx(answer.total_cycles / answer.clock_mhz / 1e3)
    assert answer.sram_bytes > 0


@needs_vela
def test_text_and_json_say_whose_estimate_it_is(tmp_path: Path) -> None:
    path = saved(tmp_path, mixed())
    text = invoke(path, "--profile", "imx93").stdout
    assert "for ethos-u65-256: " in text
    assert "predicted by Vela for its system Ethos_U65_Client_Server at 1000 MHz" in text
    assert "not measured" in text
    answer = json.loads(invoke(path, "--profile", "imx93", "--json").stdout)["delegates"][0]["vela"]
    assert (answer["accelerator"], answer["memory_mode"]) == (U65, "Dedicated_Sram_384KB")
    assert [one["target"] for one in answer["ops"]].count("cpu") == 1


@needs_vela
def test_it_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    compile_for_ethos_u(mixed(), U65)
    with pytest.raises(ConversionError):
        compile_for_ethos_u(mixed(), U65, seconds=0.01)
    assert list(tmp_path.iterdir()) == []


@needs_vela
def test_float_file_is_an_error_where_vela_says_nothing(tmp_path: Path) -> None:
    path = saved(tmp_path, conv_model())
    result = invoke(path, "--profile", "imx93")
    assert result.exit_code == 3
    assert "error: ethos_u on npu: not one op runs on the NPU (Vela itself ends with success" in result.stdout
    assert "[npu-takes-nothing]" in result.stdout
    assert invoke(path, "--profile", "imx93", "--delegate", "xnnpack").exit_code == 0


@needs_vela
@pytest.mark.parametrize("name", ['a "quoted", name', "two\nlines", "]]>", "y", ""])
def test_names_do_not_mislead(tmp_path: Path, name: str) -> None:
    """Vela's tables quote nothing, and two results may share a name."""
    answer = compile_for_ethos_u(mixed(name=name), U65).answer
    assert [one.target == "cpu" for one in answer.ops] == [False, True, False, False]


@needs_vela
def test_sram_beyond_what_the_device_has(tmp_path: Path) -> None:
    profile = find_profile("imx93")
    small = replace(profile.device.delegates[0], on_chip_kib=1)
    device = replace(profile.device, delegates=(small,))
    report = check(read_artifact(saved(tmp_path, mixed())), replace(profile, device=device))
    assert not report.fits
    (finding,) = [finding for finding in report.findings if finding.rule == "npu-sram-over"]
    assert finding.message.endswith("KiB of SRAM in Vela's plan (Dedicated_Sram_384KB), the device has 1")


@needs_vela
def test_file_that_vela_refuses(tmp_path: Path) -> None:
    """One op that breaks its rules for types, and Vela takes no op of the file."""
    report = checked(tmp_path, op("HARD_SWISH", [T((1, 4))], [T((1, 4))]))
    assert not report.fits
    (finding,) = [finding for finding in report.findings if finding.rule == "vela-fails"]
    assert "refuses the file" in finding.message
    assert "IFM has to be 8bit" in finding.message


@needs_vela
def test_file_that_vela_dies_of(tmp_path: Path) -> None:
    weights = T((4, 8), "int4", (0.1,), data=0)
    content = op("FULLY_CONNECTED", [q(1, 8), weights], [q(1, 4)], "FullyConnectedOptions")
    report = checked(tmp_path, content)
    (finding,) = [finding for finding in report.findings if finding.rule == "vela-fails"]
    assert "was ended by signal" in finding.message


def test_vela_that_does_not_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "ethosu"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "vela.py").write_text("import time\ntime.sleep(600)\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setattr(vela, "vela_version", lambda: "5.2.0")
    with pytest.raises(ConversionError, match=r"did not end within 0.2 s") as caught:
        compile_for_ethos_u(mixed(), U65, seconds=0.2)
    assert caught.value.tool == "ethos-u-vela"


def test_damaged_file_never_reaches_vela(monkeypatch: pytest.MonkeyPatch) -> None:
    """Vela itself dies of a signal on this."""
    monkeypatch.setattr(
        "edge_sdk.checks.delegates.ethos_u.vela.run_tied", lambda *_, **__: pytest.fail("Vela was started")
    )
    with pytest.raises(ModelError, match="not a whole TFLite file"):
        compile_for_ethos_u(mixed()[:700], U65)


def test_accelerator_that_is_none() -> None:
    with pytest.raises(ProfileError, match=r"no Ethos-U `ethos-u65-255`, did you mean `ethos-u65-256`\?"):
        compile_for_ethos_u(mixed(), "ethos-u65-255")


def test_without_vela_our_rules_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (vela, vela_check):
        monkeypatch.setattr(module, "vela_version", lambda: None)
    report = checked(tmp_path, mixed())
    assert (report.delegates[0].claimed, report.delegates[0].vela) == (3, None)
    (finding,) = [finding for finding in report.findings if finding.rule == "vela-not-asked"]
    assert finding.hint == "pip install 'edge-sdk[ethos-u]'"
    assert "npu-takes-nothing" in rules_of(checked(tmp_path, conv_model()), "error")
    with pytest.raises(MissingDependencyError):
        compile_for_ethos_u(mixed(), U65)


def test_artifact_without_a_file_is_judged_by_our_rules() -> None:
    report = check(parse_artifact(mixed()), find_profile("imx93"))
    (finding,) = [finding for finding in report.findings if finding.rule == "vela-not-asked"]
    assert "pip install" in finding.hint or "not read from a path" in finding.message


@pytest.mark.parametrize(
    ("database", "summary"), [("", ""), ("<table", "a,b\n1,2\n"), ('<table name="source">\n<![CDATA[\n', "x")]
)
def test_answer_of_another_vela_is_not_guessed(database: str, summary: str) -> None:
    with pytest.raises(UnreadableAnswerError):
        read_answer(parse_artifact(mixed()), "9.9", U65, said="", database=database, summary=summary)


def _table(name: str, *lines: str) -> str:
    return "\n".join([f'<table name="{name}">', "<![CDATA[", *lines, "]]>", "</table>", ""])


def test_estimates_of_another_subgraph_say_nothing_of_the_main_one() -> None:
    """Vela 5.2's, where a second subgraph sets variables: "NPU operators = 0", and one command stream."""
    header = "id,source_id,optimised_id,operator,name,staging_usage,op_cycles,npu_cycles,mac_count"
    database = "".join(
        [
            _table("perf", ",".join(f'"{word}"' for word in header.split(",")), '7,9,9,"Passthrough","v",0,0,0,0'),
            _table("queue", '"offset","cmdstream_id","optimised_id","scheduled_id"', "0,1,1,11", "8,1,4,14"),
            _table(
                "optimised", '"id","source_id","operator"',
                '1,1,"Conv2D"', '2,2,"Passthrough"', '3,3,"Reshape"', '4,4,"LUT"',
            ),
            _table("source", '"id","operator","ext_key"', *(f'{n + 1},"x",{n}' for n in range(4))),
        ]
    )  # fmt: skip
    names = (
        "system_config,memory_mode,core_clock,cycles_npu,cycles_total,inference_time,nn_macs,sram_memory_used,"
        "dram_memory_used,on_chip_flash_memory_used,off_chip_flash_memory_used"
    )
    summary = f"{names}\ns,m,1e9,5,7,0.001,3,1,1,0,0\n"
    found = read_answer(parse_artifact(mixed()), "5.2.0", U65, said="", database=database, summary=summary)
    assert [op.target for op in found.ops] == ["npu", "cpu", "absorbed", "npu"]
    assert {op.cycles for op in found.ops} == {None}
    assert not found.takes_nothing


@pytest.mark.parametrize(
    ("rules", "variant", "fault"),
    [
        ("ethos_u", None, "missing for rules ethos_u"),
        ("ethos_u", "ethos-u65-265", "rules ethos_u know no `ethos-u65-265`, did you mean `ethos-u65-256`?"),
        ("ethos_u", "ethos-u85-256", "rules ethos_u know no `ethos-u85-256`"),
        ("ethos_u85", "ethos-u85-256", None),
    ],
)
def test_profile_names_hardware_that_its_rules_know(rules: Any, variant: str | None, fault: str | None) -> None:
    device = find_profile("imx93").device
    changed = replace(device.delegates[0], rules=rules, variant=variant)
    faults = device_faults(replace(device, delegates=(changed,)))
    assert [one.startswith(f"delegates[0].variant: {fault}") for one in faults] == ([True] if fault else [])
