"""A run's material made by hand, so that every part of a report has something to show."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from promptcot.config import Config, validate
from promptcot.pipeline.summary import Rejected, Rejection, RoleUse, Summary
from promptcot.records import Example
from promptcot.report.gather import Material, Rows, choose, read
from promptcot.report.model import Scores, Step, TierScore, Trained, Tried
from promptcot.shards.manifest import HELD_OUT, Manifest, PhaseFiles, ShardFile, StageCount

DOMAINS = ("arithmetic", "number theory", "sequences", "sets", "geometry", "combinatorics")


def example(index: int, phase: str = "foundation", **changes: object) -> Example:
    fields: dict[str, object] = {
        "id": f"{index:016x}",
        "prompt": f"Let a = {index + 3} and b = {2 * index + 1}. Let c be the greatest common divisor of "
        "a and b.\nWhat is the remainder when a + b + c is divided by 7?",
        "completion": f"a + b = {3 * index + 4}.\nThe divisor is {1 + index % 3}.\nThe answer follows.",
        "answer": str(index % 7),
        "answer_kind": "expression",
        "tests": (),
        "difficulty": (index * 37 % 100) / 100,
        "tier": 1 + index % 5,
        "phase": phase,
        "domain": DOMAINS[index % len(DOMAINS)],
        "level": 1 + index % 7,
        "concepts": (f"nt.c{index % 11}", f"ar.c{index % 5}"),
        "rationale": "Two numbers feed a common divisor, whose sum with them is reduced.",
        "structure": "ab12",
        "measures": {"ops": 3.0},
        "author": "symbolic",
        "recipe": f"r{index:08d}",
    }
    return Example(**(fields | changes))  # type: ignore[arg-type]


def made(examples: dict[str, list[Example]], *, name: str = "first-light", **summary: object) -> Material:
    """The material of a run that holds `examples` by phase."""
    rows = Rows()
    for phase, members in examples.items():
        read(rows, phase, members)
    choose(rows)
    config: Config = validate(Config, {"target": {"accepted": 2000, "seed": 7}}, where="test")
    files = {
        phase: PhaseFiles(
            name=phase,
            rows=len(members),
            files=(
                ShardFile(
                    path=f"data/{phase}/part-00000.parquet",
                    rows=len(members),
                    bytes=217_431,
                    sha256="5e" * 32,
                ),
            ),
        )
        for phase, members in examples.items()
    }
    counted: dict[str, object] = {
        "folder": f"runs/{name}",
        "complete": True,
        "target": 2000,
        "asked": 2431,
        "accepted": 2000,
        "funnel": tuple(
            StageCount(name=stage, entered=entered, kept=kept)
            for stage, entered, kept in (
                ("author", 2431, 2410),
                ("judge", 2410, 2322),
                ("solved", 2322, 2301),
                ("difficulty", 2301, 2288),
                ("duplicates", 2288, 2004),
                ("contamination", 2004, 2000),
            )
        ),
        "rejections": (
            Rejection(
                stage="duplicates",
                reason="near-duplicate",
                count=284,
                examples=(
                    Rejected(
                        ordinal=512,
                        detail="of r00000031",
                        statement="Let a = 4. What is a + 3?",
                        measure=0.83,
                        threshold=0.7,
                    ),
                ),
            ),
            Rejection(
                stage="judge",
                reason="bad-rating",
                count=88,
                examples=(Rejected(ordinal=9, detail="format: bad"),),
            ),
            Rejection(stage="author", reason="missing-answer", count=21),
            Rejection(stage="contamination", reason="benchmark", count=4),
        ),
        "histogram": (12, 120, 260, 310, 280, 240, 190, 150, 120, 90, 70, 50, 38, 26, 18, 11, 8, 4, 2, 1),
        "tiers": {str(tier): 700 - 120 * tier for tier in range(1, 6)},
        "phases": {"foundation": 1240, "challenge": 560, HELD_OUT: 200},
        "domains": {domain: 500 - 60 * i for i, domain in enumerate(DOMAINS)},
        "roles": tuple(
            RoleUse(
                role=role,
                model="symbolic",
                requests=2431,
                input_tokens=i * 310_000,
                output_tokens=i * 140_000,
                latency_s=0.0021 * i,
            )
            for i, role in enumerate(("author", "judge", "solver"), start=1)
        ),
        "seconds": {"author": 6.1, "judge": 4.2, "solve": 3.9, "filters": 2.2, "shards": 0.8, "total": 9.7},
    }
    return Material(
        name=name,
        config=config,
        summary=Summary(**(counted | summary)),  # type: ignore[arg-type]
        manifest=Manifest(
            format=1,
            promptcot="0.1.0",
            pyarrow="26.0.0",
            config=config.fingerprint(),
            graph="symbolic-core",
            seed=7,
            completion="solution",
            sources={"graph symbolic-core": "9f" * 16, "template author-math": "1c" * 16},
            target=2000,
            asked=2431,
            accepted=2000,
            phases=tuple(files[phase] for phase in examples if phase != HELD_OUT),
            held_out=files.get(HELD_OUT, PhaseFiles(name=HELD_OUT, rows=0)),
            tiers={},
            domains={},
            funnel=(),
            rejections=(),
            certificates={
                "contamination": {
                    "files": [{"name": "gsm8k-test.jsonl", "items": 1319, "sha256": "ab" * 32}],
                    "ngram": 13,
                    "containment": 0.8,
                    "dropped": {"benchmark": 4},
                }
            },
        ),
        rows=rows,
        known={f"nt.c{i}": (f"Divisors {i}", "number theory") for i in range(13)}
        | {f"ar.c{i}": (f"Sums of {i + 2} terms", "arithmetic") for i in range(5)},
        model=Trained(
            steps=tuple(
                Step(
                    step=i,
                    stage="foundation" if i < 190 else "challenge",
                    loss=1.1 + 3.2 / (1 + i / 18) + 0.25 * ((i * 7919 % 101) / 101 - 0.5),
                )
                for i in range(300)
            ),
            scores=Scores(
                loss_before=5.61,
                loss_after=1.22,
                overall=TierScore(tier=0, n=200, correct=60, low=0.24, high=0.37, majority=0.14),
                samples=tuple(
                    Tried(
                        id=f"{i:x}",
                        tier=1 + i,
                        prompt=f"What is the remainder of {100 + i} on division by 7?",
                        answer=str((100 + i) % 7),
                        completion=f"14 times 7 is 98. The remainder is {2 + i}. \\boxed{{2}}",
                        given="2",
                        correct=not i,
                    )
                    for i in range(3)
                ),
                tiers=tuple(
                    TierScore(
                        tier=t,
                        n=40,
                        correct=c,
                        low=max(c / 40 - 0.13, 0),
                        high=min(c / 40 + 0.14, 1),
                        majority=0.14,
                        majority_answer="2",
                    )
                    for t, c in enumerate((27, 16, 9, 5, 3), start=1)
                ),
            ),
        ),
    )


@pytest.fixture
def material() -> Material:
    """A finished run with a trained and scored model."""
    return made(
        {
            "foundation": [example(i) for i in range(120)],
            "challenge": [example(i, "challenge") for i in range(120, 180)],
            HELD_OUT: [example(i, HELD_OUT) for i in range(180, 200)],
        }
    )


@pytest.fixture
def make() -> Callable[..., Material]:
    """`made`, for tests that want other words or counts."""
    return made


@pytest.fixture
def make_example() -> Callable[..., Example]:
    """`example`, likewise."""
    return example
