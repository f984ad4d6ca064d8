"""A span of ops in float: taken where it is surely nearer for its price, named, and exact where it is written."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_sdk.artifact.model import parse_artifact
from edge_sdk.converters.device import floats_of_tuning
from edge_sdk.converters.quantize.tuning.budget import Spent
from edge_sdk.errors import RecipeError
from edge_sdk.parity.constants import constant_faults
from edge_sdk.profile.reading import find_profile
from edge_sdk.recipe import find_recipe, parse_recipe
from tests.converters.quantize.test_tuning import float_file, prepared, samples, sqnr_db
from tests.converters.quantize.tuning_heard import Heard
from tests.converters.quantize.tuning_heard import asked as without_end

INT8 = find_recipe("int8")


def asked(percent: float) -> dict[str, Any]:
    return floats_of_tuning(replace(INT8, tune_float=percent), None)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], bytes, str]:
    """What the quantizer said of the int8 file, the file, and the samples' folder."""
    made, target, folder = prepared(tmp_path_factory.mktemp("spans"), uneven=True)
    return made, target.read_bytes(), folder


@pytest.mark.keras
@pytest.mark.runtime
def test_span_is_nearer_named_explained_and_paid(tmp_path: Path, whole: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from edge_sdk.converters.quantize.tuning import float_spans

    leave_in_float = float_spans.leave_in_float

    made, plain, folder = whole
    target = tmp_path / "int8.tflite"
    target.write_bytes(plain)
    files = made["tunable"] | {"explained": made["explained"]}
    reference = Path(files["reference"]).read_bytes()

    found = leave_in_float(str(target), files, folder, {}, floats=asked(75), asked=without_end())
    dear = found["corrections"]["floated"]
    assert not dear["kept"]
    assert "worth its price" in dear["why"]
    assert target.read_bytes() == plain

    monkeypatch.setattr(float_spans, "_PRICE_DB", 0.05)
    found = leave_in_float(str(target), files, folder, {}, floats=asked(75), asked=without_end())
    told = found["corrections"]["floated"]
    # What the depthwise layer hands to the next one has one scale for channels of unlike size: 5.7 dB for 71 %.
    assert told["kept"], told
    assert {"y1", "y2"} <= set(told["ops"])
    assert 0.3 < told["share"] <= 0.75
    # On samples that nothing was set or chosen on.
    assert sqnr_db(reference, target.read_bytes()) > sqnr_db(reference, plain) + 1
    after = parse_artifact(target.read_bytes())
    results = [after.main.tensors[op.outputs[0]] for op in after.main.ops if "CONV" in op.name]
    floats = {tensor.name for tensor in results if tensor.dtype == "float32"}
    assert floats == set(found["floats"])
    assert len(floats) == len(told["ops"])
    assert constant_faults(parse_artifact(Path(found["explained"]).read_bytes()), after) == []
    assert told["ops"][0] in found["findings"][0]["message"]


@pytest.mark.keras
@pytest.mark.runtime
def test_every_op_in_float_is_the_float_file(tmp_path: Path, whole: Any) -> None:
    from edge_sdk.converters.quantize.forms.in_float import in_float
    from edge_sdk.engines.runner import Runner

    _, plain, _ = whole
    source, target = tmp_path / "float.tflite", tmp_path / "whole.tflite"
    source.write_bytes(float_file(uneven=True))
    every = {op.index for op in parse_artifact(plain).main.ops if op.name != "DEQUANTIZE"}
    target.write_bytes(in_float(plain, every, float_file(uneven=True)))
    assert {op.name for op in Runner(target).artifact.main.ops} == {"CONV_2D", "DEPTHWISE_CONV_2D"}
    sample = next(samples(7))
    (want,), (got,) = (Runner(path).run(sample).values() for path in (source, target))
    assert np.array_equal(want, got)


def test_where_no_float_may_be_none_is_tried() -> None:
    reasons = {
        "0": floats_of_tuning(replace(INT8, tune_float=0), None),
        "io = int8": floats_of_tuning(find_recipe("static_wi8_ai8_io8"), None),
        "plain": floats_of_tuning(replace(INT8, forms="plain"), None),
        "activations": floats_of_tuning(find_recipe("dynamic_wi4_afp32"), None),
        "not XNNPACK": floats_of_tuning(INT8, find_profile("coral-dev-board")),
    }
    assert all(word in told["why"] for word, told in reasons.items())
    assert asked(20)["percent"] == 20


def test_a_share_is_a_percentage() -> None:
    from edge_sdk.errors import RecipeError

    with pytest.raises(RecipeError, match="0 to 100 percent, got 120"):
        parse_recipe("r", 'description = "d"\nmode = "float"\ntune_float = 120.0', where="r.toml")


@pytest.mark.keras
@pytest.mark.runtime
def test_spans_that_an_interrupted_run_tried_are_not_tried_again(
    tmp_path: Path, whole: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edge_sdk.converters.quantize.tuning import float_spans
    from edge_sdk.converters.quantize.tuning.budget import Budget

    monkeypatch.setattr(float_spans, "_PRICE_DB", 0.05)
    made, plain, folder = whole
    target = tmp_path / "int8.tflite"
    files = made["tunable"] | {"explained": made["explained"]}
    spent = Spent(seconds=0.0, kept=str(tmp_path / "checkpoint" / "spent.npz"))

    def run(heard: Heard, **more: Any) -> Any:
        target.write_bytes(plain)
        monkeypatch.setattr(float_spans, "Budget", lambda *a, **kw: Budget(*a, progress=heard, **kw))
        given: Any = without_end() | more
        return float_spans.leave_in_float(str(target), files, folder, {}, floats=asked(75), asked=given)

    every = Heard()
    want, whole_file = run(every), target.read_bytes()
    count = every.counts[-1][1]
    assert count >= 2
    assert want["corrections"]["floated"]["kept"]
    with pytest.raises(KeyboardInterrupt):
        run(Heard(stop_at=("floats", count)), spent=spent)
    rest = Heard()
    got = run(rest, spent=spent)
    assert rest.counts == []
    assert target.read_bytes() == whole_file
    assert got["corrections"]["floated"]["sqnr_db"] == want["corrections"]["floated"]["sqnr_db"]
    assert got["corrections"]["floated"]["tried"] == count


@pytest.mark.parametrize("asked", [{"tune_float": 5.0}, {"tune_minutes": 1.0}])
def test_a_bound_of_tuning_without_tuning_is_refused(asked: dict[str, float]) -> None:
    from edge_sdk.converters.options.recipe import recipe_from

    with pytest.raises(RecipeError, match=f"{next(iter(asked))} is for what tune does"):
        recipe_from("int8", asked)  # type: ignore[arg-type]
    assert recipe_from("int8", {"tune": True, **asked}).tune  # type: ignore[typeddict-item]
