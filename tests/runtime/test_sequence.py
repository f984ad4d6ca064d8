"""Calls of several signatures as one: values handed on, state kept in between, compared and timed."""

from __future__ import annotations

import hashlib
import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from edge_sdk import Session, create_bundle, verify_bundle
from edge_sdk.artifact.tree import pack_tree
from edge_sdk.bundle import open_bundle
from edge_sdk.bundle.manifest import MANIFEST, MANIFEST_HASH
from edge_sdk.bundle.options import Golden
from edge_sdk.bundle.reading import manifest_hash_line
from edge_sdk.cli import cli
from edge_sdk.errors import BundleError, BundleFormatError, DelegateUnavailableError, SignatureError, TargetError
from tests.core.bundle.made import pack, unpack
from tests.graphs import Graph, options

pytestmark = pytest.mark.runtime
_SHAPE = (1, 4)


def _handle(graph: Graph) -> int:
    handle = graph.tensor("h", (), "resource")
    graph.op("VAR_HANDLE", (), (handle,), options("VarHandleOptions", container="", shared_name="sum"))
    return handle


def _read(graph: Graph) -> int:
    value = graph.tensor("kept", _SHAPE)
    graph.op("READ_VARIABLE", (_handle(graph),), (value,), options("ReadVariableOptions"))
    return value


def model(step: float = 1.0) -> bytes:
    """``prefill``: kept = x, cache = 2x. ``decode``: kept = kept + token, cache = cache + step, sum = kept + token."""
    graph = Graph()
    x = graph.tensor("x", _SHAPE)
    graph.op("ASSIGN_VARIABLE", (_handle(graph), x), (), options("AssignVariableOptions"))
    cache = graph.tensor("cache", _SHAPE)
    graph.op("ADD", (x, x), (cache,), options("AddOptions"))
    graph.entry("prefill", (x,), (cache,))
    decode = graph.another("decode")
    token, old = decode.tensor("token", _SHAPE), decode.tensor("cache", _SHAPE)
    total = decode.tensor("sum", _SHAPE)
    decode.op("ADD", (_read(decode), token), (total,), options("AddOptions"))
    decode.op("ASSIGN_VARIABLE", (_handle(decode), total), (), options("AssignVariableOptions"))
    new = decode.tensor("new", _SHAPE)
    decode.op("ADD", (old, decode.constant("c", np.full(_SHAPE, step, np.float32))), (new,), options("AddOptions"))
    decode.entry("decode", (token, old), (total, new))
    # The name of the tensor is another's; that of the signature is what counts.
    decode.root.signature_defs[1].outputs[1].name = "cache"
    return pack_tree(graph.root)


CALLS = ["prefill", "decode", "decode"]


def given(seed: int = 0) -> dict[str, Any]:
    draw = np.random.default_rng(seed)
    return {
        name: draw.standard_normal(_SHAPE).astype(np.float32)
        for name in ("prefill/x", "decode/token", "decode@2/token")
    }


def expected(sample: dict[str, Any], step: float = 1.0) -> dict[str, Any]:
    x, one, two = sample.values()
    return {
        "prefill/cache": x + x,
        "decode/sum": x + one,
        "decode/cache": x + x + np.float32(step),
        "decode@2/sum": (x + one) + two,
        "decode@2/cache": (x + x + np.float32(step)) + np.float32(step),
    }


@pytest.mark.parametrize("delegate", ["cpu", "auto"])
def test_calls_hand_on_what_has_the_same_name_and_keep_state(delegate: str) -> None:
    with Session.open(model(), delegate=delegate, keep_state=True, signature="prefill") as session:
        sequence = session.sequence(CALLS)
        assert [spec.name for spec in sequence.inputs] == list(given())
        for seed in range(3):
            made, wanted = sequence.run(given(seed)), expected(given(seed))
            assert list(made) == [spec.name for spec in sequence.outputs] == list(wanted)
            for name, values in wanted.items():
                np.testing.assert_array_equal(made[name], values)
        run = sequence.stage(given())
        run()
        # Alone, decode has nothing to be handed.
        assert [spec.name for spec in session.sequence(["decode"]).inputs] == ["decode/token", "decode/cache"]


def test_misuse_is_told() -> None:
    with (
        Session.open(model(), signature="prefill") as session,
        pytest.raises(TargetError, match="has state, which this session sets back"),
    ):
        session.sequence(CALLS)
    with Session.open(model(), keep_state=True, signature="prefill") as session:
        with pytest.raises(SignatureError, match="`decod` does not exist, did you mean `decode`"):
            session.sequence(["prefill", "decod"])
        with pytest.raises(SignatureError, match="one call at least"):
            session.sequence([])
        with pytest.raises(SignatureError, match="`decode/token` is missing"):
            session.sequence(CALLS).run({"prefill/x": given()["prefill/x"]})


