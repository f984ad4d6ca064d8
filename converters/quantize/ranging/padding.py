"""Paddings that no maximum picks, and that cost a range nothing."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from edge_sdk.artifact.edit import GraphEdit
from edge_sdk.artifact.model import Artifact, Op, parse_artifact
from edge_sdk.artifact.tree import pack_tree, parse_tree
from edge_sdk.engines.observe import Observation


def with_neutral_padding(data: bytes, observations: dict[int, Observation]) -> bytes:
    """A copy in which max pools are padded with a value that no maximum can pick, instead of minus infinity.

    Before: ``PADV2(x, paddings, -3.4e38) -> MAX_POOL_2D``, whose range makes every int8 value of ``x`` the same (it
    is what onnx2tf writes for a padded MaxPool). After: ``PAD(x, paddings)`` where no ``x`` is negative, for XNNPACK
    has no integer PADV2; else ``PADV2(x, paddings, min(x))``, for an int8 ``x`` cannot be less. The observations of the
    padded tensors are corrected in place.
    """
    artifact = parse_artifact(data)
    pads = _pads_of_max_pools(artifact, observations)
    if not pads:
        return data
    root, _ = parse_tree(data)
    edit = GraphEdit(root)
    for op in pads:
        lowest = min(observations[op.inputs[0]].minimum, 0.0)
        if lowest == 0.0:
            edit.become(op.index, "PAD", op.inputs[:2])
        else:
            old = artifact.main.tensors[op.inputs[2]]
            value = edit.add_constant(np.full(old.shape, lowest, np.float32), f"{old.name}_neutral")
            edit.read(op.index, (*op.inputs[:2], value))
        padded = observations[op.outputs[0]]
        padded.minimum, padded.mean_square = lowest, observations[op.inputs[0]].mean_square
    edit.finish()
    return pack_tree(root)


def _pads_of_max_pools(artifact: Artifact, observations: Mapping[int, Observation]) -> list[Op]:
    graph = artifact.main
    return [
        op
        for op in graph.ops
        if op.name == "PADV2"
        and all(user.name == "MAX_POOL_2D" for user in graph.readers.get(op.outputs[0], ()))
        and {op.inputs[0], op.outputs[0]} <= observations.keys()
        and graph.tensors[op.inputs[2]].constant is not None
        and float(graph.tensors[op.inputs[2]].values().reshape(-1)[0]) < observations[op.inputs[0]].minimum
    ]
