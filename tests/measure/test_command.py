"""``edge-sdk benchmark`` on real engines: what it prints, writes and refuses. Busy machines may make it INVALID."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

import edge_sdk
from edge_sdk.cli import cli
from edge_sdk.errors import MeasurementError
from edge_sdk.measure.plan import Plan
from edge_sdk.measure.schema import read_benchmark
from tests.graphs import conv_model

pytestmark = pytest.mark.runtime

SHORT = Plan("custom", min_queries=20, min_seconds=0.1, fewest=10, patience_s=0.5)


def invoke(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, ["benchmark", *map(str, arguments)], prog_name="edge-sdk")


@pytest.fixture
def big(tmp_path: Path) -> Path:
    """Some 2 ms on one CPU."""
    path = tmp_path / "big.tflite"
    path.write_bytes(conv_model(side=160))
    return path


def test_json_is_one_object_of_the_published_form(tflite: Path, tmp_path: Path) -> None:
    kept = tmp_path / "r.json"
    done = invoke(tflite, "--runs", "30", "--json", "--quiet", "-o", kept)
    assert done.exit_code in (0, 3), done.output
    found = read_benchmark(json.loads(done.stdout))
    assert json.loads(kept.read_text()) == json.loads(done.stdout)
    assert (done.exit_code == 0) == found.valid
    (result,) = found.results
    assert result.performance_run.measured_samples >= 30
    assert result.backend_info.delegate_name == "xnnpack"
    assert result.backend_settings.model_bytes == tflite.stat().st_size
    assert result.init_ms is not None
    assert result.first_run_ms is not None
    assert found.environment_info.cpus == os.cpu_count()


@pytest.mark.alone
def test_files_delegates_and_threads_are_combined(tflite: Path, big: Path) -> None:
    found = edge_sdk.benchmark([tflite, big], delegates=["xnnpack", "cpu"], threads=[1, 2], plan=SHORT)
    assert len(found.results) == 8
    assert len(found.comparisons) == 7
    assert len({result.benchmark_id for result in found.results}) == 8
    by_name = {one.benchmark_name: one.performance_run.latency_ms.p50.value for one in found.results}
    # 400 times the work.
    assert by_name["big.tflite, xnnpack, 1 thread"] > 10 * by_name["conv.tflite, xnnpack, 1 thread"]


@pytest.mark.alone
def test_the_same_file_twice_differs_by_less_than_2_percent_or_is_invalid(big: Path) -> None:
    found = edge_sdk.benchmark([big, big], plan=Plan("custom", 100, 0.5, patience_s=2))
    first, second = (one.performance_run.latency_ms.p50.value for one in found.results)
    assert abs(second / first - 1) < 0.02 or not found.valid
    assert [one.benchmark_id for one in found.results][1].endswith("(2)")


@pytest.mark.slow
def test_a_hog_on_every_cpu_is_invalid(big: Path) -> None:
    loop = "while True: pass"
    hogs = [subprocess.Popen([sys.executable, "-c", loop]) for _ in range(os.cpu_count() or 1)]
    try:
        found = edge_sdk.benchmark(big, plan=Plan("custom", 50, 2.0, patience_s=2))
    finally:
        for hog in hogs:
            hog.kill()
            hog.wait()
    assert not found.valid
    rules = {reason.rule for reason in found.results[0].validity.reasons}
    assert {"busy-machine", "waited-for-cpu"} & rules


@pytest.mark.alone
@pytest.mark.slow
def test_a_slowdown_of_10_percent_planted_in_a_real_run_is_found(big: Path, fake: Callable[..., None]) -> None:
    """Each invoke of the fake runs on for a tenth of what it took; beside the same fake that does not."""
    fake(gpu="tenth_slower", npu="good")
    found = edge_sdk.benchmark(big, delegates=["npu", "gpu"], plan=Plan("custom", 300, 1.5, patience_s=2))
    (comparison,) = found.comparisons
    assert comparison.ratio.value > 1
    assert comparison.verdict == "slower" or not comparison.validity.valid


def test_an_asynchronous_accelerator_is_waited_for(tflite: Path, fake: Callable[..., None]) -> None:
    """``invoke`` of an executor returns when outputs can be read; the fake's takes 5 ms."""
    fake(gpu="slow")
    found = edge_sdk.benchmark(tflite, delegates="gpu", plan=SHORT)
    assert found.results[0].performance_run.latency_ms.min >= 5


