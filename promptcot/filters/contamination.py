"""Drops problems that a benchmark holds: by runs of words in common, and by fuzzy containment.

A problem is dropped when, against any item of the benchmark files,

- its words are those of the item (``same-text``);
- they share a run of `ngram` words (``shared-run``); or
- of the item's words, in their order, at least `containment` are in the problem, and they share a
  good part of their runs of three words (``paraphrase``). An item of few words is taken for a
  paraphrase only where the numbers agree too: "Compute 3 + 4" says as good as nothing.

Who may match is found in sorted arrays of hashes (about 12 bytes a word of the benchmarks), and the
words decide. The certificate says which files, by hash, with how many items were looked at.
"""

from __future__ import annotations

import hashlib
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from pydantic import Field

from promptcot.config import Settings, validate
from promptcot.errors import ResourceError
from promptcot.filters.base import Filter, drop, keep
from promptcot.filters.words import numbers, words
from promptcot.records import Candidate, Record, Verdict

RULE = "contamination"
FIELDS = ("problem", "question", "prompt")
"""Where the text of a benchmark item is looked for, in this order."""

_RUN = 3
_SHORT = 20  # words below which an item's numbers must agree for a paraphrase
_SHARE = 0.2  # of an item's runs of three words that a paraphrase shares at least
_MANY = 6  # runs of three in the shortest run of words that may be asked for
_MAX_BYTES = 1 << 30
_WORD = 1 << 21  # words are numbered below this, so a run of three is a number of 63 bits


class Options(Settings):
    """Options of the filter.

    Attributes:
        benchmarks: JSONL files; each line an object with a ``problem``, ``question`` or ``prompt``.
        ngram: Words of a run that two texts may not have in common.
        containment: Share of an item's words, in order, from which a problem is a paraphrase.
    """

    benchmarks: tuple[Path, ...] = ()
    ngram: int = Field(13, ge=8, le=13)
    containment: float = Field(0.75, ge=0.5, le=1)


class _File(Record, frozen=True):
    """A benchmark file that was read."""

    name: str
    sha256: str
    items: int


def contamination(options: Mapping[str, Any]) -> Filter:
    """The factory named by the entry point ``contamination`` of ``promptcot.filters``."""
    return Contamination(validate(Options, options, where="filters.contamination"))


class Contamination:
    """The filter.

    Raises:
        ResourceError: A benchmark file is missing or is not such JSONL; the message names the line.
    """

    def __init__(self, options: Options) -> None:
        self.options = options
        self._index = _Index()
        self._files = [_read(path, self._index) for path in options.benchmarks]
        self._index.close()

    def __call__(self, candidate: Candidate, /) -> Verdict:
        """Keeps a candidate that no benchmark item is in."""
        if not self._files:
            return keep(RULE)
        tokens = words(candidate.problem.statement)
        best = 0.0
        for item, shared, share in self._index.near(tokens):
            verdict = self._compare(tokens, item, shared, share)
            if not verdict.keep:
                return verdict
            best = max(best, verdict.measure or 0.0)
        return keep(RULE, best, self.options.containment)

    def _compare(self, tokens: Sequence[str], item: int, shared: int, share: float) -> Verdict:
        name, other = self._index.item(item)
        if tokens == other:
            return drop(RULE, "same-text", name, 1.0, 1.0)
        if shared >= self.options.ngram - _RUN + 1:
            run = _longest_run(other, tokens)
            if run >= self.options.ngram:
                said = f"{run} words in a row shared with {name}"
                return drop(RULE, "shared-run", said, run, self.options.ngram)
        contained = _contained(other, tokens) if share >= _SHARE else 0.0
        if contained >= self.options.containment and _says_enough(other, tokens):
            said = f"{contained:.0%} of the words of {name} in their order"
            return drop(RULE, "paraphrase", said, contained, self.options.containment)
        return keep(RULE, contained)

    def certificate(self) -> dict[str, Any]:
        """Which files were looked at, and how."""
        return {
            "files": [msgspec.to_builtins(file) for file in self._files],
            "ngram": self.options.ngram,
            "containment": self.options.containment,
        }


