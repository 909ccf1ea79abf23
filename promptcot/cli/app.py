"""The ``promptcot`` command group: options that every command shares, and the lazy table of commands."""

from __future__ import annotations

import importlib
from typing import Any

import click

from promptcot import __version__
from promptcot.cli.boundary import EXIT_CODES, boundary

COMMANDS = {
    "generate": "promptcot.cli.generate:generate",
    "inspect": "promptcot.cli.inspect:inspect",
    "report": "promptcot.cli.report:report",
    "train": "promptcot.cli.train:train",
    "evaluate": "promptcot.cli.evaluate:evaluate",
    "concepts": "promptcot.cli.concepts:concepts",
    "prompts": "promptcot.cli.prompts:prompts",
    "doctor": "promptcot.cli.doctor:doctor",
}
"""Command to where it is defined, in the order of the work."""


class Group(click.Group):
    """A group that imports a command when it is asked for, and ends every error in one place."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of the commands, in the order of the work."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Imports the module of one command."""
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, with the nearest name for one that does not exist."""
        if args and not args[0].startswith("-") and args[0] not in COMMANDS:
            from promptcot.resources import unknown

            raise click.UsageError(unknown("command", args[0], COMMANDS), ctx)
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Runs the command inside the error boundary."""
        with boundary(debug=ctx.params["debug"]):
            return super().invoke(ctx)


@click.group(
    cls=Group,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="\b\nExit codes:\n" + "\n".join(f"  {code:>3}  {what}" for code, what in EXIT_CODES.items()),
)
@click.option("--debug", is_flag=True, envvar="PROMPTCOT_DEBUG", help="Show the traceback of an error.")
@click.version_option(__version__, "-V", "--version", message="promptcot %(version)s")
def cli(debug: bool) -> None:
    """Concept graphs into verified, curriculum-ordered reasoning data, and a model trained on it.

    With no configuration everything runs on this machine, without network: the embedded symbolic
    engine authors, judges and solves the problems.

    \b
    Example:
      promptcot generate runs/first -n 200 --seed 7
      promptcot train runs/first --seconds 30
      promptcot evaluate runs/first
      promptcot report runs/first
    """
