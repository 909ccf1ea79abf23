"""The part of jinja that prompt templates are written in, and what a render is charged.

Allowed: text, ``{{ expressions }}`` of variables, fields, literals, comparisons, ``~``, ``+``
and listed filters; ``{% if %}``, ``{% for %}``, ``{% block %}``, ``{% extends "name" %}`` and
``{{ super() }}``. Nothing else: without calls, assignments and macros, an expression cannot
grow beyond its own length times its data, and only loops and ``super()`` can repeat text.
Both are charged against one budget of characters, so a render ends whatever it is given.
"""

from __future__ import annotations

import math

from jinja2 import nodes

BUDGET = "__budget"
CHARGE = "__charge"

ALLOWED_FILTERS = (
    *("capitalize", "default", "first", "join", "last", "length"),
    *("lower", "sort", "title", "trim", "upper"),
)
"""None of them can make a text much longer than what it is given."""

_MAX_SEPARATOR = 16
_MAX_DEPTH = 60

_ALLOWED: tuple[type[nodes.Node], ...] = (
    nodes.Template,
    nodes.Output,
    nodes.TemplateData,
    nodes.Block,
    nodes.Extends,
    nodes.For,
    nodes.If,
    nodes.Name,
    nodes.Const,
    nodes.Tuple,
    nodes.List,
    nodes.Getattr,
    nodes.Getitem,
    nodes.Slice,
    nodes.Filter,
    nodes.Keyword,
    nodes.Test,
    nodes.Compare,
    nodes.Operand,
    nodes.And,
    nodes.Or,
    nodes.Not,
    nodes.Neg,
    nodes.Add,
    nodes.Sub,
    nodes.Concat,
    nodes.CondExpr,
)


class GrammarError(Exception):
    """A construct that templates may not use."""

    def __init__(self, message: str, line: int, remedy: str = "") -> None:
        super().__init__(message)
        self.line = line
        self.remedy = remedy


def check(tree: nodes.Template) -> str | None:
    """Checks that a template stays inside the grammar.

    Returns:
        The name of the template it extends, or None.

    Raises:
        GrammarError: It does not.
    """
    extends: list[str] = []
    stack: list[tuple[nodes.Node, int]] = [(tree, 0)]
    while stack:
        node, depth = stack.pop()
        if depth > _MAX_DEPTH:
            raise GrammarError("nested too deeply", node.lineno)
        if _is_super(node):
            continue
        if not isinstance(node, _ALLOWED):
            raise GrammarError(
                f"{type(node).__name__.lower()} is not allowed in a template",
                node.lineno,
                "use variables, fields, filters, if, for, block and extends",
            )
        _check_node(node)
        if isinstance(node, nodes.Extends):
            extends.append(_extended(node))
        stack += [(child, depth + 1) for child in node.iter_child_nodes()]
    if len(extends) > 1:
        raise GrammarError("extends more than one template", 1)
    return extends[0] if extends else None


def _check_node(node: nodes.Node) -> None:
    if isinstance(node, nodes.Name) and node.name.startswith("_"):
        raise GrammarError(f"the name {node.name!r} begins with an underscore", node.lineno)
    if isinstance(node, nodes.Const) and isinstance(node.value, float) and not math.isfinite(node.value):
        raise GrammarError("a literal is too large and not a number any more", node.lineno)
    if isinstance(node, nodes.For) and node.recursive:
        raise GrammarError("a recursive loop is not allowed in a template", node.lineno)
    if isinstance(node, nodes.For) and node.find(nodes.Block) is not None:
        # Another template could fill the block with text that the loop was not charged for.
        raise GrammarError("a block inside a loop is not allowed in a template", node.lineno)
    if isinstance(node, nodes.Filter):
        _check_filter(node)


def _check_filter(node: nodes.Filter) -> None:
    given = [*node.args, *(keyword.value for keyword in node.kwargs)]
    if node.node is None or node.dyn_args or node.dyn_kwargs:
        raise GrammarError("a filter block is not allowed in a template", node.lineno)
    if node.name not in ALLOWED_FILTERS:
        raise GrammarError(
            f"there is no filter {node.name!r} in a template",
            node.lineno,
            f"use one of {', '.join(ALLOWED_FILTERS)}",
        )
    if node.name == "default":
        return
    if not all(isinstance(value, nodes.Const) for value in given):
        raise GrammarError(f"the arguments of {node.name} must be literals", node.lineno)
    if node.name == "join":
        # One join multiplies a text's length by its separator's; a chain of them would explode.
        if any(inner.name == "join" for inner in node.node.find_all(nodes.Filter)) or (
            isinstance(node.node, nodes.Filter) and node.node.name == "join"
        ):
            raise GrammarError("join inside join is not allowed in a template", node.lineno)
        if any(isinstance(v, nodes.Const) and len(str(v.value)) > _MAX_SEPARATOR for v in given):
            raise GrammarError(f"a separator is longer than {_MAX_SEPARATOR} characters", node.lineno)


def asked_about(tree: nodes.Template) -> set[str]:
    """Variables that a template can do without: it has a ``default``, or asks if they are ``defined``."""
    guards = [
        *(node for node in tree.find_all(nodes.Filter) if node.name == "default"),
        *(node for node in tree.find_all(nodes.Test) if node.name in ("defined", "undefined")),
    ]
    return {guard.node.name for guard in guards if isinstance(guard.node, nodes.Name)}


def _extended(node: nodes.Extends) -> str:
    if not isinstance(node.template, nodes.Const) or not isinstance(node.template.value, str):
        raise GrammarError(
            "extends needs a literal name", node.lineno, 'write {% extends "promptcot:NAME" %}'
        )
    return node.template.value


def _is_super(node: nodes.Node) -> bool:
    return (
        isinstance(node, nodes.Call)
        and isinstance(node.node, nodes.Name)
        and node.node.name == "super"
        and not (node.args or node.kwargs or node.dyn_args or node.dyn_kwargs)
    )


def metered(tree: nodes.Template, parent: str | None) -> nodes.Template:
    """The checked template with its loops charged for and its parent given by path."""
    for loop in tree.find_all(nodes.For):
        cost = 1 + sum(len(data.data) for data in loop.find_all(nodes.TemplateData))
        charge = nodes.Const(cost, lineno=loop.lineno)
        loop.iter = nodes.Filter(loop.iter, CHARGE, [charge], [], None, None, lineno=loop.lineno)
    for extends in tree.find_all(nodes.Extends):
        extends.template = nodes.Const(parent, lineno=extends.lineno)
    tree.set_environment(tree.environment)  # type: ignore[arg-type]
    return tree
