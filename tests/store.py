"""What several tests want is made once in a session: sources, files converted from them, the demo.

Everything lies in one folder, under a name that says what it is, for all processes of the session; a lock keeps two of
them from making the same. Sources are handed out as copies, for some tests damage theirs.
"""

from __future__ import annotations

import fcntl
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edge_sdk.converters import Workers
from tests.contract import samples_for

KERAS, TORCH, ONNX = "tests.sources.keras_models", "tests.sources.torch_models", "tests.sources.onnx_models"
TFMOT, FROZEN = "tests.sources.tfmot_models", "tests.sources.frozen_graphs"
_ROLES = {
    KERAS: "source-keras",
    TFMOT: "source-keras",
    FROZEN: "source-keras",
    TORCH: "source-torch",
    ONNX: "source-onnx",
}
_TORCH_MODELS = Path(__file__).parent / "sources" / "torch_models.py"


class Store:
    """One folder; see the head of this file."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(exist_ok=True)

    def once(self, name: str, make: Callable[[Path], object]) -> Path:
        """The folder of that name, filled by whoever asks first; where that failed the next one tries again."""
        folder = self._folder / re.sub(r"[^\w.-]+", "_", name)
        with folder.with_name(f"{folder.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            done = folder.with_name(f"{folder.name}.done")
            if not done.exists():
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir()
                make(folder)
                done.touch()
        return folder

    def demo(self) -> tuple[Path, list[Any]]:
        """The folder that ``edge-sdk demo`` leaves, and its rows."""
        folder = self.once("demo", _run_demo)
        return folder / "demo_output", json.loads((folder / "rows.json").read_text())["files"]


def _run_demo(folder: Path) -> None:
    command = [sys.executable, "-m", "edge_sdk", "demo", "-o", str(folder / "demo_output"), "--json", "--quiet"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (folder / "rows.json").write_text(done.stdout)


class SharedWorkers(Workers):
    """Worker processes for all tests of one process, with the session's store."""

    def __init__(self, store: Store) -> None:
        super().__init__()
        self.store = store


def write(workers: Workers, module: str, function: str, *, path: str, **arguments: Any) -> str:
    """Writes a source, made in a worker of its toolchain, to ``path``; returns that."""

    def make(folder: Path) -> None:
        given = {**arguments, "path": str(folder / Path(path).name)}
        workers.get(_ROLES[module]).function(f"{module}:{function}", "writing a test model", **given)

    assert isinstance(workers, SharedWorkers)
    told = "-".join(f"{key}={value}" for key, value in arguments.items())
    made = workers.store.once(f"{module.rpartition('.')[2]}-{function}-{told}-{Path(path).name}", make)
    shutil.copytree(made, Path(path).parent, dirs_exist_ok=True)
    return path


def torch_source(workers: Workers, folder: Path, name: str, form: str) -> str:
    """A model of ``tests/sources/torch_models.py`` as ``function``, ``pt2``, ``onnx``, ``onnx-opset11``, ..."""
    if form == "function":
        return f"{_TORCH_MODELS}:{name}"
    kind, _, rest = form.partition("-")
    arguments: dict[str, Any] = {"open_batch": True} if rest == "open-batch" else {}
    if rest.startswith("opset"):
        arguments["opset"] = int(rest.rpartition("-")[2])
    return write(workers, TORCH, f"save_{kind}", name=name, path=str(folder / f"{name}.{kind}"), **arguments)


def converted(workers: Workers, source: str, recipe: str, inputs: Any, **options: Any) -> Path:
    """The file of a source and a recipe, with calibration samples of the inputs' shapes; to be read only.

    Args:
        workers: of the session.
        source: a path whose name says what it holds.
        recipe: name of a recipe that does not train.
        inputs: of the source, in its own layout.
        options: of ``convert`` besides; part of what the file is known by.
    """
    from edge_sdk.converters import convert

    def make(folder: Path) -> None:
        told = {"calibration": samples_for(inputs), "workers": workers, "timing": False, **options}
        convert(source, folder / "model.tflite", recipe=recipe, **told)

    assert isinstance(workers, SharedWorkers)
    told = "-".join(f"{key}={value}" for key, value in options.items())
    return workers.store.once(f"{Path(source).name}-{recipe}-{told}", make) / "model.tflite"
