"""Reads what a report shows from a run folder: counts, a pass over the rows, the model beside them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from promptcot.config import Config, load
from promptcot.errors import PromptCoTError
from promptcot.pipeline.summary import Summary, summarise
from promptcot.records import Example
from promptcot.report.model import Trained, trained
from promptcot.seeding import fingerprint
from promptcot.shards import manifest as manifests
from promptcot.shards.manifest import HELD_OUT, Manifest
from promptcot.shards.reader import open_shards

SAMPLES = 3
"""Problems shown of each tier."""


@dataclass(slots=True)
class Rows:
    """What one pass over the rows of a run finds.

    Attributes:
        concepts: Concept id to the rows that are made of it.
        tiers: Phase (or ``held-out``) to rows by tier.
        samples: Tier to a few of its rows, of different domains where there are several.
        difficulty: Sum of the rows' difficulties.
    """

    count: int = 0
    difficulty: float = 0.0
    concepts: Counter[str] = field(default_factory=Counter)
    tiers: dict[str, Counter[int]] = field(default_factory=dict)
    samples: dict[int, list[Example]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Material:
    """Everything that is read for a report.

    Attributes:
        manifest: Absent while the shards are not written; `rows` is empty then.
        known: Concept id to (name, domain) of the run's graph; empty where the graph is out of reach.
    """

    name: str
    config: Config
    summary: Summary
    manifest: Manifest | None
    rows: Rows
    known: dict[str, tuple[str, str]]
    model: Trained | None


def gather(folder: Path) -> Material:
    """Reads a run folder, finished or not.

    Raises:
        ResourceError: It is not a run folder.
        ShardError: Its shards are not what their manifest says.
    """
    config = load(folder / "run.yaml")
    summary = summarise(folder)
    manifest, rows = None, Rows()
    if summary.complete:
        manifest = manifests.read(folder)
        shards = open_shards(folder)
        for phase in (*shards.phases, HELD_OUT):
            read(rows, phase, shards.rows(phase))
        choose(rows)
    return Material(
        folder.resolve().name, config, summary, manifest, rows, _concepts(config.graph), trained(folder)
    )


def read(rows: Rows, phase: str, examples: Iterable[Example]) -> None:
    """Adds the examples of a phase to `rows`, in bounded memory.

    Of each tier and domain the `SAMPLES` rows whose ids hash lowest are held: a choice that is
    random in effect and the same whenever it is made.
    """
    tiers = rows.tiers.setdefault(phase, Counter())
    for example in examples:
        rows.count += 1
        rows.difficulty += example.difficulty
        rows.concepts.update(example.concepts)
        tiers[example.tier] += 1
        held = rows.samples.setdefault(example.tier, [])
        held.append(example)
        if len(held) > 16 * SAMPLES:
            rows.samples[example.tier] = _fewest(held)


def choose(rows: Rows) -> None:
    """Leaves `SAMPLES` samples of each tier, of as many domains as there are."""
    for tier, held in rows.samples.items():
        by_hash = sorted(held, key=_hash)
        seen: Counter[str] = Counter()
        ranked = []
        for example in by_hash:
            ranked.append((seen[example.domain], example))
            seen[example.domain] += 1
        ranked.sort(key=lambda pair: pair[0])  # stable: the hash decides within a round
        rows.samples[tier] = [example for _, example in ranked[:SAMPLES]]


def _fewest(held: list[Example]) -> list[Example]:
    kept: list[Example] = []
    seen: Counter[str] = Counter()
    for example in sorted(held, key=_hash):
        if seen[example.domain] < SAMPLES and len(kept) < 8 * SAMPLES:
            kept.append(example)
            seen[example.domain] += 1
    return kept


def _hash(example: Example) -> str:
    return fingerprint("report-sample", example.id)


def _concepts(graph: str) -> dict[str, tuple[str, str]]:
    from promptcot.concepts.library import load as load_graph

    try:
        found = load_graph(graph)
    except PromptCoTError:
        return {}  # the library was on a search path, or has moved: the report shows ids
    return {key: (concept.name, concept.domain) for key, concept in found.concepts.items()}
