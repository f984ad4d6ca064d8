"""A manifest read strictly: its version, its types, and that what it refers to is there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from edge_sdk.bundle import strict
from edge_sdk.bundle.container import check_name
from edge_sdk.bundle.manifest import (
    FORMAT,
    FORMAT_VERSION,
    MANIFEST,
    RESERVED,
    GoldenRecord,
    GoldenSequence,
    Manifest,
    MemberRecord,
    Port,
    Variant,
    VariantSignature,
)
from edge_sdk.errors import BundleFormatError, BundleVersionError

MAX_MANIFEST_BYTES = 16 << 20
_LATER: Final[Mapping[str, tuple[int, Any]]] = {"sequences": (2, []), "compiled": (3, None)}
"""Keys of a variant that came later: with which version, and what their absence means before it."""


def parse_manifest(data: bytes | memoryview) -> Manifest:
    """Reads and checks a manifest.

    Raises:
        BundleVersionError: its format is newer.
        BundleFormatError: a key unknown or missing, a type, or a reference that points nowhere.
    """
    if len(data) > MAX_MANIFEST_BYTES:
        raise BundleFormatError(f"{MANIFEST}: has {len(data)} bytes, at most {MAX_MANIFEST_BYTES} are allowed")
    try:
        table = strict.load(data)
        _check_version(table)
        _add_later_keys(table)
        manifest = strict.read(Manifest, table)
    except strict.StrictError as error:
        raise BundleFormatError(f"{MANIFEST}: {error}") from error
    _Faults(manifest).check()
    return manifest


def _check_version(table: Any) -> None:
    if not isinstance(table, dict) or table.get("format") != FORMAT:
        raise BundleFormatError(f"{MANIFEST}: expected `format` to be `{FORMAT}`")
    version = table.get("format_version")
    if type(version) is not int or version < 1:
        raise BundleFormatError(f"{MANIFEST}: expected `format_version` to be a whole number from 1, got {version!r}")
    if version > FORMAT_VERSION:
        made = str(table.get("created_by", "a newer edge-sdk"))[:80]
        raise BundleVersionError(
            f"format version {version} (made by {made}), this edge-sdk reads up to {FORMAT_VERSION}",
            hint="upgrade edge-sdk here, or make the bundle again with this version",
        )


def _add_later_keys(table: dict[str, Any]) -> None:
    """What a version of old does not say, said."""
    variants = table.get("variants")
    for key, (version, absent) in _LATER.items():
        if table["format_version"] >= version or not isinstance(variants, list):
            continue
        for variant in variants:
            if isinstance(variant, dict) and variant.setdefault(key, absent):
                raise BundleFormatError(f"{MANIFEST}: variants: `{key}` came with format version {version}")


@dataclass
class _Faults:
    """What types alone cannot say."""

    manifest: Manifest
    used: set[str] = field(default_factory=set)
    records: dict[str, MemberRecord] = field(default_factory=dict)

    def check(self) -> None:
        manifest = self.manifest
        self._members()
        self.records = {record.name: record for record in manifest.members}
        self._unique("variants", [variant.id for variant in manifest.variants])
        if not manifest.variants:
            raise self._fault("holds no variant")
        for variant in manifest.variants:
            self._variant(variant)
        for output, member in manifest.labels.items():
            self._use(member, f"labels of `{output}`")
        idle = sorted(self.records.keys() - self.used)
        if idle:
            raise self._fault(f"member `{idle[0]}` belongs to nothing")

    def _members(self) -> None:
        self._unique("members", [record.name for record in self.manifest.members])
        for record in self.manifest.members:
            check_name(record.name)
            if record.name in RESERVED:
                raise self._fault(f"member `{record.name}` lists itself")
            if len(record.sha256) != 64 or not set(record.sha256) <= set("0123456789abcdef"):
                raise self._fault(f"member `{record.name}`: `{record.sha256[:70]}` is no SHA-256")
            if not (0 <= record.size_bytes < 1 << 32 and 0 <= record.crc32 < 1 << 32):
                raise self._fault(f"member `{record.name}`: size or checksum is beyond 32 bits")

    def _variant(self, variant: Variant) -> None:
        where = f"variant `{variant.id[:80]}`"
        check_name(variant.id)
        model = self._use(variant.model, where)
        if not variant.model.endswith(".tflite"):
            raise self._fault(f"{where}: `{variant.model}` does not end in .tflite, so it is not aligned as a model")
        if model is None or (model.sha256, model.size_bytes) != (variant.sha256, variant.size_bytes):
            raise self._fault(f"{where}: hash or size is another than that of its member")
        self._use(variant.report, where)
        for ports in (variant.signature.inputs, variant.signature.outputs):
            self._unique(f"{where}, ports", [port.name for port in ports])
            for port in ports:
                self._port(port, where)
        self._golden(variant.golden, variant.signature, variant.tolerance, where)
        for sequence in variant.sequences:
            if not sequence.calls or not sequence.golden:
                raise self._fault(f"{where}: a sequence without calls or runs")
            for port in (*sequence.inputs, *sequence.outputs):
                self._port(port, where)
            self._golden(sequence.golden, sequence, sequence.tolerance, where)
        self._compiled(variant, where)

    def _compiled(self, variant: Variant, where: str) -> None:
        """The variant that a compiler was given is one of the others, and no compiler is given what was compiled."""
        made = variant.compiled
        if made is None:
            return
        plain = {one.id: one for one in self.manifest.variants if one.compiled is None}
        if made.made_from not in plain:
            raise self._fault(f"{where}: was compiled from `{made.made_from[:80]}`, which is no variant as converted")
        if not made.chips:
            raise self._fault(f"{where}: was compiled, and names no chip")
        if not 0 < made.ops_on_npu <= made.ops or (made.partitions is not None and made.partitions < 1):
            raise self._fault(f"{where}: was compiled, with {made.ops_on_npu} of {made.ops} ops on the NPU")

    def _port(self, port: Port, where: str) -> None:
        if any(extent < 0 for extent in port.shape):
            raise self._fault(f"{where}: `{port.name}` has the shape {list(port.shape)}")
        if (port.scale is None) != (port.zero_point is None) or (port.scale is not None and port.scale <= 0):
            raise self._fault(f"{where}: `{port.name}` has scale {port.scale} and zero point {port.zero_point}")

    def _golden(
        self,
        runs: tuple[GoldenRecord, ...],
        signature: VariantSignature | GoldenSequence,
        tolerance: Mapping[str, Any],
        where: str,
    ) -> None:
        inputs, outputs = ({port.name for port in ports} for ports in (signature.inputs, signature.outputs))
        for record in runs:
            if record.inputs.keys() != inputs or record.outputs.keys() != outputs:
                raise self._fault(f"{where}: its golden arrays are not those of its signature")
            for member in (*record.inputs.values(), *record.outputs.values()):
                self._use(member, where)
        if set(tolerance) != (outputs if runs else set()):
            raise self._fault(f"{where}: its tolerances are not those of its golden outputs")

    def _use(self, name: str | None, where: str) -> MemberRecord | None:
        if name is None:
            return None
        self.used.add(name)
        if name not in self.records:
            raise self._fault(f"{where}: member `{name[:80]}` does not exist")
        return self.records[name]

    def _unique(self, what: str, names: list[str]) -> None:
        if len(set(names)) != len(names):
            raise self._fault(f"{what}: a name is there twice")

    def _fault(self, what: str) -> BundleFormatError:
        return BundleFormatError(f"{MANIFEST}: {what}")
