"""The ledger of a run: every answer, then what was decided about every recipe.

SQLite in WAL mode with ``synchronous=FULL``: a committed row survives a kill and a power cut. One
thread writes; what arrives while it commits is the next commit, so a commit grows with the load.
Answers are append-only and kept under the hash of their request (`keys`), so no request that was
answered is asked again. Decisions are rows in the order of the recipes and a function of the
answers alone: losing the last ones costs nothing but working them out again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import apsw
import msgspec

from promptcot.errors import ConfigError, ResourceError
from promptcot.records import Candidate, Completion, Record, from_json, to_json

NAME = "ledger.sqlite"
SCHEMA = 1
_APPLICATION = 0x50436F54  # "PCoT", in the file's header

_TABLES = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE answers (
  key BLOB NOT NULL UNIQUE, ordinal INTEGER NOT NULL, role TEXT NOT NULL, sample INTEGER NOT NULL,
  model TEXT NOT NULL, input_tokens INTEGER NOT NULL, output_tokens INTEGER NOT NULL,
  latency_s REAL NOT NULL, completion BLOB NOT NULL
);
CREATE TABLE decisions (
  ordinal INTEGER PRIMARY KEY, kept INTEGER NOT NULL, stage TEXT NOT NULL, reason TEXT NOT NULL,
  detail TEXT NOT NULL, measure REAL, threshold REAL, phase TEXT NOT NULL, tier INTEGER NOT NULL,
  place REAL NOT NULL, score REAL, domain TEXT NOT NULL, level INTEGER NOT NULL, candidate BLOB
);
"""


class Decision(Record, frozen=True):
    """What became of one recipe.

    Attributes:
        stage: Where it was dropped, or empty when it was kept; `reason` and `detail` say why.
        phase: Curriculum phase (or ``held-out``) of a kept one, and `tier` its difficulty tier.
        place: Its place in the phase: rows are ordered by it, then by ordinal.
        score: Difficulty, where it was measured.
        candidate: What is known of the problem, where there is one.
    """

    ordinal: int
    kept: bool
    domain: str
    level: int
    stage: str = ""
    reason: str = ""
    detail: str = ""
    measure: float | None = None
    threshold: float | None = None
    phase: str = ""
    tier: int = 0
    place: float = 0.0
    score: float | None = None
    candidate: Candidate | None = None


class _Batch:
    """Rows of one commit, and the event that tells their owners that it happened."""

    __slots__ = ("answers", "decisions", "done", "error", "meta")

    def __init__(self) -> None:
        self.answers: list[tuple[Any, ...]] = []
        self.decisions: list[tuple[Any, ...]] = []
        self.meta: dict[str, bytes] = {}
        self.done = asyncio.Event()
        self.error: Exception | None = None

    def __bool__(self) -> bool:
        return bool(self.answers or self.decisions or self.meta)


