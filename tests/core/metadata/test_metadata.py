"""TFLite Metadata: what is written is what another reader reads, and what the file computes stays the same."""

from __future__ import annotations

import io
import struct
import zipfile
from pathlib import Path
from typing import Any

import flatbuffers.encode
import flatbuffers.number_types as numbers
import flatbuffers.table
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_sdk.artifact.model import Tensor, parse_artifact
from edge_sdk.artifact.note import set_metadata
from edge_sdk.artifact.outside import pack_outside
from edge_sdk.artifact.schema import schema
from edge_sdk.artifact.tree import pack_tree, parse_tree
from edge_sdk.metadata import (
    AssociatedFile,
    MetadataError,
    ModelFacts,
    Normalization,
    TensorNotes,
    read_metadata,
    write_metadata,
)
from edge_sdk.metadata.min_runtime import min_runtime_version
from edge_sdk.metadata.reading import packed_files, stated_min_runtime
from edge_sdk.metadata.records import MIN_RUNTIME_VERSION, NAME
from tests.graphs import conv_model

LABELS = AssociatedFile("labels.txt", b"a\nb\nc\nd\ne\n", "TENSOR_AXIS_LABELS", "classes")
FACTS = ModelFacts(
    name="digits",
    description="a test's own",
    version="v1",
    author="us",
    license="Apache-2.0",
    inputs={"image": TensorNotes("a picture", "rgb", Normalization((127.5,), (63.75,)))},
    outputs={"scores": TensorNotes("scores", score_threshold=0.25, files=(LABELS,))},
)


def test_what_is_written_is_read_back() -> None:
    artifact = parse_artifact(write_metadata(conv_model(), FACTS))
    found = read_metadata(artifact)
    assert found is not None
    assert (found.name, found.version, found.author, found.license) == ("digits", "v1", "us", "Apache-2.0")
    assert found.min_parser_version == "1.0.0"
    (image,), (scores,) = found.inputs, found.outputs
    assert (image.name, image.content, image.color_space) == ("image", "ImageProperties", "RGB")
    assert image.normalization == Normalization((127.5,), (63.75,))
    assert (scores.content, scores.score_threshold) == ("FeatureProperties", 0.25)
    assert scores.files == (("labels.txt", "TENSOR_AXIS_LABELS"),)


class _Table:
    """A flatbuffer table read with the `flatbuffers` package and the schema's slot numbers: not our reader."""

    def __init__(self, data: bytes, position: int) -> None:
        self._table = flatbuffers.table.Table(bytearray(data), position)
        self._data = data

    @staticmethod
    def root(data: bytes) -> _Table:
        return _Table(data, struct.unpack_from("<I", data)[0])

    def _at(self, slot: int) -> int:
        offset = self._table.Offset(4 + 2 * slot)
        return int(offset + self._table.Pos) if offset else 0

    def text(self, slot: int) -> str | None:
        place = self._at(slot)
        return self._table.String(place).decode() if place else None

    def byte(self, slot: int) -> int:
        place = self._at(slot)
        return int(self._table.Get(numbers.Uint8Flags, place)) if place else 0

    def table(self, slot: int) -> _Table:
        return _Table(self._data, self._table.Indirect(self._at(slot)))

    def tables(self, slot: int) -> list[_Table]:
        place = self._at(slot)
        if not place:
            return []
        begin, count = self._vector(place)
        return [_Table(self._data, self._table.Indirect(begin + 4 * i)) for i in range(count)]

    def floats(self, slot: int) -> list[float]:
        begin, count = self._vector(self._at(slot))
        return [float(self._table.Get(numbers.Float32Flags, begin + 4 * i)) for i in range(count)]

    def _vector(self, place: int) -> tuple[int, int]:
        begin = place + struct.unpack_from("<I", self._data, place)[0]
        return begin + 4, struct.unpack_from("<I", self._data, begin)[0]


