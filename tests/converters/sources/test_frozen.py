"""Frozen graphs: placeholders and last ops become inputs and outputs, defaults and flags become constants."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edge_sdk.converters import Workers, convert
from edge_sdk.converters.describing import describe_source
from edge_sdk.errors import ModelError, SignatureError
from tests.contract import check_conversion
from tests.store import FROZEN, write

pytestmark = pytest.mark.keras


@pytest.fixture
def graph(tmp_path: Path, workers: Workers) -> str:
    return write(workers, FROZEN, "save", name="switched", path=str(tmp_path / "switched.pb"))


def test_a_frozen_graph_computes_the_same_from_names_of_its_own(tmp_path: Path, workers: Workers, graph: str) -> None:
    (report,) = check_conversion(
        graph,
        tmp_path,
        workers,
        inputs={"image": ((1, 4, 6, 6, 2), "float32")},
        outputs={"scores": (1, 4)},
        options={"fixed": {"training": [0]}, "ends": ["scores"]},
    )
    assert report.framework.startswith("frozen graph in tensorflow ")
    assert {f.where for f in report.findings if f.rule == "input-fixed"} == {"`training`", "`phase`"}
    # The pool over three axes is two over two.
    assert [op.name for op in report.artifact.main.ops].count("MAX_POOL_2D") == 2


def test_what_nothing_reads_is_an_output(workers: Workers, graph: str) -> None:
    facts = describe_source(graph, workers=workers)
    assert [spec.name for spec in facts.description.inputs] == ["image", "training"]
    assert facts.description.outputs == ("best",)


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("switched", {"ends": ["score"]}, "no node of the graph has this name, did you mean `scores`"),
        ("switched", {"fixed": {"speed": [1]}}, "there is no input `speed` to fix"),
        ("switched", {"fixed": {"training": [2]}}, "`training` is bool, which does not hold"),
        ("switched", {"signature": "serve"}, "only a SavedModel is entered by one"),
        ("with_a_variable", {}, r"not frozen: `weights` \(VariableV2\)"),
        ("fetching", {}, "loss needs data that the graph fetches by itself"),
    ],
)
def test_what_cannot_be_opened_is_told(
    tmp_path: Path, workers: Workers, name: str, options: dict[str, Any], said: str
) -> None:
    path = write(workers, FROZEN, "save", name=name, path=str(tmp_path / f"{name}.pb"))
    with pytest.raises((ModelError, SignatureError), match=said) as caught:
        describe_source(path, workers=workers, **options)
    if name == "fetching":
        assert "NAME is one of `made`" in str(caught.value.hint)
        assert convert(path, tmp_path / "made.tflite", workers=workers, ends=["made"]).verified


def test_a_file_of_another_format_is_told(tmp_path: Path, workers: Workers) -> None:
    (tmp_path / "noise.pb").write_bytes(b"\xff" * 64)
    with pytest.raises(ModelError, match="is no frozen graph of TensorFlow") as caught:
        describe_source(str(tmp_path / "noise.pb"), workers=workers)
    assert "the folder that holds saved_model.pb" in str(caught.value.hint)