class _Index:
    """Benchmark items as numbered words, and which items hold a run of three of them."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._words: list[str] = []
        self._names: list[str] = []
        self._starts = array("q", [0])
        self._tokens = array("I")
        self._runs: Any = None
        self._items: Any = None
        self._run_counts: Any = None

    def add(self, name: str, text: str) -> None:
        """Adds an item."""
        for word in words(text):
            number = self._numbers.setdefault(word, len(self._words) + 1)
            if number > len(self._words):
                if number >= _WORD:
                    raise ResourceError("the benchmark files hold too many different words")
                self._words.append(word)
            self._tokens.append(number)
        self._names.append(name)
        self._starts.append(len(self._tokens))

    def close(self) -> None:
        """Sorts the runs; nothing is added after."""
        import numpy as np

        tokens = np.frombuffer(self._tokens, dtype=np.uint32) if self._tokens else np.zeros(0, np.uint32)
        starts = np.frombuffer(self._starts, dtype=np.int64)
        item_of = np.repeat(np.arange(len(self._names), dtype=np.int32), np.diff(starts))
        runs = _runs(tokens)
        inside = item_of[: len(runs)] == item_of[_RUN - 1 :][: len(runs)] if len(runs) else np.zeros(0, bool)
        runs, items = runs[inside], item_of[: len(runs)][inside]
        order = np.lexsort((items, runs))
        runs, items = runs[order], items[order]
        fresh = np.ones(len(runs), dtype=bool)  # a run that an item holds twice counts once
        fresh[1:] = (runs[1:] != runs[:-1]) | (items[1:] != items[:-1])
        self._runs, self._items = runs[fresh], items[fresh]
        self._run_counts = np.bincount(self._items, minlength=len(self._names))

    def item(self, index: int) -> tuple[str, list[str]]:
        """Name and words of an item."""
        start, end = self._starts[index], self._starts[index + 1]
        return self._names[index], [self._words[number - 1] for number in self._tokens[start:end]]

    def near(self, tokens: Sequence[str]) -> Iterator[tuple[int, int, float]]:
        """Items that share runs of three with the words: item, runs shared, and their share of its own.

        Only those that share a good part of their own runs, or many, are worth a closer look.
        """
        import numpy as np

        known = np.array([self._numbers.get(token, 0) for token in tokens], dtype=np.uint32)
        runs = _runs(known)
        if not len(runs):
            yield from ((i, 0, 1.0) for i in range(len(self._names)) if self.item(i)[1] == list(tokens))
            return
        runs = np.unique(runs[(known[:-2] > 0) & (known[1:-1] > 0) & (known[2:] > 0)])
        first, last = np.searchsorted(self._runs, runs), np.searchsorted(self._runs, runs, side="right")
        hits = [self._items[a:b] for a, b in zip(first, last, strict=True) if b > a]
        if not hits:
            return
        items, counts = np.unique(np.concatenate(hits), return_counts=True)
        shares = counts / self._run_counts[items]
        for index in np.flatnonzero((shares >= _SHARE) | (counts >= _MANY)):
            yield int(items[index]), int(counts[index]), float(shares[index])


def _runs(tokens: Any) -> Any:
    """Every run of three numbered words as one number."""
    import numpy as np

    wide = tokens.astype(np.uint64)
    if len(wide) < _RUN:
        return np.zeros(0, np.uint64)
    return (wide[:-2] * np.uint64(_WORD) + wide[1:-1]) * np.uint64(_WORD) + wide[2:]


def _longest_run(left: Sequence[str], right: Sequence[str]) -> int:
    """Length of the longest run of words that both hold."""
    best, before = 0, [0] * (len(right) + 1)
    for word in left:
        row = [0] * (len(right) + 1)
        for column, other in enumerate(right, 1):
            if word == other:
                row[column] = before[column - 1] + 1
                best = max(best, row[column])
        before = row
    return best


def _contained(item: Sequence[str], tokens: Sequence[str]) -> float:
    """Share of the item's words that are in the text in the item's order (longest common subsequence)."""
    before = [0] * (len(tokens) + 1)
    for word in item:
        row = [0] * (len(tokens) + 1)
        for column, other in enumerate(tokens, 1):
            row[column] = before[column - 1] + 1 if word == other else max(before[column], row[column - 1])
        before = row
    return before[-1] / len(item) if item else 0.0


def _says_enough(item: Sequence[str], tokens: Sequence[str]) -> bool:
    """Whether sharing words with this item means anything: it is long, or its numbers agree."""
    if len(item) >= _SHORT:
        return True
    theirs, ours = Counter(numbers(item)), Counter(numbers(tokens))
    return bool(theirs) and theirs == ours


def _read(path: Path, index: _Index) -> _File:
    items = 0
    digest = hashlib.sha256()
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise ResourceError(
                f"benchmark file {path}: larger than {_MAX_BYTES >> 30} GiB", remedy="split it"
            )
        with path.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                digest.update(line)
                if line.strip():
                    index.add(f"{path.name}:{number}", _text(line, f"{path}:{number}"))
                    items += 1
    except OSError as error:
        raise ResourceError(
            f"cannot read the benchmark file {path}: {error.strerror or error}",
            remedy="check filters.contamination.benchmarks",
        ) from error
    return _File(name=path.name, sha256=digest.hexdigest(), items=items)


def _text(line: bytes, where: str) -> str:
    try:
        item = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ResourceError(f"{where}: not a line of JSON: {error}") from error
    texts = (
        [item[name] for name in FIELDS if isinstance(item.get(name), str)] if isinstance(item, dict) else []
    )
    if not texts:
        raise ResourceError(f"{where}: no text under {', '.join(FIELDS)}", remedy="name the field problem")
    return str(texts[0])
