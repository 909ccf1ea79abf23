"""What a run folder says of the model trained on it: how its loss fell and what it scores by tier."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

import msgspec
from markupsafe import Markup

from promptcot.errors import ResourceError
from promptcot.records import Record
from promptcot.report import svg
from promptcot.verification.statistics import above

T = TypeVar("T")

FOLDER = "model"
_MOST_POINTS = 400


class Step(Record, frozen=True):
    """A line of ``metrics.jsonl``: one optimizer step, in one stage of the curriculum."""

    step: int
    loss: float
    stage: str = ""


class TierScore(Record, frozen=True):
    """Exact match on the held-out problems of one tier, with its 95% interval.

    Attributes:
        majority: What always answering `majority_answer` scores.
    """

    tier: int
    n: int
    correct: int
    low: float
    high: float
    majority: float
    majority_answer: str = ""


class Tried(Record, frozen=True):
    """A held-out problem and what the model made of it; `given` is the answer found in it, if any."""

    id: str
    tier: int
    prompt: str
    answer: str
    completion: str
    given: str | None
    correct: bool


class Scores(Record, frozen=True):
    """``evaluation.json``: held-out loss in nats per token, before training and after, and exact match."""

    loss_before: float | None
    loss_after: float
    tiers: tuple[TierScore, ...]
    overall: TierScore
    skipped: int = 0
    cut_off: int = 0
    samples: tuple[Tried, ...] = ()


@dataclass(frozen=True, slots=True)
class Trained:
    """What was read of a model's folder; a part is None or empty where its file is absent."""

    steps: tuple[Step, ...]
    scores: Scores | None


@dataclass(frozen=True, slots=True)
class ModelPart:
    """What a report shows of a model.

    Attributes:
        tiles: Headline figures: value, label, note.
        table: Tier, problems, right, exact match, interval, majority baseline, its answer; and
            whether the interval lies above the baseline.
    """

    tiles: tuple[tuple[str, str, str], ...]
    loss: Markup
    scores: Markup
    table: tuple[tuple[tuple[str, ...], bool], ...]
    verdict: str
    tried: tuple[Tried, ...]
    stages: bool


def trained(folder: Path) -> Trained | None:
    """Reads ``model/`` of a run folder; None where nothing was trained.

    Raises:
        ResourceError: A file there is not what it should be.
    """
    metrics, evaluation = folder / FOLDER / "metrics.jsonl", folder / FOLDER / "evaluation.json"
    steps = _decoded(metrics, msgspec.json.Decoder(Step).decode_lines) if metrics.is_file() else []
    scores = _decoded(evaluation, msgspec.json.Decoder(Scores).decode) if evaluation.is_file() else None
    return Trained(tuple(steps), scores) if steps or scores else None


def _decoded(path: Path, decode: Callable[[bytes], T]) -> T:
    try:
        return decode(path.read_bytes())
    except OSError as error:
        raise ResourceError(f"cannot read {path}: {error.strerror or error}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ResourceError(f"{path}: {error}", remedy="train or evaluate again") from error


def model_part(model: Trained) -> ModelPart:
    """What to show of a model."""
    scores = model.scores
    shown = (*scores.tiers, scores.overall) if scores else ()
    rows = tuple((_row(tier), above(tier.low, tier.majority, tier.n)) for tier in shown if tier.n)
    pictured = (
        svg.scores(
            [
                svg.Score(f"tier {t.tier}", t.correct / t.n, t.low, t.high, t.majority)
                for t in scores.tiers
                if t.n
            ],
            label="exact match by difficulty tier",
        )
        if scores
        else Markup("")
    )
    tried = scores.samples if scores else ()
    return ModelPart(
        _tiles(scores),
        _loss(model.steps),
        pictured,
        rows,
        _verdict(scores),
        tried,
        len({step.stage for step in model.steps}) > 1,
    )


def _tiles(scores: Scores | None) -> tuple[tuple[str, str, str], ...]:
    if scores is None:
        return ()
    before = "" if scores.loss_before is None else f"{scores.loss_before:.2f} before training"
    tiles = [(f"{scores.loss_after:.2f}", "held-out loss", before)]
    first = next((tier for tier in scores.tiers if tier.n), None)
    if first:
        note = f"majority answer: {first.majority:.0%}"
        tiles.append((f"{first.correct / first.n:.0%}", f"exact match, tier {first.tier}", note))
    return tuple(tiles)


def _row(tier: TierScore) -> tuple[str, ...]:
    return (
        str(tier.tier) if tier.tier else "all",
        f"{tier.n:,}",
        f"{tier.correct:,}",
        f"{tier.correct / tier.n:.1%}",
        f"{tier.low:.1%} to {tier.high:.1%}",
        f"{tier.majority:.1%}",
        tier.majority_answer,
    )


def _verdict(scores: Scores | None) -> str:
    if scores is None:
        return "The model has not been scored yet: promptcot evaluate does that."
    ahead = [str(tier.tier) for tier in scores.tiers if above(tier.low, tier.majority, tier.n)]
    if not ahead:
        return (
            "On no tier does the interval lie above that of the majority baseline: nothing shows that it can "
            "solve."
        )
    noun = "tier" if len(ahead) == 1 else "tiers"
    cut = f" {scores.cut_off:,} completions were cut off at the limit." if scores.cut_off else ""
    left = (
        f" {scores.skipped:,} problems that only running code can check were left out."
        if scores.skipped
        else ""
    )
    named = f"On {noun} {', '.join(ahead)}"
    return f"{named} the whole interval lies above that of the majority baseline.{cut}{left}"


def _loss(steps: tuple[Step, ...]) -> Markup:
    if not steps:
        return Markup("")
    line = [(float(step.step), step.loss) for step in steps]
    return svg.curves(
        [("smoothed", thinned(smoothed(line))), ("each step", thinned(line))],
        x_label="step",
        y_label="training loss",
        marks=[b.step for a, b in pairwise(steps) if a.stage != b.stage],
    )


def smoothed(line: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """An exponential mean over about a fiftieth of the line (four points at least), unbiased at its start."""
    keep = 1 - 1 / max(len(line) / 50, 4)
    mean = weight = 0.0
    made = []
    for x, y in line:
        mean, weight = keep * mean + (1 - keep) * y, keep * weight + (1 - keep)
        made.append((x, mean / weight))
    return made


def thinned(line: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """At most `_MOST_POINTS` of the points, evenly, the last among them."""
    step = -(-len(line) // _MOST_POINTS)
    return [*line[:-1:step], line[-1]] if line else []
