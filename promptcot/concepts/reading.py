"""A library file into concepts and edges, with the line of each and every fault by its place.

The file is read by the fields that a library has, not by what YAML makes of a bare word, so a
concept called ``No`` is called that. Aliases, tags and repeated keys are refused, and depth, size
and number are bounded.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

import yaml

from promptcot.concepts.graph import KINDS, Edge, EdgeKind
from promptcot.records import Concept

SCHEMA = 1
MAX_CONCEPTS = 200_000
MAX_EDGES = 1_000_000
MAX_TEXT = 4_000
MAX_LIST = 64
_MAX_DEPTH = 8

ID = re.compile(r"[a-z0-9]+(?:[.-][a-z0-9]+)*")
"""What an id looks like: words of lower-case letters and digits, joined by dots or hyphens."""

_LIBRARY_KEYS = ("schema", "name", "title", "description", "licence", "concepts", "edges")
_EDGE_KEYS = ("a", "b", "weight", "kind")
_CONCEPT_KEYS = (
    "id",
    "name",
    "description",
    "domain",
    "level",
    "prerequisites",
    "aliases",
    "source",
    "licence",
)


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong with a library, and where.

    Attributes:
        field: The key concerned, or the concept's id where it concerns the concept as a whole.
        severity: With an ``error`` the library cannot be loaded; a ``warning`` is worth mending.
    """

    file: Path
    line: int
    field: str
    message: str
    severity: Literal["error", "warning"] = "error"

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.field}: {self.message}"


@dataclass(frozen=True, slots=True)
class Entry:
    """A concept with its place: the line of the concept and of each of its fields."""

    concept: Concept
    file: Path
    lines: dict[str, int]

    def line(self, field: str = "id") -> int:
        """Line of a field, or of the concept where the field is not given."""
        return self.lines.get(field, self.lines["id"])


@dataclass(slots=True)
class Contents:
    """All that library files hold, and what is wrong with their form."""

    entries: list[Entry] = field(default_factory=list)
    edges: list[tuple[Edge, Path, int]] = field(default_factory=list)
    header: dict[str, str] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)


class _Bad(Exception):
    """A fault of the file's form."""

    def __init__(self, line: int, place: str, message: str) -> None:
        super().__init__(message)
        self.line, self.place = line, place


class _Text(str):
    """A scalar with its line."""

    line: int


class _List(list[Any]):
    line: int


class _Map(dict[_Text, Any]):
    line: int


def read(path: Path, text: str, contents: Contents) -> None:
    """Adds what one file holds to `contents`, and a finding for each fault of its form."""
    try:
        document = _document(text)
        _known_keys(document, _LIBRARY_KEYS, "a library")
        schema = _take(document, "schema", str, default="")
        if schema != str(SCHEMA):
            raise _Bad(document.line, "schema", f"must be {SCHEMA}, the version this release reads")
        header = {key: _text(document, key) for key in ("name", "title", "description", "licence")}
        contents.header |= {
            key: value for key, value in header.items() if value and key not in contents.header
        }
        concepts = _take(document, "concepts", list, default=_List())
        edges = _take(document, "edges", list, default=_List())
        for what, rows, limit in (("concepts", concepts, MAX_CONCEPTS), ("edges", edges, MAX_EDGES)):
            if len(rows) > limit:
                raise _Bad(document.line, what, f"{len(rows):,} of them, more than {limit:,}")
    except _Bad as bad:
        contents.findings.append(Finding(path, bad.line, bad.place, str(bad)))
        return
    for (concept, lines), _ in _each(path, concepts, contents, lambda row: _concept(row, header["licence"])):
        contents.entries.append(Entry(concept, path, lines))
    for edge, line in _each(path, edges, contents, _edge):
        contents.edges.append((edge, path, line))


def _each(
    path: Path, rows: list[Any], contents: Contents, build: Callable[[_Map], Any]
) -> Iterator[tuple[Any, int]]:
    for row in rows:
        try:
            if not isinstance(row, _Map):
                raise _Bad(row.line, "concepts", "an entry must be a mapping of fields")
            built = build(row)
        except _Bad as bad:
            contents.findings.append(Finding(path, bad.line, bad.place, str(bad)))
        else:
            yield built, row.line


def _concept(row: _Map, licence: str) -> tuple[Concept, dict[str, int]]:
    _known_keys(row, _CONCEPT_KEYS, "a concept")
    id = _id(row, "id")
    name = _text(row, "name", limit=200)
    if not name:
        raise _Bad(row.line, "name", f"concept {id!r} has no name")
    lines = {str(key): key.line for key in row}
    return Concept(
        id=id,
        name=name,
        description=_text(row, "description"),
        domain=_text(row, "domain", limit=100),
        level=_level(row),
        prerequisites=_texts(row, "prerequisites", ids=True),
        aliases=_texts(row, "aliases"),
        source=_text(row, "source"),
        licence=_text(row, "licence") or licence,
    ), lines


def _edge(row: _Map) -> Edge:
    _known_keys(row, _EDGE_KEYS, "an edge")
    a, b = sorted((_id(row, "a"), _id(row, "b")))
    kind = _text(row, "kind") or "co-occurrence"
    if kind not in KINDS:
        raise _Bad(_line(row, "kind"), "kind", f"{_short(kind)} is not one of {', '.join(KINDS)}")
    given = _text(row, "weight") or "1"
    weight = _number(given, float)
    if weight is None or not 0 < weight < math.inf:
        raise _Bad(_line(row, "weight"), "weight", f"{_short(given)} is not a number above 0")
    known: dict[str, EdgeKind] = {name: name for name in get_args(EdgeKind)}
    return Edge(a=a, b=b, weight=weight, kind=known[kind])


