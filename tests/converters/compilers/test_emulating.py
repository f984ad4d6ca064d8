"""Emulation that fails, without one byte of QNN: an environment whose interpreter does nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from flatbuffers import flexbuffers

from edge_sdk.artifact.tree import pack_tree, parse_tree
from edge_sdk.converters.compilers.qualcomm.emulating import emulate
from edge_sdk.converters.compilers.seam import Compilation, Job
from edge_sdk.errors import BuildError, TargetError
from edge_sdk.progress import Silent
from tests.converters.compilers.fake import environment
from tests.graphs import Graph


def compiled(result: str) -> bytes:
    """One program of the NPU, 4 bytes long at offset 0, between ``x`` and a result of that name."""
    graph = Graph()
    x, y = graph.tensor("x", (1, 4)), graph.tensor(result, (1, 4))
    graph.op("CUSTOM", (x,), (y,), custom="DISPATCH_OP")
    root, _ = parse_tree(graph.finish((x,), (y,), signature=False))
    builder = flexbuffers.Builder()
    with builder.Map():
        builder.Key("name")
        builder.String("qnn_partition_0")
        for key, value in (("bytecode_offset", 0), ("bytecode_size", 4)):
            builder.Key(key)
            builder.UInt(value)
    root.subgraphs[0].operators[0].custom_options = np.frombuffer(bytes(builder.Finish()), np.uint8)
    return pack_tree(root)


def emulated(folder: Path, result: str) -> list[object]:
    content = compiled(result)
    job = Job(content, "SM8650", environment(folder / "env", "dies"), 60.0, Silent())
    made = Compilation("qualcomm", "fake", "SM8650", content, ".tflite", (), 1)
    return list(emulate(job, made, [{"x": np.zeros((1, 4), np.float32)}]))


def test_emulator_that_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match=r"the emulation of ai-edge-litert 2.3.0 .* failed"):
        emulated(tmp_path, "y")


def test_tensors_of_one_name_at_the_border_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TargetError, match="two at the border of the NPU share one"):
        emulated(tmp_path, "x")
