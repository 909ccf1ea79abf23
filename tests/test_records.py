from __future__ import annotations

import inspect
import json
import typing
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptcot import records
from promptcot.errors import ResourceError
from promptcot.records import Candidate, Concept, Message, Problem, Recipe, Record, from_json, to_json

KINDS = [kind for _, kind in inspect.getmembers(records, inspect.isclass) if issubclass(kind, Record)]
KINDS = [kind for kind in KINDS if kind is not Record]
TEXT = st.text(st.characters(codec="utf-8"), max_size=8)


def values(annotation: Any) -> st.SearchStrategy[Any]:
    """Values of an annotation of a record's field."""
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    plain = {str: TEXT, int: st.integers(-(2**63), 2**63 - 1), bool: st.booleans(), type(None): st.none()}
    if annotation in plain:
        return plain[annotation]
    if annotation is float:
        return st.floats(allow_nan=False, allow_infinity=False)
    if origin is typing.Literal:
        return st.sampled_from(inner)
    if origin is tuple:
        return st.lists(values(inner[0]), max_size=3).map(tuple)
    if origin is dict:
        return st.dictionaries(values(inner[0]), values(inner[1]), max_size=3)
    if inspect.isclass(annotation) and issubclass(annotation, Record):
        return instances(annotation)
    return st.one_of([values(option) for option in inner])


def instances(kind: type[Record]) -> st.SearchStrategy[Any]:
    hints = typing.get_type_hints(kind)
    return st.builds(kind, **{name: values(hints[name]) for name in kind.__struct_fields__})


def test_there_are_the_nouns_of_the_flow() -> None:
    names = {kind.__name__ for kind in KINDS}
    assert {"Concept", "Recipe", "Prompt", "Completion", "Problem", "Attempt", "Verdict", "Example"} <= names


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_record_survives_its_json(kind: type[Record]) -> None:
    @given(instances(kind))
    def check(record: Record) -> None:
        raw = to_json(record)
        assert from_json(raw, kind) == record
        assert to_json(from_json(raw, kind)) == raw
        assert json.loads(raw)

    check()


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_record_is_frozen_slotted_and_named_by_keyword(kind: type[Record]) -> None:
    assert kind.__struct_config__.frozen
    assert not hasattr(kind, "__dict__") or "__dict__" not in dir(kind)
    with pytest.raises(TypeError, match="positional"):
        kind("x")


def test_json_does_not_depend_on_the_order_in_which_a_dict_was_filled() -> None:
    one = {"b": 1.0, "a": 2.0}
    two = {"a": 2.0, "b": 1.0}
    recipe = Recipe(id="r", ordinal=0, concepts=(), domain="", level=1, seed=0)
    judged = [records.Judgement(problem_id="p", judge="j", ratings={}, measures=m) for m in (one, two)]
    assert to_json(judged[0]) == to_json(judged[1])
    assert to_json([recipe]) == b'[{"id":"r","ordinal":0,"concepts":[],"domain":"","level":1,"seed":0}]'


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"", "row 3: not a Concept"),
        (b"{", "not a Concept"),
        (b'{"id": "a"}', "`name`"),
        (b'{"id": "a", "name": 3}', "`$.name`"),
        (b'{"id": "a", "name": "b", "level": "x"}', "`$.level`"),
        (b'{"id": "a", "name": "b", "aliases": [1]}', "`$.aliases[0]`"),
        (b'{"id": "\xff", "name": "b"}', "not a Concept"),
        (b"[" * 200_000, "not a Concept"),
    ],
)
def test_json_that_is_no_such_record_is_refused_by_its_field(raw: bytes, said: str) -> None:
    with pytest.raises(ResourceError) as caught:
        from_json(raw, Concept, where="row 3")
    assert said in str(caught.value)


def test_a_role_that_is_none_is_refused() -> None:
    with pytest.raises(ResourceError, match="role"):
        from_json(msgspec.json.encode({"role": "root", "content": "x"}), Message)


def test_a_candidate_nests_what_it_is_made_of() -> None:
    recipe = Recipe(id="r", ordinal=0, concepts=("a",), domain="", level=1, seed=0)
    problem = Problem(id="p", statement="s", answer=records.Answer(kind="text", value="v"), recipe=recipe)
    assert from_json(to_json(Candidate(problem=problem)), Candidate).problem.recipe == recipe
