"""Test accuracy of a bundle: each photo through its own processing, by its session."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image

import edge_sdk

names = Path("labels.txt").read_text().split()
for variant in ("float16", "static_wi8_ai8"):
    right = count = 0
    with edge_sdk.Session.open(sys.argv[1], variant=variant) as session:
        for photo in sorted(Path("test").rglob("*.jpg")):
            pixels = np.asarray(Image.open(photo), np.float32)[np.newaxis]
            scores = session.run({"photo": pixels})["scores"]
            right += names[int(scores.argmax())] == photo.parent.name
            count += 1
    print(f"{variant}: test accuracy {right / count:.1%} of {count} photos")
