"""A module that remembers between calls is told with what it sets; one that only notes something is not."""

from __future__ import annotations

from typing import Any

import pytest

from edge_sdk.errors import ModelError

pytestmark = pytest.mark.torch


def _module(kind: str) -> Any:
    import torch

    class Module(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cell = torch.nn.Linear(3, 3)
            self.state = torch.zeros(1, 3)
            self.noted = None
            self.states = [torch.zeros(1, 3)]
            self.register_buffer("sum", torch.zeros(1, 3))

        def forward(self, x: Any) -> Any:
            y = self.cell(x)
            if kind == "attribute":
                self.state = y = y + self.state
            elif kind == "buffer in place":
                y = y + self.sum
                self.sum.add_(x)
            elif kind == "list":
                self.states[0] = y = y + self.states[0]
            else:
                self.noted = y
            return y

    torch.manual_seed(0)
    return Module().eval()


@pytest.mark.parametrize(
    ("kind", "named"), [("attribute", "`state`"), ("buffer in place", "`sum`"), ("list", r"`states\[0\]`")]
)
def test_memory_is_refused_by_name(kind: str, named: str) -> None:
    import torch

    from edge_sdk.converters.sources.from_torch import TorchSource
    from edge_sdk.converters.sources.source import SourceOptions

    with pytest.raises(ModelError, match=f"keeps state between calls: {named}") as caught:
        TorchSource((_module(kind), (torch.ones(1, 3),)), SourceOptions().as_json())
    assert "the app hands it on" in str(caught.value.hint)


def test_what_is_set_and_not_read_is_no_memory() -> None:
    import torch

    from edge_sdk.converters.sources.from_torch import TorchSource
    from edge_sdk.converters.sources.source import SourceOptions

    assert TorchSource((_module("note"), (torch.ones(1, 3),)), SourceOptions().as_json()).describe()["outputs"]
