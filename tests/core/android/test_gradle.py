"""Gradle's files say what android.properties and deps.lock say: nobody builds by them here."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

from edge_sdk.android.locked import read_lock
from edge_sdk.android.properties import project, read_properties

APP = (project() / "app/build.gradle.kts").read_text(encoding="utf-8")


def test_dependencies_are_the_locked_ones() -> None:
    said = set(re.findall(r'implementation\("([^"]+)"\)', APP))
    locked = {
        one.coordinates.rpartition(":")[0] for one in read_lock(project()).values() if one.use in ("runtime", "library")
    }
    assert said == locked


def test_numbers_and_ids_come_from_the_properties() -> None:
    for key in ("compileSdk", "minSdk", "targetSdk", "versionCode"):
        assert f'{key} = number("{key}")' in APP
    for key in ("applicationId", "versionName"):
        assert f'{key} = text("{key}")' in APP
    assert 'text("abis").split(",")' in APP
    app = read_properties(project())
    assert f'namespace = "{app.application_id}"' in APP, "R is generated there; aapt2 takes the application id"
    engine = read_lock(project())["tensorflow-lite"].coordinates
    assert engine == f"org.tensorflow:tensorflow-lite:{app.tflite}:aar"


def test_the_results_are_shared_under_the_apps_own_name() -> None:
    manifest = ET.parse(project() / "app/src/main/AndroidManifest.xml")
    name = "{http://schemas.android.com/apk/res/android}"
    (provider,) = manifest.iter("provider")
    assert provider.get(f"{name}authorities") == f"{read_properties(project()).application_id}.results"
    assert provider.get(f"{name}exported") == "false"
    exported = [one.get(f"{name}name") for one in manifest.iter("activity") if one.get(f"{name}exported") == "true"]
    assert exported == ["dev.edgesdk.demo.MainActivity", "dev.edgesdk.demo.HeadlessActivity"]
    assert not list(manifest.iter("uses-permission"))


def test_plugin_and_folders_are_named() -> None:
    assert re.search(
        r'id\("com\.android\.application"\) version "\d+\.\d+\.\d+"',
        (project() / "build.gradle.kts").read_text(encoding="utf-8"),
    )
    assert 'include(":app")' in (project() / "settings.gradle.kts").read_text(encoding="utf-8")
