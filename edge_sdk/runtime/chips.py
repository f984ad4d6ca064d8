"""Variants of a bundle that were compiled for the NPU of one chip: which of them is this device's, in words too."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING

from edge_sdk.errors import TargetError
from edge_sdk.runtime.candidates import Candidate

if TYPE_CHECKING:
    from edge_sdk.bundle.manifest import Variant

_DISPATCH = "npu"


def compiled_for(variants: Sequence[Variant], candidate: Candidate, chip: Collection[str]) -> Variant | None:
    """The variant that was compiled for this chip and for what this candidate loads it with; None without one.

    Args:
        variants: of a bundle.
        candidate: how it would be run.
        chip: names by which this device's chip is known, in small letters.
    """
    return next((one for one in variants if _fits(one, candidate) and _is_on(one, chip)), None)


def notes_on(
    variants: Sequence[Variant], chosen: Variant, candidate: Candidate, chip: Collection[str]
) -> Iterator[str]:
    """What a receipt says of the compiled variants: the one that was taken, or why none was. Arguments as above."""
    made = [one for one in variants if one.compiled is not None]
    if chosen.compiled is not None:
        yield f"{chosen.id} was compiled for {chosen.compiled.target}, as this chip is, by {chosen.compiled.tool}"
    elif made:
        mine = [one for one in made if _fits(one, candidate)]
        targets = ", ".join(sorted({one.compiled.target for one in mine or made if one.compiled}))
        this = f"this chip is {' or '.join(sorted(chip))}" if chip else "which chip this is could not be told"
        why = this if mine else f"{candidate.name} loads no such file"
        yield f"variants compiled for {targets} are left aside: {why}; {chosen.id} is as it was converted"


def with_loader(
    listed: Sequence[Candidate], variants: Sequence[Variant], chip: Collection[str]
) -> tuple[Candidate, ...]:
    """Candidates with what loads a variant that was compiled for this chip before them, where none of them does.

    LiteRT's dispatch needs no more than its vendor's libraries, so that no profile lists it beside other ways.
    """
    loaded = [one for one in variants if _is_on(one, chip) and one.compiled and one.compiled.delegate == _DISPATCH]
    if not loaded or any(one.delegate == _DISPATCH for one in listed):
        return tuple(listed)
    return (Candidate(_DISPATCH, "npu"), *listed)


def check_chip(variant: Variant, chip: Collection[str]) -> None:
    """Whether a variant that was named can run on this chip; one that is not known is given the chance.

    Raises:
        TargetError: it was compiled for another.
    """
    if variant.compiled is not None and chip and not _is_on(variant, chip):
        raise TargetError(
            f"variant `{variant.id}` was compiled for {variant.compiled.target} and runs on no other chip: this is "
            f"{' or '.join(sorted(chip))}",
            hint=f"leave the variant out, or name the one that it was compiled from: {variant.compiled.made_from}",
        )


def _fits(variant: Variant, candidate: Candidate) -> bool:
    return variant.compiled is not None and variant.compiled.delegate == candidate.delegate


def _is_on(variant: Variant, chip: Collection[str]) -> bool:
    return variant.compiled is not None and not set(variant.compiled.chips).isdisjoint(chip)
