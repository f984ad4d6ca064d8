"""Raw inputs to try a file on, the same for the same file."""

from __future__ import annotations

from edge_sdk.artifact.indices import index_bounds
from edge_sdk.artifact.model import Artifact, Tensor
from edge_sdk.data.seeded import seeded_samples
from edge_sdk.engines.values import is_scaled, to_raw
from edge_sdk.errors import ModelError
from edge_sdk.signature import Arrays, TensorSpec

SEEDED_CASES = 2


def seeded_inputs(artifact: Artifact) -> list[Arrays]:
    """Images with the spectrum of natural ones, rounded where quantized.

    Raises:
        ModelError: an input is of a type for which nothing can be drawn, such as text, or of a size beyond memory.
    """
    tensors = artifact.signature.inputs
    specs = [_spec(name, tensor) for name, tensor in tensors.items()]
    try:
        drawn = list(seeded_samples(specs, count=SEEDED_CASES, seed=0, index_bounds=index_bounds(artifact)))
    except TypeError as error:
        raise ModelError(f"no inputs can be drawn for {', '.join(map(str, specs))}: {error}") from error
    except MemoryError as error:
        raise ModelError(f"there is no memory to draw inputs: {', '.join(map(str, specs))}") from error
    return [{name: to_raw(values, tensors[name]) for name, values in sample.items()} for sample in drawn]


def _spec(name: str, tensor: Tensor) -> TensorSpec:
    image = len(tensor.shape) == 4 and tensor.shape[3] in (1, 3, 4)
    return TensorSpec(name, tensor.shape, "float32" if is_scaled(tensor) else tensor.dtype, "NHWC" if image else None)
