"""An int8 file of the equalized float file, where it is the better one.

What :mod:`.equalizing` moves between channels costs elsewhere: a weight that takes up a large factor leaves fewer steps
for the others of its row. So both files are made, and the one is taken whose outputs are nearer to the float file's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edge_sdk.artifact.model import parse_artifact
from edge_sdk.converters.quantize.weights.channel_ends import channel_ends
from edge_sdk.converters.quantize.weights.equalizing import equalized, norms, smoothed, without_idle_clips
from edge_sdk.converters.quantize.weights.outputs import output_sqnr_db
from edge_sdk.converters.quantize.weights.second import second_file
from edge_sdk.signature import Arrays

Samples = Callable[[], Iterable[Arrays]]


@dataclass(frozen=True)
class Equalization:
    """What was equalized, and what it bought.

    Attributes:
        pairs: of dot products between which channels were moved.
        norms: behind which channels were moved.
        clips: of ReLU6 that no sample reached, taken off for it.
        samples: of calibration data that the sqnr was taken on.
        sqnr_db: of the outputs against the float file's without and with it; measured in-sample.
        kept: whether the file with it was taken: not where it is no better.
    """

    pairs: int
    norms: int
    clips: int
    samples: int
    sqnr_db: tuple[float, float]
    kept: bool

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self) | {"sqnr_db": list(self.sqnr_db)}


def better_equalized(
    path: str,
    target: str,
    plain: dict[str, Any],
    quantized: Callable[[str, str], dict[str, Any]],
    samples: Samples,
) -> dict[str, Any]:
    """Makes a second int8 file, and puts the better one in ``target``.

    Args:
        path: the float file.
        target: the int8 file made of it; written over where the other is better.
        plain: what ``quantized`` said of that.
        quantized: makes an int8 file of a float one and says what it did.
        samples: some calibration data, inputs by name in the file's layout.

    Returns:
        What is said of the file that was taken, with ``corrections`` and, where it is the second one, ``reference``:
        the equalized float file.

    Raises:
        ModelError: the engine refuses a file.
    """
    reference = Path(path).read_bytes()
    data, counts = _equalized(path, samples)
    if not any(counts[:2]):
        return plain
    second = second_file(target, "equalized", data, quantized)
    files = (target, second.int8_path)
    before, after = (output_sqnr_db(reference, Path(one).read_bytes(), samples()) for one in files)
    made = Equalization(*counts, sum(1 for _ in samples()), (before, after), after > before)
    return second.better(plain, "equalized", made.as_json())


_RELU6 = 3


def _equalized(path: str, samples: Samples) -> tuple[bytes, tuple[int, int, int]]:
    """The float file with channels equalized; pairs, norms and clips."""
    data = Path(path).read_bytes()
    artifact = parse_artifact(data)
    results = [norm.result for norm in norms(artifact)]
    clipped = [
        i for op in artifact.main.ops if op.options.get("fused_activation_function") == _RELU6 for i in op.outputs
    ]
    ends = channel_ends(data, {*results, *clipped}, samples)
    channels = {index: np.maximum(-low, high) for index, (low, high) in ends.items()}
    peaks = {index: float(values.max()) for index, values in channels.items()}
    unclipped, clips = without_idle_clips(data, peaks)
    smooth, behind = smoothed(unclipped, {index: channels[index] for index in results if index in channels})
    made, pairs = equalized(smooth)
    # A clip that is gone serves nothing where no channel moved.
    return made, (pairs, behind, clips)
