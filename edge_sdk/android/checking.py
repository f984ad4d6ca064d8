"""``edge-sdk android check``: what would go wrong with an APK on a phone, said before it is installed."""

from __future__ import annotations

import contextlib
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edge_sdk.android.apk import Apk, Manifest
from edge_sdk.android.archive import PAGE
from edge_sdk.android.compiled import compiled_findings
from edge_sdk.android.tools import run_tool
from edge_sdk.android.trying import try_models
from edge_sdk.artifact.model import Artifact, parse_artifact
from edge_sdk.artifact.runtimes import measured_runtimes, missing_ops
from edge_sdk.errors import BuildError, EdgeSdkError, TargetError
from edge_sdk.findings import Finding, has_error
from edge_sdk.folders import temporary_folder

_ENGINE = "libtensorflowlite_jni.so"
_VERSION = re.compile(rb"\0(2\.\d{1,2}\.\d{1,2})\0")
_LIGHT_PAGE = 4096


@dataclass(frozen=True)
class LibraryCheck:
    """A native library: what its ELF segments and its place in the APK are aligned to, both in bytes."""

    name: str
    machine: str
    page_bytes: int
    zip_alignment: int
    is_stored: bool


@dataclass(frozen=True)
class ApkReport:
    """What was found in an APK.

    ``signature`` is ``verified by apksigner``, ``present, not verified`` or ``none``; ``tried`` are the models that
    were loaded and run here, in a TensorFlow of the version of ``engine``.
    """

    path: str
    size_bytes: int
    manifest: Manifest
    schemes: tuple[str, ...]
    signature: str
    abis: tuple[str, ...]
    libraries: tuple[LibraryCheck, ...]
    models: tuple[str, ...]
    engine: str
    tried: tuple[str, ...]
    parts: dict[str, int]
    findings: tuple[Finding, ...]

    @property
    def is_fit(self) -> bool:
        """Whether no finding is an error."""
        return not has_error(self.findings)

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        return {**asdict(self), "fit": self.is_fit}


def check_apk(path: Path, *, python: Path | None = None) -> ApkReport:
    """Reads an APK and lists what would go wrong on a device.

    Args:
        path: of the APK; none of its own code is run.
        python: an interpreter with the TensorFlow that the APK carries, to run each model in; None for no trial.

    Raises:
        ModelError: not an APK, or a damaged one.
        MissingDependencyError: apkInspector is not installed.
        MissingToolError: the interpreter has no TensorFlow of that version.
        TargetError: it is not known which version that would be.
    """
    apk = Apk(path)
    libraries = tuple(_libraries(apk))
    engine = _engine(apk)
    signature, fault = _signature(apk)
    tried = _tried(apk, engine, python) if python else {}
    findings = (
        *_signature_findings(apk, signature, fault),
        *_library_findings(apk, libraries),
        *_class_findings(apk),
        *_model_findings(apk, engine),
        *_npu_findings(apk),
        *_trial_findings(engine, tried),
    )
    return ApkReport(
        path=str(path),
        size_bytes=apk.size_bytes,
        manifest=apk.manifest,
        schemes=apk.schemes,
        signature=signature,
        abis=tuple(sorted({library.name.split("/")[1] for library in libraries})),
        libraries=libraries,
        models=tuple(member.name for member in apk.models),
        engine=engine,
        tried=tuple(tried),
        parts=_parts(apk),
        findings=findings,
    )


def _libraries(apk: Apk) -> Iterator[LibraryCheck]:
    for member, library in apk.libraries():
        machine, page_bytes = ("broken", 0) if isinstance(library, str) else (library.machine, library.page_bytes)
        yield LibraryCheck(member.name, machine, page_bytes, member.alignment, member.is_stored)


def _engine(apk: Apk) -> str:
    """The engine inside, by the version that its library carries; empty where there is none."""
    for member in apk.named(_ENGINE):
        version = _VERSION.search(apk.read(member.name))
        return f"tensorflow {version[1].decode()}" if version else "tensorflow, version unknown"
    return ""


def _signature(apk: Apk) -> tuple[str, str]:
    """In words, and what apksigner says against it."""
    if not apk.schemes:
        return "none", ""
    signer = shutil.which("apksigner")
    if signer is None:
        return "present, not verified", ""
    try:
        run_tool([signer, "verify", str(apk.path)], what="apksigner verify")
    except BuildError as error:
        return "does not verify", _fault_of(error.log_tail)
    return "verified by apksigner", ""


def _fault_of(log: str) -> str:
    """What apksigner says is wrong; its first line is only that something is."""
    lines = log.splitlines()
    found = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    return found[0] if found else lines[0] if lines else "apksigner does not verify it"


def _signature_findings(apk: Apk, signature: str, fault: str) -> Iterator[Finding]:
    if signature == "none":
        yield Finding("apk-unsigned", "error", "no system installs an unsigned APK", hint="apksigner sign")
    elif fault:
        yield Finding("apk-signature-broken", "error", fault, hint="sign it again, as the last step")
    elif signature == "present, not verified":
        yield Finding("apk-signature-unverified", "info", "apksigner is not there", hint="apt-get install apksigner")
    if "v1" in apk.schemes and len(apk.schemes) == 1 and apk.manifest.target_sdk >= 30:
        message = "only scheme v1, and it targets API 30 or later: Android 11 refuses it"
        yield Finding("apk-signature-scheme", "error", message, hint="sign with scheme v2 or later")