def test_another_reader_finds_every_field_in_its_slot() -> None:
    """Slots counted in metadata_schema.fbs 1.5.0; unions' types are their places in the union, from 1."""
    artifact = parse_artifact(write_metadata(conv_model(), FACTS))
    raw = artifact.metadata[NAME]
    assert raw[4:8] == b"M001"
    model = _Table.root(raw)
    assert [model.text(slot) for slot in (0, 1, 2, 4, 5, 7)] == [
        "digits", "a test's own", "v1", "us", "Apache-2.0", "1.0.0",
    ]  # fmt: skip
    (graph,) = model.tables(3)
    (image,), (scores,) = graph.tables(2), graph.tables(3)
    assert (image.text(0), image.text(1)) == ("image", "a picture")
    content = image.table(3)
    assert content.byte(0) == 2  # ImageProperties
    assert content.table(1).byte(0) == 1  # RGB
    (unit,) = image.tables(4)
    assert unit.byte(0) == 1  # NormalizationOptions
    assert (unit.table(1).floats(0), unit.table(1).floats(1)) == ([127.5], [63.75])
    (file,) = scores.tables(6)
    assert (file.text(0), file.text(1), file.byte(2)) == ("labels.txt", "classes", 2)
    (unit,) = scores.tables(4)
    assert unit.byte(0) == 3  # ScoreThresholdingOptions
    assert scores.table(3).byte(0) == 1  # FeatureProperties


def test_files_are_packed_as_the_official_tools_do() -> None:
    """A ZIP of stored files behind the flatbuffer, whose offsets count from the file's start."""
    data = write_metadata(conv_model(), FACTS)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        (info,) = archive.infolist()
        assert (info.filename, info.compress_type) == ("labels.txt", zipfile.ZIP_STORED)
        assert archive.read(info) == LABELS.content
        assert data[info.header_offset : info.header_offset + 4] == b"PK\3\4"
    assert [file.content for file in packed_files(data)] == [LABELS.content]
    assert packed_files(conv_model()) == ()


def test_equal_inputs_make_equal_bytes_and_twice_is_once() -> None:
    once = write_metadata(conv_model(), FACTS)
    assert write_metadata(conv_model(), FACTS) == once
    twice = parse_artifact(write_metadata(once, FACTS))
    assert list(twice.metadata).count(NAME) == 1
    assert read_metadata(twice) == read_metadata(parse_artifact(once))
    assert [file.name for file in packed_files(write_metadata(once, FACTS))] == ["labels.txt"]


def test_all_else_in_the_file_stays() -> None:
    before, after = parse_artifact(conv_model()), parse_artifact(write_metadata(conv_model(), FACTS))
    assert after.subgraphs == before.subgraphs
    assert after.signatures == before.signatures
    for old, new in zip(before.main.tensors, after.main.tensors, strict=True):
        assert (old.constant is None) == (new.constant is None)
        if old.constant is not None and new.constant is not None:
            np.testing.assert_array_equal(old.constant, new.constant)


@pytest.mark.runtime
def test_engines_load_and_run_it(tmp_path: Path) -> None:
    from edge_sdk.runtime import Runner

    plain, told = tmp_path / "plain.tflite", tmp_path / "told.tflite"
    plain.write_bytes(conv_model())
    told.write_bytes(write_metadata(conv_model(), FACTS))
    image = np.random.default_rng(0).random((1, 8, 8, 3), np.float32)
    left, right = (Runner(path).run({"image": image})["scores"] for path in (plain, told))
    np.testing.assert_array_equal(left, right)


def test_min_runtime_version_is_16_bytes_and_the_newest_of_its_ops() -> None:
    artifact = parse_artifact(write_metadata(conv_model(), ModelFacts()))
    assert len(artifact.metadata[MIN_RUNTIME_VERSION]) == 16
    # CONV_2D 1: 1.5.0; MEAN 1: 1.6.0; FULLY_CONNECTED 1: 1.5.0.
    assert stated_min_runtime(artifact) == "1.6.0"


