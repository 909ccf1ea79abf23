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
    "The result of {source}, {value}, goes into {target} as its {place} argument.",
    "{target} takes {value} from {source} as its {place} argument.",
    "{target} cannot begin before {source} is done: its {place} argument is the result, {value}.",
)
_BOUND = (
    "No value passes {bound}, so each step can be done by hand.",
    "The numbers stay within {bound} from beginning to end, which keeps the work in the reasoning.",
    "Given integers go up to {leaf} and results up to {bound}, so nothing overflows a careful head.",
)
_TRAP = (
    "The trap: what is said of {names} can be computed, and nothing needs it.",
    "Whoever works through every sentence also carries out {names}, which leads nowhere.",
    "A distraction stands among the statements ({names}); the question does not depend on it.",
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
    for index in live:
        for slot, arg in enumerate(nodes[index].args):
            if isinstance(arg, Ref):
                sentence = rng.choice(_FEED).format(
                    source=names[arg.node],
                    target=names[index],
                    place=_ORDINALS[slot],
                    value=_shown(dag.values[arg.node]),
                )
                parts.append(sentence)
    if brief:
        return " ".join(parts)
    parts.append(rng.choice(_BOUND).format(bound=bounds.max_value, leaf=bounds.max_leaf))
    spare = [names[i] for i in range(len(nodes)) if i not in set(live)]
    if spare:
        parts.append(
            rng.choice(_TRAP).format(
                names=_listed([f"a further use of {name}" for name in dict.fromkeys(spare)])
            )
        )
    else:
        parts.append(rng.choice(_NO_TRAP))
    parts.append(rng.choice(_CHECK).format(answer=plain(dag.values[dag.answer])))
    return " ".join(parts)


def _shown(value: Value) -> str:
    return f"a list of {len(value)} numbers" if isinstance(value, tuple) else plain(value)


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
