"""ONNX files of the corpus with inputs and what PyTorch computes; runs in the corpus' own environment.

usage: python -m benchmarks.corpus.exporting FOLDER FAMILY [NAME ...]
       python -m benchmarks.corpus.exporting FOLDER    with lines of ``family name`` on stdin
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.corpus.catalogue import CORPUS
from benchmarks.corpus.forked import ChildError, forked
from benchmarks.corpus.served import serve

_SECONDS, _MEMORY = 300, 9 << 30
_PRELOAD = {
    "torchvision": ("torchvision",),
    "timm": ("timm",),
    "transformers": ("transformers",),
    "ultralytics": ("ultralytics",),
    "onnx": (),
}


def main() -> None:
    """Exports what is not there yet; what fails leaves a ``.json`` with why."""
    import importlib

    folder, *asked = sys.argv[1:]
    for module in ("torch", "torch.onnx", "onnxscript", "onnx", *_PRELOAD.get(asked[0] if asked else "", ())):
        importlib.import_module(module)
    if not asked:
        serve(lambda f, n: _made(f, n, _target(Path(folder), f, n)), seconds=_SECONDS, memory_bytes=_MEMORY)
        return
    family, *only = asked
    for name in only or CORPUS[family]:
        target = _target(Path(folder), family, name)
        if not target.with_suffix(".npz").exists():
            _export(family, name, target)


def _target(folder: Path, family: str, name: str) -> Path:
    (folder / family).mkdir(parents=True, exist_ok=True)
    return folder / family / name


def _export(family: str, name: str, target: Path) -> None:
    begin = time.monotonic()
    try:
        facts = forked(lambda: _made(family, name, target), seconds=_SECONDS, memory_bytes=_MEMORY)
    except ChildError as error:
        facts = {"error": str(error)}
    facts["seconds"] = round(time.monotonic() - begin, 1)
    target.with_suffix(".json").write_text(json.dumps(facts))
    print(family, name, facts, flush=True)


def _made(family: str, name: str, target: Path) -> dict[str, Any]:
    warnings.simplefilter("ignore")
    return _light(name, target) if family == "onnx" else _exported(family, name, target)


def _exported(family: str, name: str, target: Path) -> dict[str, Any]:
    import torch

    from benchmarks.corpus.building import built

    torch.set_num_threads(1)
    module, inputs = built(family, name, CORPUS[family][name])
    with torch.no_grad():
        wanted = _flat(module(*inputs))
        begin = time.monotonic()
        how = _write(module, inputs, target.with_suffix(".onnx"))
        seconds = time.monotonic() - begin
        exact = _exact(module, inputs)
    _keep(target, [t.numpy() for t in inputs], wanted, exact or wanted)
    weights = sum(p.numel() for p in module.parameters())
    return {"export_seconds": round(seconds, 2), "exporter": how, "exact": exact is not None, "weights": weights}


def _write(module: Any, inputs: tuple[Any, ...], path: Path) -> str:
    import torch

    try:
        program = torch.export.export(module, inputs, strict=False)
        torch.onnx.export(program, (), str(path), opset_version=20, external_data=False, verbose=False)
    except Exception:  # torch raises many types; the next exporter is what the product tries too
        torch.backends.mha.set_fastpath_enabled(False)
        torch.onnx.export(module, inputs, str(path), opset_version=17, dynamo=False)
        return "TorchScript trace, opset 17"
    return "torch.export, opset 20"


def _flat(result: Any) -> list[np.ndarray[Any, Any]]:
    import torch

    if isinstance(result, torch.Tensor):
        return [result.numpy()]
    return [array for item in result for array in _flat(item)]


def _exact(module: Any, inputs: tuple[Any, ...]) -> list[np.ndarray[Any, Any]] | None:
    """The outputs in float64, from the same weights; None where the module insists on float32."""
    import torch

    torch.set_default_dtype(torch.float64)
    try:
        double = tuple(t.double() if t.is_floating_point() else t for t in inputs)
        return _flat(module.double()(*double))
    except Exception:  # modules that make float32 tensors of their own raise many types
        return None


def _light(name: str, target: Path) -> dict[str, Any]:
    """The onnx package's own files, whose weights are made by ConstantOfShape, against its reference evaluator."""
    import onnx
    from onnx.backend import test

    folder = Path(test.__file__).parent / "data" / "light"
    model = onnx.load(folder / f"{name}.onnx")
    known = {weight.name for weight in model.graph.initializer}
    (value,) = (v for v in model.graph.input if v.name not in known)
    shape = [d.dim_value for d in value.type.tensor_type.shape.dim]
    image = np.random.default_rng(0).random(shape, np.float32)
    wanted = onnx.numpy_helper.to_array(onnx.load_tensor(folder / f"{name}_output_0.pb"))
    onnx.save(model, target.with_suffix(".onnx"))
    # Weights are all the same number, so that the output does not depend on the image's.
    _keep(target, [image], [wanted], [wanted])
    return {"export_seconds": 0.0, "exporter": "published", "exact": False, "weights": 0}


def _keep(target: Path, inputs: Any, outputs: Any, exact: Any) -> None:
    arrays = {f"in_{i}": a for i, a in enumerate(inputs)}
    arrays |= {f"out_{i}": a for i, a in enumerate(outputs)} | {f"exact_{i}": a for i, a in enumerate(exact)}
    np.savez(target.with_suffix(".npz"), **arrays)


if __name__ == "__main__":
    main()
