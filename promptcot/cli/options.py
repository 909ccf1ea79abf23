"""Arguments and options that several commands share, each named and explained once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


def run_argument(*, exists: bool = True) -> Callable[[F], F]:
    """The run folder as the first argument.

    Args:
        exists: Refuse a folder that `promptcot generate` did not write.
    """
    kind = click.Path(file_okay=exists, path_type=Path)  # what exists is checked by `_run_folder`
    return click.argument("run", metavar="RUN", type=kind, callback=_run_folder if exists else None)


def _run_folder(ctx: click.Context, param: click.Parameter, path: Path) -> Path:
    if not (path / "run.yaml").is_file():
        from promptcot.errors import ResourceError

        what = "not a run folder: it has no run.yaml" if path.is_dir() else "no such run folder"
        raise ResourceError(f"{path}: {what}", remedy=f"make one: promptcot generate {path}")
    return path


search_path_option = click.option(
    "--search-path",
    multiple=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="DIR",
    help="Look here for templates and concept libraries before the shipped ones (repeatable).",
)

overrides_option = click.option(
    "-o",
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="Set one key of the config, such as target.seed=3 (repeatable).",
)

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for other programs.")
