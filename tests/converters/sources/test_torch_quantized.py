"""PyTorch models that PyTorch quantized: their own weights and ranges reach the file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edge_sdk
from edge_sdk.artifact import read_artifact
from edge_sdk.errors import UnsupportedOpError

pytestmark = [
    pytest.mark.torch,
    pytest.mark.onnx,
    pytest.mark.runtime,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]


def _net() -> Any:
    import torch
    from torch import nn

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.enter, self.leave = torch.ao.quantization.QuantStub(), torch.ao.quantization.DeQuantStub()
            self.first = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU())
            self.second, self.sum = nn.Conv2d(8, 8, 3, padding=1, groups=8), nn.quantized.FloatFunctional()
            self.last = nn.Linear(8 * 8 * 8, 4)

        def forward(self, image: Any) -> Any:
            x = self.first(self.enter(image))
            x = self.sum.add(x, self.second(x))
            return self.leave(self.last(x.flatten(1)))

    torch.manual_seed(0)
    return Net()


def _trained() -> Any:
    """Prepared for QAT, and settled on noise."""
    import torch

    tools = torch.ao.quantization
    model = _net().train()
    model.qconfig = tools.get_default_qat_qconfig("qnnpack")
    tools.fuse_modules_qat(model.first, [["0", "1", "2"]], inplace=True)
    tools.prepare_qat(model, inplace=True)
    for _ in range(8):
        model(torch.randn(8, 3, 8, 8))
    return model.eval().apply(tools.disable_observer)


def _converted() -> Any:
    import torch

    return torch.ao.quantization.convert(_trained())


def _images(count: int) -> Any:
    return np.random.default_rng(0).standard_normal((count, 3, 8, 8)).astype(np.float32)


def test_layers_in_float_ops_compute_what_pytorch_does() -> None:
    import torch

    from edge_sdk.converters.sources.pytorch.quantized import in_float_ops

    model, images = _converted(), torch.from_numpy(_images(16))
    with torch.no_grad():
        want, got = model(images), in_float_ops(model, lambda module: module(images))(images)
    # A sum next to a tie rounds to either side, and one step of an input is less than one of the result here.
    assert float((want - got).abs().max()) <= model.last.scale * 1.01


@pytest.mark.parametrize("make", [_trained, _converted])
def test_the_file_keeps_pytorchs_integers(make: Any, tmp_path: Path) -> None:
    import torch

    model = make()
    images = _images(16)
    np.savez(tmp_path / "images.npz", image=images)
    report = edge_sdk.convert(
        (model, {"image": torch.zeros(1, 3, 8, 8)}),
        tmp_path / "net.tflite",
        recipe="int8",
        data=tmp_path / "images.npz",
    )
    assert "quantized-already" in {finding.rule for finding in report.findings}
    scales = {
        round(float(scale), 7)
        for tensor in read_artifact(tmp_path / "net.tflite").main.tensors
        if tensor.quantization
        for scale in tensor.quantization.scale
    }
    converted = _converted()
    own = [converted.enter.scale, converted.first[0].scale, converted.second.scale, converted.sum.scale]
    assert {round(float(scale), 7) for scale in own} <= scales


def test_rounded_weights_of_quantize_dynamic_are_kept(tmp_path: Path) -> None:
    import torch
    from torch import nn

    torch.manual_seed(0)
    dense = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4)).eval()
    model = torch.ao.quantization.quantize_dynamic(dense, {nn.Linear}, dtype=torch.qint8)
    report = edge_sdk.convert((model, (torch.randn(1, 8),)), tmp_path / "dense.tflite", recipe="float32")
    assert report.verified
    assert "quantized-weights" in {finding.rule for finding in report.findings}
    weights = [t.values() for t in read_artifact(tmp_path / "dense.tflite").main.tensors if t.shape == (16, 8)]
    assert np.array_equal(weights[0], model[0].weight().dequantize().numpy())


def test_a_program_with_decomposed_quantizers_is_known(tmp_path: Path) -> None:
    """What PT2E leaves: a graph of torch.export with ops of ``quantized_decomposed``."""
    import torch

    from edge_sdk.converters.sources.pytorch.quantized import in_float_ops, quantized_by

    images = torch.from_numpy(_images(1))
    plain = in_float_ops(_converted(), lambda module: module(images))
    program = torch.export.export(plain, (images,), strict=False)
    assert "PT2E" in str(quantized_by(program))
    np.savez(tmp_path / "images.npz", image=_images(16))
    report = edge_sdk.convert(program, tmp_path / "net.tflite", recipe="int8", data=tmp_path / "images.npz")
    assert report.verified


def test_layers_without_a_form_are_all_named() -> None:
    import torch
    from torch import nn

    from edge_sdk.converters.sources.pytorch.quantized import in_float_ops

    model = torch.ao.quantization.quantize_dynamic(nn.ModuleDict({"words": nn.LSTM(4, 6)}), {nn.LSTM})
    with pytest.raises(UnsupportedOpError, match=r"`words` \(LSTM\)"):
        in_float_ops(model, lambda module: module["words"](torch.zeros(3, 1, 4)))
