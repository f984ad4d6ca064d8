"""The manifest: what a bundle says of itself, as frozen values read strictly from JSON."""

# Annotations are read by edge_sdk.bundle.strict and so are not postponed.
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from edge_sdk.bundle import strict
from edge_sdk.bundle.container import check_name
from edge_sdk.errors import BundleError, BundleFormatError, BundleVersionError, nearest

if TYPE_CHECKING:
    from edge_sdk.bundle.steps import Processing

FORMAT: Literal["edge-bundle"] = "edge-bundle"
FORMAT_VERSION = 2
MANIFEST, MANIFEST_HASH, SIGNATURES = "manifest.json", "manifest.sha256", "manifest.sig"
RESERVED = (MANIFEST, MANIFEST_HASH, SIGNATURES)
MAX_MANIFEST_BYTES = 16 << 20

Precision = Literal["float32", "float16", "hybrid_int8", "int8", "int16", "integer"]
Arithmetic = Literal["float32", "float16", "integer"]


@dataclass(frozen=True)
class MemberRecord:
    """One member: its name, and what its bytes must be."""

    name: str
    size_bytes: int
    sha256: str
    crc32: int


@dataclass(frozen=True)
class Port:
    """One input or output of a variant, as its file has it; scale and zero point where it is quantized."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    scale: float | None
    zero_point: int | None


@dataclass(frozen=True)
class VariantSignature:
    """Names and shapes, in order, under the file's signature key (empty where it declares none)."""

    key: str
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]


@dataclass(frozen=True)
class PredictedMemory:
    """Bytes that the variant takes on a CPU with one thread, predicted from the file.

    ``arena_bytes``, ``persistent_bytes``, ``heap_bytes``: TFLite's plan without a delegate; ``floor_bytes``: the file,
    mapped, and all three. ``xnnpack_heap_bytes``: kind of CPU to the whole heap with XNNPACK, which packs weights for
    that CPU; the mapped file is not in it. ``complete`` is False where some kernel's scratch is unknown.
    """

    arena_bytes: int
    persistent_bytes: int
    heap_bytes: int
    floor_bytes: int
    xnnpack_heap_bytes: Mapping[str, int]
    complete: bool


@dataclass(frozen=True)
class CheckedDelegate:
    """What one delegate of a profile is predicted to take; ``verdict`` is all, most, part, none or not predicted."""

    rules: str
    accelerator: str
    verdict: str
    mac_share: float
    partitions: int
    source: str


@dataclass(frozen=True)
class Checked:
    """The variant held against one device profile: predicted, never run there."""

    profile: str
    fits: bool
    budget_bytes: int
    delegates: tuple[CheckedDelegate, ...]
    findings: tuple[str, ...]


@dataclass(frozen=True)
class Limit:
    """How far an output may be from its golden value where the model computes in this arithmetic, and why."""

    arithmetic: Arithmetic
    kind: Literal["max_abs_error", "sqnr_db"]
    value: float
    derivation: str


@dataclass(frozen=True)
class GoldenRecord:
    """One run of the self-test: the member with each input's raw values, and with what a CPU made of them."""

    inputs: Mapping[str, str]
    outputs: Mapping[str, str]


@dataclass(frozen=True)
class GoldenSequence:
    """Runs of calls that belong together, from the state of a model just opened, kept to the last call.

    ``calls``: keys of signatures. ``inputs``: what no earlier call hands on; ``outputs``: all of all calls; both named
    ``LABEL/NAME``, as ``decode@2/token`` of the second ``decode``. ``golden``, ``tolerance``: as of the variant.
    """

    calls: tuple[str, ...]
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    golden: tuple[GoldenRecord, ...]
    tolerance: Mapping[str, tuple[Limit, ...]]


