"""Lists of concepts, as published beside problems, into a graph.

Each line of the file is ``{"concepts": ["…", …], …}``: the concepts of one problem. Concepts that
stand in one list are joined by an edge that counts the lists. People and models spell one idea in
many ways, so equal and nearly equal names become one concept, and every such merger is reported.
"""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from promptcot.concepts.check import normal_name
from promptcot.concepts.graph import ConceptGraph, Edge
from promptcot.concepts.similarity import NameSimilarity
from promptcot.errors import ResourceError
from promptcot.records import Concept
from promptcot.seeding import fingerprint

MAX_LINE = 1 << 20
MAX_LISTS = 1_000_000
MAX_PER_LIST = 100
_SIGNS = re.compile(r"\d+|[^\w\s]")


class _Line(msgspec.Struct):
    concepts: list[str]


@dataclass(frozen=True, slots=True)
class Merger:
    """Two spellings that became one concept, or that look alike and did not.

    Attributes:
        kept: Name of the concept, and `other` the other spelling.
        similarity: Cosine of the names (`NameSimilarity`), 1 where they are equal when normalised.
        uses: Lists that hold `other`.
    """

    kept: str
    other: str
    similarity: float
    uses: int


@dataclass(frozen=True, slots=True)
class Imported:
    """A graph made from lists, and the report on it.

    Attributes:
        merged: What became one, for review.
        alike: What looks alike and was left apart, for review.
    """

    graph: ConceptGraph
    lists: int
    names: int
    merged: tuple[Merger, ...]
    alike: tuple[Merger, ...]

    def report(self) -> str:
        """The report as text, a line for each decision."""
        head = (
            f"{self.lists:,} lists with {self.names:,} names: {len(self.graph):,} concepts, "
            f"{len(self.graph.edges):,} edges"
        )
        lines = [f"  merged  {m.similarity:.2f}  {m.other!r} ({m.uses}) into {m.kept!r}" for m in self.merged]
        lines += [f"  apart   {m.similarity:.2f}  {m.other!r} ({m.uses}) and {m.kept!r}" for m in self.alike]
        return "\n".join([head, *lines])


def read_lists(path: Path) -> Iterator[list[str]]:
    """The lists of a JSONL file, one at a time.

    Raises:
        ResourceError: The file cannot be read, or a line is not such a list; the message names it.
    """
    decoder = msgspec.json.Decoder(_Line)
    try:
        with path.open("rb") as file:
            for number, line in enumerate(iter(lambda: file.readline(MAX_LINE + 1), b""), 1):
                if len(line) > MAX_LINE or number > MAX_LISTS:
                    raise ResourceError(f"{path}:{number}: too long", remedy="split the file")
                if not line.strip():
                    continue
                try:
                    concepts = decoder.decode(line).concepts
                except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                    raise ResourceError(
                        f'{path}:{number}: not of the form {{"concepts": ["…"]}}: {error}'
                    ) from error
                if len(concepts) > MAX_PER_LIST:
                    raise ResourceError(f"{path}:{number}: more than {MAX_PER_LIST} concepts in one list")
                yield concepts
    except OSError as error:
        raise ResourceError(f"cannot read {path}: {error.strerror or error}") from error


