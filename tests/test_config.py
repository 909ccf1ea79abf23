from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from promptcot.config import (
    Backend,
    Config,
    Curriculum,
    Execution,
    Phase,
    Sampling,
    differences,
    dump,
    load,
    parse_yaml,
    validate,
)
from promptcot.errors import ConfigError

EXAMPLE = """\
graph: competition-math
target: {accepted: 20, seed: 7}
backends:
  big: {kind: openai, base_url: "http://localhost:8000/v1", model: m}
roles: {author: big, judge: big, solver: big}
filters:
- {rule: duplicates, threshold: 0.8}
curriculum:
  phases:
  - {name: easy, band: [0, 0.5]}
  - {name: hard, band: [0.5, 1]}
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "promptcot.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_with_nothing_given_every_role_is_the_embedded_backend() -> None:
    config = load(None)
    assert config == Config()
    for role in ("author", "judge", "solver", "student"):
        assert config.backend_of(role) == ("symbolic", Backend(kind="symbolic"))


def test_a_file_is_read_and_parts_keep_their_own_options(tmp_path: Path) -> None:
    config = load(write(tmp_path, EXAMPLE))
    name, backend = config.backend_of("author")
    assert (name, backend.kind) == ("big", "openai")
    assert backend.options() == {"base_url": "http://localhost:8000/v1", "model": "m"}
    assert config.backend_of("student")[0] == "symbolic"
    assert [(rule.rule, rule.options()) for rule in config.filters] == [("duplicates", {"threshold": 0.8})]
    assert [phase.band for phase in config.curriculum.phases] == [(0, 0.5), (0.5, 1)]


@pytest.mark.parametrize(
    ("overrides", "path", "value"),
    [
        (["target.seed=3"], "target.seed", 3),
        (["target.seed=3", "target.seed=4"], "target.seed", 4),
        (["graph=mine+symbolic-core"], "graph", "mine+symbolic-core"),
        (["sampling.sizes={2: 1}"], "sampling.sizes", {2: 1.0}),
        (["sampling.sizes.5=2.5"], "sampling.sizes", {5: 2.5}),
        (["sampling.domains=[algebra, 'number theory']"], "sampling.domains", ("algebra", "number theory")),
        (["curriculum.held_out=0.2"], "curriculum.held_out", 0.2),
        (["backends.b.kind=openai", "roles.judge=b"], "roles", {"judge": "b"}),
        (["templates.author=a=b"], "templates.author", "a=b"),
    ],
)
def test_overrides_are_applied_in_order(overrides: list[str], path: str, value: Any) -> None:
    found: Any = load(None, overrides)
    for key in path.split("."):
        found = getattr(found, key)
    assert found == value


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["target.seed"], "-o target.seed: not of the form key=value"),
        (["=3"], "not of the form key=value"),
        (["target.sed=3"], "unknown key 'sed'; did you mean 'seed'? (in target)"),
        (["traget.seed=3"], "unknown key 'traget'; did you mean 'target'?"),
        (["graph=a", "graph.x=1"], "'graph' is not a group of settings"),
        (["target.seed=[1"], "-o target.seed:1: not valid YAML"),
        (["target.seed=x"], "target.seed: Input should be a valid integer"),
        (["target.seed=-1"], "target.seed"),
        (["target.accepted=0"], "target.accepted"),
        (["target.seed=" + "9" * 5000], "target.seed"),
        (["roles.author=bgi", "backends.big.kind=openai"], "unknown backend 'bgi'; did you mean 'big'"),
        (["roles.writer=symbolic"], "roles"),
        (["backends.big.model=m"], "backends.big.kind: Field required"),
        (["sampling.sizes={0: 1}"], "sizes must map"),
        (["sampling.sizes={}"], "sizes must map"),
        (["sampling.sizes={2: 0}"], "not all 0"),
        (["sampling.sizes={2: -1}"], "sizes must map"),
        (["sampling.temperature=0"], "sampling.temperature"),
        (["sampling.temperature=.inf"], "sampling.temperature"),
        (["sampling.temperature=.nan"], "sampling.temperature"),
        (["sampling.coverage=1.0e+308"], "sampling.coverage"),
        (["sampling.sizes={1: .nan}"], "sampling.sizes.1: Input should be a finite number"),
        (["sampling.sizes={1: .inf}"], "sampling.sizes.1: Input should be a finite number"),
        (["sampling.sizes={1: 1.0e+308, 2: 1.0e+308}"], "sizes must map"),
        (["filters.0.rule=judge"], "filters: Input should be a list"),
        (["sampling.levels=[9, 2]"], "sampling: levels must rise"),
        (["curriculum.tiers=[.nan]"], "curriculum.tiers.0"),
        (["curriculum.phases=[{name: a, band: [.nan, 1]}]"], "curriculum.phases.0.band.0"),
        (["curriculum.phases=[{name: a, band: [0.9, 0.1]}]"], "band must be two numbers that rise"),
        (["curriculum.tiers=[0.5, 0.2]"], "tiers must rise"),
        (["curriculum.phases=[]"], "phases need distinct names"),
        (["curriculum.phases=[{name: a}, {name: a}]"], "phases need distinct names"),
        (["curriculum.phases=[{name: held-out}]"], "none may be called held-out"),
        (["curriculum.phases=[{name: ../x}]"], "curriculum.phases.0.name"),
        (["curriculum.phases=[{nme: a}]"], "unknown key 'nme'; did you mean 'name'?"),
        (["solving.attempts=0"], "solving.attempts"),
    ],
)
def test_what_does_not_fit_is_refused_by_its_key(overrides: list[str], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(None, overrides)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("graph: [", ":1: not valid YAML"),
        ("a: 1\nb: {\n", "not valid YAML"),
        ("- 1", "a config is a mapping"),
        ("just text", "a config is a mapping"),
        ("target: {seed: 1, seed: 2}", ":1: not valid YAML: the key 'seed' is given twice"),
        ("graph: a\ntarget: {}\ngraph: b", ":3: not valid YAML: the key 'graph' is given twice"),
        ("graph: &a x\ntemplates: {author: *a}", ":2: not valid YAML: aliases are not allowed"),
        ("graph: !!python/object/apply:os.system [ls]", ":1: not valid YAML"),
        ("graph: !!python/name:os.system x", "not valid YAML"),
        ("? [a]\n: 1", "not valid YAML"),
        ("graph: 2020-13-45", "not valid YAML"),
        ("graph: \x00", "not valid YAML"),
        ("[" * 100_000, "not valid YAML"),
        ("target: 3", "target"),
    ],
)
def test_a_file_that_is_no_config_is_refused_by_its_line(tmp_path: Path, text: str, said: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert str(caught.value).startswith(str(path))
    assert said in str(caught.value)


def test_a_few_bytes_of_aliases_do_not_fill_the_memory() -> None:
    bomb = "a0: &a0 [x, x]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]\n" for i in range(1, 64))
    with pytest.raises(ConfigError, match="aliases are not allowed"):
        parse_yaml(bomb, "bomb")


@given(st.text(st.characters(codec="utf-8"), max_size=60) | st.text("{}[]:,&*!-?|>'\"# \nab1.", max_size=60))
def test_nothing_but_a_config_error_comes_of_any_text(text: str) -> None:
    try:
        parse_yaml(text, "x")
    except ConfigError as error:
        text = str(error)
        assert text.startswith("x:")


FRACTIONS = st.floats(0.01, 0.9)
NAMES = st.from_regex(r"[a-z][a-z0-9-]{0,8}", fullmatch=True)


@st.composite
def configs(draw: st.DrawFn) -> Config:
    names = draw(st.lists(NAMES.filter(lambda name: name != "held-out"), min_size=1, max_size=3, unique=True))
    sizes = draw(st.dictionaries(st.integers(1, 9), st.floats(0.1, 9), min_size=1))
    backend = {
        "kind": draw(NAMES),
        "model": draw(st.text(st.characters(codec="utf-8", exclude_categories=("Cc",)))),
    }
    return Config.model_validate(
        {
            "graph": draw(NAMES),
            "target": {"accepted": draw(st.integers(1, 10**9)), "seed": draw(st.integers(0, 2**63 - 1))},
            "sampling": {"sizes": sizes, "temperature": draw(FRACTIONS), "domains": draw(st.lists(NAMES))},
            "backends": {"big": backend},
            "roles": draw(st.dictionaries(st.sampled_from(["author", "judge", "solver"]), st.just("big"))),
            "curriculum": {
                "phases": [{"name": name, "band": [0, draw(FRACTIONS)]} for name in names],
                "tiers": sorted(draw(st.sets(FRACTIONS, max_size=4))),
            },
        }
    )


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
@given(configs(), configs())
def test_a_config_survives_its_file_and_its_fingerprint_is_its_settings(
    tmp_path: Path, one: Config, other: Config
) -> None:
    read = load(write(tmp_path, dump(one)))
    assert read == one
    assert read.fingerprint() == one.fingerprint()
    assert differences(one, read) == []
    assert (one.fingerprint() == other.fingerprint()) == (differences(one, other) == []) == (one == other)


def test_differences_name_their_keys() -> None:
    one = load(None, ["target.seed=1", "backends.b.kind=openai"])
    two = load(None, ["target.seed=2"])
    assert "target.seed: 1 != 2" in differences(one, two)
    assert 'backends.b.kind: "openai" != None' in differences(one, two)


def test_the_order_in_which_settings_are_given_makes_no_other_config() -> None:
    sizes = ["sampling.sizes={1: 1, 2: 2}", "sampling.sizes={2: 2.0, 1: 1.0}"]
    backends = ["backends.b={kind: openai, extra_body: {top_k: 5, n: 1}}", "backends.a={kind: symbolic}"]
    extra = "backends.b={extra_body: {n: 1.0, top_k: 5}, kind: openai}"
    one = load(None, [sizes[0], *backends, "roles={author: a, judge: b}"])
    two = load(None, ["roles={judge: b, author: a}", backends[1], extra, sizes[1]])
    assert differences(one, two) == []
    assert one.fingerprint() == two.fingerprint()
    other = load(None, [sizes[0], *backends, "roles={author: a, judge: b}", "backends.b.extra_body={}"])
    assert differences(one, other)
    assert one.fingerprint() != other.fingerprint()


def test_settings_are_frozen_and_execution_stays_outside_the_fingerprint() -> None:
    config = Config()
    with pytest.raises(ValidationError):
        config.graph = "x"  # type: ignore[misc]
    assert not {"workers", "concurrency", "search_path"} & set(Config.model_fields)
    assert set(Execution.model_fields) == {"workers", "concurrency", "search_path"}


def test_validate_names_the_place_and_the_nearest_key() -> None:
    with pytest.raises(ConfigError, match=r"here: unknown key 'temprature'; did you mean 'temperature'\?"):
        validate(Sampling, {"temprature": 1}, where="here")
    with pytest.raises(ConfigError, match=r"unknown key 'bnd'; did you mean 'band'\? \(in phases\.1\)"):
        validate(Curriculum, {"phases": [{"name": "a"}, {"name": "b", "bnd": [0, 1]}]}, where="here")
    assert validate(Phase, {"name": "a"}, where="here").band == (0.0, 1.0)
