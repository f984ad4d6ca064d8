"""Adding by the steps of CONTRIBUTING.md: a file and a line each, in a copy of the tree, and the floors still hold."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.graphs import conv_model
from tests.test_floors import ROOT, lint, needs_linter

_DEVICE = """
[[delegates]]
name = "external"
rules = "throwaway"
accelerator = "npu"
precision = ["int8"]
library = "libthrowaway.so"
"""
_RECIPE = 'description = "Thrown away."\nmode = "float16"\nshort_names = ["thrown"]\n\n[weights]\ndtype = "float16"\n'
_RULES = """
name = "throwaway"
title = "Throwaway"
delegate = "external"

[source]
file = "nowhere"
version = "0"
note = "predicted"

[types]
value = [{ dtypes = ["float32"] }]

[[rules]]
ops = ["CONV_2D"]
inputs = [{ name = "input", type = "value" }, { name = "filter" }, { name = "bias" }]
outputs = [{ name = "output", type = "value" }]
also = ["throwaway"]
"""
_CHECK = '''"""Throwaway's own rules."""

from __future__ import annotations

from edge_sdk.checks.placement.site import Check, Reason, Site


def throwaway(site: Site) -> Reason | None:
    """Takes all."""
    return None


CHECKS: dict[str, Check] = {"throwaway": throwaway}
'''
_LINT = '''"""A family of one rule."""

from __future__ import annotations

from collections.abc import Iterator

from edge_sdk.checks.lint.scene import Mark, Rule, Scene


def throwaway(scene: Scene) -> Iterator[Mark]:
    """Every file."""
    yield Mark("info", "was looked at")


RULES = (Rule("throwaway", throwaway, "nothing", whole_file=True),)
'''
_LINT_TEXT = '\n[throwaway]\nmeans = "Looked at."\nwhy = "None."\ndo = "Nothing."\nsource = "none"\n'
_FRONT_END = '''"""A .tflite by another name."""

from __future__ import annotations

from pathlib import Path

from edge_sdk.converters.sources.from_tflite import TfliteSource


class ThrowawaySource(TfliteSource):
    """Reads ``.thrown``."""

    @staticmethod
    def reads(source: object) -> bool:
        """A path that ends in ``.thrown``."""
        return isinstance(source, str | Path) and Path(source).suffix == ".thrown"
'''
_COMMAND = '''"""``edge-sdk throwaway``."""

from __future__ import annotations

from edge_sdk.cli.screen import Screen, command


@command(short_help="Nothing.")
def throwaway(screen: Screen) -> None:
    """Say so."""
    screen.result({"thrown": "away"}, "thrown away")
'''


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package with all six added, as CONTRIBUTING.md says."""
    folder = tmp_path_factory.mktemp("tree")
    shutil.copytree(
        ROOT / "edge_sdk", folder / "edge_sdk", ignore=shutil.ignore_patterns("__pycache__", "android_demo")
    )
    shutil.copy(ROOT / "pyproject.toml", folder)
    house = folder / "edge_sdk"
    pi = (house / "device_profiles/raspberry-pi-5.toml").read_text()
    (house / "device_profiles/throwaway.toml").write_text(pi.replace("\n[sources]", f"{_DEVICE}\n[sources]"))
    (house / "converters/recipes/throwaway.toml").write_text(_RECIPE)
    (house / "device_profiles/rules/throwaway.toml").write_text(_RULES)
    (house / "checks/delegates/throwaway.py").write_text(_CHECK)
    line(house / "checks/placement/rule_sets.py", '"vx":', '"throwaway": "edge_sdk.checks.delegates.throwaway:CHECKS",')
    (house / "checks/lint/throwaway.py").write_text(_LINT)
    line(house / "checks/lint/linting.py", "*claims.RULES,", "*throwaway.RULES,")
    line(house / "checks/lint/linting.py", "import numpy", "from edge_sdk.checks.lint import throwaway")
    with (house / "checks/explanations/lint.toml").open("a") as texts:
        texts.write(_LINT_TEXT)
    (house / "converters/sources/from_throwaway.py").write_text(_FRONT_END)
    entry = '"throwaway": "edge_sdk.converters.sources.from_throwaway:ThrowawaySource",'
    line(house / "converters/sources/source.py", '"tflite":', entry)
    (house / "cli/throwaway.py").write_text(_COMMAND)
    line(house / "cli/__init__.py", '"doctor":', '"throwaway": "edge_sdk.cli.throwaway:throwaway",')
    (folder / "model.tflite").write_bytes(conv_model())
    (folder / "model.thrown").write_bytes(conv_model())
    return folder


def line(file: Path, before: str, added: str) -> None:
    """One line, indented as the one that it comes before."""
    lines = file.read_text().splitlines(keepends=True)
    place = next(number for number, text in enumerate(lines) if text.strip().startswith(before))
    indent = lines[place][: len(lines[place]) - len(lines[place].lstrip())]
    file.write_text("".join([*lines[:place], f"{indent}{added}\n", *lines[place:]]))


def edge_sdk(tree: Path, *arguments: str) -> Any:
    command = [sys.executable, "-m", "edge_sdk", *arguments, "--json"]
    environment = {**os.environ, "PYTHONPATH": str(tree)}
    done = subprocess.run(command, cwd=tree, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode in (0, 3), done.stderr
    return json.loads(done.stdout)


def test_device_rules_and_lint_rule(tree: Path) -> None:
    report = edge_sdk(tree, "check", "model.tflite", "--profile", "throwaway")
    (delegate,) = [one for one in report["delegates"] if one["rules"] == "throwaway"]
    assert delegate["claimed"] == 1
    assert "throwaway" in {finding["rule"] for finding in report["lint"]}


def test_command(tree: Path) -> None:
    assert edge_sdk(tree, "throwaway") == {"thrown": "away"}


@pytest.mark.runtime
def test_front_end_and_recipe(tree: Path) -> None:
    report = edge_sdk(tree, "convert", "model.thrown", "-o", "out.tflite", "-r", "thrown", "--no-timing")
    assert report["verified"]
    assert report["recipe"] == "throwaway"


@needs_linter
def test_the_floors_hold(tree: Path) -> None:
    code, words = lint(tree)
    assert code == 0, words
