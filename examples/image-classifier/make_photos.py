"""scikit-learn's handwritten digits as JPEGs, a folder for each class: real data, as people have theirs."""

from __future__ import annotations

from pathlib import Path

from PIL import Image
from sklearn.datasets import load_digits

NAMES = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]

digits = load_digits()
for number, (pixels, target) in enumerate(zip(digits.images, digits.target, strict=True)):
    # One in five is for the test, one in fifteen for calibration; no photo is in two sets.
    kind = "test" if number % 5 == 0 else "calibration" if number % 15 == 1 else "train"
    # The calibration's photos lie in one folder: their classes do not matter.
    folder = Path(kind) if kind == "calibration" else Path(kind) / NAMES[target]
    folder.mkdir(parents=True, exist_ok=True)
    photo = Image.fromarray((pixels * 255 / 16).astype("uint8")).resize((32, 32)).convert("RGB")
    photo.save(folder / f"{number:04d}.jpg", quality=95)
Path("labels.txt").write_text("\n".join(NAMES) + "\n")
