from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from promptcot import resources
from promptcot.concepts import reading
from promptcot.concepts.check import normal_name
from promptcot.concepts.graph import KINDS, ConceptGraph, Edge
from promptcot.concepts.library import check, dump, load, load_library
from promptcot.errors import PromptCoTError, ResourceError
from promptcot.records import Concept

WHOLE = """\
schema: 1
name: mine
title: My ideas
licence: CC0-1.0
concepts:
- id: nt.gcd
  name: greatest common divisor
  description: The largest number that divides both.
  domain: number theory
  level: 3
  aliases: [gcd, highest common factor]
- id: nt.lcm
  name: least common multiple
  description: The smallest number that both divide.
  domain: number theory
  level: 4
  prerequisites: [nt.gcd]
  licence: MIT
edges:
- {a: nt.lcm, b: nt.gcd, weight: 2.5, kind: composition}
"""


def write(folder: Path, text: str, name: str = "mine.yaml") -> str:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_a_library_is_read_with_its_header(tmp_path: Path) -> None:
    library = load_library(write(tmp_path, WHOLE))
    assert (library.name, library.title, library.licence) == ("mine", "My ideas", "CC0-1.0")
    gcd, lcm = library.graph.concepts.values()
    assert gcd == Concept(
        id="nt.gcd",
        name="greatest common divisor",
        description="The largest number that divides both.",
        domain="number theory",
        level=3,
        aliases=("gcd", "highest common factor"),
        licence="CC0-1.0",
    )
    assert (lcm.prerequisites, lcm.licence) == (("nt.gcd",), "MIT")
    assert library.graph.edges == (Edge(a="nt.gcd", b="nt.lcm", weight=2.5, kind="composition"),)
    assert check(str(library.path)) == []


def test_words_are_words_whatever_yaml_thinks_of_them(tmp_path: Path) -> None:
    text = WHOLE.replace("greatest common divisor", "No").replace("My ideas", "2.50")
    library = load_library(write(tmp_path, text))
    assert library.graph.concepts["nt.gcd"].name == "No"
    assert library.title == "2.50"


