"""Activations behind dense layers whose weights of 4 bits have a scale for each block of a row.

Before: ``FULLY_CONNECTED(x, w) with RELU``. After: ``RELU(FULLY_CONNECTED(x, w))``. TFLite's own kernel knows blocks
where nothing is fused alone; else it reads the weights without their scales, and a file that XNNPACK runs right had
0 dB where an app opens it without (*measured* on ai-edge-litert 2.1.0 and 2.3.0). XNNPACK fuses the two again.
"""

from __future__ import annotations

from edge_sdk.artifact.edit import GraphEdit
from edge_sdk.artifact.model import Op, parse_artifact
from edge_sdk.artifact.tree import pack_tree, parse_tree
from edge_sdk.converters.quantize.kept import kept_in_main
from edge_sdk.converters.quantize.weights.four_bits import block_size, four_bit_ops
from edge_sdk.recipe import Recipe

_KINDS = {1: "RELU", 2: "RELU_N1_TO_1", 3: "RELU6", 4: "TANH"}


def with_activations_apart(data: bytes, recipe: Recipe) -> bytes:
    """A float file for a recipe with blocks of weights; ``data`` itself where it has none, or nothing is fused.

    Args:
        data: the file; a layer that is taken apart gives a tensor of another name, its activation that of before.
        recipe: ops that it keeps in float stay as they are.

    Raises:
        RecipeError: what it wants to keep is not there.
        ConversionError: there is nothing that 4 bits are for.
    """
    if not block_size(recipe):
        return data
    artifact = parse_artifact(data)
    kept = kept_in_main(artifact, recipe)
    fused = [op for op in four_bit_ops(artifact.main, recipe) if op.index not in kept and _activation(op) in _KINDS]
    if not fused:
        return data
    root, _ = parse_tree(data)
    edit = GraphEdit(root)
    for op in fused:
        (result,) = op.outputs
        whole = edit.add_tensor(result, f"{artifact.main.tensors[result].name}_sum")
        edit.option(op.index, fused_activation_function=0)
        edit.write(op.index, [whole])
        edit.put_after(op.index, _KINDS[_activation(op)], [whole], [result])
    edit.finish()
    return pack_tree(root)


def _activation(op: Op) -> int:
    return int(op.options.get("fused_activation_function", 0)) if op.name == "FULLY_CONNECTED" else 0
