"""Bundles that are as they should be: what is written is what is read, in place, and by other tools too."""

from __future__ import annotations

import io
import mmap
import shutil
import subprocess
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest

import edge_sdk
from edge_sdk.artifact.flatbuffer import new_node
from edge_sdk.artifact.schema import schema
from edge_sdk.artifact.tree import pack_tree, parse_tree
from edge_sdk.bundle.container import ALIGNMENT, MAX_MEMBERS, MODEL_ALIGNMENT
from edge_sdk.bundle.manifest import FORMAT_VERSION
from edge_sdk.bundle.parsing import parse_manifest
from edge_sdk.bundle.reading import open_bundle
from edge_sdk.bundle.strict import dump, read
from edge_sdk.bundle.writing import write_bundle
from edge_sdk.errors import BundleError, BundleFormatError, BundleIntegrityError, OutputError
from tests.core.bundle.made import LABELS, MODEL, contents, forged, manifest, unpack, with_model, write
from tests.graphs import conv_model

PAGE = Path(edge_sdk.__file__).parent / "bundle" / "FORMAT.md"


def test_what_is_written_is_what_is_read(tmp_path: Path) -> None:
    with open_bundle(write(tmp_path / "a.edge")) as bundle:
        assert bundle.trust == "unsigned"
        assert bundle.manifest.name == "digits"
        assert bundle.variant("float32").sha256 == bundle.artifact("float32").sha256
        assert bytes(bundle.model("float32")) == conv_model()
        assert bundle.labels("scores") == ("a", "b", "c", "d", "e")
        assert bundle.labels("image") == ()
        (case,) = bundle.golden("float32")
        np.testing.assert_array_equal(case.inputs["image"].reshape(-1), np.arange(192))
        np.testing.assert_array_equal(case.outputs["scores"][0], np.arange(5))
        assert case.tolerance["scores"][0].value == 0.5
        assert parse_manifest(dump(bundle.manifest)) == bundle.manifest


def test_equal_inputs_make_equal_bytes(tmp_path: Path) -> None:
    assert write(tmp_path / "a.edge").read_bytes() == write(tmp_path / "b.edge").read_bytes()


def test_members_are_stored_aligned_and_where_the_bundle_says(tmp_path: Path) -> None:
    path = write(tmp_path / "a.edge")
    data = path.read_bytes()
    with open_bundle(path) as bundle, zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert tuple(archive.namelist()) == bundle.member_names
        for info in archive.infolist():
            name, extra = (
                int.from_bytes(data[info.header_offset + at : info.header_offset + at + 2], "little") for at in (26, 28)
            )
            begin = info.header_offset + 30 + name + extra
            assert begin % (MODEL_ALIGNMENT if info.filename.endswith(".tflite") else ALIGNMENT) == 0
            assert data[begin : begin + info.file_size] == archive.read(info)
            assert info.compress_type == zipfile.ZIP_STORED
        offset = bundle.model_offset("float32")
        assert data[offset : offset + len(conv_model())] == conv_model()


