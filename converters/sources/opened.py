"""A source opened where it belongs: files in a worker, objects in this process."""

from __future__ import annotations

import pkgutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edge_sdk.converters.sources.source import (
    FRONT_ENDS,
    HAS_SIGNATURES,
    Description,
    SourceOptions,
    description_from_json,
    front_end_name,
    refuse_cuts,
)
from edge_sdk.converters.workers.workshop import Workshop
from edge_sdk.data.functions import is_function_reference
from edge_sdk.errors import SignatureError


class OpenSource:
    """A source opened where it belongs: files in a worker, objects in this process.

    Args:
        shop: where workers come from.
        source: a path, or an object in memory.
        options: what the user said about it.
        role: name of its worker.
    """

    def __init__(self, shop: Workshop, source: object, options: SourceOptions, *, role: str = "source") -> None:
        self.front_end = front_end_name(source)
        refuse_cuts(self.front_end, options)
        if options.signature is not None and self.front_end not in HAS_SIGNATURES:
            raise SignatureError(
                f"{source}: signature `{options.signature}` was asked for, and only a SavedModel is entered by one",
                hint="two .tflite files are compared by one with `edge-sdk compare --signature KEY`",
            )
        self.class_reference = FRONT_ENDS[self.front_end]
        self._class = pkgutil.resolve_name(self.class_reference)
        self._shop = shop
        # Toolchains of different front ends do not share a process: some cannot.
        self.role = f"{role}-{self.front_end}"
        self._options = options
        self._source = _absolute(source) if isinstance(source, str | Path) else source
        self._in_process = not isinstance(source, str | Path)
        self._subject: Any = None
        if not self._in_process:
            shop.worker(self.role, preload=self._class.preload)
        self.description: Description = description_from_json(self._call("describe", "describing the model"))

    def refuse_text(self) -> None:
        """Before samples are made.

        Raises:
            SignatureError: an input takes text.
        """
        if names := self.description.text_inputs:
            where = self._source if isinstance(self._source, str) else type(self._source).__name__
            raise SignatureError(
                f"{where}: input `{'`, `'.join(names)}` takes text (dtype string): TFLite's kernels compute on numbers",
                hint="give the part of the model behind its lookup, hashing or TextVectorization, which takes ids, and "
                "make those in the app",
            )

    def run(self, samples: Path, outputs: Path) -> int:
        """Reference runs; see :class:`~edge_sdk.converters.sources.source.Source`."""
        count: int = self._call("run", "running the source model", samples=str(samples), outputs=str(outputs))
        return count

    def run_rounded(self, samples: Path, outputs: Path) -> int:
        """Reference runs with the rounding that a trained source has; see ``from_trained.py``."""
        count: int = self._call("run_rounded", "running the trained model", samples=str(samples), outputs=str(outputs))
        return count

    def rungs(self, *, static_range: bool) -> list[dict[str, Any]]:
        """Ways to lower; see :class:`~edge_sdk.converters.sources.source.Source`."""
        rungs: list[dict[str, Any]] = self._call("rungs", "planning", static_range=static_range)
        return rungs

    def hand_over(self, folder: Path, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Writes the model for the next stage; see :class:`~edge_sdk.converters.sources.source.Source`."""
        folder.mkdir(parents=True, exist_ok=True)
        handed: dict[str, Any] = self._call(
            "hand_over", "exporting the model", folder=str(folder), settings=dict(settings)
        )
        return handed

    def _call(self, method: str, doing: str, **arguments: Any) -> Any:
        if self._in_process:
            if self._subject is None:
                self._subject = self._class(self._source, self._options.as_json())
            return getattr(self._subject, method)(**arguments)
        worker = self._shop.worker(self.role, preload=self._class.preload)
        if worker.owner is not self:
            worker.make(
                self.class_reference, "loading the model", source=str(self._source), options=self._options.as_json()
            )
            worker.owner = self
        return worker.method(method, doing, **arguments)


def _absolute(source: str | Path) -> str:
    text = str(source)
    if is_function_reference(text):
        file, _, name = text.rpartition(":")
        return f"{Path(file).absolute()}:{name}"
    return str(Path(text).absolute())
