"""Sessions on bundles: variants by accelerator and under load, golden cases, signatures, damage."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_sdk import Runner, Session
from edge_sdk.bundle import open_bundle
from edge_sdk.bundle.creating import create_bundle
from edge_sdk.engines.interpreter import InterpreterExecutor
from edge_sdk.errors import BundleError, BundleIntegrityError, DelegateUnavailableError, PolicyError, TargetError
from edge_sdk.runtime import Deadline
from tests.graphs import conv_model, int8_model

pytestmark = pytest.mark.runtime


def image(seed: int = 0) -> dict[str, Any]:
    return {"image": np.random.default_rng(seed).standard_normal((1, 8, 8, 3)).astype(np.float32)}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two variants: ``float`` and ``int8``; the float one first."""
    folder = tmp_path_factory.mktemp("bundle")
    (folder / "float.tflite").write_bytes(conv_model())
    (folder / "int8.tflite").write_bytes(int8_model())
    create_bundle([folder / "float.tflite", folder / "int8.tflite"], folder / "two.edge")
    return folder / "two.edge"


def test_each_accelerator_gets_the_variant_that_suits_it(bundle: Path, fake: Callable[..., None]) -> None:
    fake(gpu="good")
    with Session.open(bundle, delegate=("gpu", "xnnpack")) as session:
        assert session.receipt.active == "float"
    fake(gpu="absent")
    with Session.open(bundle, delegate=("gpu", "xnnpack")) as session:
        assert session.receipt.active == "int8"
        assert session.receipt.opening.model == f"{bundle}:int8"
        assert [str(spec) for spec in session.outputs] == ["scores: float32[1, 5]"]


def test_named_variant_runs_and_computes_what_its_file_does(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "m.tflite").write_bytes(conv_model())
    with Session.open(bundle, variant="float") as session:
        np.testing.assert_allclose(
            session.run(image())["scores"], Runner(tmp_path / "m.tflite").run(image())["scores"], rtol=1e-6
        )
        assert session.receipt.opening.chosen.self_test is not None
        assert session.receipt.opening.chosen.self_test.against == "the bundle's golden outputs"
        assert session.receipt.opening.chosen.self_test.cases == 4
    with pytest.raises(BundleError, match="no variant `flota`, did you mean `float`"):
        Session.open(bundle, variant="flota")


def test_plain_kernels_are_tested_against_golden_outputs_too(bundle: Path) -> None:
    with Session.open(bundle, delegate="cpu") as session:
        assert session.receipt.opening.chosen.self_test is not None
        assert session.receipt.opening.chosen.self_test.result == "passed"


def test_wrong_results_break_the_bundles_own_limits(bundle: Path, fake: Callable[..., None]) -> None:
    fake(gpu="wrong")
    with pytest.raises(DelegateUnavailableError, match=r"gpu wrong-results: output `scores`: .*golden outputs"):
        Session.open(bundle, delegate=("gpu", "gpu"), policy="gpu=require")


def test_open_bundle_is_used_and_left_open(bundle: Path) -> None:
    with open_bundle(bundle) as opened:
        with Session.open(opened) as session:
            session.run(image())
        assert opened.model("float")


def test_damaged_variant_is_never_run(bundle: Path, tmp_path: Path) -> None:
    data = bytearray(bundle.read_bytes())
    with open_bundle(bundle) as opened:
        offset = opened.model_offset("float")
    data[offset + 600] ^= 1
    broken = tmp_path / "broken.edge"
    broken.write_bytes(data)
    with pytest.raises(BundleIntegrityError, match="SHA-256"):
        Session.open(broken, variant="float")
    # Nor does another candidate, with a variant of its own, stand in for it.
    with pytest.raises(BundleIntegrityError, match="SHA-256"):
        Session.open(broken, delegate=("gpu", "xnnpack"))
    # The other one is whole, and nothing of the first is touched.
    with Session.open(broken, variant="int8") as session:
        session.run(image())


def test_unsigned_bundle_is_refused_where_a_key_is_trusted(bundle: Path) -> None:
    with pytest.raises(BundleError, match="unsigned"):
        Session.open(bundle, trusted_keys=[b"\0" * 32])


def test_variants_take_turns_under_load(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A load that slows the float variant's runs: int8 takes over, and gives way when the load is gone."""
    load = {"ms": 0.0}
    real = InterpreterExecutor.invoke

    def invoke(self: InterpreterExecutor) -> None:
        if len(self._model.artifact.main.ops) == 3:
            time.sleep(load["ms"] / 1e3)
        real(self)

    deadline = Deadline(20.0, misses=2, calm=4)
    with Session.open(bundle, variant=("float", "int8"), deadline=deadline) as session:
        monkeypatch.setattr(InterpreterExecutor, "invoke", invoke)
        seen = []
        for milliseconds in [0] * 3 + [30] * 2 + [0] * 8:
            load["ms"] = milliseconds
            session.run(image())
            seen.append(session.receipt.active)
        receipt = session.receipt
        with pytest.raises(TargetError, match="no views: another variant may take over"):
            session.views()
    assert seen == ["float"] * 4 + ["int8"] * 4 + ["float"] * 5
    down, up = receipt.switches
    assert (down.run, down.previous, down.variant) == (5, "float", "int8")
    assert down.why.startswith("2 runs in a row took more than 20 ms, the last 3")
    assert (up.run, up.previous, up.variant) == (9, "int8", "float")
    assert "so float should take" in up.why
    assert [opening.variant for opening in receipt.openings] == ["float", "int8"]
    assert "2 switches, the last: " in receipt.line()
    assert receipt.as_json()["switches"][0]["variant"] == "int8"


def test_deadline_on_one_variant_only_watches(bundle: Path) -> None:
    with Session.open(bundle, variant="float", deadline=1e-6) as session:
        for _ in range(10):
            session.run(image())
        assert session.receipt.switches == ()


def test_variants_that_take_turns_must_speak_real_values(bundle: Path) -> None:
    with pytest.raises(PolicyError, match="several of them take real values only"):
        Session.open(bundle, variant=("float", "int8"), deadline=5, values="raw")
