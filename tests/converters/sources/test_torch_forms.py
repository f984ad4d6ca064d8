"""ATen ops that PyTorch's exporter has no form for, against PyTorch."""

from __future__ import annotations

import numpy as np
import pytest

from tests.converters.direct.compare import expected, lowered, run

pytestmark = [pytest.mark.torch, pytest.mark.onnx]


def test_numbers_read_out_of_buffers_are_constants() -> None:
    """A shift and a scale that a module keeps in buffers, as a published pitch tracker does."""
    import torch

    from edge_sdk.converters.sources.pytorch.export import exported

    class Shifted(torch.nn.Module):
        shift: torch.Tensor

        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("shift", torch.tensor(1.3))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            turned = x.roll(-round(self.shift.cpu().item() * 3.0), -1)
            return turned * self.shift.item()

    x = torch.from_numpy(np.random.default_rng(0).standard_normal((2, 8)).astype(np.float32))
    proto = exported(Shifted().eval(), [x], ["x"], ["y"], {"exporter": "dynamo", "opset": 20})
    feeds = {"x": x.numpy()}
    want = Shifted()(x).numpy()
    for found in (expected(proto, feeds), run(lowered(proto, feeds), feeds)):
        np.testing.assert_allclose(found[0], want, rtol=1e-6)


@pytest.mark.parametrize(
    ("shape", "out"),
    [((2, 3, 17, 23), (4, 3)), ((1, 2, 8, 9), (4, 3)), ((1, 2, 3, 5), (4, 7)), ((1, 2, 5, 6, 7), (2, 4, 3))],
)
def test_adaptive_maxima_and_their_places(shape: tuple[int, ...], out: tuple[int, ...]) -> None:
    import torch

    from edge_sdk.converters.sources.pytorch.export import exported

    class Pool(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            pool = torch.nn.functional.adaptive_max_pool2d if len(out) == 2 else torch.nn.functional.adaptive_max_pool3d
            maxima, places = pool(x, out, return_indices=True)
            return maxima, places

    x = torch.from_numpy(np.random.default_rng(0).standard_normal(shape).astype(np.float32))
    proto = exported(Pool().eval(), [x], ["x"], ["y", "i"], {"exporter": "dynamo", "opset": 20})
    feeds = {"x": x.numpy()}
    wants = [tensor.numpy() for tensor in Pool()(x)]
    for found in (expected(proto, feeds), run(lowered(proto, feeds), feeds)):
        for result, want in zip(found, wants, strict=True):
            np.testing.assert_array_equal(result, want)
