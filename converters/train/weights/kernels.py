"""The weight matrices of a model that pruning and clustering may change, in one form for both frameworks."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sdk.errors import TrainingError

Values = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Kernel:
    """One variable of rank 2 or more.

    Attributes:
        layer: the layer's name, nested ones as ``outer/inner`` (Keras) or ``outer.inner`` (PyTorch).
        name: of the variable in it.
        kind: the layer's class.
        variable: a Keras variable or a torch parameter.
        order: axes of the variable in TFLite's order: outputs, what is between, inputs.
    """

    layer: str
    name: str
    kind: str
    variable: Any
    order: tuple[int, ...]

    @property
    def key(self) -> str:
        """Layer and variable."""
        return f"{self.layer}:{self.name}"

    @property
    def shape(self) -> tuple[int, ...]:
        """In TFLite's order."""
        return tuple(int(self.variable.shape[axis]) for axis in self.order)

    @property
    def size(self) -> int:
        """Number of weights."""
        return int(np.prod(self.shape))

    def read(self) -> Values:
        """A copy of the values, in TFLite's order."""
        raw = self.variable.detach().cpu().numpy() if hasattr(self.variable, "detach") else np.asarray(self.variable)
        return np.ascontiguousarray(np.transpose(raw, self.order), np.float32)

    def write(self, values: npt.NDArray[Any]) -> None:
        """Puts values in TFLite's order into the variable."""
        raw = np.ascontiguousarray(np.transpose(values, np.argsort(self.order)))
        if not hasattr(self.variable, "detach"):
            self.variable.assign(raw)
            return
        import torch

        with torch.no_grad():
            self.variable.copy_(torch.from_numpy(raw))


def kernels_of(model: Any) -> list[Kernel]:
    """All of a model's, in its order; a shared one once."""
    found = _torch_kernels(model) if _is_torch(model) else _keras_kernels(model, "")
    unique = {id(kernel.variable): kernel for kernel in found}
    return _named_apart(list(unique.values()))


def chosen_kernels(model: Any, exclude: Sequence[str], *, stage: str, smallest: int = 0) -> list[Kernel]:
    """Those that a stage works on: all but depthwise kernels and embeddings, and what the user excludes.

    A depthwise kernel has nine weights for a channel: there is little to win and much to lose.

    Args:
        model: of either framework.
        exclude: regular expressions, searched in the names of layers.
        stage: for the message.
        smallest: kernels with fewer weights are left alone.

    Raises:
        TrainingError: an expression that matches no layer, or nothing is left.
    """
    every = kernels_of(model)
    unused = [e for e in exclude if not any(re.search(e, kernel.layer) for kernel in every)]
    if unused:
        names = ", ".join(dict.fromkeys(kernel.layer for kernel in every))
        raise TrainingError(
            f"{stage}: exclude: {', '.join(f'`{e}`' for e in unused)} matches no layer with weights",
            hint=f"the layers are {names}",
        )
    chosen = [
        kernel
        for kernel in every
        if not any(re.search(e, kernel.layer) for e in exclude) and not _is_spared(kernel) and kernel.size >= smallest
    ]
    if not chosen:
        raise TrainingError(f"{stage}: no layer is left to work on", hint="exclude fewer layers")
    return chosen


def _is_spared(kernel: Kernel) -> bool:
    return "depthwise" in f"{kernel.kind}{kernel.name}".lower() or kernel.kind == "Embedding"


def _named_apart(kernels: list[Kernel]) -> list[Kernel]:
    """Every key once: copies of Keras models do not always keep the paths of nested variables."""
    seen: Counter[str] = Counter()
    made = []
    for kernel in kernels:
        seen[kernel.key] += 1
        count = seen[kernel.key]
        made.append(kernel if count == 1 else replace(kernel, name=f"{kernel.name}_{count}"))
    return made


def _keras_kernels(model: Any, prefix: str) -> Iterator[Kernel]:
    for layer in model.layers:
        if getattr(layer, "layers", None):
            yield from _keras_kernels(layer, f"{prefix}{layer.name}/")
            continue
        for variable in layer.trainable_weights:
            if len(variable.shape) < 2:
                continue
            path = str(getattr(variable, "path", None) or variable.name).split(":")[0].split("/")
            if path[-1].endswith("bias"):
                continue  # attention's and GRU's have two axes
            name = "/".join(path[path.index(layer.name) + 1 :]) if layer.name in path else "/".join(path[-2:])
            kind = type(layer).__name__
            yield Kernel(f"{prefix}{layer.name}", name, kind, variable, _keras_order(kind, name, len(variable.shape)))


def _keras_order(kind: str, name: str, rank: int) -> tuple[int, ...]:
    """Keras has inputs before outputs at the end, but for transposed convolutions and attention's projections."""
    if kind.endswith("Transpose"):
        return (rank - 2, *range(rank - 2), rank - 1)
    if kind == "MultiHeadAttention" and rank == 3 and not name.startswith("attention_output"):
        return (1, 2, 0)
    return (rank - 1, *range(rank - 1))


def _torch_kernels(module: Any) -> Iterator[Kernel]:
    for name, layer in module.named_modules():
        for own, parameter in layer.named_parameters(recurse=False):
            if parameter.ndim < 2 or not parameter.requires_grad:
                continue
            kind = type(layer).__name__
            if getattr(layer, "groups", 1) > 1 and parameter.shape[1] == 1:
                kind = f"Depthwise{kind}"
            yield Kernel(name, own, kind, parameter, _torch_order(layer, parameter.ndim))


def _torch_order(layer: Any, rank: int) -> tuple[int, ...]:
    first = (1, 0) if getattr(layer, "transposed", False) else (0, 1)
    return (first[0], *range(2, rank), first[1])


def _is_torch(model: Any) -> bool:
    return any(base.__module__.startswith("torch.") for base in type(model).__mro__) and hasattr(
        model, "named_parameters"
    )
