"""``edge-sdk recipes``."""

from __future__ import annotations

import click

from edge_sdk.cli.screen import Screen, command


@command(short_help="Which precision when: the recipes, what each needs and gives.")
@click.argument("name", required=False)
def recipes(screen: Screen, name: str | None) -> None:
    """List the recipes that `convert -r` takes, by what they need, and say which one when; or show one of them.

    \b
    edge-sdk recipes
    edge-sdk recipes int8
    """
    from edge_sdk.recipe import find_recipe, recipe_names
    from edge_sdk.report.recipes import recipe_text, recipes_text

    if name is not None:
        one = find_recipe(name)
        screen.result(one.as_json(), recipe_text(one))
        return
    every = [find_recipe(each) for each in recipe_names()]
    screen.result({"recipes": [one.as_json() for one in every]}, recipes_text(every))
