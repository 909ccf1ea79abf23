"""``promptcot report``."""

from __future__ import annotations

from pathlib import Path

import click

from promptcot.cli.options import run_argument


@click.command(short_help="Show a run, and the model trained on it, in a browser.")
@run_argument()
def report(run: Path) -> None:
    """Writes RUN/report.html: one file that shows the run, and the model trained on it, in any browser.

    \b
    Example:
      promptcot report runs/first
    """
    from promptcot.report.html import write_report

    click.echo(write_report(run).resolve())
