"""Groups by what int8 is expected to do, in one way or several, with their times: found out once, and archived."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_sdk.converters.pipeline import Line
from edge_sdk.converters.quantize import PRELOAD
from edge_sdk.converters.search.archive import Archive
from edge_sdk.converters.search.predicting.cut import Network
from edge_sdk.converters.search.predicting.groups import Group
from edge_sdk.converters.search.predicting.pricing import Damage, larger, placement_prices, price
from edge_sdk.converters.search.records import Point
from edge_sdk.converters.search.tools import Tools
from edge_sdk.data import spool
from edge_sdk.data.opening import DataSource
from edge_sdk.recipe import Recipe
from edge_sdk.signature import TensorSpec

_RANKING = "edge_sdk.converters.search.predicting.ranking"
_ALONE, _BOTH = "each op rounded alone", "the larger of both"


@dataclass(frozen=True)
class Subject:
    """What is ranked.

    Attributes:
        line: of the source.
        base: the recipe of plain int8.
        groups: of ops.
        samples: to rank on.
        specs: of the source's inputs.
    """

    line: Line
    base: Recipe
    groups: Sequence[Group]
    samples: DataSource
    specs: Sequence[TensorSpec]


class Rankings:
    """What is expected of groups.

    Args:
        tools: what to work with.
        archive: what is known.
        subject: what is ranked.

    Attributes:
        how: in words; empty before any was ranked.
    """

    def __init__(self, tools: Tools, archive: Archive, subject: Subject) -> None:
        self._tools, self._archive, self._subject = tools, archive, subject
        self.how = ""

    def network(self, plain: Point, reference: Point, path: Path) -> Network:
        """See :class:`~.bench.Bench`; ``path`` is of the plain file."""
        ranked = self._ranked(path)
        self.how = ranked["how"]
        network, words = self._priced(Damage(ranked["damage"], ranked["rounding"]), plain, reference, path)
        self.how += f"; {words}"
        return network

    def others(self, plain: Point, reference: Point, path: Path) -> Mapping[str, Network]:
        """Likewise: each op rounded alone, and of each op the larger share of that and of gradients."""
        ranked = self._ranked(path)
        if not ranked["rounding"]:
            return {}  # by gradients alone is rounding told apart: what it is ranked by else is the last that there is
        alone = self._archive.recall("damage alone", path.stem, lambda: self._rank("rank_alone", "rounding ops alone"))
        if alone["damage"] is None:
            self.how += f"; not by each op alone: {alone['how']}"
            return {}
        one = Damage(alone["damage"], {})
        both = larger(Damage(ranked["damage"], ranked["rounding"]), one)
        return {name: self._priced(d, plain, reference, path)[0] for name, d in ((_ALONE, one), (_BOTH, both))}

    def _ranked(self, path: Path) -> dict[str, Any]:
        found: dict[str, Any] = self._archive.recall(
            "damage", path.stem, lambda: self._rank("rank", "ranking groups of ops", seed=self._tools.seed)
        )
        return found

    def _priced(self, damage: Damage, plain: Point, reference: Point, path: Path) -> tuple[Network, str]:
        lowered = self._subject.line.lowered(self._subject.base).artifact
        if self._tools.by_placement:
            words = "costs by placement: MACs that leave the accelerator, and borders"
            return placement_prices(lowered, self._subject.groups, damage), words
        both = (reference.latency, plain.latency)
        whole = None if both[0] is None or both[1] is None else (both[0].ms * 1e3, both[1].ms * 1e3)
        times = self._archive.recall("op times", path.stem, lambda: self._op_times(path))
        prices = price(lowered, self._subject.groups, damage, times, whole)
        words = f"times of {sum(len(g.ops) for g in self._subject.groups) - prices.unpriced} ops measured one by one"
        return prices.network, words + (f", {prices.unpriced} unknown" if prices.unpriced else "")

    def _rank(self, function: str, words: str, **options: Any) -> dict[str, Any]:
        shop = self._tools.shop
        store, _ = spool(self._subject.samples, self._subject.specs, shop.path("ranked"))
        # Without what is laid on afterwards, so that each of its ops is one of the float file.
        made = self._subject.line.template(self._subject.base)
        ready, plain = made.lowered, shop.path("ranked.tflite")
        plain.write_bytes(made.quantized)
        found: dict[str, Any] = shop.worker(ready.role, preload=PRELOAD["static_range"]).function(
            f"{_RANKING}:{function}",
            words,
            lowered=str(ready.path),
            quantized=str(plain),
            samples=str(store.folder),
            axes=ready.input_axes,
            **options,
        )
        return found

    def _op_times(self, path: Path) -> dict[str, Any]:
        lowered = self._subject.line.lowered(self._subject.base)
        found: dict[str, Any] = self._tools.shop.worker("engine").function(
            "edge_sdk.converters.search.predicting.op_times:op_times",
            "timing single ops",
            lowered=str(lowered.path),
            quantized=str(path),
            folder=str(self._tools.shop.path("ops")),
        )
        return found
