"""The parts that a config names, put together: graph, templates, backends, filters, curriculum."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from promptcot import config as configs
from promptcot.backends.base import Backend, open_backend
from promptcot.config import Config, Execution
from promptcot.curriculum import Curriculum
from promptcot.filters.base import Certifying, Filter
from promptcot.prompting.render import Renderer
from promptcot.records import Concept, Recipe, to_json
from promptcot.resources import LIBRARY, find, plugin
from promptcot.seeding import fingerprint

FILTERS = "filters"
"""Entry-point group: each offers a factory ``(options) -> Filter``."""


class Recipes(Protocol):
    """Where recipes come from: any one of them, at any time, the same each time."""

    def recipe(self, ordinal: int, /) -> Recipe:
        """The recipe of that ordinal."""
        ...


@dataclass(frozen=True, slots=True)
class Parts:
    """What a run works with.

    Attributes:
        backends: Role to who answers for it. One backend may have several roles.
        filters: Rule to filter, in the order of the config.
        sampled: Whether the attempts that difficulty is measured on are draws.
        graph: Name of the concept graph.
        sources: What all of it was found to be, by hash or identity: two runs of one config and
            equal sources ask the same.
    """

    recipes: Recipes
    concepts: Mapping[str, Concept]
    renderer: Renderer
    backends: Mapping[str, Backend]
    filters: Mapping[str, Filter]
    curriculum: Curriculum
    sampled: bool
    graph: str
    sources: dict[str, str]

    async def close(self) -> None:
        """Closes every backend once."""
        for backend in {id(backend): backend for backend in self.backends.values()}.values():
            await backend.close()


def assemble(config: Config, execution: Execution) -> Parts:
    """Finds and opens everything a config names.

    Raises:
        ConfigError: A name is unknown or an option does not fit.
        ResourceError: A file is missing or broken.
    """
    from promptcot.concepts import library
    from promptcot.concepts.sampler import Sampler

    graph = library.load(config.graph, execution.search_path)
    found = [find(LIBRARY, name, execution.search_path) for name in config.graph.split("+")]
    renderer = Renderer(execution.search_path)
    backends = open_roles(config, execution)
    filters = open_filters(config)
    sources = {f"graph {resource.name}": resource.sha for resource in found}
    for role, template in config.templates.model_dump().items():
        sources[f"template {role}"] = renderer.hash(template)
    return Parts(
        recipes=Sampler(graph, config.sampling, seed=config.target.seed),
        concepts=graph.concepts,
        renderer=renderer,
        backends=backends,
        filters=filters,
        curriculum=Curriculum(config.curriculum, config.target.seed),
        sampled=is_sampled(config),
        graph="+".join(resource.name for resource in found),
        sources=sources | identities(backends, filters),
    )


def open_roles(config: Config, execution: Execution) -> dict[str, Backend]:
    """The backend of every role, each backend opened once; a student only where one is bound."""
    roles = ["author", "judge", "solver", *(["student"] if "student" in config.roles else [])]
    opened: dict[str, Backend] = {}
    bound: dict[str, Backend] = {}
    for role in roles:
        name, settings = config.backend_of(role)
        if name not in opened:
            opened[name] = open_backend(name, settings, execution)
        bound[role] = opened[name]
    return bound


def open_filters(config: Config) -> dict[str, Filter]:
    """The filters of a config by a name of their own: a rule that is used twice gets a number."""
    filters: dict[str, Filter] = {}
    for settings in config.filters:
        name, count = settings.rule, 1
        while name in filters:
            count += 1
            name = f"{settings.rule}-{count}"
        filters[name] = plugin(FILTERS, settings.rule)(settings.options())
    return filters


def identities(backends: Mapping[str, Backend], filters: Mapping[str, Filter]) -> dict[str, str]:
    """Who answers, and what filters compare with."""
    found = {f"backend {role}": backend.identity for role, backend in backends.items()}
    for name, certificate in certificates(filters).items():
        found[f"filter {name}"] = fingerprint(to_json(certificate))
    return found


def certificates(filters: Mapping[str, Filter]) -> dict[str, Any]:
    """What the filters that have something to certify say, by name."""
    return {name: rule.certificate() for name, rule in filters.items() if isinstance(rule, Certifying)}


def is_sampled(config: Config) -> bool:
    """Whether difficulty is measured on attempts: a student's, or several of a solver that samples."""
    role = "student" if "student" in config.roles else "solver"
    settings: configs.Backend = config.backend_of(role)[1]
    several = role == "student" or config.solving.attempts > 1
    return several and settings.kind != "symbolic"  # the symbolic engine always gives one answer
