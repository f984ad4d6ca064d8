"""Help in groups: what most people need first, then the rest by what it is about."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

COMMON, ABOUT = "Common", "About this command"
_SHARED = ("as_json", "json_schema", "quiet", "help")


class GroupedCommand(click.Command):
    """A command whose options are shown in groups, where any was put into one.

    Args:
        common: names of parameters that are shown first.
        settings: click's.
    """

    def __init__(self, *arguments: Any, common: tuple[str, ...] = (), **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self._common = common

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the groups, each with its own heading."""
        if not self._common:
            super().format_options(ctx, formatter)
            return
        groups: dict[str, list[tuple[str, str]]] = {COMMON: []}
        for name, record in self._records(ctx):
            groups.setdefault(name, []).append(record)
        groups[ABOUT] = groups.pop(ABOUT, [])
        for name, rows in groups.items():
            if rows:
                with formatter.section(name):
                    formatter.write_dl(rows)

    def _records(self, ctx: click.Context) -> Iterator[tuple[str, tuple[str, str]]]:
        parameters = self.get_params(ctx)
        order = {name: place for place, name in enumerate(self._common)}
        parameters.sort(key=lambda one: order.get(one.name or "", len(order)))
        for parameter in parameters:
            record = parameter.get_help_record(ctx)
            if record is not None and isinstance(parameter, click.Option):
                yield self.group_of(parameter), record

    def group_of(self, parameter: click.Parameter) -> str:
        """Heading below which a parameter is shown."""
        if parameter.name in self._common:
            return COMMON
        return (
            ABOUT if parameter.name in _SHARED or "--help" in parameter.opts else getattr(parameter, "group", "Other")
        )
