"""Concept libraries by name or path: loading, checking and writing them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from promptcot.concepts import check as checks
from promptcot.concepts.graph import ConceptGraph, Edge
from promptcot.concepts.reading import MAX_CONCEPTS, SCHEMA, Contents, Finding, read
from promptcot.errors import ResourceError
from promptcot.records import Concept
from promptcot.resources import LIBRARY, Resource, files_of, find, read_text

__all__ = ["Finding", "Library", "check", "dump", "load", "load_library", "resources"]

MAX_FILES = 1_000
MAX_BYTES = 64 << 20
"""Of all files of a library together; one file has 16 MiB at most."""


@dataclass(frozen=True, slots=True)
class Library:
    """A library with what its file says about it.

    Attributes:
        sha: Hash of its files.
    """

    name: str
    title: str
    description: str
    licence: str
    path: Path
    sha: str
    graph: ConceptGraph


def load(name_or_path: str, search_path: Sequence[Path] = ()) -> ConceptGraph:
    """The graph of a library, or of several as one: ``"symbolic-core+mine"``.

    Each may refer to the concepts of the others, and two may hold the same concept; the weights of an
    edge that is in several add up.

    Raises:
        ResourceError: One is not found, or the whole is not valid; the message names file, line and field.
    """
    return _graph(_valid(_contents(resources(name_or_path, search_path)), name_or_path))


def resources(name_or_path: str, search_path: Sequence[Path] = ()) -> list[Resource]:
    """The libraries whose names are joined by ``+``, unless a file is called that.

    Raises:
        ResourceError: One is not found.
    """
    whole = Path(name_or_path).expanduser().exists()
    names = [name_or_path] if whole else [name.strip() for name in name_or_path.split("+")]
    return [find(LIBRARY, name, search_path) for name in names]


def load_library(name_or_path: str, search_path: Sequence[Path] = ()) -> Library:
    """One library with its title, description, licence and hash (see `load` for the errors)."""
    resource = find(LIBRARY, name_or_path, search_path)
    contents = _valid(_contents([resource]), name_or_path)
    return Library(
        name=contents.header.get("name", resource.name),
        title=contents.header.get("title", ""),
        description=contents.header.get("description", ""),
        licence=contents.header.get("licence", ""),
        path=resource.path,
        sha=resource.sha,
        graph=_graph(contents),
    )


def check(name_or_path: str, search_path: Sequence[Path] = ()) -> list[Finding]:
    """All that is wrong with a library (or several as one), or could be better; empty for a perfect one.

    Raises:
        ResourceError: A library is not found, too large or not text.
    """
    return checks.findings(_contents(resources(name_or_path, search_path)))


def dump(graph: ConceptGraph, *, name: str, title: str = "", description: str = "", licence: str = "") -> str:
    """A graph as a library file, which `load` reads back to an equal graph."""
    import yaml

    header = {"schema": SCHEMA, "name": name, "title": title, "description": description, "licence": licence}
    library = {key: value for key, value in header.items() if value} | {
        "concepts": [_fields(concept) for concept in graph.concepts.values()],
        "edges": [_edge_fields(edge) for edge in graph.edges],
    }
    return yaml.dump(library, Dumper=_dumper(), sort_keys=False, allow_unicode=True, width=110)


def _dumper() -> type:
    import yaml

    return getattr(yaml, "CSafeDumper", yaml.SafeDumper)


def _fields(concept: Concept) -> dict[str, object]:
    fields: dict[str, object] = {"id": concept.id, "name": concept.name}
    for key in ("description", "domain", "level", "prerequisites", "aliases", "source", "licence"):
        value = getattr(concept, key)
        if value:
            fields[key] = list(value) if isinstance(value, tuple) else value
    return fields


def _edge_fields(edge: Edge) -> dict[str, object]:
    return {"a": edge.a, "b": edge.b, "weight": edge.weight, "kind": edge.kind}


def _contents(found: Sequence[Resource]) -> Contents:
    """All that the libraries hold, a concept that is the same in several of them once."""
    whole = Contents()
    for resource in found:
        known = {entry.concept.id: entry.concept for entry in whole.entries}
        one = _read(resource)
        whole.header.update({key: value for key, value in one.header.items() if key not in whole.header})
        whole.entries += [e for e in one.entries if known.get(e.concept.id) != e.concept]
        whole.edges += one.edges
        whole.findings += one.findings
    return whole


def _read(resource: Resource) -> Contents:
    files = files_of(LIBRARY, resource.path)
    if len(files) > MAX_FILES:
        raise ResourceError(f"{resource.path}: {len(files):,} files, more than {MAX_FILES:,}")
    contents, size = Contents(), 0
    for file in files:
        text = read_text(file)
        size += len(text)
        if size > MAX_BYTES:
            raise ResourceError(
                f"{resource.path}: more than {MAX_BYTES >> 20} MiB", remedy="split the library"
            )
        read(file, text, contents)
        if len(contents.entries) > MAX_CONCEPTS:
            raise ResourceError(f"{resource.path}: more than {MAX_CONCEPTS:,} concepts", remedy="split it")
    return contents


def _valid(contents: Contents, name: str) -> Contents:
    wrong = next((found for found in checks.findings(contents) if found.severity == "error"), None)
    if wrong is not None:
        raise ResourceError(str(wrong), remedy=f"`promptcot concepts check {name}` lists all")
    if not contents.entries:
        raise ResourceError(f"{name}: the library has no concepts", remedy="add one under concepts:")
    return contents


def _graph(contents: Contents) -> ConceptGraph:
    concepts = {entry.concept.id: entry.concept for entry in contents.entries}
    return ConceptGraph(concepts.values(), (edge for edge, _, _ in contents.edges))
