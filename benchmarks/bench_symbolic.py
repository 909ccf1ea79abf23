"""Verified records a second of the symbolic engine, by operations and skin, and the quality of what it makes.

    python benchmarks/bench_symbolic.py                  speed, one core
    python benchmarks/bench_symbolic.py --quality 20000  duplicates, answer frequency, use of concepts

Every record is wired, told, read back, recomputed and checked by a second route before it counts.
Times are processor time of this process, so that other work on the machine disturbs them less.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter, defaultdict

from promptcot import config
from promptcot.concepts.library import load
from promptcot.concepts.sampler import Sampler
from promptcot.errors import ParseError
from promptcot.records import Recipe
from promptcot.seeding import rng
from promptcot.symbolic.engine import Draft, Engine
from promptcot.symbolic.library import library
from promptcot.symbolic.skins import SKINS

SHAPES = ((1, 0, 0), (3, 0, 0), (3, 2, 1), (3, 6, 1), (3, 10, 1))
"""Concepts, further operations and distractors of a recipe."""
BANDS = ((1, "1"), (2, "2"), (4, "3-4"), (8, "5-8"), (99, "9 and more"))


def speed(engine: Engine, records: int) -> None:
    """Prints records a second for each shape and skin."""
    ids = sorted(engine.concepts)
    print(f"{'skin':<10} {'ops':>5} {'distractors':>12} {'tokens':>7} {'records/s':>10} {'refused':>8}")
    for skin in sorted(SKINS):
        for concepts, extra, distractors in SHAPES:
            random = rng(0, "bench", concepts, extra)
            made: list[Draft] = []
            refused = 0
            started = time.process_time()
            for seed in range(records):
                chosen = tuple(random.sample(ids, concepts))
                recipe = Recipe(id="r", ordinal=seed, concepts=chosen, domain="", level=5, seed=seed)
                try:
                    made.append(engine.author(recipe, skin=skin, extra=extra, distractors=distractors))
                except ParseError:
                    refused += 1
            rate = len(made) / (time.process_time() - started)
            ops, off, tokens = (
                sum(draft.measures[name] for draft in made) / len(made)
                for name in ("ops", "distractors", "tokens")
            )
            print(f"{skin:<10} {ops:>5.1f} {off:>12.1f} {tokens:>7.0f} {rate:>10.0f} {refused:>8}")


def quality(engine: Engine, records: int, skin: str) -> None:
    """Prints what a run of the default sampler gives."""
    sampler = Sampler(load("symbolic-core"), config.Sampling(), seed=0)
    answers: dict[str, Counter[str]] = defaultdict(Counter)
    statements: Counter[str] = Counter()
    used: Counter[str] = Counter()
    tiers: Counter[int] = Counter()
    refused = 0
    tops = config.Curriculum().tiers
    for ordinal in range(records):
        recipe = sampler.recipe(ordinal)
        try:
            draft = engine.author(recipe, skin=skin)
        except ParseError:
            refused += 1
            continue
        band = next(name for most, name in BANDS if draft.measures["ops"] <= most)
        answers[band][draft.answer] += 1
        statements[draft.statement] += 1
        used.update(recipe.concepts)
        tiers[1 + sum(draft.measures["prior"] >= top for top in tops)] += 1
    made = statements.total()
    print(f"{made} of {records} recipes made ({refused} refused), no check failed")
    print(f"duplicates: {made - len(statements)} ({1 - len(statements) / made:.3%})")
    least, most = min(used.values()), max(used.values())
    print(f"concepts used: {len(used)} of {len(engine.concepts)}, {least} to {most} times")
    print("difficulty tiers:", ", ".join(f"{tier}: {tiers[tier] / made:.0%}" for tier in sorted(tiers)))
    for _, band in BANDS:
        if answers[band]:
            answer, count = answers[band].most_common(1)[0]
            share = count / answers[band].total()
            print(
                f"ops {band}: {answers[band].total()} problems, most frequent answer {answer} ({share:.1%})"
            )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--records", type=int, default=500, help="records for each line of the speed table")
    parser.add_argument(
        "--quality", type=int, default=0, metavar="N", help="measure quality on N recipes instead"
    )
    parser.add_argument("--skin", choices=sorted(SKINS), default="letters", help="skin of the quality run")
    args = parser.parse_args()
    engine = Engine(library(plugins=False))
    if args.quality:
        quality(engine, args.quality, args.skin)
    else:
        speed(engine, args.records)


if __name__ == "__main__":
    main()
