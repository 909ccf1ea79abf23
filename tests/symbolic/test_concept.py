from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import pytest

from promptcot.errors import ConfigError, ResourceError, VerificationError
from promptcot.records import Recipe
from promptcot.symbolic.concept import SymbolicConcept, Worked, concept
from promptcot.symbolic.engine import Engine
from promptcot.symbolic.library import library
from promptcot.symbolic.ports import Int, Positive
from promptcot.symbolic.skins.base import tight

LIBRARY = library(plugins=False)

OWN = '''
from __future__ import annotations
from typing import Annotated
from promptcot.symbolic.concept import Worked, concept
from promptcot.symbolic.ports import Int, Positive

@concept("mine.cube", "cubing", ["the cube of {a}", "{a} cubed", "the third power of {a}",
         "the volume of a cube with edges of {a}"], level=3)
def cube(a: Annotated[int, Int(2, 30)]) -> Worked[Positive]:
    """Multiplies a number by itself twice."""
    yield f"{a} * {a} = {a * a}"
    return a * a * a

cube.check(lambda a, value: value == a**3)

def concepts():
    return [cube]
'''
PHRASES = ["the twin of {a}", "the double of {a}", "{a} doubled", "what {a} is when doubled"]


def double(**changes: Any) -> SymbolicConcept:
    def function(a: Positive) -> Positive:
        """Adds a number to itself."""
        return a + a

    settings = {"id": "mine.double", "name": "doubling", "phrases": PHRASES, "level": 1, **changes}
    return concept(**settings)(function)


@pytest.mark.parametrize("id", sorted(LIBRARY))
def test_both_routes_agree_on_random_inputs(id: str) -> None:
    assert LIBRARY[id].audit(200) >= 10


@pytest.mark.parametrize("id", sorted(LIBRARY))
def test_every_concept_has_phrases_for_long_names(id: str) -> None:
    one = LIBRARY[id]
    wired = {name for name, port in one.inputs.items() if not port.fixed}
    assert [phrase for phrase in one.phrases if not tight(phrase) & wired]
    assert not one.description.endswith(" ")
    assert one.description.endswith(".")


def test_the_library_is_wide() -> None:
    assert len(LIBRARY) >= 100
    assert len({one.domain for one in LIBRARY.values()}) >= 10
    assert len({one.name for one in LIBRARY.values()}) == len(LIBRARY)
    assert len({one.symbol for one in LIBRARY.values()}) == len(LIBRARY)


def test_prerequisites_exist_and_are_no_harder() -> None:
    for one in LIBRARY.values():
        for id in one.prerequisites:
            assert LIBRARY[id].level <= one.level, (one.id, id)


def test_steps_are_yielded_and_values_returned() -> None:
    gcd = LIBRARY["number-theory.gcd"]
    assert gcd.value(48, 18) == 6
    assert gcd.work(48, 18) == (6, ["48 = 2 * 18 + 12", "18 = 1 * 12 + 6", "12 = 2 * 6 + 0"])


def test_a_wrong_second_route_is_found() -> None:
    one = double()
    one.check(lambda a, value: value == a * 2 or a > 5)
    assert one.audit(50)
    one.check(lambda a, value: value == a * 2 and a < 5)
    with pytest.raises(VerificationError, match="second route"):
        one.audit(50)


def test_a_concept_without_second_route_is_refused() -> None:
    with pytest.raises(VerificationError, match="no second route"):
        double().audit(50)


def test_a_value_outside_its_port_is_found() -> None:
    @concept("mine.bad", "bad", PHRASES, level=1)
    def bad(a: Positive) -> Annotated[int, Int(0, 3)]:
        """Leaves its port."""
        return a + 10

    bad.check(lambda a, value: True)
    with pytest.raises(VerificationError, match="outside its port"):
        bad.audit(50)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"id": "Double"}, "not an id"),
        ({"id": "../double"}, "not an id"),
        ({"phrases": PHRASES[:3]}, "3 phrases"),
        ({"phrases": [*PHRASES[:3], "the twin"]}, "must name each of a"),
        ({"phrases": [*PHRASES[:3], "{a} and {b}"]}, "must name each of a"),
        ({"name": "twice: the thing"}, "colon"),
        ({"level": 11}, "level"),
        ({"symbol": "{b} twice"}, "must name each of a"),
    ],
)
def test_a_malformed_concept_is_one_clear_line(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        double(**changes)


def _no_port(a: int) -> Positive:
    """Has no port."""
    return a


def _no_docstring(a: Positive) -> Positive:
    return a


@pytest.mark.parametrize(
    ("function", "message"), [(_no_port, "no port for a"), (_no_docstring, "no docstring")]
)
def test_ports_and_description_are_required(function: Callable[..., Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        concept("mine.none", "none", PHRASES, level=1)(function)


def test_a_users_file_joins_the_shipped_concepts(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(OWN)
    concepts = library([path], plugins=False)
    assert len(concepts) == len(LIBRARY) + 1
    concepts["mine.cube"].audit()
    engine = Engine(concepts)
    for seed in range(20):
        recipe = Recipe(
            id="r", ordinal=0, concepts=("mine.cube", "lists.total"), domain="", level=4, seed=seed
        )
        draft = engine.author(recipe, skin=("letters", "story", "canonical")[seed % 3])
        opinion = engine.judge(draft.statement, draft.answer, ["cubing", "sum of a list"], 4)
        assert "bad" not in opinion.ratings.values()


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("def concepts():\n    return [1]\n", ConfigError, "not a symbolic concept"),
        ("x = 1\n", ConfigError, r"no function concepts\(\)"),
        ("import nowhere_at_all\n", ResourceError, "nowhere_at_all"),
        ("def concepts(:\n", ResourceError, "SyntaxError"),
        (OWN.replace("mine.cube", "lists.sort"), ConfigError, "exists already"),
        (OWN.replace("cube.check(", "(lambda x: x)("), ConfigError, "no second route"),
    ],
)
def test_a_bad_file_is_one_clear_line(
    tmp_path: Path, text: str, error: type[Exception], message: str
) -> None:
    path = tmp_path / "mine.py"
    path.write_text(text)
    with pytest.raises(error, match=message):
        library([path], plugins=False)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ResourceError, match=r"absent\.py"):
        library([tmp_path / "absent.py"], plugins=False)


def test_two_concepts_may_not_share_a_phrase() -> None:
    one, two = double(), double(id="mine.twice", symbol="twice")
    with pytest.raises(ConfigError, match="share the phrase"):
        Engine({"mine.double": one, "mine.twice": two})


def test_generators_may_reject() -> None:
    @concept("mine.half", "halving", PHRASES, level=1)
    def half(a: Positive) -> Worked[Positive]:
        """Halves an even number."""
        if a % 2:
            return None
        yield f"{a} / 2 = {a // 2}"
        return a // 2

    assert half.value(3) is None
    assert half.work(8) == (4, ["8 / 2 = 4"])