def import_lists(
    lists: Iterable[Sequence[str]],
    *,
    prefix: str,
    domain: str,
    level: int = 5,
    source: str = "",
    licence: str = "",
    threshold: float = 0.92,
) -> Imported:
    """Makes a graph of lists of concept names.

    Args:
        prefix: First word of every id, such as ``math``.
        domain: Domain of every concept, and `level` its level: the lists tell neither.
        threshold: Names with this cosine or more become one concept, unless they differ in a number
            or a sign. Pairs above 0.75 are reported as alike.

    Raises:
        ResourceError: There is no concept in the lists, or ids cannot begin with `prefix`.
    """
    if not re.fullmatch(r"[a-z0-9]+(?:-[a-z0-9]+)*", prefix):
        raise ResourceError(
            f"{prefix!r} is not a word of lower-case letters and digits", remedy="such as math"
        )
    cleaned = [[name for name in (" ".join(raw.split())[:200] for raw in row) if name] for row in lists]
    uses = Counter(name for row in cleaned for name in dict.fromkeys(row))
    if not uses:
        raise ResourceError("there is no concept in the lists")
    kept, merged, alike = _merge(uses, threshold)
    ids = _ids(sorted(set(kept.values())), prefix)
    aliases: dict[str, list[str]] = {}
    for merger in merged:
        aliases.setdefault(merger.kept, []).append(merger.other)
    concepts = [
        Concept(
            id=id,
            name=name,
            domain=domain,
            level=level,
            aliases=tuple(sorted(aliases.get(name, ())))[:64],
            source=source,
            licence=licence,
        )
        for name, id in ids.items()
    ]
    pairs: Counter[tuple[str, str]] = Counter()
    for row in cleaned:
        present = sorted({ids[kept[name]] for name in row})
        pairs.update(itertools.combinations(present, 2))
    edges = [Edge(a=a, b=b, weight=float(count)) for (a, b), count in pairs.items()]
    return Imported(ConceptGraph(concepts, edges), len(cleaned), len(uses), merged, alike)


def _merge(
    uses: Counter[str], threshold: float
) -> tuple[dict[str, str], tuple[Merger, ...], tuple[Merger, ...]]:
    """Name to the name it is kept under; the most used and then the shortest spelling is kept."""
    ranked = sorted(uses, key=lambda name: (-uses[name], len(name), name))
    kept: dict[str, str] = {}
    by_normal: dict[str, str] = {}
    merged: list[Merger] = []
    for name in ranked:
        first = by_normal.setdefault(normal_name(name) or name, name)
        kept[name] = first
        if first != name:
            merged.append(Merger(first, name, 1.0, uses[name]))
    apart = list(by_normal.values())
    similarity = NameSimilarity([Concept(id="x", name=name) for name in apart])
    alike: list[Merger] = []
    for i, name in enumerate(apart):
        near, cosines = similarity.nearest(i, 8, least=0.75)
        earlier = [(j, c) for j, c in zip(near, cosines, strict=True) if j < i and kept[apart[j]] == apart[j]]
        if not earlier:
            continue
        other, cosine = earlier[0]
        pair = Merger(apart[other], name, cosine, uses[name])
        if cosine >= threshold and _signs(name) == _signs(apart[other]):
            merged.append(pair)
            kept |= {spelling: apart[other] for spelling, under in kept.items() if under == name}
        else:
            alike.append(pair)
    final = [Merger(kept[m.kept], m.other, m.similarity, m.uses) for m in merged]
    return kept, tuple(final), tuple(alike)


def _signs(name: str) -> Counter[str]:
    """Numbers and signs of a name: where they differ, so do the ideas."""
    return Counter(sign for sign in _SIGNS.findall(name) if sign not in "'’.,;:()\"-–")


def _ids(names: Sequence[str], prefix: str) -> dict[str, str]:
    """An id for each name, readable and distinct."""
    taken: set[str] = set()
    ids: dict[str, str] = {}
    for name in names:
        plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
        words = re.findall(r"[a-z0-9]+", plain.replace("'", ""))
        slug = "-".join(words)[:60].strip("-")
        id = f"{prefix}.{slug}" if slug else f"{prefix}.x-{fingerprint(name, size=4)}"
        if id in taken:
            id = f"{id}-{fingerprint(name, size=4)}"
        taken.add(id)
        ids[name] = id
    return ids


def write_library(imported: Imported, path: Path, *, name: str, title: str = "", licence: str = "") -> None:
    """Writes an imported graph as a library file that does not exist yet.

    Raises:
        ResourceError: The file is there already, or cannot be written.
    """
    from promptcot.concepts.library import dump

    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(dump(imported.graph, name=name, title=title, licence=licence))
    except FileExistsError:
        raise ResourceError(f"{path} is there already", remedy="give another name") from None
    except OSError as error:
        raise ResourceError(f"cannot write {path}: {error.strerror or error}") from error
