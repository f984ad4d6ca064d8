"""ATen ops that PyTorch's exporter has no form for, against PyTorch."""

from __future__ import annotations

import numpy as np
import pytest

from tests.converters.direct.compare import expected, lowered, run

pytestmark = [pytest.mark.torch, pytest.mark.onnx]


@pytest.mark.parametrize(
    ("shape", "out"),
    [((2, 3, 17, 23), (4, 3)), ((1, 2, 8, 9), (4, 3)), ((1, 2, 3, 5), (4, 7)), ((1, 2, 5, 6, 7), (2, 4, 3))],
)
def test_adaptive_maxima_and_their_places(shape: tuple[int, ...], out: tuple[int, ...]) -> None:
    import torch

    from edge_sdk.converters.sources.torch_export import exported

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
