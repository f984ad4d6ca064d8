"""The reader and writer of flatbuffers: round trips, an oracle, and hostile bytes."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_sdk.artifact import parse_artifact
from edge_sdk.artifact.flatbuffer import FlatbufferError, Node, read
from edge_sdk.artifact.schema import parse_schema, schema
from edge_sdk.artifact.tree import pack_tree, parse_tree
from edge_sdk.errors import ModelError
from tests.graphs import conv_model, padded_pool_model


def plain(node: Any) -> Any:
    """A tree as comparable data."""
    if isinstance(node, Node):
        return {key: plain(value) for key, value in vars(node).items()}
    if isinstance(node, np.ndarray):
        return node.tolist()
    return [plain(item) for item in node] if isinstance(node, list) else node


@pytest.mark.parametrize("data", [conv_model(), padded_pool_model()], ids=["conv", "pool"])
def test_round_trip_keeps_every_field(data: bytes) -> None:
    tree, unknown = parse_tree(data)
    again, _ = parse_tree(pack_tree(tree))
    assert unknown == []
    assert plain(again) == plain(tree)


def test_packing_is_reproducible() -> None:
    assert conv_model() == conv_model()


def test_constants_are_aligned_to_16_bytes() -> None:
    data = conv_model()
    base = np.frombuffer(data, np.uint8).__array_interface__["data"][0]
    for tensor in parse_artifact(data).main.tensors:
        if tensor.constant is not None:
            assert (tensor.constant.__array_interface__["data"][0] - base) % 16 == 0


def test_constants_are_views_of_the_file() -> None:
    data = conv_model()
    base, size = np.frombuffer(data, np.uint8).__array_interface__["data"][0], len(data)
    constants = [t.constant for t in parse_artifact(data).main.tensors if t.constant is not None]
    assert constants
    assert all(base <= c.__array_interface__["data"][0] < base + size for c in constants)


@pytest.mark.parametrize("keep", [0, 3, 7, 8, 40, 200])
def test_truncated_file_is_an_error(keep: int) -> None:
    with pytest.raises(ModelError, match="not a whole TFLite file"):
        parse_tree(conv_model()[:keep])


def test_every_truncation_is_an_error_or_loses_nothing_that_is_read() -> None:
    data = conv_model()
    for keep in range(0, len(data), 7):
        try:
            parse_artifact(data[:keep])
        except ModelError:
            continue


@settings(max_examples=300, deadline=None)
@given(st.integers(0, len(conv_model()) - 4), st.integers(0, 2**32 - 1))
def test_damaged_word_never_crashes(position: int, word: int) -> None:
    damaged = bytearray(conv_model())
    damaged[position : position + 4] = struct.pack("<I", word)
    try:
        artifact = parse_artifact(bytes(damaged))
    except ModelError:
        return
    assert artifact.size_bytes == len(damaged)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=400))
def test_random_bytes_never_crash(data: bytes) -> None:
    with pytest.raises(ModelError):
        parse_artifact(b"\x10\x00\x00\x00TFL3" + data) if len(data) < 12 else parse_artifact(data)


def test_table_shared_to_explode_is_an_error() -> None:
    facts = parse_schema("table Top rows:[Mid]\ntable Mid rows:[Leaf]\ntable Leaf value:int32")
    leaves, fan = 200, 200
    out = bytearray(struct.pack("<I4s", 0, b"BOOM"))

    def vtable(*slots: int) -> int:
        place = len(out)
        out.extend(struct.pack(f"<HH{len(slots)}H", 4 + 2 * len(slots), 8, *slots))
        return place

    def table(where: int) -> int:
        place = len(out)
        out.extend(struct.pack("<iI", place - where, 0))
        return place

    def vector(target: int, count: int) -> int:
        place = len(out)
        out.extend(struct.pack("<I", count))
        for _ in range(count):
            out.extend(struct.pack("<I", (target - len(out)) % 2**32))
        return place

    # Offsets only point forwards, so build from the front with patches: top, its vector, mid, its vector, leaf.
    shape = vtable(4)
    top = table(shape)
    top_vector = len(out)
    out.extend(struct.pack("<I", fan) + b"\0" * 4 * fan)
    mid = table(shape)
    mid_vector = len(out)
    out.extend(struct.pack("<I", leaves) + b"\0" * 4 * leaves)
    leaf = table(vtable(4))
    struct.pack_into("<I", out, 0, top)
    struct.pack_into("<I", out, top + 4, top_vector - (top + 4))
    struct.pack_into("<I", out, mid + 4, mid_vector - (mid + 4))
    for i in range(fan):
        struct.pack_into("<I", out, top_vector + 4 + 4 * i, mid - (top_vector + 4 + 4 * i))
    for i in range(leaves):
        struct.pack_into("<I", out, mid_vector + 4 + 4 * i, leaf - (mid_vector + 4 + 4 * i))
    assert len(out) < fan * leaves
    with pytest.raises(FlatbufferError, match="nest or repeat"):
        read(bytes(out), facts, "Top", b"BOOM")


def test_field_of_a_newer_schema_is_reported() -> None:
    old = "table Model version:uint32 operator_codes:[OperatorCode]\ntable OperatorCode deprecated_builtin_code:int8"
    _, unknown = read(conv_model(), parse_schema(old), "Model", b"TFL3")
    assert any(place.startswith("Model[") for place in unknown)


def test_schema_names_the_field_that_does_not_exist() -> None:
    with pytest.raises(AttributeError, match="Model has no field `subgraph`"):
        _ = parse_tree(conv_model())[0].subgraph


def test_schema_refuses_an_unknown_line() -> None:
    with pytest.raises(ValueError, match="expected `enum` or `table`"):
        parse_schema("struct X a:int32")


def test_schema_defaults_are_kept_out_of_the_file() -> None:
    options = parse_tree(conv_model())[0].subgraphs[0].operators[0].builtin_options
    assert options.dilation_w_factor == 1
    assert schema().tables["Conv2DOptions"][4].default == 1
