"""Conversions kept by the content of all that they read, so that nobody makes the same file twice.

A key is a SHA-256 over the source, the data, the recipes, every option, the names of the outputs, this program and the
versions of the tools; what is found under it is checked by its own hash before it is used.
"""

from __future__ import annotations

import hashlib
import json
import platform
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import click

from edge_sdk.folders import temporary_folder

_INDEX = "conversion.json"
_TOOLS = (
    "ai-edge-litert", "ai-edge-quantizer", "keras", "litert-quantizer", "numpy", "onnx", "onnx2tf", "onnxruntime",
    "onnxscript", "pillow", "tensorflow", "tf-keras", "torch", "ethos-u-vela",
)  # fmt: skip
_PATHS = ("calibration", "data", "train_data", "evaluation", "teacher")
_CODE = re.compile(r"\.py:\w+$")
_BLOCK = 1 << 20


@dataclass(frozen=True)
class Kept:
    """What an earlier conversion wrote and said."""

    files: Mapping[str, bytes]
    data: dict[str, Any]
    texts: tuple[str, ...]
    code: int


class ConversionCache:
    """A folder of conversions.

    Args:
        folder: made when there is something to keep.
        source: of the conversion.
        outputs: the files that it writes.
        recipes: resolved, as plain data.
        options: everything else that was asked.

    Raises:
        UsageError: it runs code of the user's own, which may read what no hash sees.
    """

    def __init__(
        self,
        folder: Path,
        source: str,
        outputs: Sequence[Path],
        recipes: Sequence[Mapping[str, Any]],
        options: Mapping[str, Any],
    ) -> None:
        read = [source, *(str(options[name]) for name in _PATHS if options.get(name))]
        code = next((one for one in read if _CODE.search(one)), None)
        if code is not None:
            raise click.UsageError(f"--cache: {code} is code, which may read what no hash sees")
        told = {
            "read": [content_hash(Path(one)) for one in read],
            "outputs": [str(path) for path in outputs],
            "recipes": list(recipes),
            "options": {name: str(value) for name, value in sorted(options.items())},
            "tools": dict(_tools()),
            "program": _program(),
            "machine": platform.machine(),
        }
        self.key = hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest()
        self.folder = folder
        self._place = folder / self.key

    def load(self) -> Kept | None:
        """What is kept under the key; None where nothing is, or where it is damaged."""
        try:
            index = json.loads((self._place / _INDEX).read_text(encoding="utf-8"))
            files = {path: (self._place / name).read_bytes() for path, (name, _) in index["files"].items()}
        except (OSError, ValueError, KeyError):
            return None
        hashes = {path: hashlib.sha256(data).hexdigest() for path, data in files.items()}
        if any(hashes[path] != expected for path, (_, expected) in index["files"].items()):
            return None
        return Kept(files, index["data"], tuple(index["texts"]), index["code"])

    def store(self, outputs: Iterable[Path], data: Mapping[str, Any], texts: Sequence[str], code: int) -> None:
        """Keeps files that were written, whole or not at all."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with temporary_folder("making", parent=self.folder) as made:
            listed = {}
            for number, path in enumerate(outputs):
                content = path.read_bytes()
                (made / f"{number}{path.suffix}").write_bytes(content)
                listed[str(path)] = (f"{number}{path.suffix}", hashlib.sha256(content).hexdigest())
            index = {"files": listed, "data": data, "texts": list(texts), "code": code}
            (made / _INDEX).write_text(json.dumps(index, default=str), encoding="utf-8")
            try:
                made.rename(self._place)
            except OSError:
                # Somebody else kept the same, or a damaged one lies there: it is made anew.
                _remove(self._place)
                made.rename(self._place)


def content_hash(path: Path) -> str:
    """Of a file, or of all files below a folder with their names."""
    whole = hashlib.sha256()
    for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
        if file.is_file():
            whole.update(f"{file.relative_to(path) if path.is_dir() else ''}\0".encode())
            with file.open("rb") as opened:
                while block := opened.read(_BLOCK):
                    whole.update(block)
    return whole.hexdigest()


def _tools() -> Iterator[tuple[str, str]]:
    for name in _TOOLS:
        try:
            yield name, metadata.version(name)
        except metadata.PackageNotFoundError:
            continue


def _program() -> str:
    """Of this program's own files, which a version alone does not tell apart in a checkout."""
    root = Path(__file__).parents[1]
    whole = hashlib.sha256()
    for folder in (root, (root / "converters").resolve(), (root / "device_profiles").resolve()):
        for file in sorted(folder.rglob("*")):
            if file.suffix in (".py", ".toml", ".json") and file.is_file():
                whole.update(file.read_bytes())
    return whole.hexdigest()


def _remove(folder: Path) -> None:
    import shutil

    shutil.rmtree(folder, ignore_errors=True)
