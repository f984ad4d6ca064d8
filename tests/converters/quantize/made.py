"""An int8 file by the quantizer's own entry point, with its float file beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from edge_sdk.artifact.model import parse_artifact
from edge_sdk.signature import Arrays


def int8_of(
    folder: Path, data: bytes, samples: Callable[[], Iterator[Arrays]], **settings: Any
) -> tuple[dict[str, Any], Path, Path]:
    """What the quantizer says, the float file and the int8 file.

    Args:
        folder: for both.
        data: the float file.
        samples: to calibrate on.
        settings: of the recipe ``int8``, such as ``forms``.
    """
    from edge_sdk.converters.quantize.static_range import quantize
    from edge_sdk.data import spool
    from edge_sdk.data.opening import DataSource
    from edge_sdk.engines.values import specs_of
    from edge_sdk.recipe import find_recipe

    source, target = folder / "float.tflite", folder / "int8.tflite"
    source.write_bytes(data)
    store, _ = spool(DataSource("s", None, samples), specs_of(parse_artifact(data).signature.inputs), folder / "s")
    recipe = replace(find_recipe("int8"), **settings)
    made: dict[str, Any] = quantize(str(source), str(target), recipe.as_json(), str(store.folder), {})
    return made, source, target
