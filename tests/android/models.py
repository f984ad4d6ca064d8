"""What the app's tests run: bundles and files like those of users, made by code, with golden outputs from here."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from edge_sdk.android.archive import Entry, write_archive
from edge_sdk.bundle.asked import ProcessingOptions
from edge_sdk.bundle.creating import create_bundle
from edge_sdk.bundle.options import Golden, Signing
from edge_sdk.bundle.signing import make_keys
from edge_sdk.data.images import ImageOptions
from tests.graphs import Graph, conv_model, options


def write_models(folder: Path) -> list[Path]:
    """``digits.edge`` (8 x 8 floats, ten labels), ``pictures.edge`` (RGB, 8 x 8) and ``plain.tflite``."""
    (folder / "labels.txt").write_text("".join(f"digit {number}\n" for number in range(10)), encoding="utf-8")
    (folder / "digits.tflite").write_bytes(digits_like())
    plain = folder / "plain.tflite"
    plain.write_bytes(conv_model())
    digits = folder / "digits.edge"
    labels = ProcessingOptions(labels={"": folder / "labels.txt"}, top_k=3)
    create_bundle([folder / "digits.tflite"], digits, golden=Golden(samples=2), processing=labels)
    pictures = folder / "pictures.edge"
    processing = ProcessingOptions(images=ImageOptions(), top_k=2)
    create_bundle([plain], pictures, golden=Golden(samples=2), processing=processing)
    return [digits, pictures, plain]


def write_overlays(folder: Path, models: Path) -> None:
    """What lies over the app's assets in some tests, each an archive, and bundles that a key of them signed or did not.

    ``keyed.apk`` has a trusted key, ``broken-key.apk`` one that is none, ``flipped.apk`` the bundle ``flipped.edge``;
    ``signed.edge`` is signed by the key, ``stranger.edge`` by another.
    """
    for name in ("signed", "stranger"):
        make_keys(models / f"{name}.pem")
        signing = Signing((models / f"{name}.pem",))
        create_bundle([models / "digits.tflite"], folder / f"{name}.edge", golden=Golden(samples=2), signing=signing)
    write_archive(folder / "keyed.apk", [Entry("assets/keys/0.pem", models / "signed.pem.pub")])
    write_archive(folder / "broken-key.apk", [Entry("assets/keys/0.pem", b"no key at all")])
    flipped = bytearray((models / "digits.edge").read_bytes())
    flipped[flipped.index(b"TFL3") + 100] ^= 1
    write_archive(folder / "flipped.apk", [Entry("assets/models/flipped.edge", bytes(flipped))])


def digits_like() -> bytes:
    """``image (1, 8, 8, 1) -> FULLY_CONNECTED -> scores (1, 10)`` with weights from a seed."""
    generator = np.random.default_rng(0)
    graph = Graph()
    image = graph.tensor("image", (1, 8, 8, 1))
    weights = graph.constant("weights", generator.standard_normal((10, 64)).astype(np.float32))
    offset = graph.constant("offset", generator.standard_normal(10).astype(np.float32))
    scores = graph.tensor("scores", (1, 10))
    graph.op("FULLY_CONNECTED", (image, weights, offset), (scores,), options("FullyConnectedOptions"))
    return graph.finish((image,), (scores,))
