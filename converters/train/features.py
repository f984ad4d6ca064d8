"""What layers inside a model give while it runs, in both frameworks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class Features:
    """Listens to pairs of layers.

    Args:
        student: a model.
        teacher: a model of the same framework.
        pairs: names, student's and teacher's.
    """

    def __init__(self, student: Any, teacher: Any, pairs: Sequence[Sequence[str]]) -> None:
        ours, theirs = layers_by_name(student), layers_by_name(teacher)
        self._pairs = [(_Ear(ours[one]), _Ear(theirs[other])) for one, other in pairs]

    def heard(self) -> list[tuple[Any, Any]]:
        """The results of the last run, pair by pair."""
        return [(one.heard, other.heard) for one, other in self._pairs]

    def close(self) -> None:
        """The layers are as they were."""
        for pair in self._pairs:
            for ear in pair:
                ear.close()


class _Ear:
    """The last result of one layer."""

    def __init__(self, layer: Any) -> None:
        self.heard: Any = None
        if hasattr(layer, "register_forward_hook"):
            self._handle = layer.register_forward_hook(self._note)
            self.close = self._handle.remove
            return
        call = layer.call

        def listening(*args: Any, **kwargs: Any) -> Any:
            self.heard = call(*args, **kwargs)
            return self.heard

        layer.call = listening

        def restore() -> None:
            layer.call = call

        self.close = restore

    def _note(self, layer: Any, inputs: Any, result: Any) -> None:  # noqa: ARG002 - a hook is told all three
        self.heard = result


def layers_by_name(model: Any) -> dict[str, Any]:
    """Every layer, nested ones as ``outer/inner`` (Keras) or ``outer.inner`` (PyTorch)."""
    if hasattr(model, "named_modules"):
        return {name: part for name, part in model.named_modules() if name}
    found: dict[str, Any] = {}
    for layer in getattr(model, "layers", []):
        found[layer.name] = layer
        found.update({f"{layer.name}/{name}": inner for name, inner in layers_by_name(layer).items()})
    return found
