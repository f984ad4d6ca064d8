"""One bundle from .tflite files: described, checked, run for its self-test, written."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_sdk.artifact.model import Artifact, parse_artifact
from edge_sdk.artifact.note import note_of
from edge_sdk.artifact.runtimes import runtime_need
from edge_sdk.artifact.summary import summarize
from edge_sdk.bundle import strict
from edge_sdk.bundle.asked import ProcessingOptions, check_files, label_file, labels, processing
from edge_sdk.bundle.compiled import compiled_variant
from edge_sdk.bundle.describe import checked, describe_signature, precision, predicted_memory
from edge_sdk.bundle.manifest import (
    FORMAT,
    FORMAT_VERSION,
    GoldenRecord,
    GoldenSequence,
    Limit,
    Manifest,
    Provenance,
    Variant,
)
from edge_sdk.bundle.options import BundleOptions, CompiledFile, Golden, private_keys
from edge_sdk.bundle.report import BundleReport, bundle_report
from edge_sdk.bundle.selftest import golden_samples, run_golden
from edge_sdk.bundle.sequences import run_sequence
from edge_sdk.bundle.sources import SourceFacts, report_hash, stable_report
from edge_sdk.bundle.tflite import describe_file
from edge_sdk.bundle.writing import write_bundle
from edge_sdk.errors import BundleError, ModelError
from edge_sdk.files import check_writable
from edge_sdk.findings import Finding
from edge_sdk.folders import temporary_folder
from edge_sdk.metadata import MetadataError
from edge_sdk.profile.reading import find_profile
from edge_sdk.profile.records import DeviceProfile
from edge_sdk.progress import Progress, Silent
from edge_sdk.signature import Arrays
from edge_sdk.version import __version__

if TYPE_CHECKING:
    from typing_extensions import Unpack

SelfTest = tuple[tuple[GoldenRecord, ...], Mapping[str, tuple[Limit, ...]]]


@dataclass(frozen=True)
class _Draft:
    """One variant on the way."""

    id: str
    recipe: str | None
    path: Path
    data: bytes
    artifact: Artifact


def create_bundle(
    files: Sequence[str | Path],
    output: str | Path,
    *,
    progress: Progress | None = None,
    **options: Unpack[BundleOptions],
) -> BundleReport:
    """Makes a bundle; equal inputs make equal bytes.

    Args:
        files: .tflite files of one model: same inputs and outputs by name and shape.
        output: the .edge file to write; the folder must exist.
        progress: hears how far the work is.
        options: see :class:`BundleOptions`.

    Raises:
        EdgeSdkError: see ``edge_sdk.errors``; no file is written.
    """
    progress, output = progress or Silent(), Path(output)
    check_writable(output)
    check_options(options)
    keys = private_keys(options.get("signing"))
    devices = [find_profile(str(one)) for one in options.get("profiles", ())]
    progress.stage("read the files")
    drafts = _drafts([Path(file) for file in files])
    line = _Line(options.get("name") or output.stem, drafts, options)
    for draft in drafts:
        progress.stage(f"describe and run {draft.id}" if line.samples else f"describe {draft.id}")
        line.add(draft, devices, tflite_metadata=options.get("tflite_metadata", True))
    for made in options.get("compiled", ()):
        progress.stage(f"describe {made.source.name} for {made.facts.target}")
        line.add_compiled(_compiled_from(drafts, made.source), made)
    progress.stage("write the bundle")
    manifest = write_bundle(output, line.manifest(options.get("source")), line.contents, keys=keys)
    return bundle_report(output, manifest, keys, line.findings)


def check_options(options: BundleOptions) -> None:
    """What can be said before any work is done: keys, profiles, labels and steps can be read.

    Raises:
        EdgeSdkError: one of them cannot.
    """
    golden = options.get("golden")
    if golden and golden.calls and not golden.samples:
        raise BundleError("calls are named, and no golden samples to run them on", hint="leave out --golden-samples 0")
    private_keys(options.get("signing"))
    for profile in options.get("profiles", ()):
        find_profile(str(profile))
    check_files(options.get("processing") or ProcessingOptions())


class _Line:
    """Variants one after the other; what they share is made once."""

    def __init__(self, name: str, drafts: Sequence[_Draft], options: BundleOptions) -> None:
        self._name = name
        asked, golden = options.get("processing") or ProcessingOptions(), options.get("golden") or Golden()
        signature = describe_signature(drafts[0].artifact)
        self._processing = processing(asked, signature)
        self._labels = labels(asked, signature)
        self._reports = _by_file(options.get("reports", ()), drafts)
        self._label_members = {name: f"labels/{place}.txt" for place, name in enumerate(self._labels)}
        self._small = {member: label_file(self._labels[name]) for name, member in self._label_members.items()}
        self._models: dict[str, bytes] = {}
        self._variants: list[Variant] = []
        self._engine: str | None = None
        self.findings: list[Finding] = []
        self.samples: tuple[Arrays, ...] = ()
        self._data: str | None = None
        self._golden = golden
        if golden.samples:
            data = None if golden.calls else golden.data
            self.samples, described = golden_samples(
                drafts[0].artifact, data, count=golden.samples, seed=golden.seed, images=asked.images
            )
            self._data = golden.description or described

    @property
    def contents(self) -> dict[str, bytes]:
        """All members: small ones first, so that a look at a bundle reads its beginning only."""
        return self._small | self._models

    def add(self, draft: _Draft, devices: Sequence[DeviceProfile], *, tflite_metadata: bool) -> None:
        """Describes, checks and runs one variant."""
        data = self._with_metadata(draft) if tflite_metadata else draft.data
        artifact = parse_artifact(data, path=draft.path)
        model, report = f"variants/{draft.id}/model.tflite", self._add_report(draft)
        self._models[model] = data
        golden, tolerance = self._run(artifact, draft.id, data)
        sequences = self._run_calls(draft.id, data) if self._golden.calls else ()
        self._variants.append(
            Variant(
                id=draft.id,
                model=model,
                recipe=draft.recipe,
                precision=precision(artifact),
                sha256=artifact.sha256,
                size_bytes=artifact.size_bytes,
                made_from_sha256=draft.artifact.sha256,
                minimum_runtime=runtime_need(artifact).runtime,
                macs=summarize(artifact).total_macs,
                signature=describe_signature(artifact),
                predicted_memory=predicted_memory(artifact),
                checked=tuple(checked(artifact, device) for device in devices),
                golden=golden,
                tolerance=tolerance,
                sequences=sequences,
                report=report,
                compiled=None,
            )
        )

    def add_compiled(self, draft: _Draft, made: CompiledFile) -> None:
        """What a compiler made of a variant that is in already: described, not run."""
        plain = next(one for one in self._variants if one.id == draft.id)
        name = _plain_name(f"{draft.id}_{made.facts.target}")
        if any(one.id == name for one in self._variants):
            raise BundleError(f"{draft.id} was compiled for {made.facts.target} twice")
        model = f"variants/{name}/model.tflite"
        artifact = parse_artifact(made.content, path=Path(f"{draft.path} for {made.facts.target}"))
        self._models[model] = made.content
        self._variants.append(compiled_variant(artifact, plain, made.facts, member=model, name=name))

    def manifest(self, source: SourceFacts | None) -> Manifest:
        """All but the members."""
        facts = source or SourceFacts(None, None, None)
        tools = (tool for report in self._reports.values() for tool in report.get("tools", ()))
        return Manifest(
            format=FORMAT,
            format_version=FORMAT_VERSION,
            name=self._name,
            created_by=f"edge-sdk {__version__}",
            members=(),
            variants=tuple(self._variants),
            labels=self._label_members,
            raw_processing=strict.plain(self._processing),
            provenance=Provenance(
                source=facts.name,
                source_sha256=facts.sha256,
                framework=facts.framework,
                tools=tuple(dict.fromkeys(tools)),
                golden_engine=self._engine,
                golden_data=self._data,
            ),
        )

    def _with_metadata(self, draft: _Draft) -> bytes:
        try:
            return describe_file(draft.data, self._processing, self._labels, name=self._name)
        except MetadataError as error:
            hint = "the bundle says the same; readers of the bare .tflite will not find it"
            self.findings.append(Finding("no-tflite-metadata", "warning", str(error), draft.id, hint))
            return draft.data

    def _add_report(self, draft: _Draft) -> str | None:
        report = self._reports.get(draft.artifact.sha256)
        if report is None:
            return None
        name = f"variants/{draft.id}/report.json"
        self._small[name] = strict.dump(stable_report(report))
        return name

    def _run(self, artifact: Artifact, variant: str, data: bytes) -> SelfTest:
        """Runs what goes into the bundle, not what it was made from."""
        if not self.samples:
            return (), {}
        with temporary_folder("bundle") as folder:
            path = Path(folder) / f"{variant}.tflite"
            path.write_bytes(data)
            try:
                runs = run_golden(path, self.samples, self._small)
            except ModelError as error:
                if runtime_need(artifact).runtime is not None:
                    raise
                words = f"goes in without golden runs, for no engine here has its ops: {error}"
                self.findings.append(Finding("no-self-test", "warning", words, variant, "try it on the device"))
                return (), {}
        for output in runs.constant_outputs:
            words = f"output `{output}` hardly varies between golden runs: the self-test says little of it"
            self.findings.append(Finding("self-test-no-power", "warning", words, variant, "take other golden data"))
        self._small |= runs.contents
        self._engine = runs.engine
        return runs.records, runs.tolerance

    def _run_calls(self, variant: str, data: bytes) -> tuple[GoldenSequence, ...]:
        golden = self._golden
        with temporary_folder("bundle") as folder:
            path = folder / f"{variant}.tflite"
            path.write_bytes(data)
            seeded = {"count": golden.samples, "seed": golden.seed}
            runs = run_sequence(path, golden.calls, golden.data, self._small, **seeded)
        self._small |= runs.contents
        return (runs.sequence,)


def _drafts(paths: Sequence[Path]) -> list[_Draft]:
    if not paths:
        raise BundleError("a bundle needs at least one .tflite file")
    read = [_read(path) for path in paths]
    recipes = [(note_of(artifact) or {}).get("recipe") for _, artifact in read]
    shared = {recipe for recipe, count in Counter(recipes).items() if count > 1}
    drafts = [
        _Draft(_variant_id(path, recipe, shared), recipe, path, data, artifact)
        for path, (data, artifact), recipe in zip(paths, read, recipes, strict=True)
    ]
    for name, count in Counter(draft.id for draft in drafts).items():
        if count > 1:
            raise BundleError(f"{count} files would be the variant `{name}`", hint="give the files different names")
    for draft in drafts[1:]:
        _check_same(drafts[0], draft)
    return drafts


def _read(path: Path) -> tuple[bytes, Artifact]:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ModelError(f"{str(path)!r} is no path: {error}") from error
    return data, parse_artifact(data, path=path)


def _variant_id(path: Path, recipe: Any, shared: set[Any]) -> str:
    """The recipe's name; the file's where there is no recipe, or two files share it."""
    wanted = path.stem if recipe in shared or not isinstance(recipe, str) else recipe
    return _plain_name(wanted)


def _plain_name(wanted: str) -> str:
    return re.sub(r"[^a-z0-9_.-]+", "_", wanted.lower()).strip("_.-") or "model"


def _compiled_from(drafts: Sequence[_Draft], source: Path) -> _Draft:
    found = next((one for one in drafts if one.path == source), None)
    if found is None:
        raise BundleError(f"{source} was compiled, and is none of the files of the bundle")
    return found


def _check_same(first: _Draft, other: _Draft) -> None:
    """All variants take and give the same, but for the type."""
    for what in ("inputs", "outputs"):
        ports = [{p.name: p.shape for p in getattr(describe_signature(d.artifact), what)} for d in (first, other)]
        if ports[0] != ports[1]:
            raise BundleError(
                f"{other.path} has other {what} than {first.path}: {_listing(ports[1])}, expected {_listing(ports[0])}",
                hint="a bundle holds variants of one model: convert them from one source",
            )


def _listing(ports: Mapping[str, tuple[int, ...]]) -> str:
    return "; ".join(f"{name} {list(shape)}" for name, shape in ports.items()) or "none"


def _by_file(reports: Sequence[Mapping[str, Any]], drafts: Sequence[_Draft]) -> dict[str, Mapping[str, Any]]:
    """Reports by the hash of the file that each is about."""
    known = {draft.artifact.sha256 for draft in drafts}
    made = {}
    for report in reports:
        about = report_hash(report)
        if about not in known:
            raise BundleError(
                f"a conversion report is about a file of SHA-256 {about[:16]}..., which is none of those given",
                hint="give the report that `convert --report` wrote for these files",
            )
        made[about] = report
    return made
