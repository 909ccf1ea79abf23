"""Scores a model on the held-out problems of a run: loss before and after, exact match by tier."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import torch

from promptcot.errors import CheckpointError, ShardError
from promptcot.evaluate.answers import final_answer
from promptcot.records import Answer, Example, Record, to_json
from promptcot.shards.files import write_atomic
from promptcot.shards.manifest import HELD_OUT
from promptcot.shards.reader import ShardSet, open_shards
from promptcot.ssd.decode import Generation, Request, generate
from promptcot.ssd.hf import read_model
from promptcot.ssd.model import Mamba2LM, ModelConfig, init_weights
from promptcot.train.data import Corpus, collate, corpus_of
from promptcot.train.lineage import LINEAGE, read_lineage
from promptcot.train.tokenizer import Codec
from promptcot.verification.equality import equal
from promptcot.verification.statistics import wilson

__all__ = ["EVALUATION", "Evaluation", "Sample", "Tier", "evaluate"]

EVALUATION = "evaluation.json"
_LOSS_TOKENS = 4096
_SAMPLES_PER_TIER = 3

Progress = Callable[[int, int, int], None]
"""Told of problems answered, of all, and how many were right."""


class Tier(Record, frozen=True):
    """Exact match on the held-out problems of one tier; tier 0 is all of them.

    Attributes:
        n: Problems, and `correct` those answered rightly.
        low: Lower end of the 95% Wilson interval of the share, and `high` the upper one.
        majority: Share that is right by always saying `majority_answer`, the most frequent answer among
            the training problems of the tier.
    """

    tier: int
    n: int
    correct: int
    low: float
    high: float
    majority: float
    majority_answer: str


class Sample(Record, frozen=True):
    """A held-out problem and what the model made of it."""

    id: str
    tier: int
    prompt: str
    answer: str
    completion: str
    given: str | None
    correct: bool


class Evaluation(Record, frozen=True):
    """What ``evaluation.json`` holds.

    Attributes:
        loss_before: Held-out loss in nats per completion token with the weights that training began
            with; None where the model folder does not say which.
        loss_after: The same with the model's own weights.
        tiers: By tier, those without held-out problems left out; `overall` is all together.
        skipped: Held-out problems not asked: answers that only running code can check.
        cut_off: Completions that reached `max_new_tokens` without an end.
        samples: The first problems of each tier.
    """

    loss_before: float | None
    loss_after: float
    tiers: tuple[Tier, ...]
    overall: Tier
    skipped: int
    cut_off: int
    max_new_tokens: int
    samples: tuple[Sample, ...]


def evaluate(
    model_folder: Path,
    shards_folder: Path,
    *,
    max_new_tokens: int | None = None,
    nslots: int = 64,
    progress: Progress | None = None,
    device: str = "cpu",
) -> Evaluation:
    """Scores a model by greedy decoding, and writes ``evaluation.json`` into its folder.

    Args:
        model_folder: The model with its tokenizer.
        shards_folder: A run folder; its held-out shards are read, and its training shards for the baseline.
        max_new_tokens: Of one completion; by default what the longest held-out solution has, and a
            quarter more.
        nslots: Problems answered at a time.
        progress: Told as problems are answered.
        device: Where to compute.

    Raises:
        ShardError: A shard is not what its manifest says, or nothing was held out.
        CheckpointError: The folder holds no model, or another than its lineage says.
    """
    shards = open_shards(shards_folder)
    held_out = list(shards.rows(HELD_OUT))
    if not held_out:
        raise ShardError(f"{shards_folder}: no held-out problems", remedy="generate with curriculum.held_out")
    loaded = read_model(model_folder, device=device)
    codec = Codec.load(model_folder, loaded.tokens)
    corpus = corpus_of(held_out, codec)
    before = _first_weights(model_folder, device)
    loss_before = None if before is None else _loss(before, corpus)
    asked = [example for example in held_out if example.answer_kind != "code"]
    limit = max_new_tokens or _longest_completion(corpus) * 5 // 4 + 1
    generations = _ask(loaded.model, codec, asked, limit, nslots, progress)
    samples = [_sample(example, codec, each) for example, each in zip(asked, generations, strict=True)]
    tiers = _tiers(samples, _majorities(shards))
    evaluation = Evaluation(
        loss_before=loss_before,
        loss_after=_loss(loaded.model, corpus),
        tiers=tuple(tiers),
        overall=_together(tiers),
        skipped=len(held_out) - len(asked),
        cut_off=sum(generation.finish_reason == "length" for generation in generations),
        max_new_tokens=limit,
        samples=tuple(_first_of_each_tier(samples)),
    )
    write_atomic(model_folder / EVALUATION, to_json(evaluation))
    return evaluation


def _first_weights(folder: Path, device: str) -> Mamba2LM | None:
    """The model as it was before training, where its lineage says how to make it again."""
    if not (folder / LINEAGE).exists():
        return None
    lineage = read_lineage(folder)
    base, seed = lineage["base"], lineage["recipe"]["seed"]
    if base["drawn"]:
        model = Mamba2LM(ModelConfig.model_validate(base["config"]))
        return init_weights(model, seed).to(device)
    source = Path(base["model"])
    try:
        return read_model(source, device=device).model if source.is_dir() else None
    except CheckpointError:
        return None


@torch.no_grad()
def _loss(model: Mamba2LM, corpus: Corpus) -> float:
    """Mean loss over the completions' tokens."""
    device = model.lm_head.weight.device
    total, supervised, row, size = 0.0, 0, list[int](), 0
    for document in range(len(corpus.ids) + 1):
        last = document == len(corpus.ids)
        if row and (last or size + corpus.length(document) > _LOSS_TOKENS):
            batch = collate(corpus, row, supervise="completion", device=device)
            total += model.loss(batch.input_ids, batch.targets, batch.cu_seqlens).item()
            supervised += batch.supervised
            row, size = [], 0
        if not last:
            row.append(document)
            size += corpus.length(document)
    return round(total / supervised, 6)