FAULTS = {
    "not yaml": ("a: ]", 1, "file", "not valid YAML"),
    "empty": ("", 1, "file", "the file is empty"),
    "a list": ("- 1", 1, "file", "a library is a mapping"),
    "two documents": (WHOLE + "---\na: 1\n", 1, "file", "one document"),
    "no schema": (WHOLE.replace("schema: 1\n", ""), 1, "schema", "must be 1"),
    "another schema": (WHOLE.replace("schema: 1", "schema: 2"), 1, "schema", "must be 1"),
    "an alias": (WHOLE.replace("name: mine", "name: &x mine"), 2, "file", "anchors and aliases"),
    "a tag": (WHOLE.replace("My ideas", "!!python/name:os.system x"), 3, "file", "the tag"),
    "a repeated key": (WHOLE.replace("name: mine", "schema: 1"), 2, "'schema'", "given twice"),
    "a misspelt key": (WHOLE.replace("title", "titel"), 3, "'titel'", "did you mean 'title'"),
    "a misspelt field": (WHOLE.replace("level: 3", "levl: 3"), 10, "'levl'", "did you mean 'level'"),
    "a key that is none": (WHOLE + "? [a]\n: 1\n", 21, "file", "a key must be a text"),
    "a word as concept": (WHOLE.replace("edges:", "- gcd\nedges:"), 19, "concepts", "must be a mapping"),
    "a path as id": (WHOLE.replace("id: nt.gcd", "id: ../../nt"), 6, "id", "is not an id"),
    "an id in capitals": (WHOLE.replace("id: nt.gcd", "id: NT"), 6, "id", "is not an id"),
    "no id": (WHOLE.replace("id: nt.gcd", "source: x"), 6, "id", "is not an id"),
    "a path as prerequisite": (WHOLE.replace("[nt.gcd]", "[nt/gcd]"), 17, "prerequisites", "is not an id"),
    "no name": (WHOLE.replace("name: greatest common divisor", "source: x"), 6, "name", "has no name"),
    "a long name": (WHOLE.replace("My ideas", "x" * 5000), 3, "title", "more than 4,000"),
    "a level in words": (WHOLE.replace("level: 3", "level: three"), 10, "level", "from 1 to 10"),
    "a level too high": (WHOLE.replace("level: 3", "level: 11"), 10, "level", "from 1 to 10"),
    "a level with a fraction": (WHOLE.replace("level: 3", "level: 3.5"), 10, "level", "from 1 to 10"),
    "no level": (WHOLE.replace("  level: 3\n", ""), 6, "level", "from 1 to 10"),
    "text for a list": (WHOLE.replace("[nt.gcd]", "nt.gcd"), 17, "prerequisites", "must be a list"),
    "a list for text": (WHOLE.replace("name: least", "name: [least]  #"), 13, "name", "must be text"),
    "too many aliases": (WHOLE.replace("[gcd,", "[" + "a, " * 65), 11, "aliases", "more than 64"),
    "a weight of nothing": (WHOLE.replace("2.5", "0"), 20, "weight", "above 0"),
    "an endless weight": (WHOLE.replace("2.5", ".inf"), 20, "weight", "above 0"),
    "a weight that is none": (WHOLE.replace("2.5", "nan"), 20, "weight", "above 0"),
    "an unknown kind": (WHOLE.replace("composition", "friendship"), 20, "kind", "is not one of"),
    "a repeated id": (WHOLE.replace("id: nt.lcm", "id: nt.gcd"), 12, "id", "is taken at mine.yaml:6"),
    "an unknown prerequisite": (WHOLE.replace("[nt.gcd]", "[nt.gdc]"), 17, "prerequisites", "mean 'nt.gcd'"),
    "an edge to nowhere": (WHOLE.replace("b: nt.gcd", "b: nt.gdc"), 20, "edges.a", "mean 'nt.gcd'"),
    "an edge to itself": (WHOLE.replace("a: nt.lcm", "a: nt.gcd"), 20, "edges", "joins 'nt.gcd' to itself"),
    "a circle": (
        WHOLE.replace("aliases:", "prerequisites: [nt.lcm]\n  aliases:"),
        11,
        "prerequisites",
        "circle: nt.gcd -> nt.lcm -> nt.gcd",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_names_file_line_and_field(tmp_path: Path, fault: str) -> None:
    text, line, field, said = FAULTS[fault]
    path = write(tmp_path, text)
    found = check(path)[0]
    assert (found.line, found.field, found.severity) == (line, field, "error")
    assert said in found.message
    with pytest.raises(ResourceError) as caught:
        load(path)
    assert str(caught.value).startswith(f"{path}:{line}: {field}: ")


WARNINGS = {
    "no description": (
        WHOLE.replace("  description: The smallest number that both divide.\n", ""),
        12,
        "description",
    ),
    "no domain": (WHOLE.replace("  domain: number theory\n  level: 4", "  level: 4"), 12, "domain"),
    "an inversion": (WHOLE.replace("level: 4", "level: 2"), 16, "level"),
    "one name": (WHOLE.replace("least common multiple", "The Highest Common Factors"), 13, "name"),
    "one alias": (WHOLE.replace("prerequisites:", "aliases: [G.C.D.]\n  prerequisites:"), 17, "aliases"),
    "an orphan": (
        WHOLE.replace("edges:", "- {id: x.y, name: z, description: w, domain: v, level: 1}\nedges:"),
        19,
        "x.y",
    ),
}


@pytest.mark.parametrize("fault", WARNINGS)
def test_what_could_be_better_is_found_and_loads(tmp_path: Path, fault: str) -> None:
    text, line, field = WARNINGS[fault]
    path = write(tmp_path, text.replace("G.C.D.", "Gcds"))
    assert [(f.line, f.field, f.severity) for f in check(path)] == [(line, field, "warning")]
    assert load(path)


def test_check_lists_every_fault_and_not_the_first_alone(tmp_path: Path) -> None:
    text = WHOLE.replace("level: 3", "level: x").replace("weight: 2.5", "weight: x")
    assert [f.field for f in check(write(tmp_path, text))][:2] == ["level", "weight"]


def test_a_folder_is_one_library(tmp_path: Path) -> None:
    first, second = WHOLE.split("- id: nt.lcm")
    write(tmp_path, first, "lib/a.yaml")
    write(tmp_path, "schema: 1\nconcepts:\n- id: nt.lcm" + second, "lib/sub/b.yml")
    graph = load("lib", [tmp_path])
    assert list(graph.concepts) == ["nt.gcd", "nt.lcm"]
    assert len(graph.edges) == 1
    write(tmp_path, WHOLE, "lib/c.yaml")
    assert "is taken at a.yaml:6" in str(check("lib", [tmp_path])[0])


def test_libraries_are_merged_by_a_plus(tmp_path: Path) -> None:
    write(tmp_path, WHOLE)
    other = "schema: 1\nconcepts:\n- {id: a.b, name: c, level: 1}\n"
    write(tmp_path, other, "other.yaml")
    assert list(load("mine+other", [tmp_path]).concepts) == ["a.b", "nt.gcd", "nt.lcm"]
    with pytest.raises(ResourceError, match="is taken at"):
        load(f"mine+{write(tmp_path, WHOLE.replace('level: 3', 'level: 2'), 'third.yaml')}", [tmp_path])


def test_merged_libraries_may_refer_to_each_other(tmp_path: Path) -> None:
    write(tmp_path, WHOLE, "mine.yaml")
    text = "schema: 1\nconcepts:\n- {id: z.new, name: new, level: 5, prerequisites: [nt.gcd]}\n"
    text += "edges:\n- {a: z.new, b: nt.gcd}\n"
    write(tmp_path, text, "more.yaml")
    assert load("mine+more", [tmp_path]).prerequisites("z.new")[-1:] == ("nt.gcd",)
    assert [found.severity for found in check("more", [tmp_path])].count("error") == 2
    assert not [found for found in check("mine+more", [tmp_path]) if found.severity == "error"]


def test_a_library_without_concepts_or_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ResourceError, match="has no concepts"):
        load(write(tmp_path, "schema: 1\n"))
    with pytest.raises(ResourceError, match="did you mean 'competition-math'"):
        load("competition-maths")


def test_bounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = "a: &a [x]\n" + "".join(f"b{i}: [*a, *a]\n" for i in range(40))
    assert "anchors" in check(write(tmp_path, bomb))[0].message
    deep = "schema: 1\ntitle: " + "[" * 100_000
    assert "nested more than 8 deep" in check(write(tmp_path, deep))[0].message
    many = "schema: 1\nconcepts: [" + "a," * 6 + "]"
    monkeypatch.setattr(reading, "MAX_CONCEPTS", 5)
    assert "6 of them, more than 5" in check(write(tmp_path, many))[0].message
    large = tmp_path / "large.yaml"
    with large.open("wb") as file:
        file.truncate(200 << 20)
    with pytest.raises(ResourceError, match="larger than 16 MiB"):
        load(str(large))


@pytest.mark.parametrize("resource", [r.name for r in resources.available(resources.LIBRARY)])
def test_shipped_libraries_pass_the_check(resource: str) -> None:
    assert [str(finding) for finding in check(resource)] == []


def test_competition_math_is_one_connected_graph_of_many_levels() -> None:
    graph = load("competition-math")
    assert len(graph) >= 60
    assert {c.level for c in graph.concepts.values()} >= set(range(3, 10))
    assert all(c.licence and c.description.endswith(".") for c in graph.concepts.values())


WORDS = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Zl", "Zp", "Cs")), min_size=1, max_size=30
)
IDS = st.from_regex(reading.ID, fullmatch=True).filter(lambda id: len(id) <= 96)


