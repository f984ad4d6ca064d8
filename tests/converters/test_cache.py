"""Conversions kept by content: the same is not made twice, and nothing else is taken for it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from edge_sdk.cli import cli
from edge_sdk.cli.cache import content_hash
from tests.graphs import conv_model

pytestmark = pytest.mark.runtime


def convert(source: Path, folder: Path, *more: str) -> Result:
    words = ["convert", str(source), "-o", str(folder / "out.tflite"), "--cache", str(folder / "cache"), *more]
    return CliRunner().invoke(cli, words, prog_name="edge-sdk")


def test_the_same_again_is_taken_from_the_cache(tflite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = convert(tflite, tmp_path)
    assert first.exit_code == 0, first.stderr
    made = (tmp_path / "out.tflite").read_bytes()
    (tmp_path / "out.tflite").unlink()
    with monkeypatch.context() as patched:
        # Whoever asks for a conversion now fails.
        patched.setattr("edge_sdk.converters.convert_all", None)
        again = convert(tflite, tmp_path, "--html", str(tmp_path / "page.html"))
    assert again.exit_code == 0, again.stderr
    assert (tmp_path / "out.tflite").read_bytes() == made
    assert again.stdout == first.stdout
    assert "nothing was run" in again.stderr
    assert "The graph, in execution order" in (tmp_path / "page.html").read_text()
    assert json.loads(convert(tflite, tmp_path, "--json").stdout)["cached"]


def test_other_content_or_options_are_another_key(tflite: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "data.npz", image=np.random.default_rng(0).random((4, 8, 8, 3), np.float32))
    ways = [[], ["--samples", "8"], ["--data", str(tmp_path / "data.npz")]]
    for more in ways:
        assert "nothing was run" not in convert(tflite, tmp_path, "--no-timing", *more).stderr
    tflite.write_bytes(conv_model(seed=5))
    assert "nothing was run" not in convert(tflite, tmp_path, "--no-timing").stderr
    assert len(list((tmp_path / "cache").iterdir())) == len(ways) + 1


def test_what_is_damaged_is_made_anew(tflite: Path, tmp_path: Path) -> None:
    convert(tflite, tmp_path)
    (kept,) = (tmp_path / "cache").glob("*/0.tflite")
    kept.write_bytes(kept.read_bytes()[:-1] + b"?")
    again = convert(tflite, tmp_path)
    assert "nothing was run" not in again.stderr
    assert "nothing was run" in convert(tflite, tmp_path).stderr
    assert not list((tmp_path / "cache").glob(".making-*"))


def test_code_is_not_cached(tflite: Path, tmp_path: Path) -> None:
    (tmp_path / "data.py").write_text("def make(): return []\n")
    done = convert(tflite, tmp_path, "--data", f"{tmp_path / 'data.py'}:make")
    assert done.exit_code == 2
    assert "which may read what no hash sees" in done.stderr
    assert convert(tflite, tmp_path, "--bundle").exit_code == 2


def test_a_folder_is_hashed_by_names_and_contents(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("1")
    one = content_hash(tmp_path)
    (tmp_path / "a").rename(tmp_path / "b")
    assert content_hash(tmp_path) != one
    assert content_hash(tmp_path / "b") == content_hash(tmp_path / "b")
