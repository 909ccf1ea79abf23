"""``promptcot concepts``: the libraries that problems are drawn from."""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from promptcot.cli.options import json_option, search_path_option

if TYPE_CHECKING:
    from promptcot.concepts.graph import ConceptGraph
    from promptcot.records import Concept


@click.group()
def concepts() -> None:
    """Lists, shows, checks and counts concept libraries.

    \b
    Example:
      promptcot concepts list
      promptcot concepts show symbolic-core
      promptcot concepts check symbolic-core
    """


@concepts.command("list")
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


@concepts.command()
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


@concepts.command()
@click.argument("library")
@click.option("--strict", is_flag=True, help="Warnings count as errors.")
@search_path_option
@json_option
def check(library: str, strict: bool, search_path: tuple[Path, ...], as_json: bool) -> None:
    """Says all that is wrong with LIBRARY, or could be better, with file and line.

    Ends with exit code 4 where there are errors.

    \b
    Example:
      promptcot concepts check symbolic-core
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
        raise ResourceError(f"{library}: {many}", remedy="mend the lines above and check again")
    if not as_json:
        click.echo(f"{library}: no errors, {len(findings)} warning{'' if len(findings) == 1 else 's'}")


@concepts.command()
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
    from promptcot.records import to_json

    counted = _counted(load(library, search_path))
    if as_json:
        click.echo(to_json(counted).decode())
    else:
        _show_counted(library, counted)


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


def _counted(graph: ConceptGraph) -> dict[str, Any]:
    import networkx

    joined = graph.networkx()
    depth: dict[str, int] = {}
    order = networkx.DiGraph()
    order.add_nodes_from(graph.concepts)
    order.add_edges_from((before, c.id) for c in graph.concepts.values() for before in c.prerequisites)
    for id in networkx.lexicographical_topological_sort(order):
        depth[id] = max((depth[before] + 1 for before in graph.concepts[id].prerequisites), default=0)
    levels: dict[str, Counter[int]] = defaultdict(Counter)
    for concept in graph.concepts.values():
        levels[concept.domain][concept.level] += 1
    return {
        "concepts": len(graph),
        "edges": dict(sorted(Counter(edge.kind for edge in graph.edges).items())),
        "prerequisites": sum(len(c.prerequisites) for c in graph.concepts.values()),
        "longest_chain": max(depth.values(), default=0),
        "components": networkx.number_connected_components(joined),
        "alone": sorted(networkx.isolates(joined)),
        "domains": {
            domain: {str(level): count for level, count in sorted(counts.items())}
            for domain, counts in sorted(levels.items())
        },
    }


def _show_counted(library: str, counted: dict[str, Any]) -> None:
    from promptcot.cli.console import say, table
    from promptcot.cli.console import show as put

    edges = ", ".join(f"{count:,} {kind}" for kind, count in counted["edges"].items()) or "none"
    say(f"{library}: {counted['concepts']:,} concepts in {len(counted['domains'])} domains", style="bold")
    say(f"  edges: {edges}")
    say(f"  prerequisites: {counted['prerequisites']:,}, at most {counted['longest_chain']} in a chain")
    say(f"  parts that nothing joins: {counted['components']:,}")
    if counted["alone"]:
        say(f"  joined to nothing: {', '.join(counted['alone'])}")
    rows = [
        (domain or "(none)", sum(counts.values()), *(counts.get(str(level), "") for level in range(1, 11)))
        for domain, counts in counted["domains"].items()
    ]
    columns = ("domain", ">all", *(f">L{level}" for level in range(1, 11)))
    put(table("Concepts by domain and level", columns, rows))
