"""The ladder: a candidate is accepted only when it computes what the source does; every other one has its reason."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_sdk.artifact.model import Artifact, read_artifact
from edge_sdk.artifact.note import note_of
from edge_sdk.artifact.tree import pack_tree, parse_tree
from edge_sdk.converters import Workers
from edge_sdk.converters.proving.ladder import Ladder
from edge_sdk.converters.proving.proof import Proof
from edge_sdk.converters.sources.source import Description, write_outputs
from edge_sdk.converters.workers.workshop import Workshop
from edge_sdk.data import SampleStore, seeded_samples, spool
from edge_sdk.data.opening import DataSource
from edge_sdk.errors import ConversionError, ModelError, ParityError, UnsupportedOpError, error_from_json
from edge_sdk.runtime import Runner
from edge_sdk.signature import TensorSpec
from tests.graphs import conv_model

pytestmark = pytest.mark.runtime
IMAGE = TensorSpec("image", (1, 8, 8, 3), "float32", "NHWC")


class FakeSource:
    """``conv_model(seed=0)``; a rung's settings say what its candidate is, or what goes wrong."""

    front_end = "tflite"
    role = "lowering"
    description = Description("fake", (IMAGE,), (IMAGE,), ("scores",))

    def __init__(self, folder: Path) -> None:
        self._path = folder / "source.tflite"
        self._path.write_bytes(conv_model(seed=0))

    def run(self, samples: Path, outputs: Path) -> int:
        runner = Runner(self._path)
        return write_outputs((runner.run(sample) for sample in SampleStore.open(samples)), ["scores"], str(outputs))

    def hand_over(self, folder: Path, settings: dict[str, Any]) -> dict[str, Any]:
        if "error" in settings:
            raise settings["error"]
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "candidate.tflite"
        path.write_bytes(settings.get("data") or conv_model(seed=settings["seed"]))
        return {
            "kind": "tflite",
            "path": str(path),
            "inputs": [{"name": "image", "tensor": 0, "axes": None}],
            "outputs": [{"name": "scores", "tensor": 8, "axes": None}],
            "tool": "fake",
        }


@pytest.fixture
def shop(workers: Workers, tmp_path: Path) -> Iterator[Workshop]:
    with Workshop(tmp_path / "work", workers) as made:
        yield made


def climb(
    shop: Workshop, *settings: dict[str, Any], keep_unverified: bool = False, made_by: type[FakeSource] = FakeSource
) -> Any:
    source: Any = made_by(shop.folder)
    proof = Proof(shop, source, blamed_samples=2)

    def prepare(artifact: Artifact) -> None:
        data = DataSource("seeded", 4, lambda: seeded_samples((IMAGE,), count=4, seed=0))
        store, check = spool(data, (IMAGE,), shop.path("samples"))
        proof.begin(store, check.facts)

    rungs = [{"name": f"rung {i}", "settings": one} for i, one in enumerate(settings)]
    return Ladder(shop, source, proof, prepare).climb(rungs, keep_unverified=keep_unverified)


def test_first_that_agrees_is_taken(shop: Workshop) -> None:
    model = climb(shop, {"seed": 0}, {"seed": 1})
    assert [(a.name, a.accepted, a.reason) for a in model.attempts] == [("rung 0", True, "parity holds")]


