"""What mutants are put through: reading, check, a session, a bundle. Each lane says what became of one seed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from edge_sdk import EdgeSdkError, Session, check, create_bundle, find_profile, verify_bundle
from edge_sdk.artifact import parse_artifact
from edge_sdk.artifact.summary import summarize
from edge_sdk.bundle.manifest import MANIFEST, MANIFEST_HASH
from edge_sdk.bundle.options import Golden
from edge_sdk.bundle.reading import manifest_hash_line
from edge_sdk.checks.lint.linting import lint
from edge_sdk.engines.seeded_inputs import seeded_inputs
from edge_sdk.errors import ModelError
from tests.core.bundle.made import pack, unpack
from tests.hostile.models import BASES, FILES
from tests.hostile.mutator import mutant

# Each with other delegates' rules.
PROFILES = ("raspberry-pi-4", "coral-dev-board", "imx93", "pixel-8", "android-api-29", "imx8m-plus", "galaxy-s24")
FATAL = "which would have ended this program"


def file_of(seed: int) -> bytes:
    """The mutant of a seed."""
    return mutant(FILES.of(seed), seed)


def read(seed: int) -> str:
    """What ``inspect`` does."""
    artifact = parse_artifact(file_of(seed))
    summarize(artifact)
    lint(artifact)
    return "taken"


def checked(seed: int) -> str:
    """What ``check`` does, on one device after the other."""
    # Not in step with the files, of which each would meet one device only.
    check(parse_artifact(file_of(seed)), find_profile(PROFILES[seed // 29 % len(PROFILES)]))
    return "taken"


def session(seed: int) -> str:
    """Opens and runs it, as a user would."""
    content = file_of(seed)
    try:
        with Session.open(content) as opened:
            opened.run(seeded_inputs(parse_artifact(content))[0])
    except ModelError as error:
        # A death that a child died: what this is about.
        if FATAL not in str(error):
            raise
        return "fatal"
    return "taken"


class Bundles:
    """Bundles of one model, altered in their bytes, or in their manifest with the archive made anew."""

    def __init__(self, folder: Path) -> None:
        model = folder / "model.tflite"
        model.write_bytes(BASES["conv"])
        self._whole = folder / "whole.edge"
        create_bundle([model], self._whole, golden=Golden(samples=2, calls=("serving_default",)))
        self._altered = folder / "altered.edge"

    def __call__(self, seed: int) -> str:
        """Altered bytes that are accepted are an error; another manifest may be right."""
        generator = np.random.default_rng(seed)
        whole = self._whole.read_bytes()
        if seed % 4 == 0:
            self._altered.write_bytes(_with_manifest(whole, generator))
            verify_bundle(self._altered)
            with Session.open(self._altered):
                return "taken"
        altered = _altered(whole, generator)
        self._altered.write_bytes(altered)
        verify_bundle(self._altered)
        assert altered == whole, "an altered bundle is accepted"
        return "taken"


def _altered(whole: bytes, generator: np.random.Generator) -> bytes:
    data = bytearray(whole)
    kind = int(generator.integers(0, 4))
    place = int(generator.integers(0, len(data)))
    if kind == 0:
        return bytes(data[:place])
    if kind == 1:
        return bytes(data[:place]) + generator.bytes(int(generator.integers(1, 9))) + bytes(data[place:])
    for _ in range(int(generator.integers(1, 4))):
        data[int(generator.integers(0, len(data)))] ^= 1 << int(generator.integers(0, 8))
    return bytes(data)


def _with_manifest(whole: bytes, generator: np.random.Generator) -> bytes:
    """Another manifest, with hashes and an archive that fit it: what an attacker without the key would do."""
    members = unpack(whole)
    raw = json.dumps(_changed(json.loads(members.pop(MANIFEST)), generator)).encode()
    del members[MANIFEST_HASH]
    return pack({MANIFEST: raw, MANIFEST_HASH: manifest_hash_line(raw), **members})


def _changed(value: object, generator: np.random.Generator) -> object:
    """One leaf, somewhere, is another."""
    if isinstance(value, dict) and value:
        key = list(value)[int(generator.integers(0, len(value)))]
        return {**value, key: _changed(value[key], generator)}
    if isinstance(value, list) and value:
        place = int(generator.integers(0, len(value)))
        return [*value[:place], _changed(value[place], generator), *value[place + 1 :]]
    others: tuple[object, ...] = (None, -1, 1 << 70, 0.5, "", "\x00", "../x", [], {}, True, float("nan"))
    return others[int(generator.integers(0, len(others)))]


def in_folder(seeds: range, act: Callable[[int, Callable[[int], str]], None]) -> None:
    """Acts on each seed with the lane of bundles."""
    with TemporaryDirectory() as folder:
        lane = Bundles(Path(folder))
        for seed in seeds:
            act(seed, lane)


LANES: dict[str, Callable[[int], str]] = {"read": read, "check": checked, "session": session}


def outcome(lane: Callable[[int], str], seed: int) -> str:
    """``taken``, ``fatal``, or ``refused``; anything else than our own errors comes through."""
    try:
        return lane(seed)
    except EdgeSdkError:
        return "refused"
