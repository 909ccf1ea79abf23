from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptcot.concepts.importers import import_lists, read_lists, write_library
from promptcot.concepts.library import load
from promptcot.concepts.reading import ID
from promptcot.errors import ResourceError


def test_lists_become_concepts_and_counted_edges() -> None:
    lists = [
        ["Prime factorization", "Divisor count"],
        ["Divisor count", "prime  factorizations", "√2"],
        ["√2"],
    ]
    found = import_lists(lists, prefix="nt", domain="number theory", level=4, source="seeds", licence="MIT")
    names = {c.name: c for c in found.graph.concepts.values()}
    assert set(names) == {"Prime factorization", "Divisor count", "√2"}
    prime = names["Prime factorization"]
    assert prime.id == "nt.prime-factorization"
    assert prime.aliases == ("prime factorizations",)
    assert (prime.domain, prime.level, prime.source, prime.licence) == ("number theory", 4, "seeds", "MIT")
    assert names["√2"].id == "nt.2"
    weights = {(edge.a, edge.b): edge.weight for edge in found.graph.edges}
    assert weights == {
        ("nt.divisor-count", "nt.prime-factorization"): 2.0,
        ("nt.2", "nt.divisor-count"): 1.0,
        ("nt.2", "nt.prime-factorization"): 1.0,
    }
    assert "merged  1.00  'prime factorizations' (1) into 'Prime factorization'" in found.report()


def test_nearly_equal_names_merge_unless_a_number_or_a_sign_differs() -> None:
    lists = [
        ["Multiplication principle for independent choices"] * 2,
        ["Multiplication principle (independent choices)"],
        ["Prime factorization of 240 into powers of primes"],
        ["Prime factorization of 360 into powers of primes"],
        ["Laws of exponents for products a^m · a^n"],
        ["Laws of exponents for products a^m / a^n"],
    ]
    found = import_lists(lists, prefix="m", domain="d", threshold=0.9)
    assert [(m.kept, m.other) for m in found.merged] == [
        ("Multiplication principle (independent choices)", "Multiplication principle for independent choices")
    ] or [m.kept for m in found.merged] == ["Multiplication principle for independent choices"]
    assert len(found.graph) == 5
    assert {frozenset((m.kept, m.other)) for m in found.alike} == {
        frozenset(lists[2] + lists[3]),
        frozenset(lists[4] + lists[5]),
    }


def test_the_most_used_spelling_is_kept() -> None:
    found = import_lists([["Sums"], ["Sum", "x"], ["Sums", "y"]], prefix="m", domain="d")
    assert {c.name for c in found.graph.concepts.values()} == {"Sums", "x", "y"}


@given(st.lists(st.lists(st.text(max_size=12), max_size=5), max_size=8))
def test_any_lists_become_a_valid_graph_in_which_every_name_is_found(lists: list[list[str]]) -> None:
    names = {" ".join(name.split()) for row in lists for name in row} - {""}
    if not names:
        with pytest.raises(ResourceError, match="no concept"):
            import_lists(lists, prefix="m", domain="d")
        return
    found = import_lists(lists, prefix="m", domain="d")
    concepts = found.graph.concepts.values()
    assert {name for c in concepts for name in (c.name, *c.aliases)} == names
    assert all(ID.fullmatch(c.id) for c in concepts)
    assert len(found.graph) == len(names) - len(found.merged)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"concepts": ["a"]}\n{"concepts": "a"}\n', ":2: not of the form"),
        ('{"concept": ["a"]}\n', ":1: not of the form"),
        ("[" * 100_000, ":1: not of the form"),
        ('{"concepts": [1]}', ":1: not of the form"),
        ('{"concepts": ["\\ud800"]}', ":1: not of the form"),
        ('{"concepts": [' + '"a",' * 101 + '"a"]}', ":1: more than 100"),
        (" " * ((1 << 20) + 2), ":1: too long"),
    ],
)
def test_a_line_that_is_no_list_is_named(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "lists.jsonl"
    path.write_text(text)
    with pytest.raises(ResourceError) as caught:
        list(read_lists(path))
    assert str(caught.value).startswith(f"{path}{said}")
    assert len(str(caught.value)) < 500


def test_a_file_that_is_not_there_and_a_prefix_that_is_none() -> None:
    with pytest.raises(ResourceError, match=r"cannot read /no/such\.jsonl"):
        list(read_lists(Path("/no/such.jsonl")))
    with pytest.raises(ResourceError, match=r"'\.\./x' is not a word"):
        import_lists([["a"]], prefix="../x", domain="d")


def test_an_import_is_written_once_and_read_back(tmp_path: Path) -> None:
    found = import_lists([["a: b", "- c"], ["c", "#d"]], prefix="m", domain="d")
    path = tmp_path / "mine.yaml"
    write_library(found, path, name="mine", title="Mine: x", licence="CC0-1.0")
    assert set(load(str(path)).concepts) == set(found.graph.concepts)
    with pytest.raises(ResourceError, match="is there already"):
        write_library(found, path, name="mine")
    with pytest.raises(ResourceError, match="cannot write"):
        write_library(found, tmp_path / "none" / "mine.yaml", name="mine")


def test_real_lists(real_lists: Path) -> None:
    found = import_lists(read_lists(real_lists), prefix="math", domain="mathematics")
    assert (found.lists, found.names) == (253, 1251)
    assert len(found.graph) == 1251 - len(found.merged)
    assert 3 <= len(found.merged) <= 20
    assert "'Rationalizing the denominator' (1) into 'Rationalizing denominators'" in found.report()
    apart = {frozenset((m.kept, m.other)) for m in found.alike}
    assert frozenset(("Associativity of multiplication", "Associativity of addition")) in apart
