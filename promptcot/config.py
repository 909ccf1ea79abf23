"""A run's settings: YAML into validated, frozen models.

    graph: symbolic-core
    target: {accepted: 2000, seed: 7}
    backends:
      big: {kind: openai, base_url: "http://localhost:8000/v1", model: my-model}
    roles: {author: big, judge: big, solver: big}

Everything has a default, and with none given every role is the embedded symbolic
backend. Unknown keys are refused with the nearest known one. Settings that must not
change what a run produces (how many workers, where to look) live in `Execution`, outside the
fingerprint by which a run folder knows its config.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from promptcot.errors import ConfigError
from promptcot.records import HELD_OUT
from promptcot.resources import read_text, unknown
from promptcot.seeding import fingerprint

M = TypeVar("M", bound="Settings")


class Settings(BaseModel):
    """Base of every settings model: frozen, and strict about unknown keys and numbers that are none."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Named(BaseModel):
    """A part chosen by name, with options of its own that the part itself validates."""

    model_config = ConfigDict(frozen=True, extra="allow")

    def options(self) -> dict[str, Any]:
        """What was given beside the name."""
        return dict(self.__pydantic_extra__ or {})


class Backend(Named):
    """A backend by its kind (an entry point of ``promptcot.backends``) and that kind's options."""

    kind: str


class Filter(Named):
    """A filter by its rule (an entry point of ``promptcot.filters``) and that rule's options."""

    rule: str


class Target(Settings):
    """How much to make.

    Attributes:
        accepted: Stop at this many problems kept, held-out ones included.
        max_recipes: Give up after this many recipes; 0 is ten times `accepted` and 100 more.
    """

    accepted: int = Field(1000, ge=1, le=1_000_000_000)
    seed: int = Field(0, ge=0, lt=2**63)
    max_recipes: int = Field(0, ge=0)


class Sampling(Settings):
    """How concepts are drawn from the graph.

    Attributes:
        sizes: Number of concepts in a recipe to its relative weight.
        temperature: Of the walk over the graph; lower follows strong edges more closely.
        coverage: Strength of the pull towards concepts used less so far; 0 is none.
        domains: Only these domains; empty is all.
        levels: Lowest and highest level of a concept.
    """

    sizes: dict[int, float] = Field(default_factory=lambda: {1: 3.0, 2: 3.0, 3: 2.0, 4: 1.0})
    temperature: float = Field(1.0, ge=1e-6, le=1e6)
    coverage: float = Field(1.0, ge=0, le=100)
    domains: tuple[str, ...] = ()
    levels: tuple[int, int] = (1, 10)

    @model_validator(mode="after")
    def _sizes_and_levels(self) -> Sampling:
        if (
            not self.sizes
            or min(self.sizes) < 1
            or min(self.sizes.values()) < 0
            or not 0 < sum(self.sizes.values()) < 1e9
        ):
            raise ValueError("sizes must map a number of concepts (1 or more) to a weight, not all 0")
        if self.levels[0] > self.levels[1]:
            raise ValueError("levels must rise")
        return self


class Templates(Settings):
    """Template of each role, by name or path."""

    author: str = "author-math"
    judge: str = "judge"
    solver: str = "solve"


class Solving(Settings):
    """How often a problem is tried by the solver, and by the student where one is bound."""

    attempts: int = Field(1, ge=1, le=256)
    student_attempts: int = Field(4, ge=1, le=256)


class Phase(Settings):
    """A phase of the curriculum: problems whose difficulty score lies in ``band`` (low <= score < high)."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    band: tuple[float, float] = (0.0, 1.0)

    @model_validator(mode="after")
    def _band_rises(self) -> Phase:
        if not self.band[0] < self.band[1]:
            raise ValueError("band must be two numbers that rise")
        return self


class Curriculum(Settings):
    """How accepted problems become phases.

    Attributes:
        arrange: An entry point of ``promptcot.curricula``.
        tiers: Upper ends of the difficulty tiers; the last tier is open above.
        held_out: Share of accepted problems kept out of training, split by structure where
            it has three operations or more, else by instance.
    """

    arrange: str = "easy-to-hard"
    phases: tuple[Phase, ...] = (
        Phase(name="foundation", band=(0.0, 0.35)),
        Phase(name="challenge", band=(0.35, 1.0)),
    )
    tiers: tuple[float, ...] = (0.2, 0.35, 0.5, 0.7)
    held_out: float = Field(0.1, ge=0, le=0.9)

    @model_validator(mode="after")
    def _names_and_tiers(self) -> Curriculum:
        names = [phase.name for phase in self.phases]
        if not names or len(set(names)) < len(names) or HELD_OUT in names:
            raise ValueError("phases need distinct names, and none may be called held-out")
        if list(self.tiers) != sorted(set(self.tiers)):
            raise ValueError("tiers must rise")
        return self


class Shards(Settings):
    """Rows of one Parquet file, and what of a problem becomes the completion to learn."""

    max_rows: int = Field(50_000, ge=1)
    completion: Literal["solution", "rationale-and-solution", "answer"] = "solution"


class Config(Settings):
    """All that decides what a run produces."""

    graph: str = "symbolic-core"
    target: Target = Target()
    sampling: Sampling = Sampling()
    templates: Templates = Templates()
    backends: dict[str, Backend] = Field(default_factory=dict)
    roles: dict[Literal["author", "judge", "solver", "student"], str] = Field(default_factory=dict)
    solving: Solving = Solving()
    filters: tuple[Filter, ...] = (
        Filter(rule="judge"),
        Filter(rule="solved"),
        Filter(rule="difficulty"),
        Filter(rule="duplicates"),
        Filter(rule="contamination"),
    )
    curriculum: Curriculum = Curriculum()
    shards: Shards = Shards()

    @model_validator(mode="after")
    def _roles_are_bound(self) -> Config:
        known = {"symbolic", *self.backends}
        for role, name in self.roles.items():
            if name not in known:
                raise ValueError(f"roles.{role}: {unknown('backend', name, known)}")
        return self

    def backend_of(self, role: str) -> tuple[str, Backend]:
        """Name and settings of the backend bound to `role`: the embedded symbolic one by default."""
        name = self.roles.get(role, "symbolic")  # type: ignore[call-overload]
        return name, self.backends.get(name, Backend(kind="symbolic"))

    def fingerprint(self) -> str:
        """Hash of every setting, in whatever order they came: configs with one fingerprint make one run."""
        return fingerprint(*(f"{key}: {value}" for key, value in _settings(self).items()))


class Execution(Settings):
    """How a run is carried out, which never changes what it produces."""

    workers: int = Field(1, ge=1, le=1024)
    concurrency: int = Field(64, ge=1, le=65536)
    search_path: tuple[Path, ...] = ()


def load(path: Path | None, overrides: Sequence[str] = ()) -> Config:
    """Reads a config file and applies ``key.path=value`` overrides, in order.

    Raises:
        ConfigError: The file is not YAML, a key is unknown or a value does not fit.
    """
    data = parse_yaml(read_text(path), str(path)) if path else {}
    if not isinstance(data, dict):
        raise ConfigError(f"{path}: a config is a mapping of keys to values")
    for override in overrides:
        _override(data, override)
    return validate(Config, data, where=str(path) if path else "config")


def dump(config: Config) -> str:
    """The config as YAML, with every default written out; `load` reads it back to an equal config."""
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def differences(ours: Config, theirs: Config) -> list[str]:
    """What differs, one ``key: a != b`` each; nothing where the fingerprints are equal."""
    left, right = _settings(ours), _settings(theirs)
    return [
        f"{key}: {left.get(key)} != {right.get(key)}"
        for key in sorted(left.keys() | right.keys())
        if left.get(key) != right.get(key)
    ]


def validate(model: type[M], data: Mapping[str, Any], *, where: str) -> M:
    """Builds a settings model from plain data.

    Raises:
        ConfigError: One line that names the key and the remedy.
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise ConfigError(f"{where}: {_first_problem(model, error)}") from error


