"""Models that were compiled for an NPU, inside an app."""

from __future__ import annotations

import pytest

from edge_sdk.android.compiled import compiled_findings, stamp_of
from edge_sdk.artifact import Artifact, parse_artifact
from edge_sdk.artifact.note import set_metadata
from edge_sdk.artifact.tree import pack_tree, parse_tree
from tests.graphs import Graph, conv_model

LIBRARIES = (
    "libLiteRtDispatch_Qualcomm.so", "libQnnHtp.so", "libQnnSystem.so", "libQnnHtpV75Stub.so", "libQnnHtpV75Skel.so",
)  # fmt: skip


def compiled(vendor: str = "Qualcomm", op: str = "DISPATCH_OP") -> Artifact:
    """A file with LiteRT's stamp: two names, each in 128 bytes."""
    graph = Graph()
    x, y = graph.tensor("x", (1, 4)), graph.tensor("y", (1, 4))
    graph.op("CUSTOM", (x,), (y,), custom=op)
    root, _ = parse_tree(graph.finish((x,), (y,)))
    set_metadata(root, "LiteRtStamp", vendor.encode().ljust(128, b"\0") + b"SM8650".ljust(128, b"\0"))
    return parse_artifact(pack_tree(root))


def test_stamp() -> None:
    assert stamp_of(compiled()) == ("Qualcomm", "SM8650")
    assert stamp_of(parse_artifact(conv_model())) is None


@pytest.mark.parametrize("missing", LIBRARIES)
def test_each_library_is_asked_for(missing: str) -> None:
    members = [f"lib/arm64-v8a/{name}" for name in LIBRARIES if name != missing]
    found = {one.rule: one for one in compiled_findings("m.tflite", compiled(), members)}
    assert found["apk-npu-library-missing"].severity == "error"
    assert missing.replace("V75", "V<generation>") in found["apk-npu-library-missing"].message


def test_all_there_or_not_compiled_is_well() -> None:
    members = [f"lib/arm64-v8a/{name}" for name in LIBRARIES]
    assert {one.rule for one in compiled_findings("m", compiled(), members)} == {"apk-compiled-model"}
    assert not list(compiled_findings("m", parse_artifact(conv_model()), []))
    # Outside of lib/ nothing is loaded from.
    loose = [f"assets/{name}" for name in LIBRARIES]
    assert "apk-npu-library-missing" in {one.rule for one in compiled_findings("m", compiled(), loose)}
    assert {one.rule for one in compiled_findings("m", compiled("MediaTek"), [])} == {"apk-compiled-model"}
