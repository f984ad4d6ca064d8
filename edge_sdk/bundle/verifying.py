"""Every check there is, on every byte of a bundle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edge_sdk.bundle.manifest import Port
from edge_sdk.bundle.processing import preprocess
from edge_sdk.bundle.reading import Bundle, PublicKey, Trust, open_bundle
from edge_sdk.bundle.steps import InputProcessing, OutputProcessing, TopK
from edge_sdk.errors import BundleError, BundleFormatError
from edge_sdk.progress import Progress, Silent

# Neither square nor a multiple of anything usual: every fit has something to do.
_PICTURE = (37, 53, 3)


@dataclass(frozen=True)
class Verified:
    """A bundle that passed every check.

    Attributes:
        path: the file.
        size_bytes: of the file.
        trust: ``verified`` if a trusted key signed it.
        signed_by: that key.
        members: how many were hashed.
        variants: their ids; each model was parsed.
        golden_runs: how many runs of the self-test are in it, over all variants.
    """

    path: Path
    size_bytes: int
    trust: Trust
    signed_by: str | None
    members: int
    variants: tuple[str, ...]
    golden_runs: int

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        return {**vars(self), "path": str(self.path), "variants": list(self.variants)}


def verify_bundle(
    path: str | Path, *, trusted_keys: Sequence[PublicKey] = (), progress: Progress | None = None
) -> Verified:
    """Checks form, manifest, signature, every hash and checksum, every model, golden value, label and step.

    Args:
        path: the .edge file.
        trusted_keys: see ``open_bundle``.
        progress: hears how far it is.

    Raises:
        BundleError: the first thing that is wrong.
        MissingDependencyError: a key was given, and the extra `signing` is not installed.
    """
    progress = progress or Silent()
    progress.stage("check form, manifest and signature")
    with open_bundle(path, trusted_keys=trusted_keys) as bundle:
        progress.stage("check members")
        bundle.verify_all()
        runs = 0
        for variant in bundle.manifest.variants:
            progress.stage(f"check {variant.id}")
            bundle.artifact(variant.id)
            runs += len(bundle.golden(variant.id))
            runs += sum(len(one.cases) for one in bundle.golden_sequences(variant.id))
        _check_processing(bundle)
        return Verified(
            path=bundle.path,
            size_bytes=bundle.path.stat().st_size,
            trust=bundle.trust,
            signed_by=bundle.signed_by,
            members=len(bundle.manifest.members),
            variants=tuple(variant.id for variant in bundle.manifest.variants),
            golden_runs=runs,
        )


def _check_processing(bundle: Bundle) -> None:
    try:
        for variant in bundle.manifest.variants:
            inputs = {port.name: port for port in variant.signature.inputs}
            outputs = {port.name: port for port in variant.signature.outputs}
            for one in bundle.manifest.processing.inputs:
                _check_input(one, inputs.get(one.name))
            for other in bundle.manifest.processing.outputs:
                _check_output(other, outputs.get(other.name))
            for name in bundle.manifest.labels:
                _check_labels(name, outputs.get(name), len(bundle.labels(name)))
    except BundleError as error:
        raise type(error)(f"{bundle.path}: {error}", hint=error.hint) from error


def _check_input(processing: InputProcessing, port: Port | None) -> None:
    """The steps turn a picture into what the input takes."""
    if port is None:
        raise BundleFormatError(f"processing of input `{processing.name}`, which a variant does not have")
    if processing.kind != "image":
        return
    made = preprocess(np.zeros(_PICTURE, np.uint8), processing)
    real = "float32" if port.scale is not None else port.dtype
    if made.shape != port.shape or made.dtype != np.dtype(real):
        raise BundleFormatError(
            f"the steps of input `{port.name}` make {made.dtype}{list(made.shape)}, it takes {real}{list(port.shape)}"
        )


def _check_labels(output: str, port: Port | None, labels: int) -> None:
    if port is None or (port.shape and labels != port.shape[-1]):
        shape = "which a variant does not have" if port is None else f"of shape {list(port.shape)}"
        raise BundleFormatError(f"{labels} labels for output `{output}`, {shape}")


def _check_output(processing: OutputProcessing, port: Port | None) -> None:
    if port is None:
        raise BundleFormatError(f"processing of output `{processing.name}`, which a variant does not have")
    if any(isinstance(step, TopK) for step in processing.steps[:-1]):
        raise BundleFormatError(f"output `{port.name}`: no step can follow top_k")
