"""``promptcot doctor``: what this machine can run, and why not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from promptcot.cli.options import json_option

if TYPE_CHECKING:
    from promptcot.cli.health import Check

_MARKS = {True: ("yes", "green"), False: ("no", "red"), None: ("-", "dim")}


@click.command(short_help="Say what this machine can run, and why not.")
@json_option
def doctor(as_json: bool) -> None:
    """Says what this machine can run: data, training, GPU kernels, backends, sandboxes; and why not.

    It ends with exit code 4 where not even data can be made.

    \b
    Example:
      promptcot doctor
      promptcot doctor --json
    """
    from promptcot.cli.console import say
    from promptcot.cli.health import abilities, machine
    from promptcot.errors import ResourceError
    from promptcot.records import to_json

    facts, able = machine(), abilities()
    if as_json:
        click.echo(to_json({"machine": facts, "abilities": able}).decode())
    else:
        _show("This machine", facts)
        say()
        _show("What it can run", able)
    if not able[0].works:
        raise ResourceError(f"data cannot be made here: {able[0].detail}", remedy=able[0].remedy)


def _show(title: str, checks: list[Check]) -> None:
    from rich.text import Text

    from promptcot.cli.console import console

    out = console()
    out.print(Text(title, style="bold"))
    width = max(len(check.name) for check in checks)
    for check in checks:
        mark, style = _MARKS[check.works]
        line = Text.assemble("  ", (f"{mark:<3}", style), f"  {check.name:<{width}}  ", (check.detail, "dim"))
        out.print(line, soft_wrap=True)
        if check.remedy and not check.works:
            out.print(Text(f"{'':<{width + 9}}try: {check.remedy}", style="yellow"), soft_wrap=True)
