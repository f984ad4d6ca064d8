"""A second int8 file where the first is poor: of the float file with the channels of its activations evened.

Like :mod:`.equalized`, what tells whether it helps are the outputs: both files are made whole, biases corrected, and
the one is taken that is nearer to the float file. It is tried where outputs are poor, for it takes one product more a
gate, and as long again to quantize.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edge_sdk.artifact.model import parse_artifact
from edge_sdk.converters.quantize.weights.channel_ends import channel_ends
from edge_sdk.converters.quantize.weights.channels import Channels
from edge_sdk.converters.quantize.weights.evened import evened, without_hard_swishes
from edge_sdk.converters.quantize.weights.outputs import output_sqnr_db
from edge_sdk.converters.quantize.weights.second import second_file
from edge_sdk.signature import Arrays

Samples = Callable[[], Iterable[Arrays]]
# A tenth of the outputs' size is noise.
_POOR_DB = 20.0
# What a second file must win: less is not worth a product a gate.
_WORTH_DB = 1.0


@dataclass(frozen=True)
class Evening:
    """What was evened, and what it bought.

    Attributes:
        tensors: whose channels have factors.
        gates: across which factors were moved.
        samples: of calibration data that the sqnr was taken on.
        sqnr_db: of the outputs against the float file's without and with it; measured in-sample.
        kept: whether the file with it was taken: not where it wins less than a decibel.
    """

    tensors: int
    gates: int
    samples: int
    sqnr_db: tuple[float, float]
    kept: bool

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self) | {"sqnr_db": list(self.sqnr_db)}


def better_evened(
    files: tuple[str, str],
    plain: dict[str, Any],
    whole: Callable[[str, str], dict[str, Any]],
    samples: Samples,
    *,
    kept: Collection[int] = (),
    asked: bool = False,
) -> dict[str, Any]:
    """Makes a second int8 file where the first is poor, and puts the better one in ``target``.

    Args:
        files: the float file, and the int8 file made of it; written over where the other is better.
        plain: what ``whole`` said of that.
        whole: makes an int8 file of a float one and says what it did.
        samples: some calibration data, inputs by name in the file's layout.
        kept: indices of ops of the float file that must stay as they are.
        asked: it is tried whatever the outputs.

    Returns:
        What is said of the file that was taken, with ``corrections`` and, where it is the second one, ``reference``:
        the evened float file.

    Raises:
        ModelError: the engine refuses a file.
    """
    path, target = files
    reference = Path(path).read_bytes()
    apart = without_hard_swishes(reference, kept)
    if not any(True for _ in Channels(parse_artifact(apart).main)):
        return plain
    before = output_sqnr_db(reference, Path(target).read_bytes(), samples())
    if before >= _POOR_DB and not asked:
        return plain
    data, tensors = evened(apart, channel_ends(apart, Channels(parse_artifact(apart).main), samples))
    if not tensors:
        return plain
    second = second_file(target, "evened", data, whole)
    after = output_sqnr_db(reference, Path(second.int8_path).read_bytes(), samples())
    gates = len(Channels(parse_artifact(apart).main).gates)
    made = Evening(tensors, gates, sum(1 for _ in samples()), (before, after), after >= before + _WORTH_DB)
    return second.better(plain, "evened", made.as_json())
