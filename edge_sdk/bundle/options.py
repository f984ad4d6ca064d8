"""What a user may ask of a bundle, in one place for Python and the command line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

from edge_sdk.bundle.asked import ProcessingOptions
from edge_sdk.bundle.manifest import CompiledFor
from edge_sdk.bundle.sources import SourceFacts
from edge_sdk.data.opening import Data


@dataclass(frozen=True)
class Golden:
    """What the self-test runs on.

    Attributes:
        data: see ``edge_sdk.data.open_data``, in the files' own layout; None for seeded samples.
        samples: how many, the first of them; 0 makes a bundle without a self-test.
        seed: of seeded samples.
        description: of the data, where it is an iterable of samples.
        calls: keys of signatures that are called in order, with state kept, such as prefill and decode: the samples are
            then theirs (arrays named ``LABEL/NAME``), and the single signature's runs are seeded.
    """

    data: Data | None = None
    samples: int = 4
    seed: int = 0
    description: str | None = None
    calls: tuple[str, ...] = ()


@dataclass(frozen=True)
class Signing:
    """Private keys, each a PEM file, and the passphrase of those that are encrypted."""

    keys: tuple[Path, ...] = ()
    passphrase: bytes | None = None


@dataclass(frozen=True)
class CompiledFile:
    """What a vendor's compiler made of one of the files.

    Attributes:
        content: the compiled .tflite.
        source: the file that was compiled, one of those that the bundle is made of.
        facts: for which chip; `made_from` is filled in by the bundle.
    """

    content: bytes
    source: Path
    facts: CompiledFor


class BundleOptions(TypedDict, total=False):
    """Keyword arguments of ``create_bundle`` and ``convert_bundle``; all may be left out."""

    name: str | None
    """Of the bundle; default: the output's stem."""
    profiles: Sequence[str | Path]
    """Devices to hold every variant against (predicted): ids, or ``.toml`` files."""
    processing: ProcessingOptions | None
    """How inputs are made, and what is made of outputs."""
    golden: Golden | None
    """Data of the self-test; default: four samples, seeded or those that a conversion was compared on."""
    signing: Signing | None
    """Keys that sign it; none leaves it unsigned."""
    reports: Sequence[Mapping[str, Any]]
    """Conversion reports as JSON (``ConversionReport.as_json``), each about one of the files."""
    source: SourceFacts | None
    """What the files were converted from."""
    compiled: Sequence[CompiledFile]
    """What compilers for NPUs made of these files, a variant each; see `edge_sdk.converters.compilers.for_bundle`."""
    tflite_metadata: bool
    """Also write normalisation, labels and ``min_runtime_version`` into the .tflite files (True), for readers that
    know TFLite Metadata and not bundles."""


def private_keys(signing: Signing | None) -> list[Any]:
    """The keys, loaded; errors as ``edge_sdk.bundle.signing.load_private_key``."""
    if signing is None or not signing.keys:
        return []
    from edge_sdk.bundle.signing import load_private_key

    return [load_private_key(path, passphrase=signing.passphrase) for path in signing.keys]
