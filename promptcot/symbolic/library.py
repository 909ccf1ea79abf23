"""Collects symbolic concepts: the shipped domains, installed plugins, and files by path.

Nothing registers itself. A domain module, a plugin (an entry point of the group
``promptcot.concepts``) and a user's file all offer the same thing: a function ``concepts()`` that
returns a list of `SymbolicConcept`.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from promptcot.errors import ConfigError, ResourceError
from promptcot.resources import plugin, plugin_names
from promptcot.symbolic.concept import SymbolicConcept

DOMAINS = (
    *("algebra", "arithmetic", "combinatorics", "fractions", "geometry", "lists", "logic", "number_theory"),
    *("sequences", "strings", "word_problems"),
)
"""The shipped modules of `promptcot.symbolic.domains`."""


def library(paths: Sequence[Path | str] = (), *, plugins: bool = True) -> Mapping[str, SymbolicConcept]:
    """All concepts by id, sorted.

    Args:
        paths: Python files of the user's, each with a function ``concepts()``. They are run.
        plugins: Whether to collect what installed packages offer.

    Raises:
        ConfigError: An id is taken twice, or what was offered are not concepts.
        ResourceError: A file cannot be read or run.
    """
    modules = [(name, importlib.import_module(f"promptcot.symbolic.domains.{name}")) for name in DOMAINS]
    offered = [(name, module.concepts()) for name, module in modules]
    names = plugin_names("concepts") if plugins else []
    offered += [(f"plugin {name}", _call(plugin("concepts", name), f"plugin {name}")) for name in names]
    offered += [(str(path), _from_file(Path(path))) for path in paths]
    found: dict[str, SymbolicConcept] = {}
    for where, concepts in offered:
        for concept in concepts:
            if not isinstance(concept, SymbolicConcept):
                raise ConfigError(f"{where}: {concept!r} is not a symbolic concept")
            if concept.id in found:
                raise ConfigError(f"{where}: the concept {concept.id!r} exists already")
            if concept.route is None:
                raise ConfigError(
                    f"{where}: {concept.id!r} has no second route", remedy="add one with .check"
                )
            found[concept.id] = concept
    return dict(sorted(found.items()))


def _from_file(path: Path) -> Iterable[Any]:
    spec = importlib.util.spec_from_file_location(f"promptcot_concepts_{path.stem}", path)
    if spec is None or spec.loader is None or not path.is_file():
        raise ResourceError(f"no Python file of concepts: {path}", remedy="check the path")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except ConfigError:
        raise
    except Exception as error:
        raise ResourceError(f"{path}: {type(error).__name__}: {error}") from error
    return _call(getattr(module, "concepts", None), str(path))


def _call(function: Any, where: str) -> Iterable[Any]:
    if not callable(function):
        raise ConfigError(f"{where}: no function concepts()", remedy="return a list of concepts from it")
    return list(function())
