"""ATen ops that PyTorch's exporter has no form for, against PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

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


def _ranks(x: Any, y: Any) -> list[Any]:
    import torch

    return [
        *torch.cummax(x, 1),
        *torch.cummin(x, -1),
        torch.cumprod(x, 1),
        *torch.kthvalue(y, 3, 1),
        *torch.median(y, -1, keepdim=True),
        torch.median(y),
    ]


def _counts(x: Any, y: Any) -> list[Any]:
    import torch

    rows = torch.sort(y, -1)[0].repeat(1, 2, 1)[:, :5].contiguous()
    borders = torch.tensor([-1.0, 0.0, 0.5])
    return [
        torch.histc(x, 6, -1, 1),
        torch.histc(y, 4),
        torch.searchsorted(rows, x),
        torch.searchsorted(borders, x, right=True, out_int32=True),
    ]


def _distances(x: Any, y: Any) -> list[Any]:
    import torch

    powers = [torch.cdist(x, y, p=p) for p in (0.0, 1.0, 2.0, 3.0, float("inf"))]
    return [*powers, torch.nn.functional.pdist(x[0])]


def _volumes(x: Any, y: Any) -> list[Any]:
    import torch

    volume = torch.cat([x, x.flip(1)], 1)[:, :, :6].reshape(1, 2, 5, 6, 2)
    grid = torch.tanh(y[:, :3, :6]).reshape(1, 2, 3, 2, 3)
    sampled = torch.nn.functional.grid_sample
    return [
        sampled(volume, grid, align_corners=False),
        sampled(volume, grid, "nearest", "border", True),
        torch.nn.functional.adaptive_avg_pool3d(volume, (2, 4, 1)),
        torch.nn.functional.bilinear(x[:, :4], y, torch.arange(98.0).reshape(2, 7, 7) / 49),
    ]


def _experts(x: Any, y: Any) -> list[Any]:
    import torch

    # The meta kernel of PyTorch's own takes bfloat16 alone; small whole numbers are exact in it.
    rows, matrices = (x.round()[0, :, :4].repeat(1, 2), torch.cat([y, y], -1)[0, :, :8].round())
    weights = torch.stack([matrices.repeat(2, 1) * factor for factor in (1, 2, -1)])
    ends = torch.tensor([2, 2, 5], dtype=torch.int32)
    return [torch.nn.functional.grouped_mm(rows.bfloat16(), weights.bfloat16(), offs=ends).float()]


@pytest.mark.parametrize("computed", [_ranks, _counts, _distances, _volumes, _experts])
def test_ops_that_the_exporter_has_no_form_for(computed: Callable[[Any, Any], list[Any]]) -> None:
    import torch

    from edge_sdk.converters.sources.pytorch.export import exported

    class Module(torch.nn.Module):
        def forward(self, x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, ...]:
            return tuple(computed(x, y))

    rng = np.random.default_rng(0)
    x, y = (torch.from_numpy(rng.standard_normal(shape).astype(np.float32)) for shape in ((2, 5, 7), (2, 4, 7)))
    x[:, 2] = x[:, 1]  # ties
    wants = [tensor.numpy() for tensor in computed(x, y)]
    names = [f"out_{place}" for place in range(len(wants))]
    proto = exported(Module().eval(), [x, y], ["x", "y"], names, {"exporter": "dynamo", "opset": 20})
    feeds = {"x": x.numpy(), "y": y.numpy()}
    for found, want in zip(run(lowered(proto, feeds), feeds), wants, strict=True):
        assert found.shape == want.shape
        np.testing.assert_allclose(found, want, rtol=2e-6, atol=2e-6)
