"""The APK with the demo's own model: `edge-sdk demo`'s CNN on digits, converted and bundled."""

from __future__ import annotations

import resource
from pathlib import Path
from typing import Any

import pytest

from edge_sdk.android.apk import Apk
from edge_sdk.android.building import build
from edge_sdk.bundle.asked import ProcessingOptions
from edge_sdk.bundle.creating import create_bundle
from edge_sdk.bundle.options import Golden
from edge_sdk.bundle.verifying import verify_bundle

RECIPES = ("float32", "static_wi8_ai8")
_MOST_BYTES = 12 << 20
_MOST_CPU_S = 30.0
pytestmark = [pytest.mark.android, pytest.mark.keras, pytest.mark.slow]


def digits_bundle(demo: Path, folder: Path) -> Path:
    """What the demo made of Keras' digits, bundled; the golden inputs are test images."""
    labels = folder / "labels.txt"
    labels.write_text("".join(f"{digit}\n" for digit in range(10)), encoding="utf-8")
    create_bundle(
        [demo / f"digits_keras_{recipe}.tflite" for recipe in RECIPES],
        folder / "digits.edge",
        golden=Golden(data=str(demo / "digits_keras_test.npz")),
        processing=ProcessingOptions(labels={"": labels}, top_k=3),
    )
    return folder / "digits.edge"


def test_its_size_and_what_building_it_takes(tmp_path: Path, demo: tuple[Path, Any]) -> None:
    bundle = digits_bundle(demo[0], tmp_path)
    verify_bundle(bundle)
    apk = tmp_path / "demo.apk"
    build(apk, bundles=[bundle], abis=["arm64-v8a"])
    before = _children_s()
    report = build(apk, bundles=[bundle], abis=["arm64-v8a"])
    # Processor time, for other programs on this machine are no part of the build; everything was fetched before.
    assert _children_s() - before < _MOST_CPU_S
    assert report.models == ("digits.edge",)
    assert apk.stat().st_size <= _MOST_BYTES
    (placed,) = Apk(apk).models
    assert Apk(apk).read(placed.name) == bundle.read_bytes()


def _children_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
