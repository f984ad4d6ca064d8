"""What Robolectric needs of the app: classes, resources and assets, as they go into the APK."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path

from edge_sdk.android.archive import Entry, write_archive
from edge_sdk.android.compiling import archive_entries, compile_java, link_resources, unpack_libraries
from edge_sdk.android.locked import cache_folder, fetch, read_lock
from edge_sdk.android.properties import project, read_properties
from edge_sdk.android.toolchain import find_toolchain
from edge_sdk.progress import Silent

_CONFIG = "com/android/tools/test_config.properties"


def prepare(work: Path, models: Sequence[Path]) -> list[str]:
    """Fills a folder; returns the words that tell Maven of it."""
    folder = project()
    app, lock = read_properties(folder), read_lock(folder)
    tools = find_toolchain(app, lock, Silent())
    found = fetch([one for one in lock.values() if one.use != "tool"], Silent())
    archives = [found[one.name] for one in lock.values() if one.use == "runtime"]
    libraries = [found[one.name] for one in lock.values() if one.use == "library"]
    resources, generated = link_resources(tools, folder, app, work)
    jars, _ = unpack_libraries(archives, app.abis, folder, work)
    compile_java(tools, [folder / "app/src/main/java", generated], [*jars, *libraries], work)
    _merge([*jars, *libraries], work / "libraries.jar")
    packed = work / "resources.apk"
    entries = [Entry(f"assets/models/{model.name}", model) for model in models]
    write_archive(packed, [*archive_entries(resources), *entries])
    config = work / "config" / _CONFIG
    config.parent.mkdir(parents=True)
    told = {
        "android_merged_manifest": work / "AndroidManifest.xml",
        "android_resource_apk": packed,
        "android_custom_package": app.application_id,
    }
    config.write_text("".join(f"{key}={value}\n" for key, value in told.items()), encoding="utf-8")
    return [f"-Dedge.work={work}", f"-Dedge.cache={cache_folder()}"]


def _merge(jars: Sequence[Path], output: Path) -> None:
    names: set[str] = set()
    with zipfile.ZipFile(output, "w") as merged:
        for jar in jars:
            with zipfile.ZipFile(jar) as archive:
                for name in archive.namelist():
                    if name.endswith(".class") and name not in names and not name.startswith("META-INF/"):
                        names.add(name)
                        merged.writestr(name, archive.read(name))
