"""PyTorch models for the tests; functions without arguments return ``(module, example inputs)``."""

from __future__ import annotations

from collections import namedtuple
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

Pair = namedtuple("Pair", ["score", "box"])


class Cnn(nn.Module):
    """Convolution, padded max pool, residual, linear."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU6())
        self.pool = nn.MaxPool2d(3, 2, 1)
        self.block = nn.Sequential(nn.Conv2d(8, 8, 3, padding=1, groups=8), nn.ReLU(), nn.Conv2d(8, 8, 1))
        self.drop = nn.Dropout(0.5)
        self.head = nn.Linear(8, 6)

    def forward(self, image: Tensor) -> Tensor:
        x = self.pool(self.stem(image))
        return self.head(self.drop(x + self.block(x)).mean((2, 3)))


def cnn() -> Any:
    torch.manual_seed(0)
    return Cnn().eval(), {"image": torch.randn(1, 3, 16, 16)}


def cnn_training() -> Any:
    """Left in training mode, as users do: batch norm and dropout must not show."""
    model, inputs = cnn()
    return model.train(), inputs


def cnn_without_examples() -> Any:
    torch.manual_seed(0)
    return Cnn().eval()


class Multi(nn.Module):
    """Inputs of two types in an order that is not alphabetical; outputs in a named tuple, one an image."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.table = nn.Embedding(30, 6)
        self.head = nn.Linear(4 + 6 + 5, 7)

    def forward(self, zeta: Tensor, alpha: Tensor, beta: Tensor) -> Pair:
        picture = self.conv(zeta)
        joined = torch.cat((picture.mean((2, 3)), self.table(alpha).mean(1), beta), 1)
        return Pair(self.head(joined), picture)


class MultiDict(nn.Module):
    """torch.export.save takes no named tuples."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = Multi()

    def forward(self, zeta: Tensor, alpha: Tensor, beta: Tensor) -> dict[str, Tensor]:
        score, box = self.inner(zeta, alpha, beta)
        return {"score": score, "box": box}


def multi_dict() -> Any:
    torch.manual_seed(0)
    return MultiDict().eval(), multi()[1]


def multi() -> Any:
    torch.manual_seed(0)
    return Multi().eval(), (torch.randn(1, 3, 12, 12), torch.randint(0, 30, (1, 4)), torch.randn(1, 5))


class Twins(nn.Module):
    """Two inputs and two outputs of equal shape: swapped names would still run."""

    def __init__(self) -> None:
        super().__init__()
        self.second, self.first = nn.Linear(6, 6), nn.Linear(6, 6)

    def forward(self, right: Tensor, left: Tensor) -> dict[str, Tensor]:
        return {"second": self.second(right), "first": self.first(left)}


def twins() -> Any:
    torch.manual_seed(0)
    return Twins().eval(), {"right": torch.randn(1, 6), "left": torch.randn(1, 6)}


class Branching(nn.Module):
    """Python control flow on a tensor's value."""

    def forward(self, x: Tensor) -> Tensor:
        if x.sum() > 0:
            return x * 2
        return x - 1


def branching() -> Any:
    return Branching(), {"x": torch.randn(1, 4)}


def half() -> Any:
    return nn.Linear(4, 2).half(), torch.randn(1, 4).half()


def nothing() -> Any:
    return None


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.LSTM(5, 8, batch_first=True)
        self.head = nn.Linear(8, 4)

    def forward(self, sequence: Tensor) -> Tensor:
        return self.head(self.cell(sequence)[0][:, -1])


def recurrent() -> Any:
    torch.manual_seed(0)
    return Recurrent().eval(), {"sequence": torch.randn(1, 6, 5)}


class Attention(nn.Module):
    """Layer norm, attention, exact GELU."""

    def __init__(self) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True, norm_first=True, activation="gelu")
        self.encoder = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.encoder(tokens)


def attention() -> Any:
    torch.manual_seed(0)
    return Attention().eval(), {"tokens": torch.randn(1, 10, 16)}


class Norms(nn.Module):
    """Layer and root-mean-square norms, with weights that are not ones and zeros."""

    def __init__(self) -> None:
        super().__init__()
        self.parts = nn.Sequential(
            nn.Linear(16, 16), nn.LayerNorm(16), nn.Linear(16, 16), nn.RMSNorm(16), nn.Linear(16, 4)
        )
        for norm in (self.parts[1], self.parts[3]):
            nn.init.uniform_(norm.weight, 0.5, 1.5)
        nn.init.uniform_(self.parts[1].bias)

    def forward(self, sequence: Tensor) -> Tensor:
        return self.parts(sequence)


def norms() -> Any:
    torch.manual_seed(0)
    return Norms().eval(), {"sequence": torch.randn(1, 12, 16)}


def save_pt2(name: str, path: str, *, open_batch: bool = False) -> None:
    """Exports a model by name."""
    model, inputs = globals()[name]()
    inputs = inputs if isinstance(inputs, dict) else dict(zip(("zeta", "alpha", "beta"), inputs, strict=True))
    dims = None
    if open_batch:
        inputs = {key: torch.cat((value, value)) for key, value in inputs.items()}
        dims = {key: {0: torch.export.Dim("batch")} for key in inputs}
    torch.export.save(torch.export.export(model, (), inputs, dynamic_shapes=dims), path)


def save_onnx(name: str, path: str, *, opset: int = 20, open_batch: bool = False) -> None:
    """Exports a model by name, with the names of its inputs and outputs."""
    model, inputs = globals()[name]()
    inputs = inputs if isinstance(inputs, dict) else dict(zip(("zeta", "alpha", "beta"), inputs, strict=True))
    with torch.no_grad():
        result = model(**inputs)
    names = list(getattr(result, "_fields", None) or (result if isinstance(result, dict) else ["output"]))
    dynamic = {key: {0: "batch"} for key in inputs} if open_batch else None
    torch.onnx.export(
        model,
        tuple(inputs.values()),
        path,
        opset_version=opset,
        input_names=list(inputs),
        output_names=names,
        dynamic_axes=dynamic,
        dynamo=opset >= 18,
        external_data=False,
    )


class Sneaky:
    """Unpickling this writes a file."""

    def __init__(self, target: str) -> None:
        self.target = target

    def __reduce__(self) -> Any:
        return Path.touch, (Path(self.target),)


def save_pickle_in_pt2(path: str, target: str) -> None:
    """A .pt2 whose sample inputs are a pickle that runs code."""
    import io
    import zipfile

    clean = io.BytesIO()
    model, inputs = cnn()
    torch.export.save(torch.export.export(model, (), inputs), clean)
    payload = io.BytesIO()
    torch.save(Sneaky(target), payload)
    with zipfile.ZipFile(clean) as source, zipfile.ZipFile(path, "w") as out:
        for name in source.namelist():
            out.writestr(name, payload.getvalue() if "sample_inputs" in name else source.read(name))
