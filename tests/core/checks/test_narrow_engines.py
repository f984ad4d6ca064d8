"""Weights of a few bits, and runtimes of a device that do not run them as they are meant."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edge_sdk.artifact.model import parse_artifact
from edge_sdk.artifact.runtimes import missing_ops
from edge_sdk.checks.checking import check
from edge_sdk.checks.lint.narrow import form_of
from edge_sdk.profile.reading import find_profile
from edge_sdk.profile.records import DeviceProfile, Runtime
from tests.core.checks.lint.cases.narrow import dense, narrow_convolution, weight_only
from tests.graphs import Graph


def device(version: str) -> DeviceProfile:
    known = find_profile("raspberry-pi-4")
    return replace(known, device=replace(known.device, runtimes=(Runtime("ai-edge-litert", version),)))


@pytest.mark.parametrize(
    ("dtype", "blocks", "version", "said"),
    [
        ("int4", True, "2.0.3", "computes something else without a word"),
        ("int4", True, "2.1.0", ""),
        ("int4", False, "2.0.3", ""),
        ("int2", False, "2.1.0", "refuses the file, or fails in its first run"),
        ("int2", False, "2.1.2", ""),
        ("int2", True, "2.3.0", "refuses the file, or fails in its first run"),
    ],
)
def test_runtimes_that_do_not_run_a_form_are_named(dtype: str, blocks: bool, version: str, said: str) -> None:
    artifact = parse_artifact(dense(dtype, blocks=blocks))
    assert form_of(artifact) == {f"{dtype} blocks" if blocks else dtype}
    found = [one for one in check(artifact, device(version)).findings if one.rule == "narrow-weights"]
    assert [said in one.message and version in one.message for one in found] == [True] * bool(said)
    assert check(artifact, device(version)).fits or bool(said) or blocks


def _table(dtype: str, *, by_row: bool) -> bytes:
    graph = Graph()
    ids, (rows, wide) = graph.tensor("ids", (3,), "int32"), (8, 4)
    data = bytes(rows * wide // (2 if dtype == "int4" else 1))
    table = graph.stored("table", (rows, wide), dtype, data, scale=[0.1] * (rows if by_row else 1))
    found = graph.tensor("rows", (3, wide))
    graph.op("EMBEDDING_LOOKUP", (ids, table), (found,))
    return graph.finish((ids,), (found,))


@pytest.mark.parametrize(
    ("data", "lacks"),
    [
        (dense("int4"), ()),
        (dense("int4", blocks=True), (("FULLY_CONNECTED", 14),)),
        (weight_only(wrong=True), (("DEQUANTIZE", 6),)),
        (narrow_convolution(wrong=True), (("CONV_2D", 8),)),
        (narrow_convolution(wrong=False), ()),
        (_table("int8", by_row=False), ()),
        (_table("int8", by_row=True), (("EMBEDDING_LOOKUP", 4),)),
        (_table("int4", by_row=True), (("EMBEDDING_LOOKUP", 4),)),
    ],
)
def test_an_old_runtime_lacks_what_it_was_seen_not_to_compute(data: bytes, lacks: tuple[tuple[str, int], ...]) -> None:
    """Each tried with tflite-runtime 2.14.0; the file itself states version 1 of every op."""
    artifact = parse_artifact(data)
    assert missing_ops(artifact, "tflite-runtime 2.14.0") == lacks
    assert missing_ops(artifact, "ai-edge-litert 2.1.0") == ()
