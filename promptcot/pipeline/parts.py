"""The parts that a config names, put together: graph, templates, backends, filters, curriculum."""

from __future__ import annotations

import itertools
from collections.abc import Container, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from promptcot import config as configs
from promptcot.backends.base import Backend, open_backend
from promptcot.config import Config, Execution, Templates
from promptcot.curriculum import Curriculum
from promptcot.errors import ResourceError
from promptcot.filters.base import Certifying, Filter
from promptcot.prompting import variables
from promptcot.prompting.render import Renderer
from promptcot.records import Answer, Concept, Problem, Recipe, to_json
from promptcot.resources import plugin, unknown
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
    found = library.resources(config.graph, execution.search_path)
    renderer = Renderer(execution.search_path)
    recipes = Sampler(graph, config.sampling, seed=config.target.seed)
    check_templates(config.templates, renderer, recipes.recipe(0), graph.concepts)
    backends = open_roles(config, execution)
    filters = open_filters(config)
    sources: dict[str, str] = {}
    for resource in found:
        sources[_numbered(f"graph {resource.name}", sources)] = resource.sha
    for role, template in config.templates:
        sources[f"template {role}"] = renderer.hash(template)
    return Parts(
        recipes=recipes,
        concepts=graph.concepts,
        renderer=renderer,
        backends=backends,
        filters=filters,
        curriculum=Curriculum(config.curriculum, config.target.seed),
        sampled=is_sampled(config),
        graph="+".join(resource.name for resource in found),
        sources=sources | identities(backends, filters),
    )


def check_templates(
    templates: Templates, renderer: Renderer, recipe: Recipe, concepts: Mapping[str, Concept]
) -> None:
    """Renders every template once, so that a mistake in one shows before anyone is asked.

    Raises:
        ResourceError: A template reads a variable that its role is not given, or fails to render.
    """
    problem = Problem(
        id="", statement="What is 6 times 7?", answer=Answer(kind="expression", value="42"), recipe=recipe
    )
    given = {
        "author": variables.author(recipe, concepts),
        "judge": variables.judge(problem, concepts),
        "solver": variables.solve(problem),
    }
    for role, template in templates:
        for name in renderer.required(template):
            if name not in given[role]:
                raise ResourceError(
                    f"template {renderer.path(template)}, used as {role}: "
                    f"{unknown('variable', name, given[role])}",
                    remedy=f"a template of the {role} is given {', '.join(sorted(given[role]))}",
                )
        renderer.messages(template, given[role])


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
        rule = plugin(FILTERS, settings.rule)(settings.options())
        filters[_numbered(settings.rule, filters)] = rule
    return filters


def _numbered(name: str, taken: Container[str]) -> str:
    """The name, or where it is taken the first of ``name-2``, ``name-3``, ... that is not."""
    names = itertools.chain([name], (f"{name}-{count}" for count in itertools.count(2)))
    return next(free for free in names if free not in taken)


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
