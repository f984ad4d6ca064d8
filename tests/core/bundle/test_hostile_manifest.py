"""Manifests and members that lie, their hashes made to fit: what an attacker without the key would do."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_sdk.bundle.manifest import MANIFEST, MANIFEST_HASH
from edge_sdk.bundle.parsing import parse_manifest
from edge_sdk.bundle.reading import open_bundle
from edge_sdk.bundle.verifying import verify_bundle
from edge_sdk.errors import BundleError, BundleFormatError, BundleVersionError
from tests.core.bundle.conftest import refused
from tests.core.bundle.made import INPUT, LABELS, forged, manifest, pack, unpack, with_model
from tests.graphs import conv_model

Change = Callable[[dict[str, Any], dict[str, bytes]], None]


def _set(*path: Any, to: Any) -> Change:
    def change(table: dict[str, Any], _: dict[str, bytes]) -> None:
        place: Any = table
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = to

    return change


def _compiled(**other: Any) -> Change:
    """A second variant of the same file, said to be compiled of the first."""

    def change(table: dict[str, Any], _: dict[str, bytes]) -> None:
        facts = {
            "compiler": "vela", "tool": "vela 5", "target": "ethos-u55-128", "chips": ["imx93"], "delegate": "external",
            "made_from": "float32", "profiles": ["imx93"], "ops": 2, "ops_on_npu": 1, "partitions": 1,
            "simulated_ms": 0.5, "low_ms": None, "high_ms": None,
        }  # fmt: skip
        plain = table["variants"][0]
        table["variants"].append({**plain, "id": "made", "compiled": {**facts, **other}})

    return change


def _drop(*path: Any) -> Change:
    def change(table: dict[str, Any], _: dict[str, bytes]) -> None:
        place: Any = table
        for step in path[:-1]:
            place = place[step]
        del place[path[-1]]

    return change


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_set("surprise", to=1), "surprise: unknown key"),
        (_set("variant", to=1), "did you mean `variants`"),
        (_drop("variants"), "variants: missing"),
        (_drop("variants", 0, "precision"), "variants[0].precision: missing"),
        (_set("variants", to=[]), "holds no variant"),
        (_set("variants", 0, "precision", to="int3"), "expected one of float32"),
        (_set("variants", 0, "macs", to="many"), "variants[0].macs: expected int, got str"),
        (_set("variants", 0, "macs", to=True), "expected int, got bool"),
        (_set("variants", 0, "model", to="variants/none.tflite"), "does not exist"),
        (_set("variants", 0, "model", to=LABELS), "does not end in .tflite"),
        (_set("variants", 0, "sha256", to="0" * 64), "another than that of its member"),
        (_set("variants", 0, "id", to="../x"), "not allowed"),
        (_set("variants", 0, "golden", 0, "inputs", to={}), "golden arrays are not those"),
        (_set("variants", 0, "tolerance", to={}), "tolerances are not those"),
        (_set("variants", 0, "sequences", 0, "calls", to=[]), "a sequence without calls"),
        (_set("variants", 0, "sequences", 0, "golden", to=[]), "a sequence without calls or runs"),
        (_set("variants", 0, "sequences", 0, "golden", 0, "inputs", to={}), "golden arrays are not those"),
        (_set("variants", 0, "sequences", 0, "tolerance", to={}), "tolerances are not those"),
        (_set("variants", 0, "sequences", 0, "outputs", 0, "shape", to=[-1, 5]), "has the shape"),
        (_drop("variants", 0, "sequences"), "variants[0].sequences: missing"),
        (_set("format_version", to=1), "came with format version 2"),
        (_drop("variants", 0, "compiled"), "variants[0].compiled: missing"),
        (_compiled(made_from="int8"), "was compiled from `int8`, which is no variant as converted"),
        (_compiled(made_from="made"), "was compiled from `made`, which is no variant as converted"),
        (_compiled(chips=[]), "was compiled, and names no chip"),
        (_compiled(ops_on_npu=3), "was compiled, with 3 of 2 ops on the NPU"),
        (_compiled(partitions=0), "variant `made`: was compiled, with 1 of 2 ops"),
        (_compiled(delegate="gpu"), "compiled.delegate: expected one of npu, external"),
        (_compiled(simulated_ms="fast"), "simulated_ms"),
        (_set("variants", 0, "signature", "inputs", 0, "shape", to=[1, -8, 8, 3]), "has the shape"),
        (
            _set("variants", 0, "signature", "inputs", 0, "shape", to=[1, 8, 8, 4]),
            "other inputs or outputs than the manifest says",
        ),
        (_set("variants", 0, "signature", "inputs", 0, "scale", to=0.1), "zero point None"),
        (_set("variants", 0, "signature", "outputs", 0, "name", to="other"), "golden arrays are not those"),
        (
            _set("raw_processing", "outputs", 0, "steps", 0, "op", to="eval"),
            "steps[0].op: expected one of",
        ),
        (_set("raw_processing", "outputs", 0, "steps", 0, "k", to=1.5), "expected int, got float"),
        (_set("labels", "scores", to=MANIFEST), "does not exist"),
        (_set("format", to="zip"), "expected `format`"),
        (_set("format_version", to=0), "from 1"),
        (_set("format_version", to="1"), "from 1"),
        (_set("name", to=None), "name: expected str, got NoneType"),
    ],
)
def test_manifests_that_lie(tmp_path: Path, change: Change, words: str) -> None:
    with pytest.raises(BundleError) as caught:
        verify_bundle(forged(tmp_path / "x.edge", change))
    assert words in str(caught.value)
    assert "x.edge" in str(caught.value)


def test_a_compiled_variant_is_as_good_as_another(tmp_path: Path) -> None:
    assert verify_bundle(forged(tmp_path / "x.edge", _compiled())).variants == ("float32", "made")


@pytest.mark.parametrize(("version", "absent"), [(1, ("sequences", "compiled")), (2, ("compiled",))])
def test_the_versions_before_are_read(tmp_path: Path, version: int, absent: tuple[str, ...]) -> None:
    def change(table: dict[str, Any], _: dict[str, bytes]) -> None:
        table["format_version"] = version
        for key in absent:
            del table["variants"][0][key]

    assert verify_bundle(forged(tmp_path / "x.edge", change)).golden_runs == version
    with open_bundle(tmp_path / "x.edge") as bundle:
        assert len(bundle.golden_sequences("float32")) == version - 1
        assert bundle.variant("float32").compiled is None


def test_a_newer_version_says_what_to_do(tmp_path: Path) -> None:
    def change(table: dict[str, Any], _: dict[str, bytes]) -> None:
        table |= {"format_version": 4, "created_by": "edge-sdk 9.0", "whatever": "it holds"}

    with pytest.raises(BundleVersionError, match=r"format version 4 \(made by edge-sdk 9.0\).*reads up to 3") as caught:
        open_bundle(forged(tmp_path / "x.edge", change))
    assert "upgrade" in str(caught.value.hint)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"null",
        b"[]",
        b"{",
        b'{"format": NaN}',
        b'{"format": 1e999}',
        b"\xff\xfe",
        b'{"format": "edge-bundle", "format": "edge-bundle"}',
        b"[" * 100_000,
        b"1" * 5000,
    ],
)
def test_manifests_that_are_none(tmp_path: Path, whole: bytes, raw: bytes) -> None:
    from edge_sdk.bundle.reading import manifest_hash_line

    members = unpack(whole) | {MANIFEST: raw, MANIFEST_HASH: manifest_hash_line(raw)}
    assert MANIFEST in refused(tmp_path / "x.edge", pack(members), BundleFormatError)


@pytest.mark.parametrize("model", [b"", b"TFL3", b"\x1c\0\0\0TFL3" + bytes(100), conv_model()[:-50]])
def test_a_model_that_is_none(tmp_path: Path, model: bytes) -> None:
    """Its hash is right, so only reading it tells."""
    with pytest.raises(BundleFormatError, match=r"model\.tflite"):
        verify_bundle(forged(tmp_path / "x.edge", with_model(model)))


def test_another_model_than_described(tmp_path: Path) -> None:
    with pytest.raises(BundleFormatError, match="other inputs or outputs than the manifest says"):
        verify_bundle(forged(tmp_path / "x.edge", with_model(conv_model(side=9))))


def test_labels_that_are_not_text(tmp_path: Path) -> None:
    def change(_: dict[str, Any], members: dict[str, bytes]) -> None:
        members[LABELS] = b"a\xff\n"

    with pytest.raises(BundleFormatError, match="not UTF-8"):
        verify_bundle(forged(tmp_path / "x.edge", change))


def test_golden_values_of_another_size(tmp_path: Path) -> None:
    def change(_: dict[str, Any], members: dict[str, bytes]) -> None:
        members[INPUT] = b"abc"

    with pytest.raises(BundleFormatError, match=r"has 3 bytes, float32\[1, 8, 8, 3\] needs 768"):
        verify_bundle(forged(tmp_path / "x.edge", change))


def test_steps_that_do_not_fit_the_input(tmp_path: Path) -> None:
    steps = [{"op": "batch"}, {"op": "batch"}]
    with pytest.raises(BundleFormatError, match=r"make uint8\[1, 1, 37, 53, 3\], it takes float32\[1, 8, 8, 3\]"):
        verify_bundle(
            forged(
                tmp_path / "x.edge",
                _set("raw_processing", "inputs", to=[{"name": "image", "kind": "image", "steps": steps}]),
            )
        )


@pytest.mark.parametrize("kind", ["absent", "folder", "empty", "pipe", "device"])
def test_what_is_no_file(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "x.edge"
    if kind == "folder":
        path.mkdir()
    elif kind == "empty":
        path.touch()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    with pytest.raises(BundleFormatError, match=r"x\.edge"):
        open_bundle(path)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_any_value_anywhere_in_a_manifest(data: st.DataObject) -> None:
    """Each change either reads as a manifest, or is an error of ours."""
    table = manifest().as_json()
    places: list[tuple[Any, Any]] = []
    _walk(table, places)
    container, key = data.draw(st.sampled_from(places))
    container[key] = data.draw(_JSON)
    with contextlib.suppress(BundleError):
        parse_manifest(json.dumps(table).encode())


def _walk(value: Any, places: list[tuple[Any, Any]]) -> None:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        places.append((value, key))
        _walk(item, places)
