"""Each tutorial is run from its folder of examples, and comes to what its page says.

Bounds on a difference in accuracy are three standard errors of the paired difference where 2 % of samples change their
class, rounded up; a tutorial that shows a loss must show it.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.docs.pages import DOCS, ROOT, prepare, run_page

EXAMPLES = ROOT / "examples"

ACCURACY = re.compile(r"^(\S+): test accuracy ([\d.]+)%", re.MULTILINE)
OWN = {
    "image-classifier": ("keras", "images"),
    "pytorch-vision": ("torch",),
    "detection": ("torch",),
    "keyword-spotting": ("torch",),
    "text-classification": ("torch",),
    "recommender": ("keras",),
    "int8-lost-accuracy": ("keras",),
}
"""Tutorial with a folder of its own to the extras that it wants."""
ON_THE_DEMO = ("int8-is-slower", "raspberry-pi", "ci-gate")
_SPEAKS = pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="apt-get install espeak-ng")


def _case(name: str, extras: tuple[str, ...]) -> Any:
    marks = [getattr(pytest.mark, extra) for extra in extras]
    spoken = [_SPEAKS] if name == "keyword-spotting" else []
    # Spread over processes: each is long, and they share nothing.
    return pytest.param(name, marks=[*marks, *spoken, pytest.mark.xdist_group(f"tutorial-{name}")])


@pytest.mark.slow
@pytest.mark.parametrize("name", [_case(name, extras) for name, extras in OWN.items()])
def test_tutorial(name: str, tmp_path: Path) -> None:
    prepare(name, tmp_path / name)
    said = run_page(DOCS / "tutorials" / f"{name}.md", tmp_path / name)
    CHECKS[name](said)


@pytest.mark.keras
@pytest.mark.torch
@pytest.mark.slow
@pytest.mark.parametrize("name", ON_THE_DEMO)
def test_tutorial_on_the_demo(name: str, tmp_path: Path, demo: tuple[Path, Any]) -> None:
    prepare(name, tmp_path / name, demo[0])
    said = run_page(DOCS / "tutorials" / f"{name}.md", tmp_path / name)
    assert "predicted to fit" in said
    if name == "int8-is-slower":  # the reasons, not the times: those are the machine's
        assert re.search(r"xnnpack +on cpu: none; .*\n.* is int16, XNNPACK takes float32", said), said
        assert "6 weight expansions" in said


@pytest.mark.keras
@pytest.mark.torch
@pytest.mark.slow
def test_notebook(tmp_path: Path, demo: tuple[Path, Any]) -> None:
    """Its cells, in order, as one program; each ends in a value that shows itself, in HTML too where it can."""
    shutil.copytree(demo[0], tmp_path / "demo_output")
    cells = json.loads((EXAMPLES / "first-steps.ipynb").read_text(encoding="utf-8"))["cells"]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    values = [last if (last := cell.splitlines()[-1]).isidentifier() else "" for cell in code]
    shown = [f"{cell}\nprint({value})" for cell, value in zip(code, values, strict=True)]
    command = [sys.executable, "-c", "\n".join(shown)]
    done = subprocess.run(command, cwd=tmp_path / "demo_output", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "xnnpack" in done.stdout
    assert all(cell.get("outputs", []) == [] for cell in cells), "outputs are the reader's own"


def test_every_tutorial_is_run() -> None:
    pages = {path.stem for path in (DOCS / "tutorials").glob("*.md")} - {"index"}
    assert pages == {*OWN, *ON_THE_DEMO}


def _close(said: str, source: str, others: tuple[str, ...], points: float, least: float) -> dict[str, float]:
    found = {name: float(share) for name, share in ACCURACY.findall(said)}
    assert found[source] >= least, said
    for other in others:
        assert found[other] >= found[source] - points, said
    return found


def _image_classifier(said: str) -> None:
    _close(said, "source", ("float16", "static_wi8_ai8"), 2.3, 85)
    assert re.search(r"first run, largest: seven", said), "the folder of sevens, as the bundle processes it"


def _pytorch_vision(said: str) -> None:
    _close(said, "source", ("float32.npz", "float16.npz", "static_wi8_ai8.npz"), 2.3, 85)


def _keyword_spotting(said: str) -> None:
    _close(said, "source", ("float32.npz", "int8.npz"), 5.5, 60)


def _text_classification(said: str) -> None:
    _close(said, "source", ("float32.npz", "dynamic.npz", "int8.npz"), 2.3, 60)


def _lost_accuracy(said: str) -> None:
    found = _close(said, "source", ("float32.npz", "inner_int8.npz", "dynamic.npz"), 3.1, 90)
    assert found["int8.npz"] < found["source"] - 3.1, "the page shows a loss"
    assert "accuracy lost" in said


def _detection(said: str) -> None:
    found = {name: float(value) for name, value in re.findall(r"^(\w+)\.npz: mAP at 0\.5 ([\d.]+)", said, re.MULTILINE)}
    assert found["source"] > 0.15
    assert found["joined_only"] < found["split_only"] - 0.05, "the page shows a loss"
    assert min(found["joined_int8"], found["split_only"]) > found["source"] - 0.05
    assert "shared-scale" in said


def _recommender(said: str) -> None:
    found = {name: float(value) for name, value in re.findall(r"^(\w+)\.npz: RMSE ([\d.]+)", said, re.MULTILINE)}
    assert found["source"] < 0.6, "naming the mean has 1.08, the noise 0.3"
    assert abs(found["float32"] - found["source"]) < 0.002
    assert found["int8"] < found["source"] + 0.05


CHECKS = {
    "image-classifier": _image_classifier,
    "pytorch-vision": _pytorch_vision,
    "detection": _detection,
    "keyword-spotting": _keyword_spotting,
    "text-classification": _text_classification,
    "recommender": _recommender,
    "int8-lost-accuracy": _lost_accuracy,
}
