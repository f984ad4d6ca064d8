"""The manifest: what a bundle says of itself, as frozen values read strictly from JSON."""

# Annotations are read by edge_sdk.bundle.strict and so are not postponed.
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from edge_sdk.bundle import strict
from edge_sdk.errors import BundleError, BundleFormatError, nearest

if TYPE_CHECKING:
    from edge_sdk.bundle.steps import Processing

FORMAT: Literal["edge-bundle"] = "edge-bundle"
FORMAT_VERSION = 3
MANIFEST, MANIFEST_HASH, SIGNATURES = "manifest.json", "manifest.sha256", "manifest.sig"
RESERVED = (MANIFEST, MANIFEST_HASH, SIGNATURES)

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
class CompiledFor:
    """A variant that a vendor's compiler made of another, for the NPU of one chip. Nothing of it was run.

    Attributes:
        compiler: such as `qualcomm` or `vela`.
        tool: what compiled, with versions.
        target: the chip, in the compiler's word.
        chips: names by which a device knows that chip, in small letters: its part number, its name in the device tree.
        delegate: what runs the file there: `npu` (LiteRT's dispatch) or `external` (the maker's delegate).
        made_from: id of the variant that was compiled, whose golden outputs it is held against.
        profiles: devices that it was asked for.
        ops: of that variant.
        ops_on_npu: of them, by the compiler's answer.
        partitions: pieces that the NPU runs without handing back; None where the compiler does not say.
        simulated_ms: of one run on the NPU, by the compiler's own model of it; None where it gives none.
        low_ms: its lower bound; None where it gives none.
        high_ms: its upper bound; likewise.
    """

    compiler: str
    tool: str
    target: str
    chips: tuple[str, ...]
    delegate: Literal["npu", "external"]
    made_from: str
    profiles: tuple[str, ...]
    ops: int
    ops_on_npu: int
    partitions: int | None
    simulated_ms: float | None
    low_ms: float | None
    high_ms: float | None


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
        compiled: for which chip it was compiled; None of a file that any engine opens.
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
    compiled: CompiledFor | None

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
