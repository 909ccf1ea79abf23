"""``promptcot concepts``: the libraries that problems are drawn from."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from promptcot.cli.options import json_option, search_path_option

if TYPE_CHECKING:
    from promptcot.concepts.graph import ConceptGraph
    from promptcot.concepts.stats import Stats
    from promptcot.records import Concept


@click.group(short_help="List, show, check and count concept libraries.")
def concepts() -> None:
    """Lists, shows, checks and counts concept libraries.

    \b
    Example:
      promptcot concepts list
      promptcot concepts show symbolic-core
      promptcot concepts check symbolic-core
    """


@concepts.command("list", short_help="List the libraries that can be named.")
@search_path_option
@json_option
def list_(search_path: tuple[Path, ...], as_json: bool) -> None:
    """Lists the concept libraries that can be named.

    \b
    Example:
      promptcot concepts list
      promptcot concepts list --search-path my-concepts
    """
    from promptcot.cli.console import show as put
    from promptcot.cli.console import table
    from promptcot.concepts.library import load_library
    from promptcot.errors import ResourceError
    from promptcot.records import to_json
    from promptcot.resources import LIBRARY, available

    found: list[dict[str, Any]] = []
    for resource in available(LIBRARY, search_path):
        entry: dict[str, Any] = {"name": resource.name, "path": str(resource.path), "hash": resource.sha}
        try:
            library = load_library(str(resource.path.absolute()))
        except ResourceError as error:  # one bad library does not hide the others
            found.append(entry | {"error": error.message})
            continue
        domains = sorted({concept.domain for concept in library.graph.concepts.values()})
        found.append(
            entry
            | {
                "title": library.title,
                "concepts": len(library.graph),
                "edges": len(library.graph.edges),
                "domains": domains,
            }
        )
    if as_json:
        click.echo(to_json(found).decode())
        return
    rows = [
        (f["name"], "-", "-", "-", f["error"])
        if "error" in f
        else (f["name"], f["concepts"], f["edges"], len(f["domains"]), f["title"])
        for f in found
    ]
    columns = ("name", ">concepts", ">edges", ">domains", "title")
    put(table("Concept libraries", columns, rows))


@concepts.command(short_help="Show a library's concepts, or one of them.")
@click.argument("library")
@click.argument("concept", required=False)
@search_path_option
@json_option
def show(library: str, concept: str | None, search_path: tuple[Path, ...], as_json: bool) -> None:
    """Shows the concepts of LIBRARY (a name or a path), or one CONCEPT of it with what it is joined to.

    \b
    Example:
      promptcot concepts show symbolic-core
      promptcot concepts show competition-math --json
    """
    from promptcot.concepts.library import load
    from promptcot.errors import ResourceError
    from promptcot.records import to_json
    from promptcot.resources import unknown

    graph = load(library, search_path)
    if concept is not None and concept not in graph.concepts:
        raise ResourceError(f"{library}: {unknown('concept', concept, graph.concepts)}")
    chosen = list(graph.concepts.values()) if concept is None else [graph.concepts[concept]]
    if as_json:
        click.echo(to_json(chosen if concept is None else chosen[0]).decode())
    elif concept is None:
        _show_all(chosen)
    else:
        _show_one(graph, chosen[0])


@concepts.command(short_help="Say what is wrong with a library.")
@click.argument("library")
@click.option("--strict", is_flag=True, help="Warnings count as errors.")
@search_path_option
@json_option
def check(library: str, strict: bool, search_path: tuple[Path, ...], as_json: bool) -> None:
    """Says all that is wrong with LIBRARY, or could be better, with file and line.

    Ends with exit code 4 where there are errors. A library that refers to another's concepts is
    checked together with it, joined by a plus sign.

    \b
    Example:
      promptcot concepts check symbolic-core
      promptcot concepts check symbolic-core+competition-math
    """
    from promptcot.concepts.library import check as findings_of
    from promptcot.errors import ResourceError

    findings = findings_of(library, search_path)
    errors = [found for found in findings if found.severity == "error" or strict]
    if as_json:
        from promptcot.records import to_json

        names = ("file", "line", "field", "message", "severity")
        rows = [
            {name: getattr(found, name) for name in names} | {"file": str(found.file)} for found in findings
        ]
        click.echo(to_json(rows).decode())
    else:
        for found in findings:
            click.echo(f"{found.severity}: {found}")
    if errors:
        many = f"{len(errors)} error{'' if len(errors) == 1 else 's'}"
        remedy = "mend the lines above and check again"
        if "+" not in library and any("unknown concept" in found.message for found in errors):
            remedy += f"; what refers to a shipped library is checked with it: symbolic-core+{library}"
        raise ResourceError(f"{library}: {many}", remedy=remedy)
    if not as_json:
        click.echo(f"{library}: no errors, {len(findings)} warning{'' if len(findings) == 1 else 's'}")


@concepts.command(short_help="Count a library: domains, levels, edges.")
@click.argument("library")
@search_path_option
@json_option
def stats(library: str, search_path: tuple[Path, ...], as_json: bool) -> None:
    """Counts LIBRARY: concepts by domain and level, edges by kind, how deep prerequisites go.

    \b
    Example:
      promptcot concepts stats symbolic-core
    """
    from promptcot.concepts.library import load
    from promptcot.concepts.stats import stats as count
    from promptcot.records import to_json

    graph = load(library, search_path)
    counted = count(graph)
    if as_json:
        levels = {str(level): number for level, number in counted.levels.items()}  # JSON has text keys alone
        click.echo(to_json({**asdict(counted), "levels": levels}).decode())
    else:
        _show_stats(library, graph, counted)


def _show_all(chosen: list[Concept]) -> None:
    from promptcot.cli.console import show as put
    from promptcot.cli.console import table

    by_domain: dict[str, list[Concept]] = defaultdict(list)
    for concept in chosen:
        by_domain[concept.domain].append(concept)
    for domain, members in sorted(by_domain.items()):
        rows = [
            (c.id, c.level, c.name, c.description) for c in sorted(members, key=lambda c: (c.level, c.id))
        ]
        columns = ("id", ">level", "name", "description")
        put(table(f"{domain or '(no domain)'}: {len(members)}", columns, rows))


def _show_one(graph: ConceptGraph, concept: Concept) -> None:
    from promptcot.cli.console import say

    neighbours = sorted(
        ((edge.b if edge.a == concept.id else edge.a), edge.kind, edge.weight)
        for edge in graph.edges
        if concept.id in (edge.a, edge.b)
    )
    say(f"{concept.name}  ({concept.id})", style="bold")
    facts = {
        "description": concept.description,
        "domain": concept.domain,
        "level": str(concept.level),
        "aliases": ", ".join(concept.aliases),
        "prerequisites": ", ".join(concept.prerequisites),
        "all prerequisites": ", ".join(graph.prerequisites(concept.id)),
        "leads to": ", ".join(c.id for c in graph.concepts.values() if concept.id in c.prerequisites),
        "joined to": ", ".join(f"{other} ({kind} {weight:g})" for other, kind, weight in neighbours),
        "source": concept.source,
        "licence": concept.licence,
    }
    for name, value in facts.items():
        if value:
            say(f"  {name + ':':<19}{value}")


def _show_stats(library: str, graph: ConceptGraph, counted: Stats) -> None:
    from promptcot.cli.console import say, table
    from promptcot.cli.console import show as put

    kinds = ", ".join(f"{count:,} {kind}" for kind, count in counted.kinds.items()) or "none"
    degrees = f"{counted.degree_min} to {counted.degree_max}, {counted.degree_mean:.1f} on average"
    alone = sum(size == 1 for size in counted.components)
    say(f"{library}: {counted.concepts:,} concepts; domains: {len(counted.domains)}", style="bold")
    say(f"  edges           {kinds}")
    say(f"  prerequisites   {counted.prerequisites:,}; at most {counted.longest_chain} concepts in a chain")
    say(f"  joined to       {degrees} other concepts")
    say(f"  connected parts {len(counted.components):,}, {alone:,} of them a single concept")
    levels: dict[str, Counter[int]] = defaultdict(Counter)
    for concept in graph.concepts.values():
        levels[concept.domain][concept.level] += 1
    rows = [
        (domain or "(none)", sum(counts.values()), *(counts[level] or "" for level in range(1, 11)))
        for domain, counts in sorted(levels.items())
    ]
    columns = ("domain", ">all", *(f">L{level}" for level in range(1, 11)))
    put(table("Concepts by domain and level", columns, rows))
