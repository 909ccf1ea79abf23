"""The command line: one thin module per command, loaded only when that command is named.

The modules import click and the standard library at their top and everything else inside
their functions, so that ``promptcot --help`` answers at once.
"""

from __future__ import annotations

import sys


def main() -> None:
    """Entry point of the ``promptcot`` command."""
    for stream in (sys.stdout, sys.stderr):
        # A problem may hold any character, a terminal need not know it: show what can be shown.
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="replace")
    from promptcot.cli.app import cli

    cli.main(prog_name="promptcot")
