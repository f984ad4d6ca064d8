"""Pictures, and the page in a real browser."""

from __future__ import annotations

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
from edge_sdk.report.benchmark_pictures import check_drawable, draw, write_pictures
from edge_sdk.report.html.kinds import page_of
from tests.browser import check_alone, in_a_browser, seen
from tests.measure.simulated import Model, Simulation

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


def test_the_page_stands_alone_and_says_what_was_found(found: Benchmark) -> None:
    page = page_of(found.as_json()).html()
    check_alone(page)
    assert "&lt;b&gt;base&lt;/b&gt; &amp; co" in page
    for words in ("✗ INVALID", "Why INVALID", "candidate", "INVALID, slower", "10 others", "others", "SHA-256"):
        assert words in page
    assert page == page_of(found.as_json()).html()


@in_a_browser
@pytest.mark.parametrize("width", [400, 1400])
def test_the_page_in_a_browser(found: Benchmark, width: int, tmp_path: Path) -> None:
    page = page_of(found.as_json()).html()
    assert seen(page, width, tmp_path) == (width, page.count("<svg"), 0)
    assert page.count("<svg") == 2 * len(found.results) + len(found.comparisons)


def test_without_matplotlib_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge_sdk.report.benchmark_pictures.find_spec", lambda name: None)
    with pytest.raises(MissingDependencyError) as caught:
        check_drawable()
    assert caught.value.hint == "pip install 'edge-sdk[report]'"


@drawn
def test_a_folder_that_cannot_be_written_is_told_before_anything_is_measured(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="is a file, not a folder"):
        check_drawable(tmp_path / "file")
