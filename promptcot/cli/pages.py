"""The help of every command as one Markdown page: ``python -m promptcot.cli.pages > docs/commands.md``."""

from __future__ import annotations

from collections.abc import Iterator

import click

from promptcot.cli.app import cli
from promptcot.cli.boundary import EXIT_CODES

_WIDTH = 96


def commands(
    command: click.Command = cli, path: tuple[str, ...] = ("promptcot",)
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command with its path, groups before what they hold."""
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command, info_name=path[-1])
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            if inner is not None:
                yield from commands(inner, (*path, name))


def help_of(path: tuple[str, ...], command: click.Command) -> str:
    """What ``--help`` of a command prints on a wide terminal."""
    context: click.Context | None = None
    for name in path[:-1]:
        context = click.Context(cli, info_name=name, parent=context)
    settings = dict(cli.context_settings)
    settings.pop("max_content_width", None)
    made = click.Context(
        command,
        info_name=path[-1],
        parent=context,
        terminal_width=_WIDTH,
        max_content_width=_WIDTH,
        **settings,
    )
    return command.get_help(made)


def page() -> str:
    """The Markdown page."""
    parts = [
        "# Commands\n\nThis page is what `--help` prints; a test keeps the two equal. "
        "Results go to stdout, progress and errors to stderr."
    ]
    for path, command in commands():
        title = " ".join(path)
        parts.append(
            f"{'#' * min(len(path) + 1, 4)} {title}\n\n```text\n{help_of(path, command).rstrip()}\n```"
        )
    rows = "\n".join(f"| {code} | {what} |" for code, what in EXIT_CODES.items())
    parts.append(
        "## Exit codes\n\n| code | meaning |\n|---:|---|\n"
        + rows
        + "\n\nAn error is one line, `error: ...`, and where something can be done about it a second one, "
        "`try: ...`.\nThe traceback is shown with `promptcot --debug COMMAND ...` or `PROMPTCOT_DEBUG=1`."
    )
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    click.echo(page(), nl=False)
