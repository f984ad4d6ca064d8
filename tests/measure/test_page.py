"""Pictures, and the page in a real browser."""

from __future__ import annotations

import shutil
import subprocess
import xml.etree.ElementTree as ET
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest

from edge_sdk.errors import MissingDependencyError, OutputError
from edge_sdk.measure.measuring import measure
from edge_sdk.measure.plan import Plan
from edge_sdk.measure.records import Benchmark
from edge_sdk.measure.timed import OpProfile, OpTime
from edge_sdk.progress import Silent
from edge_sdk.report.benchmark_page import page, write_page
from edge_sdk.report.benchmark_pictures import check_drawable, draw, write_pictures
from tests.measure.simulated import Model, Simulation

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
drawn = pytest.mark.skipif(not find_spec("matplotlib"), reason="pip install 'edge-sdk[report]'")


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Benchmark:
    """Two models on a busy machine, one with a name that is HTML, one with a profile of ops."""
    simulation = Simulation(tmp_path_factory.mktemp("machine"), hog=lambda at: 1.0)
    pair = [Model(simulation, 5.0, name="<b>base</b> & co"), Model(simulation, 6.0, name="candidate")]
    plan = Plan("custom", 60, 0.3)
    made = measure([one.subject() for one in pair], plan, machine=simulation.machine(), progress=Silent())
    ops = OpProfile("simulated", 10, tuple(OpTime(f"CONV_2D #{i}", 1.0 / (i + 1), 0.1) for i in range(30)))
    return replace(made, results=(replace(made.results[0], op_profile=ops), made.results[1]))


@drawn
def test_every_picture_is_drawn_and_the_same_each_time(found: Benchmark, tmp_path: Path) -> None:
    pictures = draw(found)
    assert [one.name for one in pictures] == ["latency", "distribution", "comparison", "ops_1"]
    assert [one.svg for one in draw(found)] == [one.svg for one in pictures]
    write_pictures(pictures, tmp_path)
    for one in pictures:
        root = ET.parse(tmp_path / f"{one.name}.svg").getroot()
        assert root.tag.endswith("svg")
    words = "".join(ET.fromstring(pictures[2].svg).itertext())
    assert "INVALID, slower" in words
    assert "candidate" in words


@drawn
def test_the_page_loads_nothing_and_runs_nothing(found: Benchmark) -> None:
    text = page(found, draw(found))
    assert "<script" not in text
    assert "<b>base</b>" not in text
    outside = [part.split('"')[0] for part in text.split('href="')[1:] if not part.startswith("#")]
    assert not outside
    assert 'src="' not in text
    ids = [part.split('"')[0] for part in text.split(' id="')[1:]]
    assert len(ids) == len(set(ids)), "two pictures share an id, and one would show the other's marks"


@drawn
@pytest.mark.skipif(BROWSER is None, reason="apt-get install chromium")
def test_the_page_in_a_browser(found: Benchmark, tmp_path: Path) -> None:
    path, shot = tmp_path / "report.html", tmp_path / "shot.png"
    write_page(found, draw(found), path)
    flags = [
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--hide-scrollbars",
        f"--user-data-dir={tmp_path / 'u'}",
    ]
    tree = browse(*flags, "--dump-dom", path.as_uri())
    assert tree.count("<svg") == 4
    assert "Why INVALID" in tree
    assert "&lt;b&gt;base&lt;/b&gt; &amp; co" in tree
    browse(*flags, "--window-size=1000,2400", f"--screenshot={shot}", path.as_uri())
    from matplotlib import image

    pixels = image.imread(shot)
    assert pixels.shape[:2] == (2400, 1000)
    # Okabe and Ito's blue and vermilion: marks of both results are seen, not a blank frame.
    for colour in ((0, 114, 178), (213, 94, 0)):
        near = (abs(pixels[..., :3] * 255 - colour) < 12).all(axis=2)
        assert near.sum() > 200


def browse(*arguments: str) -> str:
    done = subprocess.run([str(BROWSER), *arguments], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_without_matplotlib_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge_sdk.report.benchmark_pictures.find_spec", lambda name: None)
    with pytest.raises(MissingDependencyError) as caught:
        check_drawable()
    assert caught.value.hint == "pip install 'edge-sdk[report]'"


@drawn
def test_a_folder_that_is_not_there_is_told_before_anything_is_measured(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="no such folder"):
        check_drawable(tmp_path / "none")
