"""Keys that an app trusts: what they did not sign gets into no APK."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_sdk.android.apk import Apk
from edge_sdk.android.building import build
from edge_sdk.bundle.creating import create_bundle
from edge_sdk.bundle.options import Signing
from edge_sdk.bundle.signing import make_keys
from edge_sdk.errors import BundleError, RecipeError
from tests.graphs import conv_model

pytestmark = [pytest.mark.android, pytest.mark.runtime, pytest.mark.signing]


@pytest.fixture
def key(tmp_path: Path) -> Path:
    """A public key; the private one lies beside it as ``key.pem``."""
    public, _ = make_keys(tmp_path / "key.pem")
    return public


def test_a_signed_bundle_and_the_key_are_in_the_apk(tmp_path: Path, key: Path) -> None:
    model, bundle, apk = tmp_path / "m.tflite", tmp_path / "m.edge", tmp_path / "demo.apk"
    model.write_bytes(conv_model())
    create_bundle([model], bundle, signing=Signing((tmp_path / "key.pem",)))
    report = build(apk, bundles=[bundle], trusted_keys=[key])
    assert report.models == ("m.edge",)
    assert Apk(apk).read("assets/keys/0.pem") == key.read_bytes()


def test_what_is_not_signed_is_refused(tmp_path: Path, key: Path) -> None:
    model, bundle, apk = tmp_path / "m.tflite", tmp_path / "m.edge", tmp_path / "demo.apk"
    model.write_bytes(conv_model())
    create_bundle([model], bundle)
    with pytest.raises(BundleError, match="unsigned"):
        build(apk, bundles=[bundle], trusted_keys=[key])
    with pytest.raises(RecipeError, match="carries no signature"):
        build(apk, bundles=[model], trusted_keys=[key])
    with pytest.raises(BundleError, match="not a readable public key"):
        build(apk, trusted_keys=[tmp_path / "key.pem"])
    assert not apk.exists()