def _longest_completion(corpus: Corpus) -> int:
    return max(corpus.length(d) - int(corpus.prompt_lengths[d]) for d in range(len(corpus.ids)))


def _ask(
    model: Mamba2LM,
    codec: Codec,
    examples: Sequence[Example],
    limit: int,
    nslots: int,
    progress: Progress | None,
) -> list[Generation]:
    prompts = codec.prompts([example.prompt for example in examples]) if examples else []
    done = right = 0

    def told(index: int, generation: Generation) -> None:
        nonlocal done, right
        done += 1
        right += _sample(examples[index], codec, generation).correct
        if progress:
            progress(done, len(examples), right)

    requests = [Request(prompt, max_new_tokens=limit) for prompt in prompts]
    return generate(model, requests, stop_ids={codec.eos}, nslots=nslots, on_finished=told)


def _sample(example: Example, codec: Codec, generation: Generation) -> Sample:
    completion = codec.decode(generation.tokens)
    given = final_answer(completion)
    expected = Answer(kind="text" if example.answer_kind == "text" else "expression", value=example.answer)
    return Sample(
        id=example.id,
        tier=example.tier,
        prompt=example.prompt,
        answer=example.answer,
        completion=completion,
        given=given,
        correct=given is not None and equal(expected, given).equal is True,
    )


def _majorities(shards: ShardSet) -> dict[int, str]:
    """The most frequent answer of the training problems of each tier; the first in order of equals."""
    counts: dict[int, Counter[str]] = defaultdict(Counter)
    for phase in shards.phases:
        for example in shards.rows(phase):
            counts[example.tier][example.answer] += 1
    return {
        tier: min(count, key=lambda answer: (-count[answer], answer))
        for tier, count in sorted(counts.items())
    }


def _tiers(samples: Iterable[Sample], majorities: dict[int, str]) -> list[Tier]:
    by_tier: dict[int, list[Sample]] = defaultdict(list)
    for sample in samples:
        by_tier[sample.tier].append(sample)
    tiers = []
    for tier, members in sorted(by_tier.items()):
        answer = majorities.get(tier, "")
        correct = sum(member.correct for member in members)
        low, high = wilson(correct, len(members))
        hits = sum(answer != "" and equal(member.answer, answer).equal is True for member in members)
        majority = hits / len(members)
        tiers.append(
            Tier(
                tier=tier,
                n=len(members),
                correct=correct,
                low=low,
                high=high,
                majority=majority,
                majority_answer=answer,
            )
        )
    return tiers


def _together(tiers: Sequence[Tier]) -> Tier:
    """All tiers as one; its baseline says the majority answer of each tier."""
    n, correct = sum(tier.n for tier in tiers), sum(tier.correct for tier in tiers)
    low, high = wilson(correct, n)
    majority = sum(tier.majority * tier.n for tier in tiers) / max(1, n)
    return Tier(tier=0, n=n, correct=correct, low=low, high=high, majority=majority, majority_answer="")


def _first_of_each_tier(samples: Iterable[Sample]) -> list[Sample]:
    seen: Counter[int] = Counter()
    first = []
    for sample in sorted(samples, key=lambda each: each.tier):
        seen[sample.tier] += 1
        if seen[sample.tier] <= _SAMPLES_PER_TIER:
            first.append(sample)
    return first
