"""Real text that every Python has: which package of the standard library does this docstring come from?"""

from __future__ import annotations

import ast
import re
import sysconfig
from collections import Counter
from pathlib import Path

import numpy as np

PACKAGES = ["asyncio", "email", "tkinter", "unittest"]
LENGTH, VOCABULARY = 24, 1000


def docstrings(package: str) -> list[str]:
    """Of all classes and functions, tests left out."""
    found = []
    for path in sorted((Path(sysconfig.get_path("stdlib")) / package).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8", errors="replace"))):
            if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                text = ast.get_docstring(node)
                # The package's own name would be the answer.
                found.append(re.sub(package, "", text or "", flags=re.IGNORECASE))
    return sorted({text for text in found if len(text.split()) >= 6})


texts = [(text, label) for label, package in enumerate(PACKAGES) for text in docstrings(package)]
words = [re.findall(r"[a-z]+", text.lower())[:LENGTH] for text, _ in texts]
test = np.arange(len(texts)) % 4 == 0
known = Counter(word for row, held in zip(words, test, strict=True) if not held for word in row)
# 0 fills up, 1 is a word that training has not seen.
index = {word: number + 2 for number, (word, _) in enumerate(known.most_common(VOCABULARY - 2))}
tokens = np.zeros((len(texts), LENGTH), np.int32)
for row, said in zip(tokens, words, strict=True):
    row[: len(said)] = [index.get(word, 1) for word in said]
labels = np.array([label for _, label in texts])
np.savez("train.npz", tokens=tokens[~test], targets=labels[~test])
np.savez("calibration.npz", tokens=tokens[~test][::3])
np.savez("test.npz", tokens=tokens[test])
np.save("test_labels.npy", labels[test])
counts = dict(zip(PACKAGES, np.bincount(labels).tolist(), strict=True))
print(f"{(~test).sum()} docstrings to train on, {test.sum()} to test; {counts}")