def test_given_inputs_are_used_and_checked(tflite: Path, tmp_path: Path) -> None:
    good, bad = tmp_path / "good.npz", tmp_path / "bad.npz"
    np.savez(good, image=np.zeros((2, 8, 8, 3), np.float32))
    np.savez(bad, picture=np.zeros((2, 8, 8, 3), np.float32))
    assert invoke(tflite, "--runs", "20", "--input", good).exit_code in (0, 3)
    refused = invoke(tflite, "--runs", "20", "--input", bad)
    assert refused.exit_code == 1
    assert "image" in refused.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--runs", "0"], 2, "--runs"),
        (["--seconds", "0"], 2, "--seconds"),
        (["--threads", "0"], 2, "--threads"),
        (["--sustained", "1"], 2, "--sustained"),
        (["--quick", "--sustained", "5"], 1, "error: a sustained run lasts its minutes"),
        (["--delegate", "gpuu"], 1, "unknown delegate `gpuu`, did you mean `gpu`"),
        (["--engine", "tensorrt"], 1, "unknown engine `tensorrt`"),
        (["--variant", "int8"], 1, "is no bundle"),
        (["--profile", "raspberry-pi-55"], 1, "did you mean `raspberry-pi-5`"),
        (["-o", "/dev/null/r.json"], 1, "/dev/null"),
        (["--pictures", "/dev/null/p"], 1, "/dev/null"),
        (["--delegate", "external:none.so"], 1, "none.so"),
    ],
)
def test_bad_requests_are_one_line_and_nothing_is_measured(
    tflite: Path, arguments: list[str], code: int, words: str
) -> None:
    done = invoke(tflite, *arguments)
    assert done.exit_code == code, done.output
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert not done.stdout


def test_files_that_are_none_are_refused(tmp_path: Path, tflite: Path) -> None:
    (tmp_path / "cut.tflite").write_bytes(tflite.read_bytes()[:300])
    for name, words in (("none.tflite", "cannot be read"), ("cut.tflite", "not a whole TFLite file")):
        done = invoke(tmp_path / name)
        assert done.exit_code == 1
        assert words in done.stderr


def test_too_many_combinations_are_refused(tflite: Path) -> None:
    with pytest.raises(MeasurementError, match="expected 1 to 16 combinations to measure, got 20"):
        edge_sdk.benchmark([tflite] * 4, threads=[1, 2, 3, 4, 5])
    with pytest.raises(MeasurementError, match="got 0"):
        edge_sdk.benchmark([])


def test_ctrl_c_is_exit_code_130_and_nothing_is_written(
    tflite: Path, tmp_path: Path, fake: Callable[..., None]
) -> None:
    fake(gpu="interrupted")
    kept = tmp_path / "r.json"
    done = invoke(tflite, "--delegate", "gpu", "--quick", "-o", kept)
    assert done.exit_code == 130
    assert "interrupted" in done.stderr
    assert not kept.exists()


def test_a_delegate_that_dies_in_a_run_is_an_error(tflite: Path, fake: Callable[..., None]) -> None:
    fake(gpu="dying")
    done = invoke(tflite, "--delegate", "gpu", "--quick")
    assert done.exit_code == 1
    assert "lost the device" in done.stderr


def test_the_command_starts_without_numpy() -> None:
    script = (
        "import sys\nfrom edge_sdk.cli import cli\n"
        "try:\n    cli(['benchmark', '--help'])\nexcept SystemExit:\n    pass\n"
        "assert not {'numpy', 'matplotlib', 'ai_edge_litert'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_ops_that_no_engine_times_are_refused_before_anything_runs(
    tflite: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge_sdk.measure.ops._TRIED", ("99.",))
    done = invoke(tflite, "--ops", "--quick")
    assert done.exit_code == 1
    assert "gives no times of single ops" in done.stderr
    assert "warm up" not in done.stderr
