"""Pages name what there is: recipes, devices, files, make targets. What their blocks do: tests/docs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_sdk.profile.reading import profile_names
from edge_sdk.recipe import find_recipe, recipe_names

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
RECIPES = (ROOT / "docs/howto/recipes.md").read_text(encoding="utf-8") + (ROOT / "docs/howto/shrink.md").read_text(
    encoding="utf-8"
)


def test_every_recipe_is_in_a_table() -> None:
    named = re.findall(r"^\| `(\w+)` \| .*\|$", RECIPES, re.MULTILINE)
    assert set(recipe_names()) <= set(named)
    rows = dict(re.findall(r"^\| `(\w+)` \| `(\w+)` \| .*\|$", RECIPES, re.MULTILINE))
    assert all(find_recipe(short).name == name for name, short in rows.items())


def test_number_of_devices() -> None:
    assert f"One of {len(profile_names())} devices" in README
    assert f"one of {len(profile_names())} devices" in (ROOT / "docs/howto/check.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "page",
    [
        "CONTRIBUTING.md",
        "converters/README.md",
        "benchmarks/README.md",
        "device_profiles/README.md",
        "android_demo/README.md",
        "edge_sdk/bundle/FORMAT.md",
    ],
)
def test_links_and_file_names_exist(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    folder = (ROOT / page).parent
    links = [link.split("#")[0] for link in re.findall(r"\]\(([^)]+)\)", text) if not link.startswith("#")]
    assert all((folder / link).exists() for link in links), links


def texts() -> Iterator[Path]:
    """Pages, data and code of this repository, which name files of it."""
    yield from (ROOT / name for name in ("README.md", "CONTRIBUTING.md", "Makefile", "pyproject.toml"))
    for folder in (
        "docs",
        "examples",
        "edge_sdk",
        "converters",
        "device_profiles",
        "android_demo",
        "tests",
        "benchmarks",
    ):
        for kind in ("py", "md", "toml", "java", "kts", "txt", "schema"):
            yield from (ROOT / folder).rglob(f"*.{kind}")


def test_files_that_are_named_anywhere_exist() -> None:
    # What test_adding.py and test_prepare.py make is in a copy of the tree.
    made = re.compile(r"throwaway|/new\.toml$")
    pattern = re.compile(
        r"(?<![\w/.])(?:edge_sdk|converters|tests|benchmarks|device_profiles)/[\w/.-]+\.(?:py|md|toml|json)\b"
    )
    gone = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in texts()
        for name in pattern.findall(path.read_text(encoding="utf-8"))
        if not (ROOT / name).exists() and not (path.parent / name).exists() and not made.search(name)
    ]
    assert gone == []


def test_make_targets_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    pages = README + (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    for target in re.findall(r"(?:^|`)make ([a-z][a-z0-9-]*)", pages, re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_tables_of_benchmarks_are_of_their_results() -> None:
    from benchmarks import tables

    page = tables.PAGE.read_text(encoding="utf-8")
    assert tables.fill(page) == page


def test_kept_rows_of_another_form_are_refused(tmp_path: Path) -> None:
    from benchmarks import kept

    made: list[str] = []

    def make(name: str) -> dict[str, str]:
        made.append(name)
        return {"model": name}

    rows = [{"model": "a/b"}, {"model": "c"}]
    assert list(kept.rows(tmp_path, ["a/b", "c"], make, form=2)) == rows
    assert list(kept.rows(tmp_path, ["a/b", "c"], make, form=2)) == rows
    assert made == ["a/b", "c"]
    with pytest.raises(ValueError, match=r"b\.json: a row of form 2, wanted 3"):
        list(kept.rows(tmp_path, ["a/b"], make, form=3))
