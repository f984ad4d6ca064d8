"""Test accuracy of a bundle: each photo through the processing that the bundle holds, as the app does it."""

from __future__ import annotations

import sys
from pathlib import Path

import edge_sdk
from edge_sdk.bundle.processing import preprocess
from edge_sdk.data.images import read_picture

photos = sorted(Path("test").rglob("*.jpg"))
for variant in ("float16", "static_wi8_ai8"):
    with edge_sdk.Session.open(sys.argv[1], variant=variant) as session:
        assert session.bundle is not None
        processing = session.bundle.manifest.processing.input("photo")
        assert processing is not None, "the bundle says how a photo becomes an input"
        names = session.bundle.labels("scores")
        right = 0
        for photo in photos:
            scores = session.run({"photo": preprocess(read_picture(photo), processing)})["scores"]
            right += names[int(scores.argmax())] == photo.parent.name
    print(f"{variant}: test accuracy {right / len(photos):.1%} of {len(photos)} photos")