def _level(row: _Map) -> int:
    given = _text(row, "level")
    level = _number(given, int)
    if level is None or not 1 <= level <= 10:
        raise _Bad(_line(row, "level"), "level", f"{_short(given)} is not a whole number from 1 to 10")
    return int(level)


def _number(text: str, kind: Callable[[str], float]) -> float | None:
    try:
        return kind(text) if len(text) < 40 and text.isascii() and "_" not in text else None
    except ValueError:
        return None


def _id(row: _Map, key: str) -> str:
    return _checked_id(_text(row, key), _line(row, key), key)


def _checked_id(text: str, line: int, key: str) -> str:
    if not ID.fullmatch(text) or len(text) > 96:
        raise _Bad(line, key, f"{_short(text)} is not an id (lower-case words joined by dots or hyphens)")
    return text


def _text(row: _Map, key: str, *, limit: int = MAX_TEXT) -> str:
    text = _take(row, key, str, default="")
    if len(text) > limit:
        raise _Bad(_line(row, key), key, f"has {len(text):,} characters, more than {limit:,}")
    return str(text)


def _texts(row: _Map, key: str, *, ids: bool = False) -> tuple[str, ...]:
    items = _take(row, key, list, default=_List())
    if len(items) > MAX_LIST:
        raise _Bad(_line(row, key), key, f"has {len(items)} entries, more than {MAX_LIST}")
    for item in items:
        if not isinstance(item, _Text) or not item or len(item) > 200:
            raise _Bad(item.line, key, "an entry must be a short text")
        if ids:
            _checked_id(item, item.line, key)
    return tuple(str(item) for item in items)


_NOUNS: dict[type, str] = {str: "text", list: "a list"}


def _take(row: _Map, key: str, kind: type, *, default: Any) -> Any:
    value = row.get(_Text(key), default)
    if kind is list and isinstance(value, _Text) and not value:
        return default
    if not isinstance(value, kind):
        raise _Bad(_line(row, key), key, f"must be {_NOUNS[kind]}")
    return value


def _known_keys(row: _Map, known: tuple[str, ...], noun: str) -> None:
    from promptcot.resources import unknown

    for key in row:
        if key not in known:
            raise _Bad(key.line, _short(key), f"{unknown('field', str(key)[:40], known)} (of {noun})")


def _line(row: _Map, key: str) -> int:
    return next((k.line for k in row if k == key), row.line)


def _short(text: str) -> str:
    return repr(str(text)[:40])


def _document(text: str) -> _Map:
    """The file's only document, as mappings, lists and texts that know their lines."""
    try:
        document = _build(yaml.parse(text, Loader=_EVENTS))
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise _Bad(line, "file", f"not valid YAML: {error.problem or error.context}") from error
    except (yaml.YAMLError, ValueError) as error:
        raise _Bad(1, "file", f"not valid YAML: {error}") from error
    if not isinstance(document, _Map):
        raise _Bad(1, "file", "a library is a mapping with the key concepts")
    return document


_EVENTS = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the C one where it was built: ten times as fast


def _build(events: Iterator[Any]) -> Any:
    """Builds the tree without recursion, by a stack of open collections and pending keys."""
    root: list[Any] = []
    stack: list[tuple[Any, _Text | None]] = []
    for event in events:
        if not isinstance(event, yaml.NodeEvent | yaml.CollectionEndEvent):
            continue
        line = event.start_mark.line + 1 if event.start_mark else 1
        _refuse(event, line, len(stack))
        if isinstance(event, yaml.CollectionEndEvent):
            value, _ = stack.pop()
        elif isinstance(event, yaml.ScalarEvent):
            value = _Text("" if event.implicit[0] and event.value in ("~", "null") else event.value)
            value.line = line
        else:
            opened: _Map | _List = _Map() if isinstance(event, yaml.MappingStartEvent) else _List()
            opened.line = line
            stack.append((opened, None))
            continue
        _place(value, stack, root)
    if len(root) != 1:
        raise _Bad(1, "file", "it must hold one document" if root else "the file is empty")
    return root[0]


def _place(value: Any, stack: list[tuple[Any, _Text | None]], root: list[Any]) -> None:
    """Puts a finished value where it belongs: into the open list, or the open mapping as key or value."""
    if not stack:
        root.append(value)
        return
    parent, key = stack[-1]
    if isinstance(parent, _List):
        parent.append(value)
    elif key is None:
        if not isinstance(value, _Text):
            raise _Bad(value.line, "file", "a key must be a text")
        if value in parent:
            raise _Bad(value.line, _short(value), "is given twice")
        stack[-1] = (parent, value)
    else:
        parent[key] = value
        stack[-1] = (parent, None)


def _refuse(event: Any, line: int, depth: int) -> None:
    if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
        raise _Bad(line, "file", "anchors and aliases are not allowed")
    if getattr(event, "tag", None):
        raise _Bad(line, "file", f"the tag {_short(event.tag)} is not allowed")
    if depth > _MAX_DEPTH:
        raise _Bad(line, "file", f"nested more than {_MAX_DEPTH} deep")
