"""What is wrong with a library, and what could be better, with file and line."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator

from promptcot.concepts.graph import find_cycle
from promptcot.concepts.reading import Contents, Entry, Finding


def findings(contents: Contents) -> list[Finding]:
    """Every fault of a library, those of form first, each kind in the order of the files."""
    entries = contents.entries
    known: dict[str, Entry] = {}
    for entry in entries:
        known.setdefault(entry.concept.id, entry)
    found = list(contents.findings)
    found += _repeated(entries, known)
    found += _links(contents, known)
    found += _circle(known)
    found += _same_names(entries)
    found += _inversions(entries, known)
    found += _bare(entries)
    found += _orphans(contents, known)
    return found


def normal_name(name: str) -> str:
    """A name without case, accents, punctuation, articles and plural endings: equal for equal ideas."""
    plain = unicodedata.normalize("NFKD", name.casefold())
    plain = "".join(c for c in plain if not unicodedata.combining(c)).replace("'s", "").replace("’s", "")
    words = re.findall(r"[^\W_]+|[^\w\s.,;:!?()'\"’/-]", plain)
    return " ".join(_singular(word) for word in words if word not in ("a", "an", "the", "of"))


def _singular(word: str) -> str:
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 4 and word.endswith(("ches", "shes", "sses", "xes")):
        return word[:-2]
    return (
        word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")) else word
    )


def _repeated(entries: list[Entry], known: dict[str, Entry]) -> Iterator[Finding]:
    for entry in entries:
        first = known[entry.concept.id]
        if first is not entry:
            place = f"{first.file.name}:{first.line()}"
            message = f"the id {entry.concept.id!r} is taken at {place}"
            yield Finding(entry.file, entry.line(), "id", message)


def _links(contents: Contents, known: dict[str, Entry]) -> Iterator[Finding]:
    from promptcot.resources import unknown

    for entry in contents.entries:
        for before in entry.concept.prerequisites:
            if before not in known:
                message = f"{entry.concept.id}: {unknown('concept', before, known)}"
                yield Finding(entry.file, entry.line("prerequisites"), "prerequisites", message)
    for edge, file, line in contents.edges:
        for side, end in (("a", edge.a), ("b", edge.b)):
            if end not in known:
                yield Finding(file, line, f"edges.{side}", unknown("concept", end, known))
        if edge.a == edge.b:
            yield Finding(file, line, "edges", f"joins {edge.a!r} to itself")


def _circle(known: dict[str, Entry]) -> Iterator[Finding]:
    cycle = find_cycle({id: entry.concept.prerequisites for id, entry in known.items()})
    if cycle:
        entry = known[cycle[0]]
        message = f"go round in a circle: {' -> '.join(cycle)}"
        yield Finding(entry.file, entry.line("prerequisites"), "prerequisites", message)


def _same_names(entries: list[Entry]) -> Iterator[Finding]:
    """Names and aliases that stand for two concepts: a warning, as two domains may share a word."""
    owners: dict[str, Entry] = {}
    for entry in entries:
        for field, name in [("name", entry.concept.name), *(("aliases", a) for a in entry.concept.aliases)]:
            owner = owners.setdefault(normal_name(name), entry)
            if owner is not entry and owner.concept.id != entry.concept.id:
                message = f"{name!r} of {entry.concept.id} is also a name of {owner.concept.id}"
                yield Finding(entry.file, entry.line(field), field, message, "warning")


def _inversions(entries: list[Entry], known: dict[str, Entry]) -> Iterator[Finding]:
    for entry in entries:
        concept = entry.concept
        for before in (known[id].concept for id in concept.prerequisites if id in known):
            if before.level > concept.level:
                message = (
                    f"{concept.id} is of {concept.level}, its prerequisite {before.id} of {before.level}"
                )
                yield Finding(entry.file, entry.line("level"), "level", message, "warning")


def _bare(entries: list[Entry]) -> Iterator[Finding]:
    for entry in entries:
        for field in ("description", "domain"):
            if not getattr(entry.concept, field).strip():
                message = f"{entry.concept.id} has none"
                yield Finding(entry.file, entry.line(), field, message, "warning")


def _orphans(contents: Contents, known: dict[str, Entry]) -> Iterator[Finding]:
    """Concepts that nothing joins to any other, so that only chance puts them beside one."""
    if len(known) < 2:
        return
    joined: dict[str, bool] = defaultdict(bool)
    for edge, _, _ in contents.edges:
        joined[edge.a] = joined[edge.b] = True
    for id, entry in known.items():
        for before in entry.concept.prerequisites:
            joined[id] = joined[before] = True
    for id, entry in known.items():
        if not joined[id]:
            message = "has no prerequisite, no edge, and is nobody's prerequisite"
            yield Finding(entry.file, entry.line(), id, message, "warning")
