"""A second int8 file, of a float file that was changed, which takes the first one's place where it is better."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class SecondFile:
    """Beside the int8 file ``target``.

    Attributes:
        target: the first file.
        float_path: the changed float file.
        int8_path: what was made of it.
        said: what its maker said.
    """

    target: str
    float_path: str
    int8_path: str
    said: dict[str, Any]

    def better(self, plain: dict[str, Any], name: str, made: dict[str, Any]) -> dict[str, Any]:
        """Puts the second file in the first one's place where ``made`` says that it is kept.

        Args:
            plain: what was said of the first file.
            name: of the correction.
            made: the correction, as plain data, with ``kept``.

        Returns:
            What is said of the file that was taken, with ``corrections`` and, where it is the second one,
            ``reference``: the float file that it was made from.
        """
        said = plain
        if made["kept"]:
            Path(self.target).write_bytes(Path(self.int8_path).read_bytes())
            said = {"reference": self.float_path} | self.said
        return said | {"corrections": said["corrections"] | {name: made}}


def second_file(target: str, name: str, data: bytes, whole: Callable[[str, str], dict[str, Any]]) -> SecondFile:
    """Makes the int8 file of a float file, ``data``; ``whole`` takes its path and that of the int8 file."""
    float_path, int8_path = (str(Path(target).with_suffix(f".{name}{end}.tflite")) for end in ("", ".int8"))
    Path(float_path).write_bytes(data)
    return SecondFile(target, float_path, int8_path, whole(float_path, int8_path))
