"""The nouns of promptcot: what flows from stage to stage, and whose JSON is the file format.

    ConceptGraph --sample--> Recipe --render--> Prompt --backend--> Completion --parse--> Problem
    Problem --judge--> Judgement, --solve--> Attempts --measure--> Difficulty --filters--> Verdicts
    --arrange--> Examples --write--> shards

Every record is frozen. A stage makes new records from old ones and edits none.
"""

from __future__ import annotations

from typing import Any, Literal, TypeVar

import msgspec

from promptcot.errors import ResourceError

Role = Literal["author", "judge", "solver", "student", "extractor"]
"""Who a prompt is for. Each role is bound to a backend in the config."""

HELD_OUT = "held-out"
"""Phase of the examples that no trainer reads: they are for scoring."""

T = TypeVar("T")


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """Base of the nouns: frozen, slotted, keyword-only, compared by value."""


class Concept(Record, frozen=True, kw_only=True):
    """One idea that problems can be made of.

    Attributes:
        id: Unique within a graph: lower-case words, dots and hyphens, such as ``nt.gcd``.
        level: Difficulty of the idea by itself, 1 (first year of school) to 10 (olympiad).
        prerequisites: Ids of concepts to be known before this one.
    """

    id: str
    name: str
    description: str = ""
    domain: str = ""
    level: int = 1
    prerequisites: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    source: str = ""
    licence: str = ""


class Recipe(Record, frozen=True, kw_only=True):
    """What one problem is to be made of, and the seed it is made with.

    Attributes:
        id: Stable name of the recipe in its run, such as ``r00000017``.
        ordinal: Its place in the run; everything that must be ordered is ordered by it.
        concepts: Concept ids, in the order in which they were drawn.
        level: Target difficulty, on the scale of `Concept.level`.
        seed: The seed of everything made from this recipe.
    """

    id: str
    ordinal: int
    concepts: tuple[str, ...]
    domain: str
    level: int
    seed: int


class Message(Record, frozen=True, kw_only=True):
    """One turn of a conversation with a backend."""

    role: Literal["system", "user", "assistant"]
    content: str


class Prompt(Record, frozen=True, kw_only=True):
    """A rendered request to a backend.

    Attributes:
        id: Unique in the run: recipe, role and sample, such as ``r00000017/author/0``.
        template: Name of the template, and `template_hash` the hash of its resolved text.
        sample: Which of several answers to the same messages this asks for.
        seed: Sampling seed for backends that take one.
    """

    id: str
    role: Role
    messages: tuple[Message, ...]
    template: str
    template_hash: str
    recipe: Recipe
    sample: int = 0
    seed: int = 0


class Completion(Record, frozen=True, kw_only=True):
    """A backend's answer to one prompt, as it came.

    Attributes:
        finish_reason: ``stop``, ``length`` or what the backend said.
        latency_s: Seconds from asking to answer. Never reaches a shard: it differs from run to run.
    """

    prompt_id: str
    text: str
    finish_reason: str
    input_tokens: int
    output_tokens: int
    backend: str
    model: str
    latency_s: float = 0.0


class Answer(Record, frozen=True, kw_only=True):
    """The answer of a problem.

    Attributes:
        kind: ``expression`` is compared as mathematics, ``text`` as normalised text,
            ``code`` by running `tests`.
    """

    kind: Literal["expression", "text", "code"]
    value: str
    tests: tuple[str, ...] = ()


class Problem(Record, frozen=True, kw_only=True):
    """A statement with its answer, the reasoning behind its making and a worked solution."""

    id: str
    statement: str
    answer: Answer
    recipe: Recipe
    rationale: str = ""
    solution: str = ""
    provenance: dict[str, str] = msgspec.field(default_factory=dict)


class Attempt(Record, frozen=True, kw_only=True):
    """One solver's try at one problem.

    Attributes:
        correct: Whether `answer` equals the problem's; None where the solver gave none, or where
            it cannot be told.
        role: Whether the solver tried it, or the student whose difficulties are measured.
    """

    problem_id: str
    solver: str
    sample: int
    text: str
    answer: str | None
    correct: bool | None
    role: Role = "solver"


class Judgement(Record, frozen=True, kw_only=True):
    """What one judge says of one problem.

    Attributes:
        ratings: Criterion to rating: ``perfect``, ``acceptable`` or ``bad``.
        measures: Numbers the judge measured, such as ``ops`` or ``depth``.
        structure: Hash of the problem's skeleton (its concepts and wiring, without its
            numbers and words), or empty where it is not known.
    """

    problem_id: str
    judge: str
    ratings: dict[str, str]
    measures: dict[str, float] = msgspec.field(default_factory=dict)
    structure: str = ""
    comment: str = ""


class Difficulty(Record, frozen=True, kw_only=True):
    """How hard a problem is, and how that was measured.

    Attributes:
        score: 0 (everyone solves it) to 1 (nobody does).
        method: ``pass-rate`` (measured on a solver or student) or ``structure``.
        passes: Correct attempts out of `attempts`.
        low: Lower end of the 95% Wilson interval of the score, and `high` the upper one.
        measures: The difficulty vector: ops, depth, width, distractors, digits, steps, ...
    """

    score: float
    method: Literal["pass-rate", "structure"]
    passes: int = 0
    attempts: int = 0
    low: float = 0.0
    high: float = 1.0
    solver: str = ""
    measures: dict[str, float] = msgspec.field(default_factory=dict)


class Candidate(Record, frozen=True, kw_only=True):
    """All that is known of a problem when the filters decide about it."""

    problem: Problem
    judgements: tuple[Judgement, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    difficulty: Difficulty | None = None


class Verdict(Record, frozen=True, kw_only=True):
    """Keep a problem or drop it: by which rule, on what measure. A rejection is data.

    Attributes:
        rule: Name of the filter, such as ``duplicates``.
        reason: Short stable label for counting, such as ``near-duplicate``; empty when kept.
        detail: What a person wants to read: the other problem, the benchmark item, the rating.
    """

    keep: bool
    rule: str
    reason: str = ""
    measure: float | None = None
    threshold: float | None = None
    detail: str = ""


class Example(Record, frozen=True, kw_only=True):
    """What a trainer reads: one row of a shard.

    Attributes:
        prompt: What the model is given, and `completion` what it is to produce.
        answer: The bare final answer, for scoring.
        difficulty: `Difficulty.score`.
        tier: 1-based difficulty tier of the curriculum.
        phase: Name of the curriculum phase, or ``held-out``.
        structure: `Judgement.structure`.
    """

    id: str
    prompt: str
    completion: str
    answer: str
    answer_kind: str
    tests: tuple[str, ...]
    difficulty: float
    tier: int
    phase: str
    domain: str
    level: int
    concepts: tuple[str, ...]
    rationale: str
    structure: str
    measures: dict[str, float]
    author: str
    recipe: str


_encoder = msgspec.json.Encoder(order="deterministic")


def to_json(record: Any) -> bytes:
    """The record (or a list or dict of records) as compact JSON, keys in a fixed order."""
    return _encoder.encode(record)


def from_json(data: bytes | str, kind: type[T], *, where: str = "record") -> T:
    """Reads what `to_json` wrote, checking every type.

    Raises:
        ResourceError: The data are not JSON of that kind; the message names the field.
    """
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ResourceError(f"{where}: not a {kind.__name__}: {error}") from error
