"""Whole graphs: steps of all families after each other."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st

from tests.converters.direct.compare import Arrays
from tests.converters.direct.drawn import arithmetic, moving, products, spatial, steps
from tests.converters.direct.drawn.chain import EXTENTS, OPSETS, Array, Chain, Step, UnfitError

FAMILIES: tuple[tuple[Step, ...], ...] = (
    arithmetic.STEPS, moving.STEPS, moving.STEPS, products.STEPS, spatial.STEPS, spatial.STEPS, steps.STEPS,
)  # fmt: skip


class Case(NamedTuple):
    """A model, what it is fed, what it must return by ONNX's reference evaluator, and its largest number."""

    proto: Any
    feeds: Arrays
    wants: dict[str, Array]
    largest: float
    half: bool


@st.composite
def graphs(draw: st.DrawFn) -> Case:
    """A chain of ops with side branches on one input of rank 1 to 5, whose extents are often equal."""
    shape = tuple(draw(st.lists(EXTENTS, min_size=draw(st.sampled_from([1, 2, 3, 3])), max_size=5))[:5])
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    # Quarters, so that ties are frequent and ops that jump can be asked for; or any numbers.
    exact = draw(st.integers(0, 2)) > 0
    x = rng.integers(-8, 9, shape) / 4 if exact else rng.standard_normal(shape)
    half = not draw(st.integers(0, 9))
    given = x.astype(np.float16 if half else np.float32).astype(np.float32)
    chain = Chain(draw, {"x": given}, draw(st.sampled_from(OPSETS)), half)
    if draw(st.integers(0, 4)) == 0:
        chain.start_from((rng.integers(-8, 9, shape[:1] + shape) / 4).astype(np.float32))
    for _ in range(draw(st.integers(2, 6))):
        _step(chain)
    while len(chain.nodes) == 0:
        _step(chain)
    return Case(*chain.finished(), chain.largest, chain.half)


def _step(chain: Chain) -> None:
    """One of the steps that can be taken here."""
    for _ in range(4):
        try:
            chain.choose(*chain.choose(*FAMILIES))(chain)
        except UnfitError:
            continue
        return
