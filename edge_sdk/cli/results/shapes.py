"""Results that a command puts together itself, as types; what a room's own record says is not said again here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, TypedDict

from edge_sdk.bundle.manifest import Manifest
from edge_sdk.checks.explaining import Explanation
from edge_sdk.checks.lint.scene import LintFinding
from edge_sdk.checks.timing.helping import Help
from edge_sdk.checks.timing.predicting import Prediction
from edge_sdk.checks.verdict import CheckReport
from edge_sdk.converters.demo import DemoRow
from edge_sdk.converters.reports.conversion import ConversionReport
from edge_sdk.data import DataFacts
from edge_sdk.devices.listing import Looked
from edge_sdk.findings import Finding
from edge_sdk.measure.records import Benchmark
from edge_sdk.profile.records import DeviceProfile
from edge_sdk.recipe import Recipe
from edge_sdk.runtime.receipt import Receipt
from edge_sdk.signature import TensorSpec


class SignatureTensor(TypedDict):
    """An input or output of a signature.

    Attributes:
        role: `input` or `output`.
        name: in the signature.
        dtype: numpy's name.
        shape: extents.
        shape_signature: the same, -1 where the file leaves a dimension open.
        scale: of quantized values, the first where there is one for each channel; null for others.
        zero_point: likewise.
    """

    role: str
    name: str
    dtype: str
    shape: list[int]
    shape_signature: list[int]
    scale: float | None
    zero_point: int | None


class Signature(TypedDict):
    """A signature of a file: inputs, then outputs."""

    key: str
    subgraph: int
    tensors: list[SignatureTensor]


class OpUse(TypedDict):
    """Ops of one kind and version that compute in one type; `macs` are multiply-accumulates of one run."""

    op: str
    version: int
    compute: str
    count: int
    macs: int


class File(TypedDict):
    """A .tflite file, read without an engine.

    Attributes:
        path: null where none was written.
        description: what its maker wrote into it.
        implicit_signature: whether it has none of its own.
        ops: by kind, version and arithmetic.
        ops_by_compute: arithmetic to number of ops.
        macs_by_compute: arithmetic to multiply-accumulates of one run; ops inside control flow count once.
        float_ops: each op that computes in float or hybrid arithmetic, by its result.
        quantize_ops: ops that only convert to integers.
        dequantize_ops: likewise from integers.
        weight_expansions: constants that are unpacked to float on loading.
        weight_storage_bytes: dtype to bytes of constants.
        per_channel_tensors: tensors with more than one scale.
        stateful: whether it keeps values between runs.
        minimum_runtime: the oldest runtime with all its ops; null where none has them.
        minimum_runtime_because: ops and versions that the one before lacks.
        metadata: name to bytes.
        unknown_fields: that this reader does not know.
    """

    path: str | None
    size_bytes: int
    sha256: str
    description: str
    signatures: list[Signature]
    implicit_signature: bool
    ops: list[OpUse]
    ops_by_compute: Mapping[str, int]
    macs_by_compute: Mapping[str, int]
    total_macs: int
    float_ops: list[str]
    quantize_ops: int
    dequantize_ops: int
    weight_expansions: int
    transpose_ops: int
    subgraphs: int
    weights_bytes: int
    weight_storage_bytes: Mapping[str, int]
    per_channel_tensors: int
    stateful: bool
    minimum_runtime: str | None
    minimum_runtime_because: list[tuple[str, int]]
    metadata: Mapping[str, int]
    unknown_fields: list[str]


class Inspected(File):
    """A .tflite file: what it holds, who made it, and mistakes in it.

    Attributes:
        note: what edge-sdk left in a file that it made; null for others.
        lint: mistakes in the file itself.
    """

    note: Mapping[str, Any] | None
    lint: list[LintFinding]


class InspectedSource(TypedDict):
    """A model before conversion, as its own toolchain says.

    Attributes:
        kind: the front end that opened it.
        inputs: with the shapes that it is converted at.
        open_inputs: as the source declares them.
        precision: the coarsest float type that it computes in.
        quantized_by: who quantized it already; null for a float one.
        findings: what was done to open it.
    """

    source: str
    kind: str
    framework: str
    inputs: list[TensorSpec]
    open_inputs: list[TensorSpec]
    outputs: list[str]
    findings: list[Finding]
    precision: str
    quantized_by: str | None


class InspectedBundle(TypedDict):
    """What a bundle says of itself; its members and signature are not checked."""

    bundle: str
    size_bytes: int
    trust: str
    manifest: Manifest


class _Cached(TypedDict, total=False):
    cached: Annotated[str, "Under --cache: the content's hash, where nothing was run because the same was kept."]


class Conversions(_Cached):
    """Several recipes: a conversion for each, in the order asked."""

    conversions: list[ConversionReport]


class ConvertedBundle(TypedDict):
    """`convert --bundle`: the bundle and the conversion of each variant."""

    bundle: str
    size_bytes: int
    signed_by: list[str]
    findings: list[Finding]
    manifest: Manifest
    conversions: list[ConversionReport]


class Predicted(TypedDict):
    """`check` with a calibration table alone: times, *predicted*."""

    artifact: str
    time: Prediction
    will_it_help: list[Help]


class CheckedBundle(TypedDict):
    """A bundle against a device: it fits where one variant is predicted to."""

    bundle: str
    profile: str
    fits: bool
    variants: list[CheckReport]


class Explanations(TypedDict):
    """`check --explain all`."""

    rules: list[Explanation]


class Keys(TypedDict):
    """A key pair that was made: its id, and both files."""

    key_id: str
    private: str
    public: str


class OutputRange(TypedDict):
    """One output over all runs; minimum and maximum are null where it is empty."""

    shape: list[int]
    dtype: str
    minimum: float | None
    maximum: float | None


class _RanThere(TypedDict, total=False):
    on: Annotated[str, "Address of the device that ran it, with --on."]


class RunAccuracy(TypedDict):
    """Samples whose largest score is their own class, by the data's subfolders; measured.

    Attributes:
        output: of the scores.
        share: 0 to 1.
    """

    output: str
    samples: int
    share: float


class Ran(_RanThere):
    """What a run gave, and what ran where.

    Attributes:
        accuracy: null where the data has no subfolder for each class.
        output: the .npz file with all outputs; null where none was asked for.
        outputs: by name, over all runs.
        receipt: what ran where and why, measured.
        receipt_line: the same in one line.
    """

    artifact: str
    engine: str | None
    data: DataFacts
    outputs: Mapping[str, OutputRange]
    accuracy: RunAccuracy | None
    receipt: Receipt
    receipt_line: str
    output: str | None


class DeviceBenchmark(TypedDict):
    """One of several devices; either its benchmark or its error is null."""

    address: str
    benchmark: Benchmark | None
    error: Mapping[str, Any] | None


class Benchmarks(TypedDict):
    """`benchmark --on` with several devices."""

    devices: list[DeviceBenchmark]


class ChangeShown(TypedDict):
    """A number of two results.

    Attributes:
        state: better, worse, undecided (intervals overlap), changed (neither is better), same, or only (in one).
    """

    name: str
    before: float | None
    after: float | None
    state: str


class PageWritten(TypedDict):
    """A page that was written, with its verdict in words.

    Attributes:
        changes: of two results; empty for one.
    """

    page: str
    size_bytes: int
    verdict: str
    changes: list[ChangeShown]


class FilesWritten(TypedDict):
    """`report --model-explorer` and `--perfetto`: what was written."""

    files: list[str]


class Profiles(TypedDict):
    """All profiles."""

    profiles: list[DeviceProfile]


class Faults(TypedDict):
    """Profile to its faults, a line each; none of them for a good one."""

    faults: Mapping[str, list[str]]


class Draft(TypedDict):
    """A draft profile: file name to its text."""

    id: str
    files: Mapping[str, str]


class Devices(TypedDict):
    """What devices say of themselves."""

    devices: list[Looked]


class Removed(TypedDict):
    """`devices prepare --remove`: the folder that is gone."""

    address: str
    removed: str


class Recipes(TypedDict):
    """All built-in recipes."""

    recipes: list[Recipe]


class Demo(TypedDict):
    """The demo: a row for each file, and the folder that holds them."""

    files: list[DemoRow]
    folder: str


class Space(TypedDict):
    """What is free on a device."""

    memory_bytes: int
    storage_bytes: int


class ComposedProof(TypedDict):
    """Largest difference between the file and its parts run one by one, over so many seeded samples."""

    max_abs_error: float
    samples: int


class SweepRow(TypedDict):
    """One job of a sweep; null where its result does not tell.

    Attributes:
        state: `done` or `failed`.
        chosen: what `optimize` chose.
        fits: whether it is predicted to fit the profile.
        drop: of the metric, in its own unit.
        confirmation: what unseen data says of it: `confirmed` or `undecided`.
        latency_ms: of one run, measured on the device.
        seconds: what the job took.
        error: why it failed.
    """

    source: str
    recipe: str
    data: str | None
    profile: str | None
    device: str | None
    state: str
    chosen: str | None
    fits: bool | None
    size_bytes: int | None
    int8_macs: float | None
    sqnr_db: float | None
    metric: float | None
    drop: float | None
    confirmation: str | None
    memory_bytes: int | None
    sha256: str | None
    error: str | None
    latency_ms: float | None
    seconds: float
    attempts: int
