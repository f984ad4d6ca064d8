"""What files are made and measured with."""

from __future__ import annotations

from dataclasses import dataclass

from edge_sdk.converters.search.clocks import Clock
from edge_sdk.converters.search.training.trainer import Trainer
from edge_sdk.converters.workers.workshop import Workshop
from edge_sdk.profile.records import DeviceProfile
from edge_sdk.progress import Progress


@dataclass(frozen=True)
class Tools:
    """What a bench works with.

    Attributes:
        shop: folder and workers.
        trainer: the source on its way, and what is trained of it.
        clock: times files; None where nothing tells.
        profile: the device, or None.
        progress: hears how far the work is.
        seed: of all random choices.
        by_placement: whether files are compared by where their ops run, because no time of the device is known.
    """

    shop: Workshop
    trainer: Trainer
    clock: Clock | None
    profile: DeviceProfile | None
    progress: Progress
    seed: int
    by_placement: bool = False