def _library_findings(apk: Apk, libraries: Sequence[LibraryCheck]) -> Iterator[Finding]:
    abis = sorted({library.name.split("/")[1] for library in libraries})
    if libraries and not {"arm64-v8a", "armeabi-v7a"} & set(abis):
        yield Finding("apk-no-arm", "error", f"native code for {', '.join(abis)} only: phones are ARM", "lib/")
    for library in libraries:
        if library.machine == "broken":
            yield Finding("apk-library-broken", "error", "is not a whole ELF library", library.name)
            continue
        if library.page_bytes < PAGE:
            message = f"its segments are aligned to {library.page_bytes} bytes: systems with 16 KiB pages run the app "
            message += "in a compatibility mode with a warning, or not at all"
            yield Finding("apk-library-page-size", "warning", message, library.name, "an engine built for 16 KiB pages")
        yield from _placing_findings(library, extracted=apk.manifest.extracts_libraries)


def _placing_findings(library: LibraryCheck, *, extracted: bool) -> Iterator[Finding]:
    if extracted:
        return
    if not library.is_stored:
        message = "is deflated, and the manifest says extractNativeLibs=false: the app will not install"
        yield Finding("apk-library-compressed", "error", message, library.name, "store it")
    elif library.zip_alignment < _LIGHT_PAGE:
        message = f"lies at a multiple of {library.zip_alignment} bytes: it cannot be mapped"
        yield Finding("apk-library-offset", "error", message, library.name, "zipalign -p 16384")
    elif library.zip_alignment < PAGE:
        message = f"lies at a multiple of {library.zip_alignment} bytes: systems with 16 KiB pages cannot map it"
        yield Finding("apk-library-offset", "warning", message, library.name, "zipalign 16384")


def _class_findings(apk: Apk) -> Iterator[Finding]:
    for name in apk.dex_with_lambdas():
        message = "holds invoke-custom: it calls Java's lambda machinery, which Android does not have"
        yield Finding("apk-invoke-custom", "error", message, name, "compile with d8, or write anonymous classes")
    if not apk.named(".dex"):
        yield Finding("apk-no-classes", "error", "holds no classes.dex")
    if apk.manifest.debuggable:
        yield Finding("apk-debuggable", "warning", "is debuggable: slower, and open to any debugger")


def _model_findings(apk: Apk, engine: str) -> Iterator[Finding]:
    for member in apk.models:
        if not member.is_stored:
            message = "is deflated, so that it cannot be mapped: the whole of it is copied into memory"
            yield Finding("apk-model-compressed", "error", message, member.name, "store it uncompressed")
        try:
            yield from version_findings(member.name, apk.read(member.name), engine)
        except EdgeSdkError as error:
            yield Finding("apk-model-damaged", "error", str(error), member.name)


def _npu_findings(apk: Apk) -> Iterator[Finding]:
    members = [member.name for member in apk.members]
    for member in apk.models:
        # A damaged one is a finding already.
        with contextlib.suppress(EdgeSdkError):
            for name, artifact, _ in _artifacts(member.name, apk.read(member.name)):
                yield from compiled_findings(name, artifact, members)


def _tried(apk: Apk, engine: str, python: Path) -> dict[str, str]:
    """Name of each model to what the engine has against it."""
    version = re.fullmatch(r"tensorflow ([\d.]+)", engine)
    if version is None:
        raise TargetError(f"{apk.path}: no model can be tried: it holds {engine or 'no engine that is known here'}")
    models: dict[str, bytes] = {}
    for member in apk.models:
        # A damaged one is a finding already.
        with contextlib.suppress(EdgeSdkError):
            models |= {name: data for name, _, data in _artifacts(member.name, apk.read(member.name))}
    return try_models(python, version[1], models)


def _trial_findings(engine: str, tried: Mapping[str, str]) -> Iterator[Finding]:
    for name, fault in tried.items():
        if fault:
            hint = "`edge-sdk convert --profile` for an Android device"
            yield Finding("apk-model-refused", "error", f"does not run in {engine}: {fault}", name, hint)


def _artifacts(name: str, content: bytes) -> Iterator[tuple[str, Artifact, bytes]]:
    if name.endswith(".tflite"):
        yield name, parse_artifact(content, path=Path(name)), content
        return
    from edge_sdk.bundle.reading import open_bundle

    with temporary_folder("android") as folder:
        path = Path(folder) / Path(name).name
        path.write_bytes(content)
        with open_bundle(path) as bundle:
            bundle.verify_all()
            for variant in bundle.manifest.variants:
                yield f"{name}, variant {variant.id}", bundle.artifact(variant.id), bytes(bundle.model(variant.id))


def version_findings(name: str, content: bytes, engine: str) -> Iterator[Finding]:
    """Ops of a model, or of each variant in a bundle, that an engine such as ``tensorflow 2.16.1`` does not have.

    Raises:
        EdgeSdkError: the file is damaged.
    """
    for label, artifact, _ in _artifacts(name, content):
        yield from _version_findings(label, artifact, engine)


def _version_findings(name: str, artifact: Artifact, engine: str) -> Iterator[Finding]:
    if engine not in measured_runtimes():
        what = f"what {engine} accepts was not measured" if engine else "the APK holds no engine that is known here"
        yield Finding("apk-engine-unknown", "info", f"op versions not checked: {what}", name)
        return
    for op, version in missing_ops(artifact, engine):
        message = f"needs {op} version {version}, which {engine} in this APK does not have: it will not load"
        yield Finding("apk-op-version", "error", message, name, "`edge-sdk convert --profile` for an Android device")


def _parts(apk: Apk) -> dict[str, int]:
    """Bytes in the APK by kind; what is no member (headers, signature, padding) is ``other``."""
    parts: dict[str, int] = {}
    for member in apk.members:
        kind = "models" if member in apk.models else member.name.split("/")[0]
        parts[kind] = parts.get(kind, 0) + member.packed_bytes
    parts["other"] = apk.size_bytes - sum(parts.values())
    return parts
