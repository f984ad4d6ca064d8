"""PyTorch models with torchvision's nms inside: how many boxes it keeps depends on data, and a file has padded rows."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import Any

from edge_sdk.converters.lower.direct import kept_boxes
from edge_sdk.converters.sources.from_onnx import session
from edge_sdk.converters.sources.padded import padded, padded_finding
from edge_sdk.findings import Finding
from edge_sdk.signature import Arrays


class PaddedRows:
    """What stands behind a model's own rows, by ONNX Runtime.

    Args:
        model: as ``torch.onnx.export`` gives it, with the source's names.
    """

    def __init__(self, model: Any) -> None:
        self._counts = kept_boxes.counts_of(model)
        self._runtime = session(kept_boxes.with_padding(model), None)

    @property
    def counts(self) -> tuple[str, ...]:
        """Names of the further outputs."""
        return tuple(self._counts)

    def findings(self) -> list[Finding]:
        """What the report says."""
        return [padded_finding(count, node) for count, node in self._counts.items()]

    def outputs(self, own: Arrays, arrays: Arrays) -> Arrays:
        """The model's outputs with padding behind them, and the counts.

        Args:
            own: the model's outputs, with as many rows as there are.
            arrays: what it was run on.
        """
        ports = [port.name for port in self._runtime.get_inputs()]
        values = self._runtime.run(None, {name: arrays[name] for name in ports})
        whole = dict(zip((port.name for port in self._runtime.get_outputs()), values, strict=True))
        return padded(own, whole, self.counts)


@contextlib.contextmanager
def watched() -> Iterator[list[str]]:
    """Collects the names of torchvision's ops that are run and that keep boxes."""
    found: list[str] = []
    if "torchvision" not in sys.modules:
        yield found
        return
    from torch.utils._python_dispatch import TorchDispatchMode

    class Watch(TorchDispatchMode):  # type: ignore[misc]
        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            if str(func) == "torchvision.nms.default":
                found.append(str(func))
            return func(*args, **(kwargs or {}))

    with Watch():
        yield found
