"""``promptcot generate``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from promptcot.cli.options import overrides_option, run_argument, search_path_option

if TYPE_CHECKING:
    from promptcot.config import Config


@click.command(short_help="Make problems from concepts, and shards of the good ones.")
@run_argument(exists=False)
@click.option(
    "-c",
    "--config",
    "config_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A YAML config. Default: that of the run folder where there is one, else the defaults.",
)
@overrides_option
@click.option("-n", "--accepted", type=click.IntRange(min=1), help="Problems to accept: target.accepted.")
@click.option("--seed", type=click.IntRange(min=0), help="Seed of the run: target.seed.")
@click.option(
    "--benchmark",
    "benchmarks",
    type=click.Path(path_type=Path),
    multiple=True,
    metavar="FILE",
    help="A benchmark (JSONL) that no problem may overlap, for the contamination filter (repeatable).",
)
@click.option("--workers", type=click.IntRange(1, 1024), default=1, show_default=True, help="Processes.")
@click.option(
    "--concurrency",
    type=click.IntRange(1, 65536),
    default=64,
    show_default=True,
    help="Prompts in flight at a time.",
)
@search_path_option
def generate(
    run: Path,
    config_file: Path | None,
    overrides: tuple[str, ...],
    accepted: int | None,
    seed: int | None,
    benchmarks: tuple[Path, ...],
    workers: int,
    concurrency: int,
    search_path: tuple[Path, ...],
) -> None:
    """Makes problems from a concept graph, keeps the good ones and writes them as shards into RUN.

    RUN is a folder. One that exists is resumed where it stopped; it is refused, with the
    differences, when the config is another one. --workers and --concurrency never change what
    is made: equal seeds give equal bytes.

    \b
    Example:
      promptcot generate runs/first -n 200 --seed 7
      promptcot generate runs/hard -n 100 -o sampling.levels=[4,10] -o solving.attempts=2
      promptcot generate runs/first --workers 2
    """
    from promptcot.cli import progress, summary
    from promptcot.cli.console import next_steps
    from promptcot.config import Execution
    from promptcot.errors import YieldError
    from promptcot.pipeline.run import generate as carry_out
    from promptcot.pipeline.summary import summarise

    config = _apart_from(benchmarks, _config(run, config_file, overrides, accepted, seed))
    execution = Execution(workers=workers, concurrency=concurrency, search_path=search_path)
    try:
        made = carry_out(config, run, execution=execution, progress=progress.for_stream())
    except YieldError:
        summary.show(summarise(run), run)  # what was dropped, and why, is what one wants to know now
        raise
    summary.show(made, run)
    next_steps(
        [
            (f"promptcot inspect {run} --sample 3", "read a few problems"),
            (f"promptcot train {run}", "train a small model on them"),
            (f"promptcot report {run}", "see all of it in a browser"),
        ]
    )


def _config(
    run: Path, file: Path | None, overrides: tuple[str, ...], accepted: int | None, seed: int | None
) -> Config:
    """The config that was asked for; a run folder's own one is the default for it."""
    from promptcot.config import load

    kept = run / "run.yaml"
    base = file or (kept if kept.is_file() else None)
    short = {"target.accepted": accepted, "target.seed": seed}
    given = [f"{key}={value}" for key, value in short.items() if value is not None]
    return load(base, [*overrides, *given])


def _apart_from(benchmarks: tuple[Path, ...], config: Config) -> Config:
    """The config with these files in its contamination filter, which is added where there is none."""
    from promptcot.config import Filter

    if not benchmarks:
        return config
    named = {"benchmarks": [str(path) for path in benchmarks]}
    rule = "contamination"
    filters = [f for f in config.filters if f.rule != rule]
    kept = next((f.options() for f in config.filters if f.rule == rule), {})
    return config.model_copy(update={"filters": (*filters, Filter(rule=rule, **{**kept, **named}))})
