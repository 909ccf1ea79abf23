"""What a run folder holds, counted: for `promptcot inspect`, the report and the end of a run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import apsw

from promptcot.pipeline import ledger
from promptcot.records import Candidate, Record, from_json
from promptcot.shards import manifest as manifests
from promptcot.shards.manifest import ReasonCount, StageCount

BINS = 20
"""Bins of the difficulty histogram, of equal width between 0 and 1."""

_EXAMPLES = 3


class Rejected(Record, frozen=True):
    """One dropped recipe, as an example of its reason.

    Attributes:
        statement: The problem, or empty where none was read from the completion.
        measure: What the rule measured, and `threshold` what it was compared with.
    """

    ordinal: int
    detail: str
    statement: str = ""
    measure: float | None = None
    threshold: float | None = None


class Rejection(Record, frozen=True):
    """A reason for which recipes were dropped at a stage, most frequent first in a summary."""

    stage: str
    reason: str
    count: int
    examples: tuple[Rejected, ...] = ()


class RoleUse(Record, frozen=True):
    """What one role was asked and answered, by one model.

    Attributes:
        latency_s: Mean seconds from asking to answer.
    """

    role: str
    model: str
    requests: int
    input_tokens: int
    output_tokens: int
    latency_s: float


class Summary(Record, frozen=True):
    """A run in numbers.

    Attributes:
        complete: Whether the shards are written.
        asked: Recipes decided; `accepted` of them were kept, out of a `target`.
        funnel: Stages in order, with how many recipes entered and how many went on.
        histogram: Accepted problems by difficulty, in `BINS` bins from 0 to 1.
        tiers: Difficulty tier to accepted problems, and the same for `phases` (``held-out``
            among them) and `domains`.
        seconds: Seconds over all processes: of waiting for answers by role, which overlap; of each
            filter (``filter duplicates``); of writing ``shards``; and ``total``, the wall time.
    """

    folder: str
    complete: bool
    target: int
    asked: int
    accepted: int
    funnel: tuple[StageCount, ...]
    rejections: tuple[Rejection, ...]
    histogram: tuple[int, ...]
    tiers: dict[str, int]
    phases: dict[str, int]
    domains: dict[str, int]
    roles: tuple[RoleUse, ...]
    seconds: dict[str, float]


def summarise(folder: Path, *, examples: int = _EXAMPLES) -> Summary:
    """Counts what a run folder holds, finished or not.

    Args:
        examples: Most examples of each reason for dropping.

    Raises:
        ResourceError: There is no ledger in the folder, or it cannot be read.
    """
    db = ledger.read_only(folder)
    try:
        return _summarise(db, folder, examples)
    except apsw.Error as error:
        raise ledger.failure(folder / ledger.NAME, error, doing="read") from error
    finally:
        db.close()


def _summarise(db: apsw.Connection, folder: Path, examples: int) -> Summary:
    reasons = reason_counts(db)
    asked, accepted = next(db.execute("SELECT count(*), coalesce(sum(kept), 0) FROM decisions"))
    phases = counts(db, "phase")
    names = [name for name in ledger.meta(db, "phases", []) if name in phases or name != manifests.HELD_OUT]
    return Summary(
        folder=str(folder),
        complete=(folder / manifests.NAME).is_file(),
        target=ledger.meta(db, "target", 0),
        asked=asked,
        accepted=accepted,
        funnel=funnel(ledger.meta(db, "stages", []), asked, reasons),
        rejections=tuple(
            Rejection(
                stage=row.stage, reason=row.reason, count=row.count, examples=_examples(db, row, examples)
            )
            for row in reasons
        ),
        histogram=_histogram(db),
        tiers=counts(db, "tier"),
        phases={name: phases.get(name, 0) for name in names},
        domains=counts(db, "domain"),
        roles=_roles(db),
        seconds=_seconds(db),
    )


def reason_counts(db: apsw.Connection) -> list[ReasonCount]:
    """How many recipes were dropped, by stage and reason, most frequent first."""
    query = (
        "SELECT stage, reason, count(*) AS n FROM decisions WHERE NOT kept "
        "GROUP BY stage, reason ORDER BY n DESC, stage, reason"
    )
    return [ReasonCount(stage=s, reason=r, count=n) for s, r, n in db.execute(query)]


def funnel(stages: Sequence[str], asked: int, reasons: Sequence[ReasonCount]) -> tuple[StageCount, ...]:
    """How many of the recipes entered each stage, and how many left it."""
    counts: list[StageCount] = []
    left = asked
    for name in stages:
        kept = left - sum(row.count for row in reasons if row.stage == name)
        counts.append(StageCount(name=name, entered=left, kept=kept))
        left = kept
    return tuple(counts)


def counts(db: apsw.Connection, column: str) -> dict[str, int]:
    """Accepted problems by the values of a column of decisions, in the order of the values."""
    query = f"SELECT {column}, count(*) FROM decisions WHERE kept GROUP BY 1 ORDER BY 1"
    return {str(name): count for name, count in db.execute(query)}


def _histogram(db: apsw.Connection) -> tuple[int, ...]:
    query = (
        f"SELECT min({BINS - 1}, max(0, cast(score * {BINS} AS INTEGER))), count(*) FROM decisions "
        "WHERE kept AND score NOT NULL GROUP BY 1"
    )
    bins = dict(db.execute(query))
    return tuple(bins.get(index, 0) for index in range(BINS))


def _roles(db: apsw.Connection) -> tuple[RoleUse, ...]:
    query = (
        "SELECT role, model, count(*), sum(input_tokens), sum(output_tokens), avg(latency_s) "
        "FROM answers GROUP BY 1, 2 ORDER BY min(rowid)"
    )
    names = RoleUse.__struct_fields__
    return tuple(RoleUse(**dict(zip(names, row, strict=True))) for row in db.execute(query))


def _seconds(db: apsw.Connection) -> dict[str, float]:
    query = "SELECT role, sum(latency_s) FROM answers GROUP BY 1 ORDER BY min(rowid)"
    seconds: dict[str, float] = ledger.meta(db, "seconds", {})
    return dict(db.execute(query)) | seconds


def _examples(db: apsw.Connection, row: ReasonCount, limit: int) -> tuple[Rejected, ...]:
    query = (
        "SELECT ordinal, detail, measure, threshold, candidate FROM decisions "
        "WHERE NOT kept AND stage = ? AND reason = ? ORDER BY ordinal LIMIT ?"
    )
    found: Any = db.execute(query, (row.stage, row.reason, limit))
    return tuple(
        Rejected(ordinal=o, detail=d, measure=m, threshold=t, statement=_statement(blob))
        for o, d, m, t, blob in found
    )


def _statement(blob: bytes | None) -> str:
    return from_json(blob, Candidate, where=ledger.NAME).problem.statement if blob else ""
