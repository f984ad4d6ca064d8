"""The frameworks whose models can be trained."""

from __future__ import annotations

import pkgutil
from pathlib import Path
from typing import Any

from edge_sdk.converters.sources.source import SourceOptions, front_end_name
from edge_sdk.errors import TrainingError

FRAMEWORKS: dict[str, str] = {
    "keras": "edge_sdk.converters.train.framework_keras:KerasFramework",
    "torch": "edge_sdk.converters.train.framework_torch:TorchFramework",
}
"""Front end to ``module:class`` of what trains its models."""


def open_framework(source: object, options: SourceOptions) -> Any:
    """The framework that a source belongs to, with the model loaded in this process, where its device is.

    Raises:
        TrainingError: the source is a graph without a framework that could train it.
    """
    name = front_end_name(source)
    if name == "python":
        from edge_sdk.data.functions import call, load_function
        from edge_sdk.errors import ModelError

        source = call(load_function(str(source)), str(source), ModelError)
        name = front_end_name(source)
    _refuse_graphs(name)
    if isinstance(source, str | Path):
        loader = {
            "keras": "edge_sdk.converters.sources.from_keras:load",
            "torch": "edge_sdk.converters.sources.from_torch:load",
        }[name]
        source = pkgutil.resolve_name(loader)(Path(source), trust=options.trust)
    return pkgutil.resolve_name(FRAMEWORKS[name])(source, options)


def check_trainable(source: object) -> None:
    """A source that belongs to a framework; one that a function returns is seen when it is opened.

    Raises:
        TrainingError: the source is a graph without a framework that could train it.
    """
    name = front_end_name(source)
    if name != "python":
        _refuse_graphs(name)


def _refuse_graphs(name: str) -> None:
    if name not in FRAMEWORKS:
        raise TrainingError(
            f"a {name} source cannot be trained: it is a graph without its framework",
            hint="give the Keras model, or file.py:function that returns the PyTorch module with example inputs",
        )
