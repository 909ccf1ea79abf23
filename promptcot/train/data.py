"""Documents and how they are packed: whole, in order, into rows of a token budget, without padding."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, islice
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from promptcot.errors import ShardError
from promptcot.records import Example
from promptcot.seeding import rng
from promptcot.shards.reader import ShardSet
from promptcot.train.tokenizer import Codec

__all__ = ["Batch", "Corpus", "Packer", "collate", "corpus_of", "read_corpus", "read_texts"]

IGNORED = -100
"""Target of a token from which nothing is learned."""

_READ_AT_ONCE = 1024


@dataclass(frozen=True, slots=True)
class Corpus:
    """Tokenised documents of all phases, one after the other.

    Attributes:
        tokens: Of all documents.
        offsets: Where each begins, and where the last ends.
        prompt_lengths: Tokens of each that are its prompt.
        ids: Of the examples.
        phases: Name, first document and one after the last of every phase, in curriculum order.
        too_long: Documents left out for their length.
    """

    tokens: NDArray[np.int32]
    offsets: NDArray[np.int64]
    prompt_lengths: NDArray[np.int32]
    ids: tuple[str, ...]
    phases: tuple[tuple[str, int, int], ...]
    too_long: int

    def length(self, document: int) -> int:
        """Tokens of a document."""
        return int(self.offsets[document + 1] - self.offsets[document])


@dataclass(frozen=True, slots=True)
class Batch:
    """One packed row.

    Attributes:
        input_ids: (1, seqlen).
        targets: (1, seqlen), the token that follows, or `IGNORED`.
        cu_seqlens: (ndocs + 1,) int32.
        supervised: Number of targets that are not ignored.
        documents: Which of the corpus they are.
    """

    input_ids: Tensor
    targets: Tensor
    cu_seqlens: Tensor
    supervised: int
    documents: tuple[int, ...]


def read_texts(shards: ShardSet) -> Iterator[str]:
    """Prompts and completions of all training phases."""
    for phase in shards.phases:
        for example in shards.rows(phase):
            yield f"{example.prompt}\n"
            yield example.completion


def read_corpus(shards: ShardSet, codec: Codec, *, max_length: int) -> Corpus:
    """Tokenises all training phases.

    Raises:
        ShardError: A file is not that of the manifest, or nothing is left to learn from.
    """
    builder = _Builder(max_length)
    phases = []
    for phase in shards.phases:
        first = len(builder.ids)
        for examples in _chunks(shards.rows(phase)):
            builder.add(examples, codec)
        phases.append((phase, first, len(builder.ids)))
    if not builder.ids:
        raise ShardError(
            f"{shards.folder}: nothing to learn from: {builder.too_long} examples, all above "
            f"max_length = {max_length} tokens",
            remedy="raise max_length" if builder.too_long else "generate more problems",
        )
    return builder.corpus(phases)


def corpus_of(examples: Sequence[Example], codec: Codec) -> Corpus:
    """Tokenises examples, whatever their length and phase; there is one at least."""
    builder = _Builder(max_length=sys.maxsize)
    builder.add(examples, codec)
    return builder.corpus(())


@dataclass
class _Builder:
    max_length: int
    tokens: list[NDArray[np.int32]] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)
    prompt_lengths: list[int] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    too_long: int = 0

    def add(self, examples: Sequence[Example], codec: Codec) -> None:
        prompts = codec.prompts([example.prompt for example in examples])
        completions = codec.completions([example.completion for example in examples])
        for example, prompt, completion in zip(examples, prompts, completions, strict=True):
            length = len(prompt) + len(completion)
            if length > self.max_length:
                self.too_long += 1
                continue
            self.tokens.append(np.array(prompt + completion, dtype=np.int32))
            self.lengths.append(length)
            self.prompt_lengths.append(len(prompt))
            self.ids.append(example.id)

    def corpus(self, phases: Iterable[tuple[str, int, int]]) -> Corpus:
        return Corpus(
            np.concatenate(self.tokens),
            np.cumsum([0, *self.lengths], dtype=np.int64),
            np.array(self.prompt_lengths, dtype=np.int32),
            tuple(self.ids),
            tuple(phases),
            self.too_long,
        )


def _chunks(examples: Iterable[Example]) -> Iterator[list[Example]]:
    rows = iter(examples)
    while chunk := list(islice(rows, _READ_AT_ONCE)):
        yield chunk


class Packer:
    """Deals the documents of a stage into rows.

    Documents come in their order. The first that waits always gets a place; when the next does not
    fit, the longest that fits among the next `lookahead` closes the row (best fit). Nothing is cut
    and nothing padded. The whole of its state is a few numbers, so a restart goes on exactly.

    Args:
        corpus: Where the documents lie.
        documents: Those of the stage.
        budget: Most tokens of a row; no document is longer.
        order: ``shards``, or ``shuffled`` anew for every pass.
        seed: Of the shuffling, with the stage's number.
        limit: Documents to deal in all; None goes on for ever.
    """

    lookahead = 128

    def __init__(
        self,
        corpus: Corpus,
        documents: range,
        budget: int,
        *,
        order: Literal["shards", "shuffled"],
        seed: int,
        stage: int,
        limit: int | None = None,
    ) -> None:
        self._lengths = np.diff(corpus.offsets)
        self._documents, self._budget, self._limit = documents, budget, limit
        self._order, self._seed, self._stage = order, seed, stage
        self._drawn = 0  # documents taken from the order so far
        self._waiting: list[int] = []
        self._epoch: tuple[int, Sequence[int]] = (-1, ())

    def take(self) -> list[int]:
        """Documents of the next row; none at the end."""
        row: list[int] = []
        room = self._budget
        while True:
            self._refill()
            place = self._place(room)
            if place is None:
                return row
            document = self._waiting.pop(place)
            room -= int(self._lengths[document])
            row.append(document)

    def state(self) -> dict[str, Any]:
        """What `restore` needs."""
        return {"drawn": self._drawn, "waiting": list(self._waiting)}

    def restore(self, state: dict[str, Any]) -> None:
        """Goes on from where `state` was taken."""
        self._drawn, self._waiting = int(state["drawn"]), [int(index) for index in state["waiting"]]

    def _place(self, room: int) -> int | None:
        """Which waiting document comes next: the first, or else the longest that fits."""
        if not self._waiting:
            return None
        if self._lengths[self._waiting[0]] <= room:
            return 0
        lengths = self._lengths[self._waiting]
        fitting = np.where(lengths <= room, lengths, -1)
        best = int(fitting.argmax())
        return best if fitting[best] >= 0 else None

    def _refill(self) -> None:
        while len(self._waiting) < self.lookahead and (self._limit is None or self._drawn < self._limit):
            epoch, place = divmod(self._drawn, len(self._documents))
            if self._epoch[0] != epoch:
                self._epoch = (epoch, self._permutation(epoch))
            self._waiting.append(self._epoch[1][place])
            self._drawn += 1

    def _permutation(self, epoch: int) -> Sequence[int]:
        if self._order == "shards":
            return self._documents
        documents = list(self._documents)
        rng(self._seed, "order", self._stage, epoch).shuffle(documents)
        return documents


def collate(
    corpus: Corpus, documents: Sequence[int], *, supervise: Literal["completion", "all"], device: torch.device
) -> Batch:
    """Lays documents into one row, with the targets of what is to be learned."""
    pieces = [corpus.tokens[corpus.offsets[d] : corpus.offsets[d + 1]] for d in documents]
    tokens = np.concatenate(pieces).astype(np.int64)
    bounds = list(accumulate((len(piece) for piece in pieces), initial=0))
    targets = np.full_like(tokens, IGNORED)
    for document, start, stop in zip(documents, bounds[:-1], bounds[1:], strict=True):
        first = start + (int(corpus.prompt_lengths[document]) if supervise == "completion" else 1)
        targets[first - 1 : stop - 1] = tokens[first:stop]
    return Batch(
        torch.from_numpy(tokens)[None].to(device),
        torch.from_numpy(targets)[None].to(device),
        torch.tensor(bounds, dtype=torch.int32, device=device),
        int((targets != IGNORED).sum()),
        tuple(documents),
    )
