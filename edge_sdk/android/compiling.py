"""From sources, resources and AARs to what goes into an APK; each step is one tool."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from pathlib import Path

from edge_sdk.android.archive import Entry, write_archive
from edge_sdk.android.dex import lambda_machinery
from edge_sdk.android.properties import AppProperties
from edge_sdk.android.toolchain import Toolchain
from edge_sdk.android.tools import run_tool
from edge_sdk.errors import BuildError, MissingDependencyError

_MANIFEST = Path("app/src/main/AndroidManifest.xml")
_NAME = "{http://schemas.android.com/apk/res/android}name"


def link_resources(tools: Toolchain, project: Path, app: AppProperties, work: Path) -> tuple[Path, Path]:
    """aapt2: manifest and resources as ``base.apk``, and a folder with the generated ``R.java``."""
    main = project / "app/src/main"
    manifest = work / "AndroidManifest.xml"
    manifest.write_text(_with_package(project / _MANIFEST, app.application_id), encoding="utf-8")
    compiled, linked, generated = work / "resources.zip", work / "base.apk", work / "generated"
    run_tool([*tools.aapt2, "compile", "--dir", str(main / "res"), "-o", str(compiled)], what="aapt2 compile")
    levels = ["--min-sdk-version", str(app.min_sdk), "--target-sdk-version", str(app.target_sdk)]
    version = ["--version-code", str(app.version_code), "--version-name", app.version_name]
    paths = ["-I", str(tools.framework), "--manifest", str(manifest), "--java", str(generated), "-o", str(linked)]
    run_tool([*tools.aapt2, "link", *paths, *levels, *version, str(compiled)], what="aapt2 link")
    return linked, generated


def unpack_libraries(
    archives: Iterable[Path], abis: Sequence[str], project: Path, work: Path
) -> tuple[list[Path], list[Entry]]:
    """Class files of AARs, and their native libraries for the ABIs wanted.

    Raises:
        BuildError: an AAR's manifest has an element that the app's own has not; manifests are not merged.
    """
    jars, natives = [], []
    own = _elements((project / _MANIFEST).read_text(encoding="utf-8"))
    for path in archives:
        with zipfile.ZipFile(path) as aar:
            missing = _elements(aar.read("AndroidManifest.xml").decode()) - own
            if missing:
                raise BuildError(f"{path.name} wants {_listing(missing)} in the app's manifest", hint=str(_MANIFEST))
            jar = work / f"{path.stem}.jar"
            jar.write_bytes(aar.read("classes.jar"))
            jars.append(jar)
            wanted = [name for name in aar.namelist() if name.endswith(".so") and name.split("/")[1] in abis]
            natives += [Entry(f"lib/{name.removeprefix('jni/')}", aar.read(name)) for name in wanted]
    return jars, natives


def compile_java(tools: Toolchain, sources: Sequence[Path], jars: Sequence[Path], work: Path) -> Path:
    """javac, for Java 8: what dx reads and Android 8 knows. Returns a JAR with the same bytes each time."""
    classes = work / "classes"
    classes.mkdir()
    files = sorted(str(path) for folder in sources for path in folder.rglob("*.java"))
    listing = work / "sources.txt"
    listing.write_text("\n".join(files), encoding="utf-8")
    path = ":".join(map(str, [*jars, tools.framework]))
    # The class files of the AARs name annotations that are not there, which is no fault of ours.
    lint = ["-Xlint:all,-options,-processing,-classfile", "-Werror"]
    options = ["--release", "8", "-encoding", "UTF-8", "-proc:none", *lint]
    # Parameters and lines are in the class files, so that a stack trace of a user can be read.
    command = [*tools.javac, *options, "-g:source,lines", "-cp", path, "-d", str(classes), f"@{listing}"]
    run_tool(command, what="javac")
    jar = work / "app.jar"
    write_archive(jar, [Entry(str(one.relative_to(classes)), one) for one in classes.rglob("*.class")])
    return jar


def make_dex(tools: Toolchain, jars: Sequence[Path], app: AppProperties, work: Path) -> list[Entry]:
    """Dx or d8: Java classes as Android's.

    Raises:
        BuildError: a lambda or a string concatenation of Java 9 got in by dx, which Android cannot run.
    """
    output = work / "dex"
    output.mkdir()
    names = [str(jar) for jar in jars]
    if tools.dexer == "d8":
        levels = ["--min-api", str(app.min_sdk), "--lib", str(tools.framework)]
        run_tool([*tools.dex, "--release", *levels, "--output", str(output), *names], what="d8")
    else:
        level = f"--min-sdk-version={app.min_sdk}"
        run_tool([*tools.dex, level, f"--output={output / 'classes.dex'}", *names], what="dx")
    made = [Entry(path.name, path.read_bytes()) for path in sorted(output.glob("*.dex"))]
    for entry in made:
        if isinstance(entry.content, bytes) and lambda_machinery(entry.content):
            raise BuildError(
                f"{entry.name} holds invoke-custom, which Android answers with a crash",
                tool=tools.dexer,
                hint="write an anonymous class instead of a lambda or method reference",
            )
    return made


def archive_entries(path: Path) -> list[Entry]:
    """All files of an archive."""
    with zipfile.ZipFile(path) as archive:
        return [Entry(name, archive.read(name)) for name in archive.namelist() if not name.endswith("/")]


def _with_package(manifest: Path, application_id: str) -> str:
    """Gradle wants no ``package`` in the manifest, aapt2 wants one."""
    return manifest.read_text(encoding="utf-8").replace("<manifest ", f'<manifest package="{application_id}" ', 1)


def check_reader() -> None:
    """That manifests can be read here.

    Raises:
        MissingDependencyError: defusedxml is not installed.
    """
    if find_spec("defusedxml") is None:
        raise MissingDependencyError("defusedxml", extra="android", why="building the app")


def _elements(manifest: str) -> set[tuple[str, str]]:
    """Tag and name of all elements that ask for something."""
    from defusedxml import ElementTree

    found = {(one.tag, one.get(_NAME, "")) for one in ElementTree.fromstring(manifest).iter()}
    return {one for one in found if one[0] not in ("manifest", "uses-sdk", "application")}


def _listing(elements: set[tuple[str, str]]) -> str:
    return ", ".join(f"<{tag} {name}>" for tag, name in sorted(elements))
