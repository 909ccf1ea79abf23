"""Shards of small sums, written as a run writes them."""

from __future__ import annotations

from pathlib import Path

from promptcot.records import Example
from promptcot.seeding import rng
from promptcot.shards.files import write_atomic
from promptcot.shards.manifest import HELD_OUT, NAME, Manifest, encode
from promptcot.shards.writer import write_phase

TINY = {"vocab_size": 512, "d_model": 32, "n_layers": 2, "dstate": 8, "headdim": 16}
"""A model small enough to train in a test."""


def example(number: int, phase: str, tier: int) -> Example:
    draw = rng(0, "sums", number)
    terms = [draw.randint(0, 9) for _ in range(tier + 1)]
    total = str(sum(terms))
    return Example(
        id=f"e{number:04d}",
        prompt=f"a = {' + '.join(map(str, terms))} ; a ?",
        completion=f"a = {total}\n\\boxed{{{total}}}",
        answer=total,
        answer_kind="expression",
        tests=(),
        difficulty=tier / 10,
        tier=tier,
        phase=phase,
        domain="arithmetic",
        level=1,
        concepts=("arithmetic.add",),
        rationale="",
        structure="",
        measures={},
        author="test",
        recipe=f"r{number:08d}",
    )


def write_shards(folder: Path, phases: dict[str, list[Example]], held_out: list[Example]) -> Path:
    files = tuple(write_phase(folder, name, rows, max_rows=100) for name, rows in phases.items())
    manifest = Manifest(
        format=1, promptcot="0", pyarrow="0", config="c", graph="g", seed=0, completion="solution",
        sources={}, target=0, asked=0, accepted=0, phases=files,
        held_out=write_phase(folder, HELD_OUT, held_out, max_rows=100), tiers={}, domains={}, funnel=(),
        rejections=(),
    )  # fmt: skip
    write_atomic(folder / NAME, encode(manifest))
    return folder


def write_small_run(folder: Path) -> Path:
    """130 sums in two phases, and 30 held out."""
    phases = {
        "foundation": [example(n, "foundation", 1) for n in range(60)],
        "challenge": [example(n, "challenge", 2 + n % 2) for n in range(60, 130)],
    }
    return write_shards(folder, phases, [example(n, HELD_OUT, 1 + n % 3) for n in range(130, 160)])
