"""Drops a problem that says what an earlier one said: the lowest ordinal stays.

Exact duplicates are equal in their words and signs, whatever the case, spacing and mark-up. Near duplicates
share most of their runs of words: MinHash signatures (Broder, 1997) in bands find who may be near,
and the Jaccard similarity of the runs themselves decides. Two problems whose numbers or
answers differ are different problems, however alike their words are, unless `numbers` says otherwise.

What is remembered lies in a temporary SQLite file that goes with the process, so memory stays flat:
about 10 hashes a problem and 4 bytes for every run of words in it, on disk.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping
from typing import Any, Literal

import apsw
from pydantic import Field

from promptcot.config import Settings, validate
from promptcot.errors import ResourceError
from promptcot.filters.base import Filter, drop, keep
from promptcot.filters.words import hashed, numbers, shingles, signs
from promptcot.records import Candidate, Verdict
from promptcot.seeding import fingerprint

RULE = "duplicates"
BANDS, ROWS = 10, 4
"""Bands of the signature and hashes in one: a pair of similarity 0.8 shares a band 99.5% of the time."""

_MOST = 64  # earlier problems that one is compared with; more would be the same boilerplate
_SEED = 20_250_522
_MIX, _MASK = 0x9E3779B97F4A7C15, (1 << 64) - 1
_SCHEMA = """
PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA cache_size=-8000; PRAGMA locking_mode=EXCLUSIVE;
CREATE TABLE exact (hash INTEGER PRIMARY KEY, item INTEGER NOT NULL);
CREATE TABLE bands (hash INTEGER NOT NULL, item INTEGER NOT NULL, PRIMARY KEY (hash, item)) WITHOUT ROWID;
CREATE TABLE items (item INTEGER PRIMARY KEY, runs BLOB NOT NULL);
BEGIN;
"""
_NEAR = (
    f"SELECT item FROM bands WHERE hash IN ({','.join('?' * BANDS)}) "
    f"GROUP BY item ORDER BY count(*) DESC, item LIMIT {_MOST}"
)


class Options(Settings):
    """Options of the filter.

    Attributes:
        near: Jaccard similarity of the runs of words from which two problems are near duplicates;
            1 leaves exact duplicates alone.
        run: Words in a run.
        numbers: ``distinct`` - problems whose numbers or answers differ are different problems;
            ``ignored`` - they are compared by their words alone, numbers masked.
    """

    near: float = Field(0.8, ge=0.5, le=1)
    run: int = Field(3, ge=1, le=10)
    numbers: Literal["distinct", "ignored"] = "distinct"


def duplicates(options: Mapping[str, Any]) -> Filter:
    """The factory named by the entry point ``duplicates`` of ``promptcot.filters``."""
    return Duplicates(validate(Options, options, where="filters.duplicates"))


class _Sketch:
    """A statement reduced to what is compared."""

    __slots__ = ("bands", "exact", "runs")

    def __init__(self, candidate: Candidate, options: Options) -> None:
        from rensa import RMinHash

        tokens = signs(candidate.problem.statement)
        self.exact = _signed(" ".join(tokens))
        same = ""
        if options.numbers == "ignored":
            tokens = ["#" if token[0].isdigit() else token for token in tokens]
        else:
            same = " ".join([*sorted(numbers(tokens)), "=", candidate.problem.answer.value])
        runs = shingles(tokens, options.run)
        self.runs = array("I", hashed(runs))
        minhash = RMinHash(num_perm=BANDS * ROWS, seed=_SEED)
        minhash.update(sorted(runs))
        self.bands = _bands(minhash.digest(), _signed(same))


class Duplicates:
    """The filter.

    Raises:
        ResourceError: The temporary file cannot be written.
    """

    def __init__(self, options: Options) -> None:
        self.options = options
        self._items = 0
        self._db = apsw.Connection("")  # an empty name: a temporary file that nobody else sees
        self._db.execute(_SCHEMA).fetchall()  # to its end: a pragma that answers would stop it there

    def __call__(self, candidate: Candidate, /) -> Verdict:
        """Keeps a candidate unless it repeats one kept before, and remembers it."""
        sketch = _Sketch(candidate, self.options)
        try:
            twin = self._db.execute("SELECT item FROM exact WHERE hash = ?", (sketch.exact,)).get
            if twin is not None:
                return drop(RULE, "exact-duplicate", f"the same words as recipe {twin}", 1.0, 1.0)
            similarity, nearest = self._nearest(sketch)
            if self.options.near < 1 and similarity >= self.options.near:
                said = (
                    f"{similarity:.0%} of the runs of {self.options.run} words shared with recipe {nearest}"
                )
                return drop(RULE, "near-duplicate", said, similarity, self.options.near)
            self._add(candidate.problem.recipe.ordinal, sketch)
        except apsw.Error as error:
            raise _cannot_remember(error) from error
        return keep(RULE, similarity, self.options.near)

    def remember(self, candidate: Candidate, /) -> None:
        """Takes in a candidate that was kept in an earlier process."""
        try:
            self._add(candidate.problem.recipe.ordinal, _Sketch(candidate, self.options))
        except apsw.Error as error:
            raise _cannot_remember(error) from error

    def _nearest(self, sketch: _Sketch) -> tuple[float, int]:
        """The similarity of the nearest problem that shares a band, and its ordinal."""
        if self.options.near == 1:
            return 0.0, -1
        found = [item for (item,) in self._db.execute(_NEAR, sketch.bands)]
        best = (0.0, -1)
        for item in found:
            blob = self._db.execute("SELECT runs FROM items WHERE item = ?", (item,)).get
            similarity = _jaccard(sketch.runs, array("I", blob))
            best = max(best, (similarity, item), key=lambda pair: pair[0])
        return best

    def _add(self, item: int, sketch: _Sketch) -> None:
        self._db.execute("INSERT OR IGNORE INTO exact VALUES (?, ?)", (sketch.exact, item))
        if self.options.near < 1:
            rows = [(band, item) for band in sketch.bands]
            self._db.executemany("INSERT OR IGNORE INTO bands VALUES (?, ?)", rows)
            self._db.execute("INSERT OR REPLACE INTO items VALUES (?, ?)", (item, sketch.runs.tobytes()))


def _bands(signature: list[int], same: int) -> list[int]:
    """A 64-bit key for each band of the signature; `same` is what must be equal besides."""
    keys = []
    for start in range(0, BANDS * ROWS, ROWS):
        key = same ^ start
        for row in signature[start : start + ROWS]:
            key = ((key ^ row) * _MIX) & _MASK  # FNV-1a, a whole hash at a time
            key ^= key >> 29
        keys.append(key - (1 << 63))
    return keys


def _jaccard(left: Iterable[int], right: Iterable[int]) -> float:
    a, b = set(left), set(right)
    return len(a & b) / len(a | b) if a or b else 0.0


def _signed(*parts: str | bytes) -> int:
    """A 64-bit hash as the signed integer that SQLite keeps."""
    return int.from_bytes(bytes.fromhex(fingerprint(*parts, size=8)), "big", signed=True)


def _cannot_remember(error: apsw.Error) -> ResourceError:
    return ResourceError(
        f"cannot write the temporary file of the filter {RULE!r}: {error}",
        remedy="free some space where temporary files go (SQLITE_TMPDIR), and run the same command again",
    )