def invoke(*words: str) -> Result:
    return CliRunner().invoke(cli, words, prog_name="edge-sdk")


def test_commands(tmp_path: Path) -> None:
    first, same, other = (tmp_path / name for name in ("a.tflite", "b.tflite", "c.tflite"))
    for path, step in ((first, 1.0), (same, 1.0), (other, 1.5)):
        path.write_bytes(model(step))
    samples = [given(seed) for seed in range(3)]
    np.savez(tmp_path / "in.npz", **{name: np.stack([one[name] for one in samples]) for name in samples[0]})
    calls = [word for key in CALLS for word in ("--call", key)]
    out = tmp_path / "out.npz"
    words = ["run", str(first), "--input", str(tmp_path / "in.npz"), "-o", str(out), *calls]
    done = invoke(*words)
    assert done.exit_code == 0, done.output
    with np.load(out) as made:
        for place, sample in enumerate(samples):
            for name, values in expected(sample).items():
                np.testing.assert_array_equal(made[name][place], values)
    compare = ["compare", str(first), str(same), *calls, "--samples", "4"]
    assert invoke(*compare).exit_code == 0
    compare[2] = str(other)
    done = invoke(*compare)
    assert done.exit_code == 3, done.output
    assert "decode@2/cache" in done.output
    for key, code, told in (("prefill", 0, "prefill/cache"), ("decode", 1, "reads variable `sum`")):
        done = invoke("compare", str(first), str(same), "--signature", key, "--samples", "4")
        assert (done.exit_code, told in done.output) == (code, True), done.output
    done = invoke("check", str(first), "--profile", "raspberry-pi-5", "--signature", "decode", "--json")
    assert json.loads(done.stdout)["delegates"][0]["ops"] == 6, done.output
    done = invoke("check", str(first), "--profile", "raspberry-pi-5", "--signature", "decod")
    assert "did you mean `decode`" in done.output
    done = invoke("convert", str(first), "-o", str(tmp_path / "d.tflite"), "--signature", "decode")
    assert (done.exit_code, "only a SavedModel" in done.output) == (1, True), done.output
    words = ["benchmark", str(first), *calls, "--runs", "10", "--seconds", "0.05", "--json"]
    done = invoke(*words)
    assert done.exit_code in (0, 3), done.output
    assert "prefill then decode then decode" in done.output


def test_bundles_hold_golden_sequences(tmp_path: Path) -> None:
    good, bundle = tmp_path / "good.tflite", tmp_path / "lm.edge"
    good.write_bytes(model())
    samples = [given(seed) for seed in range(2)]
    np.savez(tmp_path / "in.npz", **{name: np.stack([one[name] for one in samples]) for name in samples[0]})
    calls = [word for key in CALLS for word in ("--call", key)]
    words = ["bundle", "create", str(good), "-o", str(bundle), "--golden", str(tmp_path / "in.npz"), *calls]
    done = invoke(*words)
    assert done.exit_code == 0, done.output
    assert "2 golden runs of prefill then decode then decode" in done.output
    assert verify_bundle(bundle).golden_runs == 4 + 2
    with open_bundle(bundle) as opened:
        (sequence,) = opened.golden_sequences("good")
        for case, sample in zip(sequence.cases, samples, strict=True):
            assert {name: values.tolist() for name, values in case.inputs.items()} == {
                name: values.tolist() for name, values in sample.items()
            }
            for name, values in expected(sample).items():
                np.testing.assert_array_equal(case.outputs[name], values)
    for delegate in ("cpu", "auto"):
        with Session.open(bundle, delegate=delegate) as session:
            chosen = session.receipt.opening.chosen
            assert chosen.self_test is not None
            assert (chosen.self_test.result, chosen.self_test.cases) == ("passed", 6)
            assert "2 golden runs of prefill then decode then decode" in chosen.notes[-1] + chosen.notes[0]
    # prefill alone is right, and decode adds another constant than it did when the bundle was made.
    damaged = forged(bundle, model(1.5))
    with pytest.raises(DelegateUnavailableError, match=r"decode@2/cache.*max abs error 1, expected"):
        Session.open(damaged)


