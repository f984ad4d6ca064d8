"""What a session was pointed at: a bare .tflite, a bundle, or bytes; and the models in it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from edge_sdk.engines.source import ModelSource, open_source, source_of
from edge_sdk.errors import PolicyError
from edge_sdk.runtime.candidates import Candidate
from edge_sdk.runtime.chips import check_chip, compiled_for, notes_on, with_loader
from edge_sdk.runtime.wish import Subject

if TYPE_CHECKING:
    from edge_sdk.bundle import Bundle, Variant


_ZIP = b"PK"
# What each accelerator computes in by preference, as the manifest names precisions.
_SUITS = {
    "gpu": ("float16", "float32"),
    "npu": ("int8", "integer", "int16"),
    "dsp": ("int8", "integer"),
    "cpu": ("int8", "integer", "hybrid_int8", "float32"),
}


class Package:
    """Models by variant; a bare file has one, without a name."""

    def __init__(
        self,
        name: str,
        bundle: Bundle | None,
        bare: ModelSource | None,
        *,
        owned: bool,
        signature: str | None = None,
        copied: bool = False,
    ) -> None:
        self.name = name
        self.bundle = bundle
        self._bare = bare
        self._owned = owned
        self._signature = signature
        self._copied = copied
        self._subjects: dict[str, Subject] = {}

    def subject(self, variant: str | None) -> Subject:
        """A model; of a bundle its hash is checked here, and its golden cases come along.

        Raises:
            BundleError: there is no such variant, or its bytes are not what the manifest says.
            PolicyError: a bare file has no variants.
        """
        if self.bundle is None:
            if variant is not None or self._bare is None:
                raise PolicyError(f"{self.name} is no bundle: it has no variant `{variant}`")
            return self._entered(Subject(self._bare))
        if variant is None:
            raise AssertionError("a bundle's variant is named")
        if variant not in self._subjects:
            self._subjects[variant] = self._entered(_from_bundle(self.bundle, variant, copied=self._copied))
        return self._subjects[variant]

    def _entered(self, subject: Subject) -> Subject:
        """By the signature that was asked for; golden cases are of the default one."""
        if self._signature is None or self._signature == subject.model.artifact.signature.key:
            return subject
        model = subject.model.with_signature(self._signature)
        return replace(subject, model=model, cases=())

    def chooser(self, variant: str | None, chip: Collection[str] = ()) -> Callable[[Candidate], Subject]:
        """The model for each candidate: the variant that was named, else the one that suits it.

        Args:
            variant: by name; None for the one that was compiled for this chip, or suits the accelerator.
            chip: names by which this device's chip is known, in small letters; none where it is not.

        Raises:
            TargetError: the named variant was compiled for another chip than this.
        """
        if self.bundle is None:
            return lambda candidate: self.subject(variant)
        variants = self.bundle.manifest.variants
        if variant is not None:
            check_chip(self.bundle.variant(variant), chip)
            return lambda candidate: self.subject(variant)

        def choose(candidate: Candidate) -> Subject:
            chosen = compiled_for(variants, candidate, chip) or suited(variants, candidate.accelerator)
            return replace(self.subject(chosen.id), notes=tuple(notes_on(variants, chosen, candidate, chip)))

        return choose

    def candidates(self, listed: Sequence[Candidate], chip: Collection[str]) -> tuple[Candidate, ...]:
        """Candidates, with what loads a variant that was compiled for this chip; see :func:`.chips.with_loader`."""
        return tuple(listed) if self.bundle is None else with_loader(listed, self.bundle.manifest.variants, chip)

    def close(self) -> None:
        """Closes a bundle that was opened here; models in use stay mapped."""
        if self.bundle is not None and self._owned:
            self.bundle.close()


def suited(variants: Sequence[Variant], accelerator: str) -> Variant:
    """The first variant in the accelerator's best precision, but for those that were compiled for a chip.

    The bundle's first where it has none of those.
    """
    wanted, plain = _SUITS[accelerator], [one for one in variants if one.compiled is None]
    ranked = [one for precision in wanted for one in plain if one.precision == precision]
    return (ranked or plain)[0]


def open_package(
    model: str | Path | bytes | memoryview | Bundle,
    trusted_keys: Sequence[str | Path | bytes],
    *,
    signature: str | None = None,
    copied: bool = False,
) -> Package:
    """Opens what a user named; ``copied`` where several interpreters are to share one copy of a bundle's member.

    Raises:
        ModelError: the file is absent or damaged.
        BundleError: likewise for a bundle.
        PolicyError: keys were given for what cannot be signed.
    """
    if isinstance(model, bytes | memoryview):
        return _bare(source_of(model, name="model"), trusted_keys, signature)
    if not isinstance(model, str | Path):
        return Package(str(model.path), model, None, owned=False, signature=signature, copied=copied)
    if _starts_with(Path(model), _ZIP):
        from edge_sdk.bundle import open_bundle

        bundle = open_bundle(model, trusted_keys=trusted_keys)
        return Package(str(model), bundle, None, owned=True, signature=signature, copied=copied)
    return _bare(open_source(model), trusted_keys, signature)


def _bare(source: ModelSource, trusted_keys: Sequence[str | Path | bytes], signature: str | None) -> Package:
    if trusted_keys:
        raise PolicyError(
            f"{source.name} is a bare .tflite, which carries no signature, and trusted keys were given",
            hint="pack and sign it with `edge-sdk bundle create`",
        )
    return Package(source.name, None, source, owned=True, signature=signature)


def _from_bundle(bundle: Bundle, variant: str, *, copied: bool) -> Subject:
    member = bundle.model(variant)
    content = memoryview(bytes(member)) if copied else member
    source = ModelSource(f"{bundle.path}:{variant}", bundle.artifact(variant), content)
    is_trusted, sequences = bundle.trust == "verified", bundle.golden_sequences(variant)
    return Subject(source, variant, bundle.golden(variant), is_trusted=is_trusted, sequences=sequences)


def _starts_with(path: Path, start: bytes) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(start)) == start
    except (OSError, ValueError):
        return False
