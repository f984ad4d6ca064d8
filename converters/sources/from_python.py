"""``file.py:function``: the user's own script returns a model of any kind."""

from __future__ import annotations

import pkgutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from edge_sdk.converters.sources.source import (
    FRONT_ENDS,
    RoundingSource,
    Source,
    front_end_name,
    options_from_json,
    refuse_cuts,
)
from edge_sdk.converters.workers.child import working_in
from edge_sdk.data.functions import call, is_function_reference, load_function
from edge_sdk.errors import ModelError


class PythonSource:
    """Calls the function, then stands in front of the front end that takes what it returned."""

    preload: tuple[str, ...] = ()

    def __init__(self, source: str, options: Mapping[str, Any]) -> None:
        with working_in(options["folder"]):
            model = call(load_function(source), source, ModelError)
        if model is None:
            raise ModelError(f"{source} returned None", hint="return the model, or (model, example_inputs)")
        front_end = front_end_name(model)
        refuse_cuts(front_end, options_from_json(options))
        self._inner: Source = pkgutil.resolve_name(FRONT_ENDS[front_end])(model, options)

    @staticmethod
    def reads(source: object) -> bool:
        """Text of the form ``file.py:function``."""
        return isinstance(source, str | Path) and is_function_reference(str(source))

    def describe(self) -> dict[str, Any]:
        return self._inner.describe()

    def run(self, samples: str, outputs: str) -> int:
        return self._inner.run(samples, outputs)

    def run_rounded(self, samples: str, outputs: str) -> int:
        """Reference runs of a model that is quantized already, rounding included."""
        return cast("RoundingSource", self._inner).run_rounded(samples, outputs)

    def rungs(self, *, static_range: bool) -> list[dict[str, Any]]:
        return self._inner.rungs(static_range=static_range)

    def hand_over(self, folder: str, settings: Mapping[str, Any]) -> dict[str, Any]:
        return self._inner.hand_over(folder, settings)
