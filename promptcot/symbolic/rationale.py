"""Why a problem is made as it is: how its concepts meet, what bounds its values, what the trap is."""

from __future__ import annotations

import random

from promptcot.symbolic.dag import Dag, Ref
from promptcot.symbolic.ports import Bounds, Value
from promptcot.symbolic.skins.base import plain

_ORDINALS = ("first", "second", "third", "fourth", "fifth")
_START = (
    "Everything starts from given values, in {starts}.",
    "The given values feed {starts}.",
    "The ground is laid by {starts}.",
)
_FEED = (
    "{target} takes {sources}.",
    "{target} needs {sources}.",
    "{target} goes on with {sources}.",
)
_BOUND = (
    "No result passes {bound}, so each step can be done by hand.",
    "Results stay within {bound}, which keeps the work in the reasoning.",
    "Given integers go up to {leaf} and results up to {bound}, so each step is short.",
)
_TRAP = (
    "As a trap, the statement also tells of {names}, which the answer does not need.",
    "Whoever works through every sentence also computes {names}, and gets no closer to the answer.",
    "What is said of {names} is a distraction: the answer does not depend on it.",
)
_NO_TRAP = (
    "Nothing is superfluous: change any given value and the answer can change.",
    "Every given value counts, which was tested by changing each in turn.",
    "No statement can be left out, for each given value can move the answer.",
)
_CHECK = (
    "The answer {answer} was found by two routes.",
    "Two independent routes agree on {answer}.",
    "Each step was recomputed another way before {answer} was accepted.",
)


def rationale(dag: Dag, bounds: Bounds, rng: random.Random, *, brief: bool = False) -> str:
    """The reasoning behind a problem, in a few sentences; `brief` keeps to how the concepts meet."""
    nodes, live = dag.nodes, dag.live()
    names = [f"'{node.concept.name}'" for node in nodes]
    starts = [names[i] for i in live if not any(isinstance(arg, Ref) for arg in nodes[i].args)]
    parts = [rng.choice(_START).format(starts=_listed(list(dict.fromkeys(starts))))]
    used: set[str] = set()
    for index in live:
        sources = _sources(dag, index, names)
        if sources:
            target = f"Another {names[index]}" if names[index] in used else names[index]
            parts.append(rng.choice(_FEED).format(target=target, sources=_listed(sources)))
        used.add(names[index])
    if brief:
        return " ".join(parts)
    parts.append(rng.choice(_BOUND).format(bound=bounds.max_value, leaf=bounds.max_leaf))
    spare = dict.fromkeys(names[i] for i in range(len(nodes)) if i not in set(live))
    if spare:
        further = [f"a further {name}" if name in used else name for name in spare]
        parts.append(rng.choice(_TRAP).format(names=_listed(further)))
    else:
        parts.append(rng.choice(_NO_TRAP))
    parts.append(rng.choice(_CHECK).format(answer=plain(dag.values[dag.answer])))
    return " ".join(parts)


def _sources(dag: Dag, index: int, names: list[str]) -> list[str]:
    """What a node takes from others; and where, if the order of its arguments matters."""
    node = dag.nodes[index]
    ordered = len(node.args) > 1 and not node.concept.symmetric
    return [
        f"{_shown(dag.values[arg.node])} from {names[arg.node]}"
        + (f" as its {_ORDINALS[slot]} argument" if ordered else "")
        for slot, arg in enumerate(node.args)
        if isinstance(arg, Ref)
    ]


def _shown(value: Value) -> str:
    return f"a list of {len(value)} numbers" if isinstance(value, tuple) else plain(value)


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
