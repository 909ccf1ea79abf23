from __future__ import annotations

import pytest

from promptcot.config import Config, Execution, Sampling, Templates
from promptcot.errors import ResourceError
from promptcot.pipeline.parts import assemble

LIBRARY = "schema: 1\nconcepts:\n- {id: math.one, name: One idea, level: 1}\n"
ONE = Sampling(sizes={1: 1.0})


def template(folder, name, body, *, base):
    text = f'{{% extends "promptcot:{base}" %}}{{% block request %}}{body}{{% endblock %}}'
    (folder / f"{name}.jinja").write_text(text)
    return Execution(search_path=(folder,))


@pytest.mark.parametrize(
    ("role", "base"), [("author", "author-math"), ("judge", "judge"), ("solver", "solve")]
)
@pytest.mark.parametrize("body", ["Say {{ problm }}.", "{% if 1 > 2 %}{{ problm }}{% endif %}Say it."])
def test_an_undefined_variable_shows_before_anyone_is_asked(role, base, body, tmp_path):
    execution = template(tmp_path, "mine", body, base=base)
    with pytest.raises(ResourceError, match=rf"mine\.jinja, used as {role}: unknown variable 'problm'"):
        assemble(Config(templates=Templates(**{role: "mine"})), execution)


def test_an_undefined_field_shows_before_anyone_is_asked(tmp_path):
    execution = template(tmp_path, "mine", "Use {{ concepts[0].nmae }}.", base="author-math")
    with pytest.raises(ResourceError, match=r"mine\.jinja:1: .*nmae"):
        assemble(Config(templates=Templates(author="mine")), execution)


def test_a_template_may_do_without_a_variable_that_it_asks_about(tmp_path):
    body = "{{ tone|default('Kindly') }}{% if style is defined %}{{ style }}{% endif %}: {{ problem }}"
    execution = template(tmp_path, "mine", body, base="solve")
    assert "template solver" in assemble(Config(templates=Templates(solver="mine")), execution).sources


@pytest.mark.parametrize("graph", ["{}/a+b/one.yaml", "symbolic-core + {}/a.yaml", "{}/a.yaml+symbolic-core"])
def test_libraries_are_found_as_they_are_loaded(graph, tmp_path):
    (tmp_path / "a+b").mkdir()
    for path in (tmp_path / "a+b" / "one.yaml", tmp_path / "a.yaml"):
        path.write_text(LIBRARY)
    parts = assemble(Config(graph=graph.format(tmp_path), sampling=ONE), Execution())
    assert "math.one" in parts.concepts
    assert parts.graph in ("one", "symbolic-core+a", "a+symbolic-core")


def test_libraries_of_one_name_are_both_among_the_sources(tmp_path):
    names = [tmp_path / folder / "mine.yaml" for folder in ("x", "y")]
    for path, id in zip(names, ("math.one", "math.two"), strict=True):
        path.parent.mkdir()
        path.write_text(LIBRARY.replace("math.one", id))
    config = Config(graph="+".join(map(str, names)), sampling=ONE)
    before = assemble(config, Execution()).sources
    names[0].write_text(names[0].read_text().replace("One", "Own"))
    after = assemble(config, Execution()).sources
    assert {name for name in before if before[name] != after[name]} == {"graph mine"}
    assert "graph mine-2" in before
