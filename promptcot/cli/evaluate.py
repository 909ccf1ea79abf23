"""``promptcot evaluate``."""

from __future__ import annotations

from pathlib import Path

import click

from promptcot.cli.options import json_option, run_argument


@click.command()
@run_argument()
@click.option(
    "--model", type=click.Path(file_okay=False, path_type=Path), help="Model folder. Default: RUN/model."
)
@json_option
def evaluate(run: Path, model: Path | None, as_json: bool) -> None:
    """Scores a model on the held-out problems of RUN: loss before and after, exact match by tier.

    Every tier stands beside what always giving the most frequent answer would score.

    \b
    Example:
      promptcot evaluate runs/first
    """
