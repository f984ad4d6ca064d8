"""A bench whose truth is planted: which groups hurt, what they cost, how noisy the metric is."""

from __future__ import annotations

import hashlib
import itertools
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from edge_sdk.converters.search.bench import Part, Wanted
from edge_sdk.converters.search.engine import Search
from edge_sdk.converters.search.paired import drop_of
from edge_sdk.converters.search.predicting.cut import Border, Network
from edge_sdk.converters.search.predicting.groups import Group
from edge_sdk.converters.search.records import MIB, Budgets, File, Latency, Limits, OnDevice, Point, Score
from edge_sdk.converters.search.view import Training
from edge_sdk.errors import ConversionError
from edge_sdk.recipe import Recipe, find_recipe

SAMPLES = 2000


@dataclass
class Planted:
    """Groups ``g0``, ``g1``, ...; the metric is the share of samples that a file gets right.

    Attributes:
        drops: points that each group costs in int8.
        believed: what the ranking says of them; the drops themselves where it is perfect.
        others: what other rankings say, by name.
        asked: how often they were asked for.
        metric: from the groups in float to the drop in points, instead of a sum.
        noise: points by which each evaluation is off, drawn anew each time.
        unmakeable: names of recipes that no file can be made of.
        faulty: likewise of recipes whose file is wrong.
        tuned: factor on the drops of groups where weights are rounded anew.
        trained: from the recipe that trains to its drop in points.
        int4_ms: time of weights in int4, which lose too much but for those in blocks.
        accelerator: whether the device has one, which takes what is in int8 or int16, and nothing else.
        int16_drop: of the whole file with activations in int16.
        curve: power of the share of groups in float that the time goes with; borders and ops alone tell of 1.
        noisy: what is measured of each group's noise; the drops themselves where it is true.
        log: what was evaluated.
    """

    drops: Sequence[float]
    believed: Sequence[float] = ()
    others: Mapping[str, Sequence[float]] = field(default_factory=dict)
    asked: int = 0
    metric: Callable[[frozenset[int]], float] | None = None
    noise: float = 0.0
    unmakeable: frozenset[str] = frozenset()
    faulty: frozenset[str] = frozenset()
    unseen: float = 0.0
    tuned: float = 1.0
    trained: Callable[[Recipe], float] | None = None
    int4_ms: float = 5.0
    accelerator: bool = False
    int16_drop: float = 0.0
    curve: float = 1.0
    noisy: Sequence[float] = ()
    log: list[str] = field(default_factory=list)
    _recipes: dict[str, Recipe] = field(default_factory=dict)
    _draws: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        return tuple(Group(i, (i,), (f"g{i}",), 1000, 1000) for i in range(len(self.drops)))

    def spared(self, recipe: Recipe) -> frozenset[int]:
        if recipe.mode != "static_range":
            return frozenset(range(len(self.drops)))
        return frozenset(int(re.sub(r"\D", "", name)) for name in recipe.keep_float.tensors)

    @staticmethod
    def widened(recipe: Recipe) -> frozenset[int]:
        """Groups in int16."""
        return frozenset(int(re.sub(r"\D", "", name)) for name in recipe.int16.tensors)

    def make(self, recipe: Recipe) -> File:
        if recipe.name in self.unmakeable:
            raise ConversionError(f"{recipe.name} cannot be made")
        self._recipes[self._key(recipe)] = recipe
        count = len(self.spared(recipe))
        size = {"float16": 2000, "dynamic_range": 1000}.get(recipe.mode, 1000 + 3 * 1000 * count / len(self.drops))
        size /= 2 if recipe.weights.dtype == "int4" else 1
        placed = self._placed(recipe) if self.accelerator else None
        size_bytes = int(size * MIB / 1000)
        clusters = recipe.train.cluster.clusters if recipe.train and recipe.train.cluster else 256
        # Bits of a value, of eight.
        packed = int(size_bytes * math.log2(clusters) / 8)
        return File(self._key(recipe), size_bytes, packed, 1 - count / len(self.drops), on_device=placed)

    def _placed(self, recipe: Recipe) -> OnDevice:
        spared = self.spared(recipe)
        whole = sorted(set(range(len(self.drops))) - spared)
        breaks = sum(two - one > 1 for one, two in itertools.pairwise(whole))
        double = 2 if recipe.activations.dtype == "int16" else 1
        macs = double * 1000 * len(whole) + 1000 * len(self.widened(recipe))
        return OnDevice("planted", macs, 1000 * len(spared), breaks + bool(whole))

    def latency(self, file: File) -> Latency:
        recipe = self._recipes[file.key]
        whole = {"float": 4.0, "float16": 4.1, "dynamic_range": 4.5}
        share = (len(self.spared(recipe)) / len(self.drops)) ** self.curve
        left = 1 - (recipe.train.prune.pruning_ratio or 0.0) if recipe.train and recipe.train.prune else 1.0
        ms = self.int4_ms if recipe.weights.dtype == "int4" else whole.get(recipe.mode, 1 + 3 * share)
        return Latency(left * ms, None, None, "measured", "nowhere")

    def score(self, file: File, part: Part, most: float | None) -> Score:
        recipe = self._recipes[file.key]
        self.log.append(f"{recipe.name} {part}")
        drop = self.drop(recipe) + (self.unseen if part == "confirm" and recipe.mode == "static_range" else 0.0)
        flips = round(SAMPLES * max(0.0, drop + self.noise * self._draws.standard_normal()) / 100)
        losses = np.zeros(SAMPLES)
        losses[:flips] = 1.0
        found = drop_of(losses, SAMPLES, None if most is None else most / 100, looks=1 if part == "confirm" else 4)
        return Score(0.9 - found.value, found.scaled(100))

    def drop(self, recipe: Recipe) -> float:
        if recipe.mode in ("float", "float16"):
            return 0.0
        spared = self.spared(recipe)
        if recipe.mode == "dynamic_range":
            return 30.0 if recipe.weights.granularity == "per_channel" and recipe.weights.dtype == "int4" else 0.1
        if recipe.train is not None and self.trained is not None:
            return self.trained(recipe)
        if self.metric is not None:
            return self.metric(spared)
        if recipe.activations.dtype == "int16":
            return self.int16_drop
        factor = self.tuned if recipe.tune else 1.0
        fine = spared | self.widened(recipe)
        return self.int16_drop * bool(self.widened(recipe)) + factor * sum(
            drop for i, drop in enumerate(self.drops) if i not in fine
        )

    def fault(self, file: File, recipe: Recipe) -> str | None:
        return "an op is wrong" if recipe.name in self.faulty else None

    def added_noise(self) -> Sequence[float]:
        return self.noisy or self.drops

    def network(self, plain: Point, reference: Point) -> Network:
        return self._network(self.believed or self.drops)

    def other_networks(self, plain: Point, reference: Point) -> Mapping[str, Network]:
        self.asked += 1
        return {name: self._network(believed) for name, believed in self.others.items()}

    def _network(self, believed: Sequence[float]) -> Network:
        count = len(self.drops)
        chain = [Border(i, frozenset({i + 1}), 1.0, 1.0) for i in range(count - 1)]
        return Network(list(believed), [3000 / count] * count, chain)

    @staticmethod
    def _key(recipe: Recipe) -> str:
        return hashlib.sha256(
            repr(
                (
                    *(recipe.mode, recipe.weights, recipe.activations, recipe.keep_float, recipe.int16),
                    *(recipe.tune, recipe.train),
                )
            ).encode()
        ).hexdigest()


def search(
    bench: Planted,
    budgets: Budgets,
    limits: Limits | None = None,
    moves: tuple[str, ...] | None = None,
    training: Training | None = None,
    *,
    confirmed: bool = False,
) -> Search:
    """A search of the planted truth, run."""
    placed = bench.accelerator
    whole = ("static_wi8_ai16",) if placed else ("dynamic_wi8_afp32", "float16")
    wanted = Wanted(
        find_recipe("static_wi8_ai8"), "int8", whole, budgets, moves, training, by_placement=placed, confirmed=confirmed
    )
    made = Search(bench, wanted, limits or Limits())
    made.run()
    return made
