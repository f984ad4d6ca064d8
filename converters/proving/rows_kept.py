"""Files that end in a suppression: their rows held to what the source finds, file by file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from edge_sdk.artifact.suppressions import kept_outputs
from edge_sdk.parity.bounds import Bound, kept_bound
from edge_sdk.parity.compare import OutputParity
from edge_sdk.parity.detections import Agreement, agreements, held_to_rows
from edge_sdk.recipe import Recipe, Weights
from edge_sdk.signature import Arrays

if TYPE_CHECKING:
    from edge_sdk.converters.proving.float_model import FloatModel

Pairs = Iterable[tuple[Arrays, Arrays]]


class RowsKept:
    """Remembers what each source with rounded weights finds again.

    Args:
        told: output to a form of boxes, from the user.
    """

    def __init__(self, told: Mapping[str, str]) -> None:
        self._told = told
        self._rounded: dict[tuple[Path, Weights, str], Sequence[Agreement | None]] = {}

    def concern(self, lowered: FloatModel) -> bool:
        """Whether a file has rows that a suppression keeps."""
        return bool(kept_outputs(lowered.artifact))

    def rounded(self, lowered: FloatModel, recipe: Recipe, pairs: Pairs) -> None:
        """Looks at the outputs of the source with nothing but its weights rounded."""
        tables = kept_outputs(lowered.artifact)
        self._rounded[lowered.path, recipe.weights, recipe.mode] = agreements(tables, pairs, self._told)

    def held(
        self, rows: Sequence[OutputParity], lowered: FloatModel, recipe: Recipe, pairs: Pairs
    ) -> tuple[OutputParity, ...]:
        """The outputs, those behind suppressions by what is found again, whatever limit in dB the user gave."""
        tables = kept_outputs(lowered.artifact)
        if not tables:
            return tuple(rows)
        key = lowered.path, recipe.weights, recipe.mode
        before = self._rounded.get(key, [None] * len(tables))
        bounds: list[Bound | None] = [None if one is None else kept_bound(one.kept.share) for one in before]
        return held_to_rows(rows, tables, agreements(tables, pairs, self._told), bounds)
