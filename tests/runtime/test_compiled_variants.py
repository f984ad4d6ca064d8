"""Variants of a bundle that were compiled for one chip: taken there and nowhere else, and the receipt says which."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from edge_sdk import Session
from edge_sdk.bundle import open_bundle
from edge_sdk.bundle.creating import create_bundle
from edge_sdk.bundle.manifest import CompiledFor
from edge_sdk.bundle.options import CompiledFile
from edge_sdk.errors import BundleError, TargetError
from edge_sdk.profile.detect import Machine, this_chip
from edge_sdk.profile.reading import find_profile
from tests.graphs import conv_model, int8_model

pytestmark = pytest.mark.runtime
FACTS = CompiledFor(
    compiler="qualcomm",
    tool="a compiler 1.0",
    target="SM8650",
    chips=("sm8650", "snapdragon-8-gen-3"),
    delegate="npu",
    made_from="",
    profiles=("xiaomi-14",),
    ops=2,
    ops_on_npu=2,
    partitions=1,
    simulated_ms=0.5,
    low_ms=0.4,
    high_ms=0.7,
)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("files")
    (folder / "float.tflite").write_bytes(conv_model())
    (folder / "int8.tflite").write_bytes(int8_model())
    return folder / "float.tflite", folder / "int8.tflite"


@pytest.fixture(scope="module")
def bundle(files: tuple[Path, Path]) -> Path:
    """What stands for the compiled file runs on any interpreter, so that a fake NPU can run it."""
    made = files[0].with_name("three.edge")
    create_bundle(files, made, compiled=[CompiledFile(int8_model(), files[1], FACTS)])
    return made


def test_a_compiled_variant_is_held_against_the_golden_runs_of_its_source(bundle: Path) -> None:
    with open_bundle(bundle) as opened:
        plain, made = opened.variant("int8"), opened.variant("int8_sm8650")
    assert made.compiled == replace(FACTS, made_from="int8")
    assert made.golden == plain.golden
    assert (made.precision, made.macs, made.minimum_runtime) == (plain.precision, plain.macs, None)
    limits = {one.arithmetic: one for one in made.tolerance["scores"]}
    assert set(limits) == {"float32", "float16", "integer"}
    own = next(one for one in plain.tolerance["scores"] if one.arithmetic == "integer")
    assert limits["float16"].kind == own.kind
    assert limits["float16"].value == (min(own.value, 10.0) if own.kind == "sqnr_db" else own.value)


def test_the_chip_it_was_compiled_for_gets_it(bundle: Path, fake: Callable[..., None]) -> None:
    fake(npu="good")
    with Session.open(bundle, profile="xiaomi-14", delegate=("npu", "xnnpack")) as session:
        assert session.receipt.active == "int8_sm8650"
        notes = session.receipt.opening.chosen.notes
    assert "int8_sm8650 was compiled for SM8650, as this chip is, by a compiler 1.0" in notes


def test_auto_tries_what_loads_it_first(bundle: Path, fake: Callable[..., None]) -> None:
    fake(npu="good", gpu="good")
    with Session.open(bundle, profile="xiaomi-14") as session:
        assert session.receipt.active == "int8_sm8650"
        assert session.receipt.opening.attempts[0].candidate == "npu"
    with Session.open(bundle, profile="galaxy-s23") as session:
        assert session.receipt.active == "float"
        assert "npu" not in [one.candidate for one in session.receipt.opening.attempts]


@pytest.mark.parametrize(
    ("profile", "delegate", "words"),
    [
        ("galaxy-s23", ("npu", "xnnpack"), "this chip is sm8550-ac or snapdragon-8-gen-2-for-galaxy"),
        (None, ("npu", "xnnpack"), "which chip this is could not be told"),
        ("xiaomi-14", ("xnnpack",), "xnnpack loads no such file"),
    ],
)
def test_any_other_gets_the_variant_as_it_was_converted_and_is_told(
    bundle: Path,
    fake: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    profile: str | None,
    delegate: tuple[str, ...],
    words: str,
) -> None:
    fake(npu="good")
    monkeypatch.setattr("edge_sdk.profile.detect.this_chip", frozenset)
    with Session.open(bundle, profile=profile, delegate=delegate) as session:
        assert session.receipt.active == "int8"
        (note,) = [one for one in session.receipt.opening.chosen.notes if "left aside" in one]
    assert "variants compiled for SM8650" in note
    assert words.replace("sm8550-ac", (find_profile("galaxy-s23").soc.part or "").lower()) in note


def test_a_named_one_is_refused_on_another_chip(bundle: Path, fake: Callable[..., None]) -> None:
    fake(npu="good")
    with pytest.raises(TargetError, match=r"`int8_sm8650` was compiled for SM8650 and runs on no other chip") as caught:
        Session.open(bundle, profile="galaxy-s23", variant="int8_sm8650", delegate="npu")
    assert "int8" in str(caught.value.hint)


def test_a_bundle_without_any_says_nothing_of_chips(files: tuple[Path, Path], tmp_path: Path) -> None:
    create_bundle(files, tmp_path / "two.edge")
    with Session.open(tmp_path / "two.edge", delegate="xnnpack") as session:
        assert not any("compiled" in note for note in session.receipt.opening.chosen.notes)


def test_what_was_compiled_must_be_of_the_bundle(files: tuple[Path, Path], tmp_path: Path) -> None:
    other = CompiledFile(int8_model(), tmp_path / "other.tflite", FACTS)
    with pytest.raises(BundleError, match=r"other.tflite was compiled, and is none of the files"):
        create_bundle(files, tmp_path / "x.edge", compiled=[other])
    twice = CompiledFile(int8_model(), files[1], FACTS)
    with pytest.raises(BundleError, match="int8 was compiled for SM8650 twice"):
        create_bundle(files, tmp_path / "x.edge", compiled=[twice, twice])
    with pytest.raises(BundleError, match=r"a compiler 1.0 changed the inputs or outputs of int8 for SM8650"):
        create_bundle(files, tmp_path / "x.edge", compiled=[CompiledFile(conv_model(), files[1], FACTS)])
    assert not (tmp_path / "x.edge").exists()


def test_a_board_says_which_chip_it_has(tmp_path: Path) -> None:
    tree = tmp_path / "sys/firmware/devicetree/base"
    tree.mkdir(parents=True)
    (tree / "compatible").write_bytes(b"fsl,imx93-11x11-evk\0fsl,imx93\0")
    soc = tmp_path / "sys/devices/soc0"
    soc.mkdir(parents=True)
    (soc / "soc_id").write_text("i.MX93\n")
    (soc / "machine").write_text("NXP i.MX93 11X11 EVK board\n")
    assert this_chip(Machine(root=tmp_path)) == {"imx93-11x11-evk", "imx93"}
    assert "imx93" in find_profile("imx93").chip_names
    assert this_chip(Machine(root=tmp_path / "nowhere")) == frozenset()
