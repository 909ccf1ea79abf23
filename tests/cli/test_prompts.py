from __future__ import annotations

import json
from pathlib import Path

MINE = """{% extends "promptcot:author-math" %}
{% block style %}Write for the {{ audience }}.{% endblock %}
"""


def test_templates_are_listed_with_their_variables(invoke) -> None:
    listed = {f["name"]: f for f in json.loads(invoke("prompts", "list", "--json").stdout)}
    assert {"author-math", "author-code", "judge", "solve", "extract"} <= set(listed)
    assert "concepts" in listed["author-math"]["variables"]
    assert "author-math" in invoke("prompts", "list").stdout


def test_source_is_shown(invoke) -> None:
    assert "{% block" in invoke("prompts", "show", "judge").stdout


def test_template_is_rendered_with_concepts_and_given_variables(invoke, tmp_path: Path) -> None:
    (tmp_path / "mine.jinja").write_text(MINE)
    given = ("prompts", "render", "mine", "--search-path", tmp_path, "-v", "audience=curious")
    messages = json.loads(invoke(*given, "--recipe", "3", "--json").stdout)
    assert [message["role"] for message in messages] == ["system", "user"]
    assert "Write for the curious." in messages[0]["content"]
    assert "<concepts>" in messages[1]["content"]
    assert "Write for the curious." in invoke(*given).stdout


def test_other_recipes_have_other_concepts_and_equal_ones_the_same(invoke) -> None:
    texts = [invoke("prompts", "render", "author-math", "--recipe", n).stdout for n in ("0", "1", "0")]
    assert texts[0] == texts[2] != texts[1]


def test_variable_of_no_form_is_wrong_usage(invoke) -> None:
    result = invoke("prompts", "render", "solve", "-v", "problem")
    assert result.exit_code == 2
    assert "NAME=TEXT" in result.stderr


def test_a_variable_that_the_template_does_not_read_is_wrong_usage(invoke) -> None:
    wrong = invoke("prompts", "render", "solve", "-v", "problm=What is 1 + 1?")
    assert wrong.exit_code == 2
    assert "did you mean 'problem'" in wrong.stderr


def test_a_small_library_can_be_drawn_from(invoke, tmp_path: Path) -> None:
    library = tmp_path / "one.yaml"
    library.write_text("schema: 1\nname: one\nconcepts:\n- {id: a.b, name: braids, domain: a, level: 2}\n")
    assert "braids" in invoke("prompts", "render", "author-math", "--graph", library).stdout
