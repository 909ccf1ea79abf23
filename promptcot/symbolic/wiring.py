"""Wires concepts into a problem.

Results that nobody uses yet form the frontier. A new node fills its ports from the
frontier first and from given values otherwise; at the end the loose ends are joined. Values
are rejected node by node, never problem by problem, and a finished problem must be
alive: changing any given value must be able to move the answer. Distractors use what is
there, and nothing that is needed uses them.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from promptcot.symbolic.concept import SymbolicConcept
from promptcot.symbolic.dag import Arg, Dag, Node, Ref, dead_part, inputs_of_kind
from promptcot.symbolic.ports import Bounds, Port, Value

EXTRA_OPS = (0, 0, 0, 1, 1, 2, 3, 5, 7, 9)
"""Operations beyond those of the recipe, by level 1 to 10."""
LEAVES = (9, 12, 20, 30, 40, 50, 60, 75, 99, 99)
"""Largest given integer, by level."""
VALUES = (999, 999, 999, 1999, 4999, 9999, 9999, 19999, 49999, 99999)
"""Largest magnitude of any value, by level."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to wire.

    Attributes:
        required: Concepts that must all be needed for the answer.
        extra: Further operations, drawn from `required` and the joiners.
        distractors: Statements that nothing needs.
    """

    required: tuple[SymbolicConcept, ...]
    extra: int
    distractors: int
    bounds: Bounds


@dataclass(slots=True)
class Draft:
    """A problem in the making: `frontier` are the results nobody uses yet, `barred` one nobody may use."""

    nodes: list[Node] = field(default_factory=list)
    values: list[Value] = field(default_factory=list)
    frontier: list[int] = field(default_factory=list)
    barred: int = -1


def plan_for(
    required: Sequence[SymbolicConcept],
    level: int,
    rng: random.Random,
    *,
    distractors: int | None = None,
    extra: int | None = None,
    max_leaf: int | None = None,
    max_value: int | None = None,
    max_items: int | None = None,
) -> Plan:
    """How many operations, distractors and digits a level asks for; what is given overrides the level."""
    step = min(max(level, 1), 10) - 1
    if extra is None:
        extra = EXTRA_OPS[step] - (1 if EXTRA_OPS[step] > 1 and rng.random() < 0.5 else 0)
    if distractors is None:
        distractors = 0 if step < 3 else int(rng.random() < 0.5) + (1 if step >= 6 else 0)
    leaf = max_leaf or LEAVES[step]
    value = max_value or max(VALUES[step], leaf * leaf if leaf < 100 else leaf)
    return Plan(tuple(required), extra, distractors, Bounds(leaf, value, max_items or 4 + step // 3))


def wire(
    plan: Plan,
    joiners: Sequence[SymbolicConcept],
    providers: Sequence[SymbolicConcept],
    rng: random.Random,
    *,
    attempts: int = 60,
) -> Dag | None:
    """A live problem in which every required concept is needed, or None after `attempts` tries.

    Args:
        joiners: Concepts that may be used unasked to bring loose ends together.
        providers: Concepts that may be used unasked for a result that cannot be given (a truth value).
    """
    for _ in range(attempts):
        draft = _grow(plan, joiners, providers, rng)
        if draft is None or not _join(draft, plan.bounds, joiners, rng):
            continue
        answer = draft.frontier[0]
        dag = Dag(tuple(draft.nodes), tuple(draft.values), answer)
        if dead_part(dag):
            continue
        return _distract(dag, plan, joiners, rng)
    return None


def _grow(
    plan: Plan, joiners: Sequence[SymbolicConcept], providers: Sequence[SymbolicConcept], rng: random.Random
) -> Draft | None:
    pending = [*plan.required]
    binary = [joiner for joiner in joiners if len(joiner.ports) > 1] or [*plan.required]
    extra = plan.extra
    draft = Draft()
    misses = 0
    while pending:
        concept = _next(pending, draft, rng)
        if not _provide(draft, concept, plan.bounds, providers, rng):
            return None
        apart = len(pending) > 1 and rng.random() < 0.2
        last = len(pending) == 1 and len(draft.frontier) <= 1
        if _place(draft, concept, plan.bounds, rng, apart=apart or misses > 2, last=last):
            pending.remove(concept)
            misses = 0
            if not pending and extra > len(draft.frontier) - 1:  # joining the ends takes operations too
                extra -= 1
                pending.append(rng.choice(plan.required if rng.random() < 0.5 else binary))
        elif misses > 5:
            return None
        else:
            misses += 1
    return draft


def _next(pending: list[SymbolicConcept], draft: Draft, rng: random.Random) -> SymbolicConcept:
    """A concept that can use the frontier, or at the start one that needs no other."""
    if draft.frontier:
        able = [
            concept
            for concept in pending
            if any(not p.fixed and p.accepts(draft.values[n]) for p in concept.ports for n in draft.frontier)
        ]
    else:
        able = [concept for concept in pending if all(port.drawable for port in concept.ports)]
    ready = [concept for concept in able if all(_available(port, draft) for port in concept.ports)]
    return rng.choice(ready or able or pending)


def _provide(
    draft: Draft,
    concept: SymbolicConcept,
    bounds: Bounds,
    providers: Sequence[SymbolicConcept],
    rng: random.Random,
) -> bool:
    """Makes what `concept` needs and cannot be given: a node for every such port that finds none."""
    for kind in {port.kind for port in concept.ports if not port.drawable}:
        needed = sum(port.kind == kind for port in concept.ports)
        makers = [provider for provider in providers if provider.output.kind == kind]
        there = [node for node in draft.frontier if draft.nodes[node].concept.output.kind == kind]
        if rng.random() < 0.4:
            needed += len(there)  # a branch of its own: some concepts cannot both be alive in one chain
        for _ in range(8 * needed):
            if sum(draft.nodes[node].concept.output.kind == kind for node in draft.frontier) >= needed:
                break
            if not makers:
                return False
            _place(draft, rng.choice(makers), bounds, rng, apart=True)
    return True


def _available(port: Port, draft: Draft) -> bool:
    return port.drawable or any(port.accepts(draft.values[node]) for node in draft.frontier)


def _place(
    draft: Draft,
    concept: SymbolicConcept,
    bounds: Bounds,
    rng: random.Random,
    *,
    apart: bool = False,
    last: bool = False,
) -> bool:
    """Adds a node.

    Args:
        apart: Start a branch of its own from given values.
        last: This may be the answer, which may now and then be 0 or 1.
    """
    least = (0 if rng.random() < 0.25 else 2) if last else 2
    if last and draft.nodes and rng.random() < 0.6:
        least = 10  # one-digit answers are guessed too often
    sources = _sources(draft, concept, rng, apart=apart)
    if sources is None:
        return False
    for _ in range(8):
        drawn = _arguments(draft, concept, sources, bounds, rng)
        if drawn is None:
            continue
        args, values = drawn
        value = concept.value(*values)
        if (
            value is None
            or not concept.output.accepts(value)
            or not _fits(value, values, bounds, least)
            or _idles(draft, concept, args, values, value)
        ):
            continue
        draft.nodes.append(Node(concept, args))
        draft.values.append(value)
        used = {arg.node for arg in args if isinstance(arg, Ref)}
        draft.frontier = [node for node in draft.frontier if node not in used]
        draft.frontier.append(len(draft.nodes) - 1)
        return True
    return False


def _sources(
    draft: Draft, concept: SymbolicConcept, rng: random.Random, *, apart: bool
) -> list[int | None] | None:
    """For every port the node that fills it, or None for a given value; None where a port stays empty."""
    chosen: list[int | None] = [None] * len(concept.ports)
    slots = list(range(len(concept.ports)))
    rng.shuffle(slots)
    filled = 0
    for slot in slots:
        port = concept.ports[slot]
        if port.fixed or (apart and port.drawable):
            continue
        fitting = [
            node for node in draft.frontier if node not in chosen and _usable(port, draft.values[node])
        ]
        if fitting and (not filled or not port.drawable or rng.random() < 0.6):
            chosen[slot] = rng.choice(fitting)
            filled += 1
        elif not fitting and port.drawable and len(draft.nodes) > 2 and rng.random() < 0.12:
            again = [
                n for n, v in enumerate(draft.values) if n not in (*chosen, draft.barred) and _usable(port, v)
            ]
            chosen[slot] = rng.choice(again) if again else None
        elif not port.drawable:
            return None
    return chosen


def _usable(port: Port, value: Value) -> bool:
    """Accepted, and neither absorbing nor neutral."""
    return port.accepts(value) and not (type(value) is int and -2 < value < 2)


def _arguments(
    draft: Draft,
    concept: SymbolicConcept,
    sources: Sequence[int | None],
    bounds: Bounds,
    rng: random.Random,
) -> tuple[tuple[Arg, ...], list[Value]] | None:
    args: list[Arg] = []
    values: list[Value] = []
    for port, source in zip(concept.ports, sources, strict=True):
        value = port.draw(rng, bounds) if source is None else draft.values[source]
        if source is None and concept.compares and (known := _known(draft, sources, values)) is not None:
            value = known + rng.choice((-1, 1)) * rng.randint(1, max(4, abs(known) // 5))
            value = value if _usable(port, value) else port.draw(rng, bounds)
        if value in values and not isinstance(value, bool):
            return None  # a repeated argument: a + a, gcd(a, a)
        values.append(value)
        args.append(value if source is None else Ref(source))
    return tuple(args), values


def _idles(
    draft: Draft, concept: SymbolicConcept, args: Sequence[Arg], values: Sequence[Value], value: Value
) -> bool:
    """Whether a source could be left out: the sum of a sorted list is that of the list."""
    for slot, arg in enumerate(args):
        if not isinstance(arg, Ref):
            continue
        for before in inputs_of_kind(draft.nodes[arg.node], draft.values, arg.node):
            if concept.ports[slot].accepts(before):
                other = concept.value(*values[:slot], before, *values[slot + 1 :])
                if other == value:
                    return True
    return False


def _known(draft: Draft, sources: Sequence[int | None], values: Sequence[Value]) -> int | None:
    """An integer that the other arguments have already."""
    wired = [draft.values[source] for source in sources if source is not None]
    return next((value for value in (*wired, *values) if type(value) is int), None)


def _fits(value: Value, args: Sequence[Value], bounds: Bounds, least: int) -> bool:
    """Whether a result is in bounds, not trivial, and does more than hand a list or word through."""
    if isinstance(value, bool):
        return True
    if isinstance(value, int):
        return least <= abs(value) <= bounds.max_value
    if isinstance(value, Fraction):
        return abs(value.numerator) <= bounds.max_value and value.denominator <= bounds.max_value
    if value in args:
        return False
    return isinstance(value, str) or all(abs(item) <= bounds.max_value for item in value)


def _join(draft: Draft, bounds: Bounds, joiners: Sequence[SymbolicConcept], rng: random.Random) -> bool:
    """Brings the loose ends together into one answer that is not a bare truth value."""
    for _ in range(2 * len(draft.nodes) + 2):
        if len(draft.frontier) == 1 and not isinstance(draft.values[draft.frontier[0]], bool):
            return True
        takes = [(-taken, rng.random(), i) for i, j in enumerate(joiners) if (taken := _takes(draft, j))]
        last = len(draft.frontier) <= 2
        if not any(_place(draft, joiners[i], bounds, rng, last=last) for _, _, i in sorted(takes)[:4]):
            return False
    return False


def _takes(draft: Draft, joiner: SymbolicConcept) -> int:
    """How many loose ends a joiner takes; a single one only where it changes the type."""
    left = list(draft.frontier)
    taken = 0
    for port in joiner.ports:
        node = next((n for n in left if not port.fixed and _usable(port, draft.values[n])), None)
        if node is None:
            if not port.drawable:
                return 0
            continue
        left.remove(node)
        taken += 1
    changes = any(port.kind != joiner.output.kind for port in joiner.ports)
    return taken if taken > 1 or (taken and changes) else 0


def _distract(dag: Dag, plan: Plan, joiners: Sequence[SymbolicConcept], rng: random.Random) -> Dag:
    """Adds statements that use what is there and that nothing needs."""
    draft = Draft(list(dag.nodes), list(dag.values), barred=dag.answer)
    pool = [*plan.required, *joiners]
    for _ in range(plan.distractors):
        for _ in range(8):
            draft.frontier = [n for n in range(len(draft.nodes)) if n != dag.answer]
            concept = rng.choice(pool)
            if all(p.drawable for p in concept.ports) and _place(
                draft, concept, plan.bounds, rng, apart=rng.random() < 0.3
            ):
                break
    return Dag(tuple(draft.nodes), tuple(draft.values), dag.answer)