@dataclass(frozen=True)
class Variant:
    """One form of the model.

    Attributes:
        id: unique in the bundle; the recipe's name unless two variants share it.
        model: the member that is the .tflite file.
        recipe: what made it; None where nothing says so.
        precision: what most of its multiply-accumulates compute in; ``float16`` where float32 arithmetic reads
            float16 weights.
        sha256: of the model.
        size_bytes: of the model.
        made_from_sha256: of the file before TFLite Metadata were written into it; the same where none were.
        minimum_runtime: the oldest measured runtime that has its ops; None where none has.
        macs: multiply-accumulates of one run.
        signature: inputs and outputs.
        predicted_memory: on a CPU.
        checked: one for each profile it was held against.
        golden: the self-test; empty where no data was at hand.
        tolerance: output name to its limits in the self-test, one for each arithmetic.
        sequences: the self-test over several calls; empty where none was asked for.
        report: the member with the conversion report; None where there is none.
    """

    id: str
    model: str
    recipe: str | None
    precision: Precision
    sha256: str
    size_bytes: int
    made_from_sha256: str
    minimum_runtime: str | None
    macs: int
    signature: VariantSignature
    predicted_memory: PredictedMemory
    checked: tuple[Checked, ...]
    golden: tuple[GoldenRecord, ...]
    tolerance: Mapping[str, tuple[Limit, ...]]
    sequences: tuple[GoldenSequence, ...]
    report: str | None

    def checked_for(self, profile: str) -> Checked | None:
        """What was predicted for a profile; None where it was not asked."""
        return next((one for one in self.checked if one.profile == profile), None)


@dataclass(frozen=True)
class Provenance:
    """Where the models come from.

    Attributes:
        source: file name of the model that was converted; None where it is not known.
        source_sha256: of that file; of a folder, of the sorted list of its files' names and hashes.
        framework: what it was loaded with.
        tools: name and version of each that had a hand in the models.
        golden_engine: what ran the models for the golden outputs; None where there are none.
        golden_data: what the golden inputs are.
    """

    source: str | None
    source_sha256: str | None
    framework: str | None
    tools: tuple[str, ...]
    golden_engine: str | None
    golden_data: str | None


@dataclass(frozen=True)
class Manifest:
    """Everything a bundle says of itself.

    Attributes:
        format: ``edge-bundle``.
        format_version: what the rest follows.
        name: of the model.
        created_by: what wrote it.
        members: all but the manifest, its hash and its signatures, in the order of the file.
        variants: the models.
        labels: output name to the member with a name for each index of its last axis, a line each.
        raw_processing: see :attr:`processing`; as JSON, for a device that does none of it need not read it.
        provenance: where it comes from.
    """

    format: Literal["edge-bundle"]
    format_version: int
    name: str
    created_by: str
    members: tuple[MemberRecord, ...]
    variants: tuple[Variant, ...]
    labels: Mapping[str, str]
    raw_processing: Any
    provenance: Provenance

    def variant(self, variant_id: str) -> Variant:
        """The variant of that id.

        Raises:
            BundleError: there is none; names the nearest.
        """
        for variant in self.variants:
            if variant.id == variant_id:
                return variant
        ids = [variant.id for variant in self.variants]
        raise BundleError(
            f"{self.name} has no variant `{variant_id}`{nearest(variant_id, ids)}", hint=f"it has {', '.join(ids)}"
        )

    def member(self, name: str) -> MemberRecord:
        """The record of a member that the manifest names itself."""
        return next(record for record in self.members if record.name == name)

    @cached_property
    def processing(self) -> "Processing":
        """How inputs are made and what is made of outputs.

        Raises:
            BundleFormatError: an unknown step, or a key unknown or missing.
        """
        from edge_sdk.bundle.steps import Processing, faults

        try:
            made = strict.read(Processing, self.raw_processing)
        except strict.StrictError as error:
            raise BundleFormatError(f"{MANIFEST}: {error.under('raw_processing')}") from error
        for fault in faults(made):
            raise BundleFormatError(f"{MANIFEST}: raw_processing.{fault}")
        return made

    def as_json(self) -> dict[str, Any]:
        """Plain data, as it is in the file."""
        made: dict[str, Any] = strict.plain(self)
        return made


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
        _add_sequences(table)
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


def _add_sequences(table: dict[str, Any]) -> None:
    """Version 1 has no such key."""
    variants = table.get("variants")
    if table["format_version"] > 1 or not isinstance(variants, list):
        return
    for variant in variants:
        if isinstance(variant, dict) and variant.setdefault("sequences", []):
            raise BundleFormatError(f"{MANIFEST}: variants: `sequences` came with format version 2")


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
