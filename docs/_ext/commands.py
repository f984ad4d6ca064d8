"""The command line, from click's own records."""

from __future__ import annotations

from collections.abc import Iterator

import click
from escaping import escaped

from edge_sdk.cli import cli


def page() -> str:
    """Every command with its usage, its text and its options."""
    context = click.Context(cli, info_name="edge-sdk")
    head = "# Command line\n\nWritten from the commands themselves; `edge-sdk COMMAND --help` shows the same.\n\n"
    return head + _plain(cli.help or "") + "\n" + "\n".join(_commands(cli, context, 2))


def _commands(group: click.Group, context: click.Context, level: int) -> Iterator[str]:
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        inner = click.Context(command, parent=context, info_name=name)
        yield _command(command, inner, level)
        if isinstance(command, click.Group):
            yield from _commands(command, inner, level + 1)


def _command(command: click.Command, context: click.Context, level: int) -> str:
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    lines = [f"{'#' * level} {context.command_path}", "", f"```text\n{usage}\n```", "", _plain(command.help or "")]
    records = [found for param in command.get_params(context) if (found := param.get_help_record(context))]
    lines += [f"`{names.replace('|', ' | ')}`\n: {escaped(text) or '.'}\n" for names, text in records]
    return "\n".join(lines)


def _plain(text: str) -> str:
    """Paragraphs as they are; what click is told to leave alone is a block of code."""
    parts = [part.strip("\n") for part in text.split("\n\n")]
    return (
        "\n\n".join(
            "```text\n" + part.lstrip("\b\n") + "\n```" if part.startswith("\b") else escaped(part) for part in parts
        )
        + "\n"
    )
