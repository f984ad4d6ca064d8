"""What happens to candidates: tried in order, tested, turned down with numbers, and cleared away."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edge_sdk import Session, find_profile
from edge_sdk.errors import (
    DelegateUnavailableError,
    MissingDependencyError,
    ModelError,
    TargetError,
    UnknownDeviceError,
)
from edge_sdk.runtime import Candidate, Receipt
from edge_sdk.runtime.candidates import candidates
from tests.graphs import Graph, options
from tests.runtime import fakes

pytestmark = pytest.mark.runtime
GPU_FIRST = ("gpu", "xnnpack", "cpu")


def fates(receipt: Receipt) -> dict[str, str]:
    return {one.candidate: one.outcome for one in receipt.opening.attempts}


def detail(receipt: Receipt, candidate: str) -> str:
    return next(one.detail for one in receipt.opening.attempts if one.candidate == candidate)


def test_candidate_that_works_is_taken(tflite: Path, fake: Callable[..., None]) -> None:
    fake(gpu="good")
    with Session.open(tflite, delegate=GPU_FIRST) as session:
        assert fates(session.receipt) == {"gpu": "chosen", "xnnpack": "not-tried", "cpu": "not-tried"}
        assert session.receipt.opening.chosen.accelerator == "gpu"
        assert len(fakes.OPEN) == 1
    assert not fakes.OPEN


@pytest.mark.parametrize(
    ("kind", "outcome", "words"),
    [
        ("absent", "unavailable", r"no device is plugged in \(plug it in\)"),
        ("dying", "unavailable", "the driver lost the device"),
        ("wrong", "wrong-results", r"output `scores`: SQNR .*, expected >= 60 .*against .*own kernels"),
    ],
)
def test_candidate_that_fails_gives_way_with_its_reason(
    tflite: Path, fake: Callable[..., None], kind: str, outcome: str, words: str
) -> None:
    fake(gpu=kind)
    with Session.open(tflite, delegate=GPU_FIRST) as session:
        assert fates(session.receipt) == {"gpu": outcome, "xnnpack": "chosen", "cpu": "not-tried"}
        assert not fakes.OPEN
        assert re.search(words, detail(session.receipt, "gpu"))
        assert f"gpu {outcome}: " in session.receipt.line()


def test_named_delegate_has_no_fallback_and_its_own_error(tflite: Path, fake: Callable[..., None]) -> None:
    fake(gpu="absent")
    with pytest.raises(DelegateUnavailableError, match=r"^no device is plugged in$") as caught:
        Session.open(tflite, delegate="gpu")
    assert caught.value.hint == "plug it in"


def test_refusal_names_every_candidate(tflite: Path, fake: Callable[..., None]) -> None:
    fake(gpu="wrong", npu="absent", xnnpack="slow")
    with pytest.raises(DelegateUnavailableError) as caught:
        Session.open(tflite, delegate=("gpu", "npu", "xnnpack"), policy="max_latency_ms=1")
    for words in ("gpu wrong-results: ", "npu unavailable: no device", "xnnpack too-slow: ", "the policy allows 1 ms"):
        assert words in str(caught.value)


@pytest.mark.parametrize(
    ("policy", "outcome", "words"),
    [
        ("min_mac_share=0.9", "too-few-macs", "(measured), the policy asks for 90% of MACs"),
        ("cpu=forbid", "ops-on-cpu", "the policy forbids cpu, 1 of 3 ops in 1 partition"),
        ("npu=require", "not-required", "the policy requires another accelerator"),
        ("gpu=forbid", "forbidden", "the policy forbids gpu"),
    ],
)
def test_policy_turns_down_with_numbers(
    tflite: Path, fake: Callable[..., None], policy: str, outcome: str, words: str
) -> None:
    fake(gpu="partial", npu="good")
    with Session.open(tflite, delegate=("gpu", "npu"), policy=policy) as session:
        assert fates(session.receipt) == {"gpu": outcome, "npu": "chosen"}
        assert words in detail(session.receipt, "gpu")
        assert len(fakes.OPEN) == 1


def test_placement_that_the_engine_does_not_tell_is_predicted(tflite: Path, fake: Callable[..., None]) -> None:
    fake(gpu="unplaced", npu="unplaced")
    with Session.open(tflite, delegate="gpu", policy="min_mac_share=0.1") as session:
        placement = session.receipt.opening.chosen.placement
        assert placement is not None
        assert (placement.told_by, placement.share_told_by) == ("predicted", "predicted")
        assert "(predicted)" in session.receipt.line()
    with pytest.raises(DelegateUnavailableError, match=r"npu placement-unknown: .*neither engine nor rules tell it"):
        Session.open(tflite, delegate=("npu", "npu"), policy="min_mac_share=0.1")


def test_fastest_is_measured_and_the_loser_closed(tflite: Path, fake: Callable[..., None]) -> None:
    fake(gpu="slow", npu="good")
    with Session.open(tflite, delegate=("gpu", "npu"), policy="pick=fastest") as session:
        assert fates(session.receipt) == {"gpu": "slower", "npu": "chosen"}
        assert len(fakes.OPEN) == 1
    fake(gpu="good", npu="slow")
    with Session.open(tflite, delegate=("gpu", "npu"), policy="pick=fastest") as session:
        assert fates(session.receipt) == {"gpu": "chosen", "npu": "slower"}
        assert len(fakes.OPEN) == 1


def test_without_a_self_test_wrong_results_pass_and_the_receipt_says_so(
    tflite: Path, fake: Callable[..., None]
) -> None:
    fake(gpu="wrong")
    with Session.open(tflite, delegate="gpu", policy="self_test=off") as session:
        assert "not verified: the policy turns the self-test off" in session.receipt.line()


def test_own_limit_replaces_the_default(tflite: Path) -> None:
    with pytest.raises(DelegateUnavailableError, match=r"expected >= 500 \(the policy's min_sqnr_db\)"):
        Session.open(tflite, delegate=("xnnpack", "xnnpack"), policy="min_sqnr_db=500")


def test_interrupt_while_trying_leaves_nothing_open(tflite: Path, fake: Callable[..., None]) -> None:
    fake(gpu="good", npu="interrupted")
    with pytest.raises(KeyboardInterrupt):
        Session.open(tflite, delegate=("gpu", "npu"), policy="pick=fastest")
    assert not fakes.OPEN


def test_engines_own_refusal_is_a_model_error() -> None:
    graph = Graph()
    x, y = graph.tensor("x", (1, 4)), graph.tensor("y", (1, 4))
    graph.op("CUSTOM", (x,), (y,), custom="NoSuchOp")
    with pytest.raises(ModelError, match=r"refuses the file: .*NoSuchOp"):
        Session.open(graph.finish((x,), (y,)))


def test_model_that_does_not_vary_is_doubted() -> None:
    graph = Graph()
    x = graph.tensor("x", (1, 4))
    zero = graph.constant("zero", np.zeros((1, 4), np.float32))
    y = graph.tensor("y", (1, 4))
    graph.op("MUL", (x, zero), (y,), options("MulOptions"))
    with Session.open(graph.finish((x,), (y,)), delegate="xnnpack") as session:
        assert "hardly vary from case to case, so that agreement proves little" in session.receipt.line()


def test_auto_follows_the_profile(tflite: Path, fake: Callable[..., None]) -> None:
    fake(gpu="absent", nnapi="good")
    with Session.open(tflite, profile="pixel-8") as session:
        assert fates(session.receipt) == {
            "gpu": "unavailable", "nnapi": "chosen", "xnnpack": "not-tried", "cpu": "not-tried",
        }  # fmt: skip
        assert session.receipt.asked.profile == "pixel-8"
    with pytest.raises(UnknownDeviceError):
        Session.open(tflite, profile="pixel-88")


def test_candidates_of_profiles_in_their_order() -> None:
    names = [one.name for one in candidates("auto", find_profile("coral-dev-board"))]
    assert names == ["external:libedgetpu.so.1", "gpu", "xnnpack", "cpu"] or names[0] == "external:libedgetpu.so.1"
    assert names[-2:] == ["xnnpack", "cpu"]
    assert [one.name for one in candidates(["external:a.so", "external:b.so", "external:a.so"], None)] == [
        "external:a.so",
        "external:b.so",
    ]
    own = Candidate("external", "dsp", library="x.so", options={"a": "b"})
    assert candidates([own, "cpu"], None) == (own, Candidate("cpu", "cpu"))


def test_every_profile_names_delegates_that_exist() -> None:
    from edge_sdk import profile_names
    from edge_sdk.engines.delegates import DELEGATES

    for name in profile_names():
        assert {one.delegate for one in candidates("auto", find_profile(name))} <= set(DELEGATES), name


def test_no_engine_is_one_error_with_the_extra(tflite: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from edge_sdk.engines.installed import ENGINES

    for name in list(ENGINES):
        monkeypatch.setitem(ENGINES, name, "no_such_engine_module")
    with pytest.raises(MissingDependencyError, match="needs ai-edge-litert, which is not installed") as caught:
        Session.open(tflite)
    assert caught.value.hint == "pip install 'edge-sdk[runtime]'"


def test_too_little_memory_is_one_error_with_numbers(tflite: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from edge_sdk.runtime import memory

    monkeypatch.setattr(memory, "limits", lambda root: iter([memory.Limit("MemAvailable", 100)]))
    with pytest.raises(TargetError, match=r"needs .* MiB \(predicted: .*\), MemAvailable leaves 0.0 MiB") as e:
        Session.open(tflite)
    assert e.value.limit == "MemAvailable"
    assert (e.value.available, bool(e.value.needed and e.value.needed > 100)) == (100, True)


def test_what_no_kernel_can_run_is_admitted_unverified(tflite: Path, fake: Callable[..., None]) -> None:
    """Files compiled for an accelerator have ops that nothing else knows."""
    fake(npu="good", cpu="refusing")
    with Session.open(tflite, delegate="npu") as session:
        assert "not verified: the engine's own kernels cannot run it" in session.receipt.line()
