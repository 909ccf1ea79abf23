"""Batched generation with fixed memory: packed, chunked prefill, then one token a step in every slot.

A sequence needs a state of one size however long it is, so the slots are made once. Prompts wait for a
free slot, are read into it in pieces of bounded size together with other prompts, and leave it when
they stop; the next prompt takes it over. Every request draws from a generator of its own, so a
sample is the same whatever runs beside it (up to the rounding of sums in products of another shape).
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor

from promptcot.errors import ConfigError
from promptcot.seeding import rng
from promptcot.ssd.model import Mamba2LM, State

__all__ = ["Generation", "Request", "generate"]


@dataclass(frozen=True, slots=True)
class Request:
    """One prompt, and how to continue it.

    Attributes:
        prompt: Token ids, one at least.
        max_new_tokens: Where to end without a stop token.
        temperature: 0 takes the likeliest token.
        top_p: Draw from the fewest tokens that together have this probability.
        seed: Of the draws.
    """

    prompt: Sequence[int]
    max_new_tokens: int = 256
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Generation:
    """What a request brought: tokens without the stop token, and why they ended."""

    tokens: tuple[int, ...]
    finish_reason: Literal["stop", "length"]


@dataclass
class _Sequence:
    """A request in its slot."""

    index: int
    slot: int
    request: Request
    draw: random.Random
    tokens: list[int] = field(default_factory=list)


@torch.no_grad()
def generate(
    model: Mamba2LM,
    requests: Sequence[Request],
    *,
    stop_ids: Collection[int],
    nslots: int = 64,
    prefill_tokens: int = 4096,
    on_finished: Callable[[int, Generation], None] | None = None,
) -> list[Generation]:
    """Continues every request until a stop token or its limit.

    Args:
        model: In evaluation mode or not: there is no dropout.
        requests: In any number; those without a slot wait.
        stop_ids: Tokens that end a sequence.
        nslots: Sequences that run at a time. Memory is that of their states, and fixed.
        prefill_tokens: Prompt tokens read in one pass; longer prompts take several.
        on_finished: Told the index of each request as it ends, and what it brought.

    Returns:
        A generation for each request, in order.

    Raises:
        ConfigError: A request is empty or its numbers make no sense.
    """
    for index, request in enumerate(requests):
        _check(index, request)
    weight = model.backbone.embeddings.weight
    nslots = max(1, min(nslots, len(requests)))
    state = State.zeros(model.config, nslots, device=weight.device, dtype=model.lm_head.weight.dtype)
    waiting = deque(enumerate(requests))
    free = list(range(nslots))[::-1]
    running: list[_Sequence] = []
    done: dict[int, Generation] = {}
    while waiting or running:
        entered = []
        while waiting and free:
            index, request = waiting.popleft()
            entered.append(_Sequence(index, free.pop(), request, rng(request.seed, "decode")))
        if entered:
            logits = _prefill(model, state, entered, prefill_tokens)
            running += _advance(logits, entered, stop_ids, free, done, on_finished)
        elif running:
            last = torch.tensor([sequence.tokens[-1] for sequence in running], device=weight.device)
            slots = torch.tensor([s.slot for s in running], dtype=torch.int32, device=weight.device)
            logits = model.step(last, state, slots)
            running = _advance(logits, running, stop_ids, free, done, on_finished)
    return [done[index] for index in range(len(requests))]


def _check(index: int, request: Request) -> None:
    if not request.prompt:
        raise ConfigError(f"request {index} has an empty prompt")
    if request.max_new_tokens < 1 or request.temperature < 0 or not 0 < request.top_p <= 1:
        raise ConfigError(
            f"request {index}: max_new_tokens {request.max_new_tokens}, temperature {request.temperature}, "
            f"top_p {request.top_p}",
            remedy="at least 1, at least 0, and above 0 up to 1",
        )


def _prefill(model: Mamba2LM, state: State, entered: list[_Sequence], limit: int) -> Tensor:
    """Reads the prompts into their slots, at most `limit` tokens a pass; logits of each one's last token."""
    device = state.ssm.device
    slots = torch.tensor([sequence.slot for sequence in entered], device=device)
    state.conv[:, slots] = 0
    state.ssm[:, slots] = 0
    logits: list[Tensor | None] = [None] * len(entered)
    pieces = deque((row, 0) for row in range(len(entered)))
    while pieces:
        tokens: list[int] = []
        bounds, rows = [0], []
        while pieces and len(tokens) < limit:
            row, start = pieces.popleft()
            prompt = entered[row].request.prompt
            stop = min(len(prompt), start + limit - len(tokens))
            tokens += prompt[start:stop]
            bounds.append(len(tokens))
            rows.append((row, stop == len(prompt)))
            if stop < len(prompt):
                pieces.appendleft((row, stop))
        out = model.prefill(
            torch.tensor([tokens], device=device),
            torch.tensor(bounds, dtype=torch.int32, device=device),
            state,
            slots[[row for row, _ in rows]],
        )
        for place, (row, whole) in enumerate(rows):
            if whole:
                logits[row] = out[place]
    return torch.stack([each for each in logits if each is not None])


def _advance(
    logits: Tensor,
    sequences: list[_Sequence],
    stop_ids: Collection[int],
    free: list[int],
    done: dict[int, Generation],
    on_finished: Callable[[int, Generation], None] | None,
) -> list[_Sequence]:
    """Takes a token for each sequence, and gives those that go on."""
    going = []
    for sequence, token in zip(sequences, _choose(logits, sequences), strict=True):
        reason: Literal["stop", "length"] | None = None
        if token in stop_ids:
            reason = "stop"
        else:
            sequence.tokens.append(token)
            if len(sequence.tokens) >= sequence.request.max_new_tokens:
                reason = "length"
        if reason is None:
            going.append(sequence)
            continue
        generation = Generation(tuple(sequence.tokens), reason)
        done[sequence.index] = generation
        free.append(sequence.slot)
        if on_finished:
            on_finished(sequence.index, generation)
    return going


def _choose(logits: Tensor, sequences: list[_Sequence]) -> list[int]:
    """The next token of each row of `logits` (batch, vocab_size)."""
    chosen: list[int] = logits.argmax(-1).tolist()
    drawn = [row for row, sequence in enumerate(sequences) if sequence.request.temperature > 0]
    if not drawn:
        return chosen
    requests = [sequences[row].request for row in drawn]
    numbers = [
        [r.temperature, r.top_p, sequences[row].draw.random()] for row, r in zip(drawn, requests, strict=True)
    ]
    temperature, top_p, at = torch.tensor(numbers, dtype=torch.float64, device=logits.device).T[..., None]
    scaled = logits[drawn].double() / temperature
    probabilities, tokens = torch.softmax(scaled, -1).sort(stable=True, dim=-1, descending=True)
    below = probabilities.cumsum(-1) - probabilities  # what comes before each token
    kept = probabilities * (below < top_p)
    total = kept.cumsum(-1)
    places = (total <= at * total[:, -1:]).sum(-1, keepdim=True)
    places = torch.minimum(places, (kept > 0).sum(-1, keepdim=True) - 1)
    for row, token in zip(drawn, tokens.gather(1, places)[:, 0].tolist(), strict=True):
        chosen[row] = token
    return chosen