@st.composite
def graphs(draw: st.DrawFn) -> ConceptGraph:
    ids = sorted(draw(st.sets(IDS, min_size=1, max_size=6)))
    concepts = [
        Concept(
            id=id,
            name=draw(WORDS.filter(lambda name: name not in ("~", "null"))),
            description=draw(WORDS),
            domain=draw(WORDS),
            level=draw(st.integers(1, 10)),
            prerequisites=tuple(draw(st.lists(st.sampled_from(ids[:i]), unique=True))) if i else (),
            aliases=tuple(draw(st.lists(WORDS, max_size=3))),
        )
        for i, id in enumerate(ids)
    ]
    weights = st.floats(1e-6, 1e12)
    pairs = draw(st.lists(st.tuples(st.sampled_from(ids), st.sampled_from(ids)), max_size=5))
    edges = [
        Edge(a=a, b=b, weight=draw(weights), kind=draw(st.sampled_from(KINDS))) for a, b in pairs if a != b
    ]
    return ConceptGraph(concepts, edges)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(graphs())
def test_what_is_written_is_read_back(tmp_path: Path, graph: ConceptGraph) -> None:
    read = load(write(tmp_path, dump(graph, name="x", title="A: b")))
    assert dict(read.concepts) == dict(graph.concepts)
    assert read.edges == graph.edges


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.data())
def test_nothing_but_our_own_errors_comes_of_a_damaged_file(tmp_path: Path, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(WHOLE)))
    end = data.draw(st.integers(start, min(len(WHOLE), start + 20)))
    piece = data.draw(
        st.text(st.characters(codec="utf-8"), max_size=8) | st.sampled_from(["&a ", "*a", "!!", "[", "{"])
    )
    path = write(tmp_path, WHOLE[:start] + piece + WHOLE[end:])
    errors = [finding for finding in check(path) if finding.severity == "error"]
    try:
        load(path)
    except PromptCoTError:
        return
    assert errors == []


def test_equal_ideas_have_equal_normal_names() -> None:
    assert normal_name("The Vieta's Formulas!") == normal_name("vieta formula")
    assert normal_name("Areas of triangles") == normal_name("area of a triangle")
    assert normal_name("sum") != normal_name("product")
    assert normal_name("radius") == "radius"
