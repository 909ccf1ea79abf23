"""``promptcot evaluate``."""

from __future__ import annotations

from pathlib import Path

import click

from promptcot.cli.needs import need_torch
from promptcot.cli.options import json_option, run_argument


@click.command(short_help="Score a model on a run's held-out problems.")
@run_argument()
@click.option(
    "--model", type=click.Path(file_okay=False, path_type=Path), help="Model folder. Default: RUN/model."
)
@click.option("--device", default="auto", show_default=True, help="cpu, cuda, or auto: the best there is.")
@json_option
def evaluate(run: Path, model: Path | None, device: str, as_json: bool) -> None:
    """Scores a model on the held-out problems of RUN: loss before and after, exact match by tier.

    Every tier stands beside what always giving the most frequent answer would score.

    \b
    Example:
      promptcot evaluate runs/first
    """
    need_torch()
    from promptcot.cli.scoring import carry_out

    carry_out(run, model or run / "model", device, as_json=as_json)