def parse_yaml(text: str, where: str) -> Any:
    """Parses untrusted YAML: plain data only, and no aliases (a few bytes of them can fill the memory).

    Raises:
        ConfigError: It is not such YAML; the message names the line.
    """
    try:
        return yaml.load(text, Loader=_PlainLoader)  # a SafeLoader
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else "?"
        raise ConfigError(f"{where}:{line}: not valid YAML: {error.problem}") from error
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise ConfigError(f"{where}: not valid YAML: {str(error) or 'nested too deeply'}") from error


class _PlainLoader(yaml.SafeLoader):
    """A safe loader that also refuses aliases and duplicate keys."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            event = self.peek_event()  # type: ignore[no-untyped-call]
            raise yaml.composer.ComposerError(None, None, "aliases are not allowed", event.start_mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, str | int | float) and key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key!r} is given twice", key_node.start_mark
                )
            seen.add(key if isinstance(key, str | int | float) else id(key_node))
        return super().construct_mapping(node, deep)


def _override(data: dict[str, Any], override: str) -> None:
    path, equals, value = override.partition("=")
    if not equals or not path:
        raise ConfigError(f"-o {override}: not of the form key=value", remedy="for example -o target.seed=3")
    *parents, last = path.split(".")
    node = data
    for key in parents:
        child = node.setdefault(key, {})
        if not isinstance(child, dict):
            raise ConfigError(f"-o {override}: {key!r} is not a group of settings")
        node = child
    node[last] = parse_yaml(value, f"-o {path}")


def _first_problem(model: type[BaseModel], error: ValidationError) -> str:
    problems = error.errors()
    # A misspelt key is also a missing one: say which key was misspelt.
    first = next((p for p in problems if p["type"] == "extra_forbidden"), problems[0])
    place = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        *parents, key = first["loc"]
        return unknown("key", str(key), _keys_at(model, parents)) + (
            f" (in {'.'.join(map(str, parents))})" if parents else ""
        )
    message = first["msg"].removeprefix("Value error, ").replace("a valid tuple", "a list")
    return f"{place}: {message}" if place else message


def _keys_at(model: type[BaseModel], loc: Sequence[int | str]) -> list[str]:
    """Known keys of the model that `loc` leads to, for the hint."""
    current: Any = model
    for part in loc:
        if isinstance(part, int):
            continue
        field = current.model_fields.get(part) if hasattr(current, "model_fields") else None
        annotation = field.annotation if field else None
        candidates = [annotation, *getattr(annotation, "__args__", ())]
        current = next((c for c in candidates if isinstance(c, type) and issubclass(c, BaseModel)), None)
        if current is None:
            return []
    return list(current.model_fields)


def _settings(config: Config) -> dict[str, str]:
    """Every setting by its dotted key, sorted, as JSON in which equal values look equal."""
    return dict(sorted(_flat(config.model_dump(mode="json"), "")))


def _flat(data: Any, prefix: str) -> Iterator[tuple[str, str]]:
    if isinstance(data, dict) and data:
        for key, value in data.items():
            yield from _flat(value, f"{prefix}.{key}" if prefix else str(key))
    else:
        yield prefix, json.dumps(_plain(data), sort_keys=True, ensure_ascii=False)


def _plain(value: Any) -> Any:
    """The value with whole numbers as integers: 1 and 1.0 are one setting."""
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return int(value) if isinstance(value, float) and value.is_integer() else value