def test_a_float_file_is_not_packed_again_for_its_note(
    workers: Workers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a large model that took a second of the processor."""
    from edge_sdk import convert

    monkeypatch.setattr("edge_sdk.converters.pipeline.finish", lambda *_: pytest.fail("packed again"))
    (tmp_path / "source.tflite").write_bytes(conv_model(seed=0))
    convert(tmp_path / "source.tflite", tmp_path / "out.tflite", recipe="float32", workers=workers, timing=False)
    note = note_of(read_artifact(tmp_path / "out.tflite"))
    assert note is not None
    assert note["recipe"] == "float32"


def test_candidate_that_computes_something_else_is_rejected_with_numbers(shop: Workshop) -> None:
    model = climb(shop, {"seed": 1}, {"seed": 0})
    assert model.verified
    rejected, accepted = model.attempts
    assert not rejected.accepted
    assert "output `scores`: max abs error" in rejected.reason
    assert "expected max abs error <=" in rejected.reason
    assert accepted.accepted


def test_tool_that_fails_or_writes_rubbish_is_only_an_attempt(shop: Workshop) -> None:
    model = climb(shop, {"error": ConversionError("the tool fell over")}, {"seed": 0})
    assert [a.reason for a in model.attempts] == ["the tool fell over", "parity holds"]


def test_unsupported_op_in_one_rung_may_be_cured_by_the_next(shop: Workshop) -> None:
    model = climb(shop, {"error": UnsupportedOpError("no Erf", ops=[("Erf", "n", "r")])}, {"seed": 0})
    assert model.verified


def test_unsupported_op_that_no_rung_can_cure_ends_the_climb(shop: Workshop) -> None:
    error = UnsupportedOpError("NonZero", ops=[("NonZero", "n", "depends on data")], final=True)
    with pytest.raises(UnsupportedOpError, match="NonZero"):
        climb(shop, {"error": error}, {"seed": 0})
    again = error_from_json(error.as_json())
    assert isinstance(again, UnsupportedOpError)
    assert again.final


def test_error_of_the_source_ends_the_climb(shop: Workshop) -> None:
    with pytest.raises(ModelError, match="branches"):
        climb(shop, {"error": ModelError("branches")}, {"seed": 0})


def test_first_error_is_raised_when_there_is_no_candidate(shop: Workshop) -> None:
    with pytest.raises(ConversionError, match="one"):
        climb(shop, {"error": ConversionError("one")}, {"error": ConversionError("two")})


def test_no_candidate_passes(shop: Workshop) -> None:
    with pytest.raises(ParityError, match="no lowering computes what the source computes") as caught:
        climb(shop, {"seed": 1}, {"seed": 2})
    report = caught.value.report or {}
    assert [attempt["accepted"] for attempt in report["attempts"]] == [False, False]


def test_best_candidate_can_be_kept(shop: Workshop) -> None:
    model = climb(shop, {"seed": 1}, {"seed": 2}, keep_unverified=True)
    assert not model.verified
    assert len(model.attempts) == 2


def test_candidate_of_another_output_shape_is_rejected(shop: Workshop) -> None:
    other = conv_model(seed=0, channels=6)
    tree, _ = parse_tree(other)
    tree.subgraphs[0].outputs = tree.subgraphs[0].operators[1].outputs
    with pytest.raises(ConversionError, match=r"output `scores` has shape \[1, 6\], the source's is \[1, 5\]"):
        climb(shop, {"data": pack_tree(tree)}, made_by=WithOutput)


class WithOutput(FakeSource):
    """The first output is another tensor of the candidate."""

    def hand_over(self, folder: Path, settings: dict[str, Any]) -> dict[str, Any]:
        handed = super().hand_over(folder, settings)
        return {**handed, "outputs": [{"name": "scores", "tensor": 5, "axes": None}]}


def test_candidate_that_the_engine_refuses_is_only_an_attempt(shop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeSource, "front_end", "torch")
    tree, _ = parse_tree(conv_model(seed=0))
    tree.operator_codes[0].version = 99
    model = climb(shop, {"data": pack_tree(tree)}, {"seed": 0})
    assert "refuses the file" in model.attempts[0].reason
    assert model.verified


class OftenNaN(FakeSource):
    """The samples make no sense to it."""

    def run(self, samples: Path, outputs: Path) -> int:
        nothing = {"scores": np.full((1, 5), np.nan, np.float32)}
        return write_outputs((nothing for _ in SampleStore.open(samples)), ["scores"], str(outputs))


def test_a_source_that_computes_nan_itself_is_told(shop: Workshop) -> None:
    with pytest.raises(ParityError, match=r"of the source itself are NaN or infinite: 20 in `scores`") as raised:
        climb(shop, {"seed": 0}, made_by=OftenNaN)
    assert (raised.value.hint or "").startswith("compare on samples that the model understands, with --data")


class IllConditioned(FakeSource):
    """What it computes hangs on the last place of its input, by 1e-3."""

    def run(self, samples: Path, outputs: Path) -> int:
        runner = Runner(self._path)

        def one(sample: Any) -> Any:
            noise = 1e-3 * np.sin(1e9 * sample["image"].astype(np.float64).sum())
            return {name: (values + noise).astype(np.float32) for name, values in runner.run(sample).items()}

        return write_outputs((one(sample) for sample in SampleStore.open(samples)), ["scores"], str(outputs))


def test_an_ill_conditioned_source_is_held_to_its_own_conditioning(shop: Workshop) -> None:
    model = climb(shop, {"seed": 1}, {"seed": 0}, made_by=IllConditioned)
    assert [a.accepted for a in model.attempts] == [False, True]
    bound = model.parity[0].bound
    assert "the source itself moves by" in bound.derivation
    assert model.parity[0].max_abs_error <= bound.value < 16 * 2.1e-3
