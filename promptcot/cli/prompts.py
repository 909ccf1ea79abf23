"""``promptcot prompts``: the templates that requests are rendered from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from promptcot.cli.options import json_option, search_path_option


@click.group(short_help="List, show and render prompt templates.")
def prompts() -> None:
    """Lists, shows and renders prompt templates.

    \b
    Example:
      promptcot prompts list
      promptcot prompts show author-math
      promptcot prompts render author-math
    """


@prompts.command("list", short_help="List the templates that can be named.")
@search_path_option
@json_option
def list_(search_path: tuple[Path, ...], as_json: bool) -> None:
    """Lists the templates that can be named, and where each was found.

    \b
    Example:
      promptcot prompts list
      promptcot prompts list --search-path my-prompts
    """
    from promptcot.cli.console import show as put
    from promptcot.cli.console import table
    from promptcot.prompting.render import Renderer
    from promptcot.records import to_json
    from promptcot.resources import TEMPLATE, available

    renderer = Renderer(search_path)
    found = [
        {
            "name": resource.name,
            "path": str(resource.path),
            "hash": renderer.hash(resource.name),
            "blocks": renderer.blocks(resource.name),
            "variables": renderer.variables(resource.name),
        }
        for resource in available(TEMPLATE, search_path)
    ]
    if as_json:
        click.echo(to_json(found).decode())
        return
    rows = [
        (str(f["name"]), ", ".join(f["variables"]), ", ".join(f["blocks"]), str(f["hash"])[:8]) for f in found
    ]
    put(table("Templates", ("name", "variables", "blocks", "hash"), rows))


@prompts.command(short_help="Print the text of a template.")
@click.argument("name")
@search_path_option
def show(name: str, search_path: tuple[Path, ...]) -> None:
    """Prints the text of the template NAME: a name, or the path of a file.

    \b
    Example:
      promptcot prompts show judge
    """
    from promptcot.prompting.render import Renderer

    click.echo(Renderer(search_path).source(name))


@prompts.command(short_help="Render a template as it would be sent.")
@click.argument("name")
@click.option("--graph", default="symbolic-core", show_default=True, help="Concept library to draw from.")
@click.option("--recipe", "ordinal", type=click.IntRange(min=0), default=0, help="Which recipe to draw.")
@click.option("--seed", type=click.IntRange(min=0), default=0, help="Seed of the draw.")
@click.option("-v", "--variable", "given", multiple=True, metavar="NAME=TEXT", help="Set a variable.")
@search_path_option
@json_option
def render(
    name: str,
    graph: str,
    ordinal: int,
    seed: int,
    given: tuple[str, ...],
    search_path: tuple[Path, ...],
    as_json: bool,
) -> None:
    """Renders the template NAME as it would be sent, with concepts drawn as a run draws them.

    Nothing is sent. Of the variables, `problem` and `answer` are those of a small example
    unless they are set.

    \b
    Example:
      promptcot prompts render author-math --recipe 3
      promptcot prompts render solve -v "problem=What is 6 times 7?"
    """
    from promptcot.cli.console import console
    from promptcot.prompting.render import Renderer
    from promptcot.records import to_json

    renderer = Renderer(search_path)
    variables = _drawn(graph, ordinal, seed, search_path) | _given(given, renderer.variables(name))
    messages = renderer.messages(name, variables)
    if as_json:
        click.echo(to_json(messages).decode())
        return
    out = console()
    for message in messages:
        out.rule(message.role, align="left", style="dim")
        click.echo(message.content)


def _drawn(graph: str, ordinal: int, seed: int, search_path: tuple[Path, ...]) -> dict[str, Any]:
    """Variables of a recipe, as a run with default sampling would draw it, and of a small problem."""
    from promptcot.concepts.library import load
    from promptcot.concepts.sampler import Sampler
    from promptcot.config import Sampling
    from promptcot.prompting.variables import author

    drawn_from = load(graph, search_path)
    usual, most = Sampling(), len(drawn_from.concepts)
    sizes = {size: weight for size, weight in usual.sizes.items() if size <= most}  # a library may be small
    recipe = Sampler(drawn_from, usual.model_copy(update={"sizes": sizes}), seed=seed).recipe(ordinal)
    return author(recipe, drawn_from.concepts) | {"problem": "What is 6 times 7?", "answer": "42"}


def _given(pairs: tuple[str, ...], known: Sequence[str]) -> dict[str, Any]:
    from promptcot.resources import unknown

    variables: dict[str, Any] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name.isidentifier():
            raise click.BadParameter(f"{pair!r} is not of the form NAME=TEXT", param_hint="--variable")
        if name not in known:
            raise click.BadParameter(unknown("variable", name, known), param_hint="--variable")
        variables[name] = int(value) if value.isdecimal() and len(value) < 19 else value
    return variables