class Ledger:
    """Opens or creates the ledger of a run folder. Use it from one event loop; close it at the end.

    What is pending is bounded by its callers: whoever records an answer waits for the commit.

    Raises:
        ConfigError: The file is not a ledger, or another version's.
        ResourceError: It cannot be opened.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / NAME
        self._db = _open(self.path)
        self.reader = apsw.Connection(str(self.path), flags=apsw.SQLITE_OPEN_READONLY)
        self.reader.set_busy_timeout(10_000)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="ledger")
        self._open_batch = _Batch()
        self._writing: asyncio.Task[None] | None = None
        self._error: Exception | None = None
        last = self.reader.execute("SELECT max(ordinal) FROM answers").get
        self._last_answered = -1 if last is None else int(last)

    def answer(self, key: bytes, ordinal: int) -> Completion | None:
        """The answer recorded under `key` by an earlier process, if there is one."""
        if ordinal > self._last_answered:
            return None
        row = self.reader.execute("SELECT completion FROM answers WHERE key = ?", (key,)).get
        return None if row is None else from_json(row, Completion, where=str(self.path))

    async def record(self, key: bytes, ordinal: int, role: str, sample: int, answer: Completion) -> None:
        """Returns when the answer is on disk.

        Raises:
            ResourceError: It cannot be written.
        """
        batch = self._open_batch
        tokens = (answer.input_tokens, answer.output_tokens)
        values = (key, ordinal, role, sample, answer.model, *tokens, answer.latency_s, to_json(answer))
        batch.answers.append(values)
        self._wake()
        await batch.done.wait()
        if batch.error:
            raise batch.error

    def decide(self, decision: Decision) -> None:
        """Adds a decision to the next commit. Decisions come in the order of the recipes."""
        values = [getattr(decision, name) for name in Decision.__struct_fields__]
        if decision.candidate is not None:
            values[-1] = to_json(decision.candidate)
        self._open_batch.decisions.append(tuple(values))
        self._wake()

    def set_meta(self, values: dict[str, Any]) -> None:
        """Adds named values, as JSON, to the next commit."""
        self._open_batch.meta.update({key: to_json(value) for key, value in values.items()})
        self._wake()

    def meta(self, key: str, default: Any = None) -> Any:
        """A named value, as it was last committed."""
        return meta(self.reader, key, default)

    async def flush(self) -> None:
        """Returns when everything added so far is on disk.

        Raises:
            ResourceError: It cannot be written.
        """
        while self._writing:
            await asyncio.shield(self._writing)
        if self._error:
            raise self._error

    def frontier(self) -> int:
        """The first ordinal that is not decided."""
        last = self.reader.execute("SELECT max(ordinal) FROM decisions").get
        return 0 if last is None else int(last) + 1

    def candidates(self, where: str = "1", bindings: tuple[Any, ...] = ()) -> Iterator[tuple[int, Candidate]]:
        """Ordinal and candidate of the decisions that `where` selects, in the order of the recipes."""
        query = f"SELECT ordinal, candidate FROM decisions WHERE candidate NOT NULL AND ({where}) ORDER BY 1"
        for ordinal, blob in self.reader.execute(query, bindings):
            yield ordinal, from_json(blob, Candidate, where=str(self.path))

    def arranged(self, phase: str) -> Iterator[tuple[int, Candidate]]:
        """Tier and candidate of the kept ones of a phase (or ``held-out``), in the phase's order.

        The sort is over small rows alone; candidates are fetched one by one.
        """
        order = "SELECT ordinal, tier FROM decisions WHERE kept AND phase = ? ORDER BY place, ordinal"
        for ordinal, tier in self.reader.execute(order, (phase,)):
            blob = self.reader.execute("SELECT candidate FROM decisions WHERE ordinal = ?", (ordinal,)).get
            yield tier, from_json(blob, Candidate, where=str(self.path))

    def query(self, sql: str, bindings: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        """Rows of a reading query, for counting."""
        return list(self.reader.execute(sql, bindings))

    def close(self) -> None:
        """Closes the ledger; what was not flushed is lost. One file is left, without a log beside it."""
        self._thread.shutdown(wait=True)
        self.reader.close()
        self._db.close()

    def _wake(self) -> None:
        if self._writing is None:
            self._writing = asyncio.get_running_loop().create_task(self._write())

    async def _write(self) -> None:
        """Commits batch after batch until nothing is pending."""
        loop = asyncio.get_running_loop()
        try:
            while self._open_batch:
                batch, self._open_batch = self._open_batch, _Batch()
                try:
                    await loop.run_in_executor(self._thread, self._commit, batch)
                except Exception as error:
                    batch.error = self._error = error
                finally:
                    batch.done.set()
        finally:
            self._writing = None

    def _commit(self, batch: _Batch) -> None:
        if self._error:  # a disk that was full stays so: rows after a lost one are not written either
            raise self._error
        try:
            self._db.execute("BEGIN IMMEDIATE")
            self._insert(batch)
            self._db.execute("COMMIT")
        except Exception as error:
            if self._db.in_transaction:  # a full disk has rolled back already
                self._db.execute("ROLLBACK")
            if isinstance(error, apsw.Error):
                raise failure(self.path, error) from error
            raise

    def _insert(self, batch: _Batch) -> None:
        if batch.answers:
            marks = ",".join("?" * 9)
            self._db.executemany(f"INSERT OR IGNORE INTO answers VALUES ({marks})", batch.answers)
        if batch.decisions:
            names = Decision.__struct_fields__
            marks = ",".join("?" * len(names))
            query = f"INSERT INTO decisions ({','.join(names)}) VALUES ({marks})"
            self._db.executemany(query, batch.decisions)
        if batch.meta:
            self._db.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", batch.meta.items())


def exists(folder: Path) -> bool:
    """Whether a run folder has a ledger with anything in it: an emptied file is none."""
    path = folder / NAME
    return path.is_file() and path.stat().st_size > 0


def read_only(folder: Path) -> apsw.Connection:
    """A connection that only reads the ledger of a run folder, also while a run writes it.

    Raises:
        ResourceError: There is no ledger, or it cannot be read.
    """
    path = folder / NAME
    if not exists(folder):
        raise ResourceError(f"{folder}: no {NAME}", remedy="name a folder that `promptcot generate` made")
    try:
        try:
            # Opened for writing, but never written: so that the last reader takes the log away again.
            db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
            db.set_busy_timeout(10_000)
            db.pragma("query_only", 1)
            _check_version(db, path)
        except (apsw.CantOpenError, apsw.ReadOnlyError):  # a folder that we may only read
            flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
            db = apsw.Connection(f"{path.resolve().as_uri()}?immutable=1", flags=flags)
            _check_version(db, path)
    except apsw.Error as error:
        raise failure(path, error, doing="read") from error
    return db


def _open(path: Path) -> apsw.Connection:
    try:
        db = apsw.Connection(str(path))
        db.set_busy_timeout(10_000)
        db.pragma("journal_mode", "wal")
        db.pragma("synchronous", "full")
        db.pragma("cache_size", -8000)
        # 16 MB of log before it is folded into the file: fewer, larger writes of the same pages.
        db.wal_autocheckpoint(4000)
        with db:
            if not db.execute("SELECT count(*) FROM sqlite_schema").get:
                db.execute(_TABLES).fetchall()
                db.pragma("application_id", _APPLICATION)
                db.pragma("user_version", SCHEMA)
        _check_version(db, path)
    except apsw.NotADBError as error:
        raise ConfigError(f"{path}: not a ledger", remedy="choose another run folder") from error
    except apsw.Error as error:
        raise failure(path, error) from error
    return db


def _check_version(db: apsw.Connection, path: Path) -> None:
    if db.pragma("application_id") != _APPLICATION:
        raise ConfigError(f"{path}: not a ledger", remedy="choose another run folder")
    version = db.pragma("user_version")
    if version != SCHEMA:
        raise ConfigError(f"{path}: ledger version {version}, this promptcot has version {SCHEMA}")


def meta(db: apsw.Connection, key: str, default: Any = None) -> Any:
    """A named value of a ledger, or `default`."""
    row = db.execute("SELECT value FROM meta WHERE key = ?", (key,)).get
    return default if row is None else msgspec.json.decode(row)


def failure(path: Path, error: apsw.Error, *, doing: str = "write") -> ResourceError:
    """What an error of SQLite means for a ledger, and what to do about it."""
    if isinstance(error, apsw.CorruptError | apsw.NotADBError):
        return ResourceError(
            f"{path} is damaged: {error}",
            remedy="put back a copy of the run folder, or name a new folder to begin again",
        )
    if doing == "read":
        return ResourceError(f"cannot read {path}: {error}")
    full = isinstance(error, apsw.FullError | apsw.IOError)
    return ResourceError(
        f"cannot write {path}: {'the disk is full or refuses to write' if full else error}",
        remedy="everything committed is kept: free some space and run the same command again",
    )
