from __future__ import annotations

import yaml

from promptcot.concepts.library import check, load
from promptcot.resources import LIBRARY, shipped_folder
from promptcot.symbolic.export import as_library, dump
from promptcot.symbolic.library import library

CONCEPTS = library(plugins=False)


def test_the_shipped_library_is_what_the_code_says() -> None:
    shipped = (shipped_folder(LIBRARY) / "symbolic-core.yaml").read_text()
    assert shipped == dump(as_library(CONCEPTS)), "run python -m promptcot.symbolic.export"
    assert yaml.safe_load(shipped) == as_library(CONCEPTS)


def test_the_shipped_library_loads_without_a_finding() -> None:
    assert check("symbolic-core") == []
    graph = load("symbolic-core")
    assert sorted(graph.concepts) == sorted(CONCEPTS)


def test_every_concept_has_partners_that_exist() -> None:
    degree = dict.fromkeys(CONCEPTS, 0)
    for edge in as_library(CONCEPTS)["edges"]:
        assert edge["a"] < edge["b"]
        assert edge["weight"] > 0
        degree[edge["a"]] += 1
        degree[edge["b"]] += 1
    assert min(degree.values()) >= 3
