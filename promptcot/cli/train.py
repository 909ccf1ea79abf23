"""``promptcot train``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from promptcot.cli.needs import need_torch
from promptcot.cli.options import run_argument


@click.command(short_help="Train a Mamba-2 model on a run's shards.")
@run_argument()
@click.option("--model", help="A preset (such as nano), or the folder of a model to go on from.")
@click.option("--recipe", "name", default="small", show_default=True, help="A shipped recipe.")
@click.option("--seconds", type=click.FloatRange(min=0, min_open=True), help="Stop after so much time.")
@click.option("--epochs", type=click.FloatRange(min=0, min_open=True), help="Stop after so many passes.")
@click.option("--tokens", type=click.IntRange(min=1), help="Stop after so many tokens.")
@click.option("--seed", type=click.IntRange(min=0), help="Seed of the weights and of the order of rows.")
@click.option(
    "-o",
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="Set one key of the recipe, such as lr=0.002 (repeatable).",
)
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), help="Model folder. Default: RUN/model."
)
@click.option(
    "--device", default="auto", show_default=True, help="cpu, cuda, or the best one there is: auto."
)
def train(
    run: Path,
    model: str | None,
    name: str,
    seconds: float | None,
    epochs: float | None,
    tokens: int | None,
    seed: int | None,
    overrides: tuple[str, ...],
    out: Path | None,
    device: str,
) -> None:
    """Trains a Mamba-2 model on the shards of RUN, phase after phase, and writes it into RUN/model.

    The folder gets config.json, model.safetensors, tokenizer.json, metrics.jsonl and
    lineage.json. Training that was interrupted goes on from its last checkpoint.

    \b
    Example:
      promptcot train runs/first --seconds 30
      promptcot train runs/first --model nano --epochs 1 -o lr=0.002 --out models/second
    """
    settings = {"model": model, "seconds": seconds, "epochs": epochs, "tokens": tokens, "seed": seed}
    given = {key: value for key, value in settings.items() if value is not None}
    need_torch()
    from promptcot.cli.training import carry_out

    carry_out(run, name, given | settings_of(overrides), out or run / "model", device)


def settings_of(overrides: tuple[str, ...]) -> dict[str, Any]:
    """What ``-o key=value`` sets.

    Raises:
        ConfigError: One is not of that form.
    """
    from promptcot.config import parse_yaml
    from promptcot.errors import ConfigError

    settings: dict[str, Any] = {}
    for override in overrides:
        key, equals, value = override.partition("=")
        if not equals or not key:
            raise ConfigError(f"-o {override}: not of the form key=value", remedy="for example -o lr=0.002")
        settings[key] = parse_yaml(value, f"-o {key}")
    return settings
