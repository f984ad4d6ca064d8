"""What a shell completes: ids of devices, recipes, files. Asked for at each press of Tab, so nothing heavy."""

from __future__ import annotations

from collections.abc import Iterable

import click
from click.shell_completion import CompletionItem


def device_ids(_context: click.Context, _parameter: click.Parameter, begun: str) -> list[CompletionItem]:
    """Profiles that come along; a file of one's own too."""
    from edge_sdk.profile.reading import profile_names

    return _those(profile_names(), begun)


def recipe_ids(_context: click.Context, _parameter: click.Parameter, begun: str) -> list[CompletionItem]:
    """Built-in recipes by their names; a file of one's own too."""
    from edge_sdk.recipe import recipe_names

    return _those(recipe_names(), begun)


def files(_context: click.Context, _parameter: click.Parameter, begun: str) -> list[CompletionItem]:
    """Files and folders: of what may be something else too, click itself completes none."""
    return [CompletionItem(begun, type="file")]


def _those(names: Iterable[str], begun: str) -> list[CompletionItem]:
    found = [CompletionItem(name) for name in names if name.startswith(begun)]
    return found or [CompletionItem(begun, type="file")]