@pytest.mark.parametrize("tool", [["unzip", "-tq"], ["python3", "-m", "zipfile", "-t"]])
def test_other_tools_find_no_fault(tmp_path: Path, tool: list[str]) -> None:
    if shutil.which(tool[0]) is None:
        tool = ["python3", "-m", "zipfile", "-t"]
    done = subprocess.run([*tool, write(tmp_path / "a.edge")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_sha256sum_checks_the_manifest(tmp_path: Path) -> None:
    for name, data in unpack(write(tmp_path / "a.edge").read_bytes()).items():
        if "/" not in name:
            (tmp_path / name).write_bytes(data)
    done = subprocess.run(["sha256sum", "-c", "manifest.sha256"], cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_model_can_be_mapped_by_itself(tmp_path: Path) -> None:
    """As Java's FileChannel.map and NNAPI do: from a page-aligned offset of the file."""
    path = write(tmp_path / "a.edge")
    with open_bundle(path) as bundle, path.open("rb") as file:
        offset, size = bundle.model_offset("float32"), bundle.variant("float32").size_bytes
        with mmap.mmap(file.fileno(), size, offset=offset, access=mmap.ACCESS_READ) as mapped:
            assert mapped[:] == bytes(bundle.model("float32"))


def _large_model(mebibytes: int) -> bytes:
    """``conv_model`` with a metadata buffer that fills it up."""
    root, _ = parse_tree(conv_model())
    root.buffers.append(new_node(schema(), "Buffer", data=np.zeros(mebibytes << 20, np.uint8)))
    return pack_tree(root)


def test_nothing_is_copied_that_could_be_mapped(tmp_path: Path) -> None:
    """Heap growth of opening, verifying and parsing 32 MiB: below 1 MiB; the constants lie in the map."""
    path = forged(tmp_path / "a.edge", with_model(_large_model(32)))
    open_bundle(path).close()
    tracemalloc.start()
    try:
        with open_bundle(path) as bundle:
            artifact = bundle.artifact("float32")
            whole = np.frombuffer(bundle.model("float32"), np.uint8)
            peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1 << 20, peak
    constants = [t.constant for t in artifact.main.tensors if t.constant is not None]
    assert constants
    assert all(np.shares_memory(constant, whole) for constant in constants)
    assert not whole.flags.writeable
    assert whole.ctypes.data % mmap.PAGESIZE == 0


def test_views_outlive_the_bundle_and_the_file_is_let_go(tmp_path: Path) -> None:
    path = write(tmp_path / "a.edge")
    before = len(list(Path("/proc/self/fd").iterdir()))
    bundle = open_bundle(path)
    assert len(list(Path("/proc/self/fd").iterdir())) - before <= 1
    view = bundle.model("float32")
    bundle.close()
    bundle.close()
    path.unlink()
    assert bytes(view[4:8]) == b"TFL3"
    with pytest.raises(BundleError, match="is closed"):
        bundle.model("float32")


def test_only_what_is_used_is_checked(tmp_path: Path) -> None:
    """A damaged member stops whoever uses it, and nobody else; `verify_all` finds it."""
    path = write(tmp_path / "a.edge")
    data = bytearray(path.read_bytes())
    data[data.index(b"a\nb\nc")] ^= 1
    path.write_bytes(data)
    with open_bundle(path) as bundle:
        bundle.artifact("float32")
        with pytest.raises(BundleIntegrityError, match=LABELS):
            bundle.labels("scores")
        with pytest.raises(BundleIntegrityError, match=LABELS):
            bundle.labels("scores")
        with pytest.raises(BundleIntegrityError, match=LABELS):
            bundle.verify_all()


def test_unknown_variant_names_the_nearest(tmp_path: Path) -> None:
    with open_bundle(write(tmp_path / "a.edge")) as bundle, pytest.raises(BundleError, match="did you mean `float32`"):
        bundle.model("float23")


def test_too_many_members_are_refused_before_writing(tmp_path: Path) -> None:
    many = contents() | {f"x/{place}": b"" for place in range(MAX_MEMBERS)}
    with pytest.raises(BundleFormatError, match="belongs to nothing"):
        write_bundle(tmp_path / "a.edge", manifest(), many)
    assert list(tmp_path.iterdir()) == []


def test_the_page_names_what_the_code_has() -> None:
    """FORMAT.md is the contract: steps, keys of the manifest, numbers."""
    from dataclasses import fields
    from typing import get_args

    from edge_sdk.bundle import steps
    from edge_sdk.bundle.manifest import MANIFEST, MANIFEST_HASH, SIGNATURES, Manifest, Provenance, Variant
    from edge_sdk.bundle.signing import CONTEXT

    page = PAGE.read_text()
    assert f"format version {FORMAT_VERSION}" in page.splitlines()[0]
    for step in (*get_args(steps.PreStep), *get_args(steps.PostStep)):
        tag, *keys = fields(step)
        assert f"`{get_args(tag.type)[0]}`" in page
        assert all(f"`{key.name}`" in page for key in keys), step
    for record in (Manifest, Variant, Provenance):
        assert all(f"`{field.name}`" in page for field in fields(record)), record
    for word in (MANIFEST, MANIFEST_HASH, SIGNATURES, str(MODEL_ALIGNMENT), str(MAX_MEMBERS), CONTEXT.decode().strip()):
        assert word in page
    assert len(page.splitlines()) < 120


def test_records_of_each_step_are_read_back() -> None:
    from edge_sdk.bundle.steps import CenterCrop, InputProcessing, Processing, Resize

    steps = (Resize("resize", 8, 9, "pad", "nearest", antialias=False, pad_value=3), CenterCrop("center_crop", 4, 4))
    made = Processing((InputProcessing("image", "image", steps),), ())
    import json

    assert read(Processing, json.loads(dump(made))) == made


def test_reading_from_memory_is_the_same_archive(tmp_path: Path) -> None:
    """A ZIP tool that writes the members out and ours agree on them."""
    data = write(tmp_path / "a.edge").read_bytes()
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.read(MODEL) == conv_model()


def test_an_interrupted_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "x.edge")
    before = path.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OutputError, match="No space left"):
        write(path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["x.edge"]