def test_sequences_that_lie(tmp_path: Path) -> None:
    good, bundle = tmp_path / "good.tflite", tmp_path / "lm.edge"
    good.write_bytes(model())
    create_bundle([good], bundle, golden=Golden(samples=1, calls=tuple(CALLS)))
    with open_bundle(bundle) as opened:
        table = opened.manifest.as_json()
    (sequence,) = table["variants"][0]["sequences"]
    for change, words in (
        ({"calls": ["prefill", "decode"]}, "in prefill then decode than the manifest says"),
        ({"calls": ["prefill", "absent"]}, "in prefill then absent than the manifest says"),
        ({"calls": []}, "a sequence without calls or runs"),
        ({"golden": []}, "a sequence without calls or runs"),
        ({"tolerance": {}}, "its tolerances are not those"),
    ):
        table["variants"][0]["sequences"] = [sequence | change]
        with pytest.raises(BundleFormatError, match=words):
            verify_bundle(repacked(bundle, table, tmp_path / "lie.edge"))
    table["variants"][0].pop("sequences")
    with pytest.raises(BundleFormatError, match="sequences"):
        verify_bundle(repacked(bundle, table, tmp_path / "lie.edge"))
    with pytest.raises(BundleError, match="no golden samples"):
        create_bundle([good], bundle, golden=Golden(samples=0, calls=tuple(CALLS)))
    with pytest.raises(SignatureError, match="`decod` does not exist"):
        create_bundle([good], bundle, golden=Golden(calls=("prefill", "decod")))


def forged(bundle: Path, content: bytes) -> Path:
    """The bundle with another model, and hashes that fit."""
    with open_bundle(bundle) as opened:
        table = opened.manifest.as_json()
    variant = table["variants"][0]
    facts = {"sha256": hashlib.sha256(content).hexdigest(), "size_bytes": len(content)}
    variant |= facts
    return repacked(bundle, table, bundle.with_name("forged.edge"), {variant["model"]: content})


def repacked(bundle: Path, table: dict[str, Any], path: Path, others: dict[str, bytes] | None = None) -> Path:
    """The bundle with another manifest, whose members are those that it names."""
    members = unpack(bundle.read_bytes()) | (others or {})
    used = set(json.dumps(table["variants"]).split('"'))
    contents = {one["name"]: members[one["name"]] for one in table["members"] if one["name"] in used}
    records = [
        {"name": n, "size_bytes": len(c), "sha256": hashlib.sha256(c).hexdigest(), "crc32": zlib.crc32(c)}
        for n, c in contents.items()
    ]
    raw = json.dumps(table | {"members": records}).encode()
    path.write_bytes(pack({MANIFEST: raw, MANIFEST_HASH: manifest_hash_line(raw), **contents}))
    return path


def int8_model() -> bytes:
    """``prefill``: cache = x, in steps of 0.25. ``decode``: takes cache in steps of 0.5; sum = token + cache."""
    graph = Graph()
    x = graph.tensor("x", _SHAPE, "int8", scale=[0.5], zero_point=[0])
    cache = graph.tensor("cache", _SHAPE, "int8", scale=[0.25], zero_point=[3])
    graph.op("QUANTIZE", (x,), (cache,), options("QuantizeOptions"), version=2)
    graph.entry("prefill", (x,), (cache,))
    decode = graph.another("decode")
    token = decode.tensor("token", _SHAPE, "int8", scale=[0.5], zero_point=[0])
    old = decode.tensor("cache", _SHAPE, "int8", scale=[0.5], zero_point=[-1])
    total = decode.tensor("sum", _SHAPE, "int8", scale=[0.5], zero_point=[0])
    decode.op("ADD", (token, old), (total,), options("AddOptions"), version=2)
    decode.entry("decode", (token, old), (total,))
    return pack_tree(graph.root)


def test_golden_sequences_hand_on_real_values(tmp_path: Path) -> None:
    path, bundle = tmp_path / "int8.tflite", tmp_path / "int8.edge"
    path.write_bytes(int8_model())
    create_bundle([path], bundle, golden=Golden(samples=3, calls=("prefill", "decode")))
    assert verify_bundle(bundle).golden_runs == 3 + 3
    with open_bundle(bundle) as opened:
        (sequence,) = opened.golden_sequences("int8")
        for case in sequence.cases:
            assert set(case.inputs) == {"prefill/x", "decode/token"}
            x, token = (case.inputs[name].astype(np.float32) * np.float32(0.5) for name in case.inputs)
            wanted = np.clip(np.round((x + token) / 0.5), -128, 127).astype(np.int8)
            np.testing.assert_array_equal(case.outputs["decode/sum"], wanted)
            assert {limit.arithmetic for limit in case.tolerance["decode/sum"]} == {"integer", "float32", "float16"}
    for delegate in ("cpu", "auto"):
        with Session.open(bundle, delegate=delegate) as session:
            verdict = session.receipt.opening.chosen.self_test
            assert verdict is not None
            assert (verdict.result, verdict.cases) == ("passed", 6), verdict


def test_stored_integers_of_another_scale_are_not_handed_on() -> None:
    with Session.open(int8_model(), values="raw", keep_state=True, signature="prefill") as session:
        names = [spec.name for spec in session.sequence(["prefill", "decode"]).inputs]
    assert names == ["prefill/x", "decode/token", "decode/cache"]
