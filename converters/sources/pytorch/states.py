"""Modules that remember: what a call leaves in their attributes changes what the next one gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from edge_sdk.errors import ModelError

_NAMED = 3


def refuse_memory(module: Any, call: Callable[[], Mapping[str, Any]]) -> dict[str, Any]:
    """Calls a module, and once more if the first call has set tensors among its attributes anew.

    A file is a function: its outputs depend on its inputs alone. What a module sets but does not read is no memory.

    Args:
        module: the module, in eval mode.
        call: runs it on the same inputs each time; returns outputs by name.

    Returns:
        The outputs of the first call.

    Raises:
        ModelError: the second call gives something else.
    """
    import torch

    before = _tensors(module)
    first = dict(call())
    after = _tensors(module)
    changed = [name for name, (tensor, version) in after.items() if not _is(before.get(name), tensor, version)]
    if not changed:
        return first
    again = call()
    same = all(torch.equal(again[name], value) or bool(torch.isnan(value).any()) for name, value in first.items())
    if same:
        return first
    listing = ", ".join(f"`{name}`" for name in changed[:_NAMED])
    more = f" and {len(changed) - _NAMED} more" if len(changed) > _NAMED else ""
    raise ModelError(
        f"the module keeps state between calls: {listing}{more} are set in forward, and the same inputs give other "
        "outputs the second time",
        hint="write a module that takes the state as arguments and returns what becomes of it: the app hands it on; "
        "or set the state anew in each call",
    )


def _is(known: tuple[Any, int] | None, tensor: Any, version: int) -> bool:
    return known is not None and known[0] is tensor and known[1] == version


def _tensors(module: Any) -> dict[str, tuple[Any, int]]:
    """Tensors among the attributes of a module and its parts, parameters aside, with what changes as they are set."""
    import torch

    if not isinstance(module, torch.nn.Module):
        return {}
    found = {}
    for path, part in module.named_modules():
        for name, value in (*vars(part).items(), *part._buffers.items()):
            for place, tensor in enumerate(value if isinstance(value, tuple | list) else (value,)):
                if isinstance(tensor, torch.Tensor):
                    own = f"{path}.{name}" if path else name
                    found[own if tensor is value else f"{own}[{place}]"] = (tensor, tensor._version)
    return found
