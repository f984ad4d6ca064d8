"""``edge-sdk android build``: one APK from sources and bundles, the same bytes each time."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edge_sdk.android.archive import Entry, write_archive
from edge_sdk.android.checking import version_findings
from edge_sdk.android.compiling import (
    archive_entries,
    check_reader,
    compile_java,
    link_resources,
    make_dex,
    unpack_libraries,
)
from edge_sdk.android.locked import LockedArtifact, announce, fetch, read_lock
from edge_sdk.android.properties import check_abis, project, read_properties
from edge_sdk.android.reachable import keep_reachable
from edge_sdk.android.signing import SigningKey, debug_key, sign
from edge_sdk.android.toolchain import find_toolchain, has_sdk
from edge_sdk.errors import RecipeError
from edge_sdk.files import check_writable, replacing
from edge_sdk.findings import Finding, has_error
from edge_sdk.folders import temporary_folder
from edge_sdk.progress import Progress, Silent

_MODELS = "assets/models/"


@dataclass(frozen=True)
class BuildReport:
    """What was built: sizes in bytes; ``parts`` maps a kind of content to its bytes before packing.

    ``findings`` are ops of its models that the engine inside does not have.
    """

    path: str
    application_id: str
    version_name: str
    abis: tuple[str, ...]
    models: tuple[str, ...]
    toolchain: str
    dexer: str
    key: str
    sha256: str
    size_bytes: int
    parts: dict[str, int]
    findings: tuple[Finding, ...]

    @property
    def is_fit(self) -> bool:
        """Whether each model will load, as far as its ops tell."""
        return not has_error(self.findings)

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)


def build(
    output: Path,
    *,
    bundles: Sequence[Path] = (),
    abis: Sequence[str] = (),
    key: SigningKey | None = None,
    trusted_keys: Sequence[Path] = (),
    progress: Progress | None = None,
) -> BuildReport:
    """Builds the demo app.

    Args:
        output: the APK.
        bundles: ``.edge`` or ``.tflite`` files that it carries; each is verified first.
        abis: native code for these, instead of those of ``android.properties``.
        key: None takes the debug key.
        trusted_keys: public keys (PEM): the app then opens only what one of them signed, in the APK or not.
        progress: hears of the steps.

    Raises:
        MissingDependencyError: extra ``android`` is not installed.
        MissingToolError: no JDK, Maven or apksigner, each with what to install.
        BuildError: a tool failed, or a fetched file is not the one that was locked.
        ModelError: a model is damaged.
        BundleError: a bundle is damaged, or not signed by a trusted key.
        RecipeError: two models have one name, or no engine is built for an ABI.
    """
    progress = progress or Silent()
    check_writable(output)
    check_reader()
    folder = project()
    app, lock = read_properties(folder), read_lock(folder)
    wanted = check_abis(list(abis)) if abis else app.abis
    models = [*_models(bundles, trusted_keys), *_keys(trusted_keys)]
    engine = f"tensorflow {app.tflite}"
    findings = tuple(one for path in bundles for one in version_findings(path.name, path.read_bytes(), engine))
    announce(_used(lock, "runtime", "library", *(() if has_sdk() else ("tool",))), progress)
    tools = find_toolchain(app, lock, progress)
    archives = fetch(_used(lock, "runtime"), progress)
    libraries = fetch(_used(lock, "library"), progress)
    with temporary_folder("android") as made, replacing(output) as temporary:
        work = Path(made)
        progress.stage("resources: aapt2")
        base, generated = link_resources(tools, folder, app, work)
        jars, natives = unpack_libraries(archives.values(), wanted, folder, work)
        progress.stage("classes: javac")
        jar = compile_java(tools, [folder / "app/src/main/java", generated], [*jars, *libraries.values()], work)
        jars += [keep_reachable(one, [jar], work / f"used-{one.name}") for one in libraries.values()]
        progress.stage(f"dex: {tools.dexer}")
        dex = make_dex(tools, [jar, *jars], app, work)
        progress.stage("package and sign")
        entries = [*archive_entries(base), *dex, *natives, *models]
        unsigned = work / "unsigned.apk"
        write_archive(unsigned, entries)
        key = key or debug_key(tools)
        sign(tools, unsigned, temporary, key, min_sdk=app.min_sdk)
        content = temporary.read_bytes()
    return BuildReport(
        path=str(output),
        application_id=app.application_id,
        version_name=app.version_name,
        abis=wanted,
        models=tuple(Path(one.name).name for one in models if one.name.startswith(_MODELS)),
        toolchain=tools.origin,
        dexer=tools.dexer,
        key="debug" if key.is_debug else f"{key.alias} in {key.keystore.name}",
        sha256=hashlib.sha256(content).hexdigest(),
        size_bytes=len(content),
        parts=_parts(entries),
        findings=findings,
    )


def _used(lock: Mapping[str, LockedArtifact], *uses: str) -> list[LockedArtifact]:
    return [one for one in lock.values() if one.use in uses]


def _models(paths: Iterable[Path], trusted_keys: Sequence[Path]) -> list[Entry]:
    """Models as assets, each verified: on a phone a damaged one would be found too late."""
    entries: dict[str, Entry] = {}
    for path in paths:
        _verify(path, trusted_keys)
        name = f"{_MODELS}{path.name}"
        if name in entries:
            raise RecipeError(f"two models are called {path.name}", hint="rename one: the app lists them by name")
        entries[name] = Entry(name, path)
    return list(entries.values())


def _keys(paths: Iterable[Path]) -> list[Entry]:
    """Public keys as assets, numbered, for two may have one name."""
    if not paths:
        return []
    from edge_sdk.bundle.signing import load_public_key

    entries = []
    for number, path in enumerate(paths):
        load_public_key(path)
        entries.append(Entry(f"assets/keys/{number}.pem", path))
    return entries


def _verify(path: Path, trusted_keys: Sequence[Path]) -> None:
    if path.suffix == ".tflite" and trusted_keys:
        raise RecipeError(f"{path}: a bare .tflite carries no signature", hint="make it a bundle, with --sign")
    if path.suffix == ".tflite":
        from edge_sdk.artifact import read_artifact

        read_artifact(path)
    elif path.suffix == ".edge":
        from edge_sdk.bundle.reading import open_bundle

        with open_bundle(path, trusted_keys=list(trusted_keys)) as bundle:
            bundle.verify_all()
    else:
        raise RecipeError(f"{path}: expected an .edge bundle or a .tflite file")


def _parts(entries: Sequence[Entry]) -> dict[str, int]:
    parts: dict[str, int] = {}
    for entry in entries:
        kind = entry.name.split("/")[0]
        size = len(entry.content) if isinstance(entry.content, bytes) else entry.content.stat().st_size
        parts[kind] = parts.get(kind, 0) + size
    return parts
