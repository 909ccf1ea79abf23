"""Tokens a second of training and decoding on this machine's CPU.

    python benchmarks/bench_training.py [--model nano] [--threads 2] [--steps 40]

Trains on random documents of the demo's length (about 43 tokens), so that no data need be made first:
the work of a step does not depend on what the tokens say. Rates are of the wall clock; run it alone.
"""

from __future__ import annotations

import argparse
import platform
import time

import torch

from promptcot.ssd.decode import Request, generate
from promptcot.ssd.model import Mamba2LM, State, init_weights, preset
from promptcot.train import load_recipe
from promptcot.train.optim import build_optimizers


def documents(tokens: int, vocab_size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """A packed row of documents of 30 to 56 tokens."""
    draw = torch.Generator().manual_seed(0)
    bounds = [0]
    while bounds[-1] < tokens:
        bounds.append(min(tokens, bounds[-1] + int(torch.randint(30, 57, (1,), generator=draw))))
    ids = torch.randint(vocab_size, (1, tokens), generator=draw)
    return ids, torch.tensor(bounds, dtype=torch.int32)


def training(model: Mamba2LM, steps: int) -> float:
    """Tokens a second of whole optimizer steps, the small recipe's."""
    recipe = load_recipe("small")
    optimizers = build_optimizers(
        model,
        optimizer=recipe.optimizer,
        lr=1e-4,
        matrix_lr=1e-4,
        betas=recipe.betas,
        eps=recipe.eps,
        weight_decay=recipe.weight_decay,
    )
    ids, bounds = documents(recipe.batch_tokens, model.config.vocab_size)
    started = 0.0
    for step in range(steps + 3):
        if step == 3:
            started = time.perf_counter()
        (model.loss(ids, ids.roll(-1, 1), bounds) / ids.numel()).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), recipe.clip)
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
    return steps * ids.numel() / (time.perf_counter() - started)


def decoding(model: Mamba2LM, slots: int, length: int = 64) -> float:
    """New tokens a second, `slots` at a time, prefill of 16 tokens included."""
    requests = [Request(list(range(1, 17)), max_new_tokens=length) for _ in range(slots)]
    started = time.perf_counter()
    generate(model, requests, stop_ids=(), nslots=slots)
    return slots * length / (time.perf_counter() - started)


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="nano")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--steps", type=int, default=40)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    model = init_weights(Mamba2LM(preset(options.model, vocab_size=352)), 0)
    size = sum(parameter.numel() for parameter in model.parameters())
    state = State.zeros(model.config, 1, device=torch.device("cpu"), dtype=torch.float32)
    print(f"# {platform.machine()}, {options.threads} threads, torch {torch.__version__}")
    print(f"{options.model}: {size:,} parameters, {state.nbytes / 1024:.0f} KiB of state a sequence")
    print(f"training            {training(model, options.steps):>9,.0f} tokens/s")
    for slots in (1, 64):
        print(f"decoding, {slots:>2} slots  {decoding(model, slots):>9,.0f} tokens/s")


if __name__ == "__main__":
    main()
