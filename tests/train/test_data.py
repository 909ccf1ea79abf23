from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from promptcot.errors import ShardError
from promptcot.shards.reader import open_shards
from promptcot.ssd.model import Mamba2LM, init_weights, preset
from promptcot.train.data import IGNORED, Corpus, Packer, collate, read_corpus, read_texts
from promptcot.train.tokenizer import Codec, train_codec


@pytest.fixture(scope="module")
def codec(shards: Path) -> Codec:
    return train_codec(read_texts(open_shards(shards)), vocab_size=400)


def corpus_of_lengths(lengths: list[int]) -> Corpus:
    offsets = np.cumsum([0, *lengths])
    return Corpus(
        np.arange(offsets[-1], dtype=np.int32) % 50,
        offsets,
        np.ones(len(lengths), dtype=np.int32),
        tuple(map(str, range(len(lengths)))),
        (("all", 0, len(lengths)),),
        0,
    )


def packer(corpus: Corpus, budget: int, **changes: object) -> Packer:
    settings = {"order": "shuffled", "seed": 1, "stage": 0, "limit": len(corpus.ids), **changes}
    return Packer(corpus, range(len(corpus.ids)), budget, **settings)  # type: ignore[arg-type]


def rows_of(packer: Packer) -> list[list[int]]:
    rows = []
    while row := packer.take():
        rows.append(row)
    return rows


@settings(max_examples=60, deadline=None)
@given(
    lengths=st.lists(st.integers(2, 40), min_size=1, max_size=200),
    budget=st.integers(40, 120),
    order=st.sampled_from(["shards", "shuffled"]),
    stop=st.integers(0, 20),
)
def test_every_document_is_dealt_once_within_the_budget_and_a_restart_goes_on(
    lengths: list[int], budget: int, order: str, stop: int
) -> None:
    corpus = corpus_of_lengths(lengths)
    rows = rows_of(packer(corpus, budget, order=order))
    assert sorted(document for row in rows for document in row) == list(range(len(lengths)))
    assert all(sum(lengths[document] for document in row) <= budget for row in rows)
    first = packer(corpus, budget, order=order)
    head = [row for _ in range(stop) if (row := first.take())]
    second = packer(corpus, budget, order=order)
    second.restore(first.state())
    assert head + rows_of(second) == rows


def test_rows_are_nearly_full_and_nearly_in_order() -> None:
    lengths = np.random.default_rng(0).integers(10, 90, size=2000).tolist()
    corpus = corpus_of_lengths(lengths)
    rows = rows_of(packer(corpus, 512, order="shards"))
    assert sum(lengths) / (512 * len(rows)) > 0.985
    assert max(abs(row[0] - sum(map(len, rows[:n]))) for n, row in enumerate(rows)) < Packer.lookahead


def test_passes_are_shuffled_anew_and_deal_everything() -> None:
    corpus = corpus_of_lengths([10] * 30)
    dealt = [d for row in rows_of(packer(corpus, 50, limit=90)) for d in row]
    assert Counter(dealt) == dict.fromkeys(range(30), 3)
    assert dealt[:30] != dealt[30:60]
    endless = packer(corpus, 50, limit=None)
    assert sum(len(endless.take()) for _ in range(100)) == 500


def test_the_corpus_keeps_phases_in_order_and_counts_what_is_too_long(shards: Path, codec: Codec) -> None:
    opened = open_shards(shards)
    corpus = read_corpus(opened, codec, max_length=64)
    assert corpus.phases == (("foundation", 0, 60), ("challenge", 60, 130))
    assert corpus.ids[:2] == ("e0000", "e0001")
    short = sorted(corpus.length(document) for document in range(130))[64]
    fewer = read_corpus(opened, codec, max_length=short)
    assert fewer.too_long == 130 - len(fewer.ids) > 0
    assert max(fewer.length(document) for document in range(len(fewer.ids))) <= short
    with pytest.raises(ShardError, match="nothing to learn from: 130 examples"):
        read_corpus(opened, codec, max_length=3)


def test_completions_alone_are_supervised(shards: Path, codec: Codec) -> None:
    corpus = read_corpus(open_shards(shards), codec, max_length=64)
    batch = collate(corpus, [3, 70], supervise="completion", device=torch.device("cpu"))
    examples = {e.id: e for phase in ("foundation", "challenge") for e in open_shards(shards).rows(phase)}
    bounds = batch.cu_seqlens.tolist()
    for document, start, stop in zip((3, 70), bounds, bounds[1:], strict=False):
        learned = [t for t in batch.targets[0, start:stop].tolist() if t != IGNORED]
        wanted = examples[corpus.ids[document]]
        assert learned[-1] == codec.eos
        assert codec.decode(learned) == wanted.completion
        assert (
            codec.decode(batch.input_ids[0, start:stop].tolist()) == f"{wanted.prompt}\n{wanted.completion}"
        )
        assert batch.targets[0, stop - 1] == IGNORED
    assert batch.supervised == int((batch.targets != IGNORED).sum())
    every = collate(corpus, [3, 70], supervise="all", device=torch.device("cpu"))
    assert every.supervised == batch.input_ids.numel() - 2


def test_a_packed_row_has_the_loss_and_gradients_of_its_documents_alone(shards: Path, codec: Codec) -> None:
    """Float64, to 1e-9: what the trainer feeds to the model does not leak from document to document."""
    corpus = read_corpus(open_shards(shards), codec, max_length=64)
    model = Mamba2LM(preset("nano", vocab_size=codec.size).model_copy(update={"n_layers": 2}))
    init_weights(model, 0).double()
    row = packer(corpus, 256).take()
    assert len(row) > 4

    def loss(documents: list[int]) -> torch.Tensor:
        batch = collate(corpus, documents, supervise="completion", device=torch.device("cpu"))
        value = model.loss(batch.input_ids, batch.targets, batch.cu_seqlens)
        value.backward()
        return value.detach()

    together = loss(row)
    gradients = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    model.zero_grad()
    alone = sum(loss([document]) for document in row)
    torch.testing.assert_close(together, alone, rtol=1e-9, atol=1e-9)
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(gradients[name], parameter.grad, rtol=1e-8, atol=1e-9)
