"""One import namespace: the package list, the links and the built wheel say the same."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[1]
SETTINGS: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
MAPPED = {
    "edge_sdk.android_demo": "android_demo",
    "edge_sdk.converters": "converters",
    "edge_sdk.device_profiles": "device_profiles",
}


def test_package_list_is_what_is_on_disk() -> None:
    found = {
        ".".join(path.parent.relative_to(ROOT).parts)
        for path in (ROOT / "edge_sdk").rglob("__init__.py")
        if not {"converters", "android_demo"} & set(path.parts)
    }
    for name, folder in MAPPED.items():
        for path in (ROOT / folder).rglob("__init__.py"):
            found.add(".".join((name, *path.parent.relative_to(ROOT / folder).parts)))
    assert sorted(found) == sorted(SETTINGS["packages"])


def test_links_point_where_the_mapping_says() -> None:
    mapping = {name: folder for name, folder in SETTINGS["package-dir"].items() if name != "edge_sdk"}
    assert mapping == MAPPED
    for name, folder in mapping.items():
        link = ROOT / name.replace(".", "/")
        assert link.is_symlink(), link
        assert link.resolve() == (ROOT / folder).resolve()


def test_every_data_file_is_packaged() -> None:
    patterns = SETTINGS["package-data"]
    for package, folder in (
        ("edge_sdk.android_demo", "android_demo"),
        ("edge_sdk.artifact", "edge_sdk/artifact"),
        ("edge_sdk.bundle", "edge_sdk/bundle"),
        ("edge_sdk.measure", "edge_sdk/measure"),
        ("edge_sdk.metadata", "edge_sdk/metadata"),
        ("edge_sdk.converters.recipes", "converters/recipes"),
        ("edge_sdk.device_profiles", "device_profiles"),
        ("edge_sdk.device_profiles.rules", "device_profiles/rules"),
        ("edge_sdk.device_profiles.socs", "device_profiles/socs"),
    ):
        data = [p for p in (ROOT / folder).iterdir() if p.is_file() and p.suffix != ".py"]
        assert data
        assert all(any(p.match(pattern) for pattern in patterns[package]) for p in data), package


@pytest.mark.slow
def test_wheel_holds_one_top_level_package(tmp_path: Path) -> None:
    """Built from a copy without the links, as on a system that has none, it is the same wheel."""
    copy = tmp_path / "copy"
    ignored = shutil.ignore_patterns(".git", ".venv*", "*.egg-info", "build", "demo_output", "__pycache__")
    shutil.copytree(ROOT, copy, symlinks=True, ignore=ignored)
    for name in MAPPED:
        (copy / name.replace(".", "/")).unlink()
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(copy)],
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names if ".dist-info" not in name} == {"edge_sdk"}
    for wanted in (
        "edge_sdk/py.typed",
        "edge_sdk/artifact/tflite.schema",
        "edge_sdk/artifact/op_versions.json",
        "edge_sdk/android_demo/app/src/main/AndroidManifest.xml",
        "edge_sdk/bundle/FORMAT.md",
        "edge_sdk/metadata/metadata.schema",
        "edge_sdk/metadata/min_runtime.json",
        "edge_sdk/converters/__init__.py",
        "edge_sdk/device_profiles/rules/xnnpack.toml",
        "edge_sdk/converters/recipes/static_wi8_ai8.toml",
    ):
        assert wanted in names, wanted