def _with_op_version(name: str, version: int) -> Any:
    root, _ = parse_tree(conv_model())
    names = schema().enums["BuiltinOperator"]
    code = next(code for code in root.operator_codes if names[code.builtin_code] == name)
    code.version = version
    return parse_artifact(pack_tree(root))


@pytest.mark.parametrize(
    ("name", "version", "expected"),
    [("CONV_2D", 6, "2.9.0"), ("FULLY_CONNECTED", 9, "2.3.0"), ("CONV_2D", 7, "2.12.0"), ("CONV_2D", 99, None)],
)
def test_min_runtime_version_of_newer_ops(name: str, version: int, expected: str | None) -> None:
    """Beyond TensorFlow's own table what was measured to load it; None where nothing was."""
    assert min_runtime_version(_with_op_version(name, version)) == expected


@pytest.mark.keras
@pytest.mark.slow
def test_min_runtime_version_is_what_tensorflow_writes() -> None:
    """TFLiteConverter puts its own into float files: the oracle of the table. (Into quantized ones it puts blanks.)"""
    import tensorflow as tf

    layers = tf.keras.layers
    image = tf.keras.Input((16, 16, 3))
    values = layers.Conv2D(8, 3, activation="relu6", padding="same")(image)
    values = layers.DepthwiseConv2D(3, dilation_rate=2)(values)
    values = layers.UpSampling2D(2, interpolation="bilinear")(layers.Conv2DTranspose(4, 3)(values))
    values = layers.LeakyReLU()(layers.Concatenate()([values, values]))
    values = layers.Dense(5, activation="softmax")(layers.Flatten()(values))
    model = tf.keras.Model(image, values)
    artifact = parse_artifact(tf.lite.TFLiteConverter.from_keras_model(model).convert())
    assert stated_min_runtime(artifact)
    assert min_runtime_version(artifact) == stated_min_runtime(artifact)


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        (ModelFacts(inputs={"imag": TensorNotes()}), "`imag`, which the file does not have"),
        (
            ModelFacts(
                inputs={"image": TensorNotes(files=(LABELS,))},
                outputs={"scores": TensorNotes(files=(AssociatedFile("labels.txt", b"x", "VOCABULARY"),))},
            ),
            "two associated files",
        ),
    ],
)
def test_what_cannot_be_written(facts: ModelFacts, words: str) -> None:
    with pytest.raises(MetadataError, match=words):
        write_metadata(conv_model(), facts)


def test_constants_behind_the_flatbuffer_stay() -> None:
    root, _ = parse_tree(conv_model())
    written = parse_artifact(write_metadata(pack_outside(root, pack_tree), FACTS))
    pairs = zip(parse_artifact(conv_model()).subgraphs[0].tensors, written.subgraphs[0].tensors, strict=True)
    assert all(_raw(was) == _raw(now) for was, now in pairs)


def _raw(tensor: Tensor) -> bytes | None:
    return None if tensor.constant is None else tensor.constant.tobytes()


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=200), st.integers(0, 300), st.integers(0, 40))
def test_damaged_metadata_is_an_error_of_ours(noise: bytes, at: int, length: int) -> None:
    raw = parse_artifact(write_metadata(conv_model(), FACTS)).metadata[NAME]
    root, _ = parse_tree(conv_model())
    set_metadata(root, NAME, raw[:at] + noise + raw[at + length :])
    try:
        read_metadata(parse_artifact(pack_tree(root)))
    except MetadataError as error:
        assert "damaged" in str(error)  # noqa: PT017 - most damage is found, some makes other metadata


def test_damaged_packed_files() -> None:
    data = bytearray(write_metadata(conv_model(), FACTS))
    data[data.rindex(b"a\nb\nc")] ^= 1
    with pytest.raises(MetadataError, match="damaged"):
        packed_files(bytes(data))
