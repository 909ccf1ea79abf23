"""A problem as a graph of concepts: values, liveness, structure and measured difficulty.

Nodes are in topological order: a `Ref` always points backwards. Whatever is not an
ancestor of the answer is a distractor.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from promptcot.seeding import fingerprint
from promptcot.symbolic.concept import SymbolicConcept
from promptcot.symbolic.ports import Value

NEIGHBOURS_TRIED = 16


@dataclass(frozen=True, slots=True)
class Ref:
    """An argument that is the result of another node."""

    node: int


Arg = Ref | Value


@dataclass(frozen=True, slots=True)
class Node:
    """One use of a concept: each argument is a given value or a `Ref`."""

    concept: SymbolicConcept
    args: tuple[Arg, ...]


@dataclass(frozen=True, slots=True)
class Dag:
    """A problem: its nodes, their values, which one is asked for, and given values nobody uses."""

    nodes: tuple[Node, ...]
    values: tuple[Value, ...]
    answer: int
    spare: int = 0

    def arguments(self, index: int) -> tuple[Value, ...]:
        """The values that flow into a node."""
        return tuple(self.values[arg.node] if isinstance(arg, Ref) else arg for arg in self.nodes[index].args)

    def live(self) -> list[int]:
        """The nodes the answer is made of, in order, itself included."""
        needed = {self.answer}
        for index in range(self.answer, -1, -1):
            if index in needed:
                needed.update(arg.node for arg in self.nodes[index].args if isinstance(arg, Ref))
        return sorted(needed)


def compute(nodes: Sequence[Node]) -> tuple[Value, ...] | None:
    """The value of every node, or None where a concept rejects its arguments."""
    values: list[Value] = []
    for node in nodes:
        args = [values[arg.node] if isinstance(arg, Ref) else arg for arg in node.args]
        if not all(port.accepts(arg) for port, arg in zip(node.concept.ports, args, strict=True)):
            return None
        value = node.concept.value(*args)
        if value is None or not node.concept.output.accepts(value):
            return None
        values.append(value)
    return tuple(values)


def dead_part(dag: Dag) -> str:
    """Names a given value or node that cannot move the answer; empty where every one can.

    Each given value is changed to its neighbours, and the change is followed to the answer.
    A node without given values has its own result changed. And a node is idle when an argument
    of its own, put in place of its result, gives the same answer: sorting before a sum.
    """
    live = dag.live()
    for index in live:
        node = dag.nodes[index]
        args = dag.arguments(index)
        own = False
        for slot, arg in enumerate(node.args):
            if isinstance(arg, Ref):
                continue
            own = True
            if not _slot_moves(dag, live, index, slot, args):
                return f"{arg!r} in {node.concept.id}"
        if not own and not _node_moves(dag, live, index):
            return node.concept.id
        if index != dag.answer and any(
            _reaches(dag, live, index, before) is False for before in inputs_of_kind(node, dag.values, index)
        ):
            return f"the step {node.concept.id}"
    return ""


def inputs_of_kind(node: Node, values: Sequence[Value], index: int) -> list[Value]:
    """A node's arguments that could stand in for its result and differ from it."""
    kind = node.concept.output.kind
    args = [values[arg.node] if isinstance(arg, Ref) else arg for arg in node.args]
    return [
        arg
        for arg, port in zip(args, node.concept.ports, strict=True)
        if port.kind == kind and not port.fixed and arg != values[index]
    ]


def _slot_moves(dag: Dag, live: list[int], index: int, slot: int, args: tuple[Value, ...]) -> bool:
    concept = dag.nodes[index].concept
    others: Iterator[Value] = concept.ports[slot].neighbours(args[slot])
    for tried, other in enumerate(others):
        if tried >= NEIGHBOURS_TRIED:
            break
        value = concept.value(*args[:slot], other, *args[slot + 1 :])
        if value is None or value == dag.values[index] or not concept.output.accepts(value):
            continue
        if index == dag.answer or _reaches(dag, live, index, value):
            return True
    return False


def _node_moves(dag: Dag, live: list[int], index: int) -> bool:
    if index == dag.answer:
        return True
    output = dag.nodes[index].concept.output
    return any(_reaches(dag, live, index, other) for other in output.neighbours(dag.values[index]))


