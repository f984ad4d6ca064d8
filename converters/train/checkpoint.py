"""Checkpoints: one folder, replaced as a whole file by file, bound to recipe, seed and model.

``run.json`` says what it belongs to and how far it is; ``<stage>.npz`` holds the weights, the stage's own state and the
optimizer's. Arrays only: nothing in it can run code.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import shutil
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from edge_sdk.converters.train.stage import State
from edge_sdk.errors import CheckpointError
from edge_sdk.files import write_bytes
from edge_sdk.recipe import Recipe

_INDEX = "run.json"
_FREE = frozenset({"epochs", "learning_rate", "patience", "description", "short_names"})
"""What may change between a run and its resumption: how long and how fast to go on."""


@dataclass(frozen=True)
class Place:
    """How far a run is: ``stage`` has done ``epoch`` whole epochs and ``step`` steps of the next.

    ``history`` is the loop's; ``done`` holds the reports of the stages that are finished, as plain data.
    """

    stage: str
    epoch: int
    step: int = 0
    history: dict[str, Any] = field(default_factory=dict)
    done: list[dict[str, Any]] = field(default_factory=list)


class Checkpoint:
    """A folder of one training run; None for a run that keeps nothing.

    Args:
        folder: made when first written.
        recipe: of the run.
        seed: of the run.
        model: fingerprint of the source model, see :func:`fingerprint`.
    """

    def __init__(self, folder: Path | None, recipe: Recipe, seed: int, model: str) -> None:
        self.folder = folder
        self._identity = {"recipe": recipe.name, "settings": _settings_hash(recipe), "seed": seed, "model": model}

    def begin(self, *, resume: bool) -> Place | None:
        """Where to go on; None for a new run.

        Raises:
            CheckpointError: there is a checkpoint and nobody asked for it, none where one was asked for, or it belongs
                to another run.
        """
        exists = self.folder is not None and (self.folder / _INDEX).exists()
        if not exists:
            if resume:
                raise CheckpointError(f"{self.folder}: no checkpoint to resume from", hint="leave --resume out")
            return None
        if not resume:
            raise CheckpointError(
                f"{self.folder}: holds the checkpoint of an interrupted run",
                hint="go on with --resume, or delete the folder to begin anew",
                checkpoint=str(self.folder),
            )
        return self._read()

    def save(self, place: Place, states: Mapping[str, State]) -> None:
        """Writes the state of the stage that is being run."""
        if self.folder is None:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        buffer = io.BytesIO()
        flat = {f"{part}/{name}": values for part, state in states.items() for name, values in state.items()}
        np.savez(buffer, **flat)
        write_bytes(self.folder / f"{place.stage}.npz", buffer.getvalue())
        write_bytes(self.folder / _INDEX, json.dumps({**self._identity, "place": asdict(place)}, indent=1).encode())

    def load(self, stage: str) -> dict[str, State]:
        """The states of a stage, by part.

        Raises:
            CheckpointError: damaged.
        """
        path = self._folder() / f"{stage}.npz"
        parts: dict[str, State] = {}
        try:
            # From memory: a damaged file would be left open by numpy.
            with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as arrays:
                for key in arrays.files:
                    part, _, name = key.partition("/")
                    parts.setdefault(part, {})[name] = arrays[key]
        except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile) as error:
            raise CheckpointError(f"{path}: damaged: {error}", hint="delete the folder and begin anew") from error
        return parts

    def remove(self) -> None:
        """The run is done: its checkpoint is of no more use."""
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)
            # `convert` keeps one folder for each recipe in another, which is empty after the last.
            with contextlib.suppress(OSError):
                self.folder.parent.rmdir()

    def _folder(self) -> Path:
        if self.folder is None:
            raise ValueError("this run keeps no checkpoint")
        return self.folder

    def _read(self) -> Place:
        path = self._folder() / _INDEX
        try:
            saved = json.loads(path.read_text(encoding="utf-8"))
            place = Place(**saved.pop("place"))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise CheckpointError(f"{path}: damaged: {error}", hint="delete the folder and begin anew") from error
        words = {"recipe": "recipe", "settings": "recipe's settings", "seed": "seed", "model": "source model"}
        for key, expected in self._identity.items():
            if saved.get(key) != expected:
                raise CheckpointError(
                    f"{self.folder}: the checkpoint has another {words[key]}: it holds {saved.get(key)}, this run has "
                    f"{expected}",
                    hint="resume with the recipe, seed and model that it was made with, or delete the folder",
                    checkpoint=str(self.folder),
                )
        return place


def fingerprint(state: State) -> str:
    """Sixteen hex digits of all weights and their names."""
    digest = hashlib.sha256()
    for name in sorted(state):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(state[name]).tobytes())
    return digest.hexdigest()[:16]


def _settings_hash(recipe: Recipe) -> str:
    text = json.dumps(_bound(recipe.as_json()), sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _bound(data: Any) -> Any:
    """The settings without those that may change."""
    if isinstance(data, dict):
        return {key: _bound(value) for key, value in data.items() if key not in _FREE}
    return data
