"""Variants that a vendor's compiler made of others: what a bundle says of them, and which chips they are for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final, get_args

from edge_sdk.artifact.model import Artifact
from edge_sdk.bundle.describe import describe_signature, predicted_memory
from edge_sdk.bundle.manifest import Arithmetic, CompiledFor, Limit, Variant
from edge_sdk.errors import BundleError

# Noise of a third of the output: what bundle/tolerance.py takes for wrong, whoever computes.
_LEAST_DB: Final = 10.0


def compiled_variant(artifact: Artifact, plain: Variant, facts: CompiledFor, *, member: str, name: str) -> Variant:
    """What the manifest says of a compiled file.

    It is run by no engine here. Its golden runs are those of the variant that it was compiled from; its MACs and
    precision too, which a program of the NPU does not tell.

    Args:
        artifact: the compiled file.
        plain: the variant that was compiled.
        facts: by whom, for which chip.
        member: that holds the file.
        name: the new variant's id.

    Raises:
        BundleError: the compiler changed inputs or outputs.
    """
    signature = describe_signature(artifact)
    wanted = plain.signature
    if (signature.inputs, signature.outputs) != (wanted.inputs, wanted.outputs):
        raise BundleError(
            f"{facts.tool} changed the inputs or outputs of {plain.id} for {facts.target}: expected "
            f"{[str(port) for port in (*wanted.inputs, *wanted.outputs)]}, got "
            f"{[str(port) for port in (*signature.inputs, *signature.outputs)]}",
            hint="ship that file beside the bundle",
        )
    return replace(
        plain,
        id=name,
        model=member,
        sha256=artifact.sha256,
        size_bytes=artifact.size_bytes,
        made_from_sha256=artifact.sha256,
        minimum_runtime=None,
        signature=signature,
        predicted_memory=predicted_memory(artifact),
        checked=(),
        tolerance={output: tuple(_on_another_chip(limits)) for output, limits in plain.tolerance.items()},
        sequences=(),
        report=None,
        compiled=replace(facts, made_from=plain.id),
    )


def _on_another_chip(limits: Sequence[Limit]) -> Iterator[Limit]:
    """One for each arithmetic, for the engine cannot tell which one the NPU's program has.

    An NPU does not round as a CPU does: 19 dB were seen in Qualcomm's emulation where two CPUs' kernels agree to 30.
    """
    by_kind: Mapping[str, Limit] = {one.arithmetic: one for one in limits}
    chosen = next(by_kind[kind] for kind in ("integer", "float16", "float32") if kind in by_kind)
    value = chosen.value
    words = f"on the NPU: {chosen.derivation}"
    if chosen.arithmetic == "integer" and chosen.kind == "sqnr_db" and value > _LEAST_DB:
        value, words = _LEAST_DB, f"an NPU rounds in its own way; {_LEAST_DB:.0f} dB is noise of a third of the output"
    for kind in get_args(Arithmetic):
        yield Limit(kind, chosen.kind, value, words)