def _reaches(dag: Dag, live: list[int], start: int, value: Value) -> bool | None:
    """Whether the answer moves when the node `start` has `value`; None where a concept rejects that."""
    changed: dict[int, Value] = {start: value}
    for index in live:
        node = dag.nodes[index]
        if index <= start or not any(isinstance(arg, Ref) and arg.node in changed for arg in node.args):
            continue
        args: list[Value] = [
            changed.get(arg.node, dag.values[arg.node]) if isinstance(arg, Ref) else arg for arg in node.args
        ]
        if not all(port.accepts(arg) for port, arg in zip(node.concept.ports, args, strict=True)):
            return None
        result = node.concept.value(*args)
        if result is None:
            return None
        if result != dag.values[index]:
            changed[index] = result
    return dag.answer in changed


def structure(dag: Dag) -> str:
    """Hash of the problem's skeleton: concepts and wiring, without numbers, names, order or distractors."""
    live = dag.live()
    shapes: dict[int, str] = {}
    for index in live:
        node = dag.nodes[index]
        parts = [
            shapes[arg.node] if isinstance(arg, Ref) else port.kind
            for arg, port in zip(node.args, node.concept.ports, strict=True)
        ]
        shapes[index] = f"{node.concept.id}({','.join(sorted(parts) if node.concept.symmetric else parts)})"
    numbers: dict[int, int] = {}

    def walk(index: int) -> str:
        if index in numbers:
            return f"#{numbers[index]}"
        numbers[index] = len(numbers)
        node = dag.nodes[index]
        args = list(zip(node.args, node.concept.ports, strict=True))
        if node.concept.symmetric:
            args.sort(key=lambda pair: shapes[pair[0].node] if isinstance(pair[0], Ref) else pair[1].kind)
        inner = [walk(arg.node) if isinstance(arg, Ref) else port.kind for arg, port in args]
        return f"{node.concept.id}({','.join(inner)})"

    return fingerprint(walk(dag.answer), size=8)


def measure(dag: Dag, *, steps: int, tokens: int) -> dict[str, float]:
    """The difficulty vector, and `prior`: a scalar in [0, 1) that rises with each of its parts.

    Args:
        steps: Lines of the worked solution.
        tokens: Tokens of the statement.
    """
    live = dag.live()
    depth: dict[int, int] = {}
    switches = 0
    for index in live:
        sources = [arg.node for arg in dag.nodes[index].args if isinstance(arg, Ref)]
        depth[index] = 1 + max((depth[source] for source in sources), default=0)
        domain = dag.nodes[index].concept.domain
        switches += sum(dag.nodes[source].concept.domain != domain for source in sources)
    per_depth = list(depth.values())
    measures = {
        "ops": float(len(live)),
        "depth": float(depth[dag.answer]),
        "width": float(max(per_depth.count(level) for level in set(per_depth))),
        "distractors": float(len(dag.nodes) - len(live) + dag.spare),
        "digits": float(
            max(_digits(value) for index in live for value in (*dag.arguments(index), dag.values[index]))
        ),
        "steps": float(steps),
        "tokens": float(tokens),
        "domain_switches": float(switches),
        "weight": round(sum(dag.nodes[index].concept.weight for index in live), 4),
    }
    return {**measures, "prior": prior(measures)}


def prior(measures: dict[str, float]) -> float:
    """Structural difficulty in [0, 1), rising in every measure.

    The coefficients are starting weights; what they are to be is what a student's pass
    rates say of them.
    """
    effort = (
        0.9 * measures["weight"]
        + 0.3 * (measures["ops"] - 1)
        + 0.4 * (measures["depth"] - 1)
        + 0.1 * (measures["width"] - 1)
        + 0.3 * measures["distractors"]
        + 0.3 * (measures["digits"] - 1)
        + 0.05 * (measures["steps"] - 1)
        + 0.004 * measures["tokens"]
        + 0.15 * measures["domain_switches"]
    )
    return round(1.0 - math.exp(-effort / 12.0), 4)


def _digits(value: Value) -> int:
    if isinstance(value, bool | str):
        return 1
    if isinstance(value, int):
        return len(str(abs(value)))
    if isinstance(value, Fraction):
        return max(len(str(abs(value.numerator))), len(str(value.denominator)))
    return max((len(str(abs(item))) for item in value), default=1)
