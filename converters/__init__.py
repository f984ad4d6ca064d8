"""Models of any framework to .tflite files that are proven to compute what their source computes.

Needs the extras of the frameworks it is used with. See README.md beside this file for the line a model goes down.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from edge_sdk.converters.pipeline import Job, Settings, run_jobs
from edge_sdk.converters.source import SourceOptions
from edge_sdk.data.images import ImageOptions
from edge_sdk.data.opening import Data
from edge_sdk.progress import Progress
from edge_sdk.recipe import Granularity, IoType, Recipe, change_recipe, find_recipe
from edge_sdk.report.conversion import ConversionReport

__all__ = ["ConversionReport", "Job", "Settings", "convert", "run_jobs"]


def convert(
    source: object,
    output: str | Path,
    *,
    recipe: str | Path | Recipe = "float32",
    calibration: Data | None = None,
    calibration_samples: int | None = None,
    data: Data | None = None,
    samples: int = 32,
    seed: int = 0,
    batch: int | None = None,
    shapes: Mapping[str, Sequence[int]] | None = None,
    dtypes: Mapping[str, str] | None = None,
    signature: str | None = None,
    layout: Literal["nhwc", "source"] = "nhwc",
    lowering: str = "auto",
    images: ImageOptions | None = None,
    io: IoType | None = None,
    granularity: Granularity | None = None,
    keep_float_ops: Sequence[str] = (),
    keep_float_tensors: Sequence[str] = (),
    min_sqnr_db: float | None = None,
    keep_unverified: bool = False,
    timing: bool = True,
    trust_source: bool = False,
    work_dir: str | Path | None = None,
    progress: Progress | None = None,
) -> ConversionReport:
    """Converts a model to one .tflite file and proves it against the source.

    Args:
        source: a Keras 3 or tf_keras model, an ``nn.Module`` with example inputs as ``(module, inputs)``, an
            ``ExportedProgram``, an ONNX ModelProto; or a path: ``.keras``, ``.h5``, a SavedModel folder, ``.pt2``,
            ``.onnx``, a float ``.tflite``, ``file.py:function``.
        output: the file to write; the folder must exist.
        recipe: a built-in name (``edge_sdk.recipe_names()``), a ``.toml`` path, or a Recipe.
        calibration: data to observe ranges on, for recipes with quantized activations; see ``open_data``.
        calibration_samples: use at most so many, chosen by ``seed``.
        data: what to compare on; default: the calibration data, else seeded data shaped by the signature.
        samples: how many of them.
        seed: of all random choices.
        batch: for an open first dimension; default 1.
        shapes: input name to whole shape, for other open dimensions.
        dtypes: input name to dtype, for a module without example inputs.
        signature: key of a SavedModel's signature.
        layout: ``nhwc`` puts the channels of image inputs last; ``source`` leaves inputs as they are.
        lowering: for PyTorch: ``auto``, ``onnx2tf`` or ``litert-torch``.
        images: how pixels of a folder of images become values.
        io: type of inputs and outputs, over the recipe's.
        granularity: of int8 weights, over the recipe's.
        keep_float_ops: regular expressions of op types left in float.
        keep_float_tensors: likewise for names of ops' results.
        min_sqnr_db: what every output must reach, instead of the derived bound.
        keep_unverified: write the file even if it is beyond its bound; the report says so.
        timing: measure it against the float file.
        trust_source: load files that could run code they carry.
        work_dir: keep all intermediate files here.
        progress: hears how far the work is.

    Returns:
        The report; ``report.verified`` is True unless ``keep_unverified`` let a file through.

    Raises:
        EdgeSdkError: see ``edge_sdk.errors``; no file is written.
    """
    changed = change_recipe(
        recipe if isinstance(recipe, Recipe) else find_recipe(recipe),
        io=io,
        granularity=granularity,
        keep_ops=tuple(keep_float_ops),
        keep_tensors=tuple(keep_float_tensors),
        min_sqnr_db=min_sqnr_db,
    )
    settings = Settings(
        options=SourceOptions(
            batch=batch,
            shapes={name: tuple(shape) for name, shape in (shapes or {}).items()},
            dtypes=dict(dtypes or {}),
            signature=signature,
            layout=layout,
            lowering=lowering,
            trust=trust_source,
        ),
        calibration=calibration,
        calibration_samples=calibration_samples,
        data=data,
        samples=samples,
        seed=seed,
        images=images or ImageOptions(),
        keep_unverified=keep_unverified,
        timing=timing,
        work_dir=Path(work_dir) if work_dir else None,
    )
    (report,) = run_jobs(source, [Job(changed, Path(output))], settings, progress)
    return report
