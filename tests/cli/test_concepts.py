from __future__ import annotations

import json
from pathlib import Path

LIBRARY = """
schema: 1
name: knots
title: A few knots
concepts:
  - {id: knots.crossing, name: Crossing, description: Where a strand passes over., domain: knots, level: 4}
  - id: knots.jones
    name: Jones polynomial
    description: An invariant.
    domain: knots
    level: 8
    prerequisites: [knots.crossing]
"""


def test_libraries_of_the_search_path_are_listed_and_shipped_ones_stay(invoke, tmp_path: Path) -> None:
    (tmp_path / "knots.yaml").write_text(LIBRARY)
    (tmp_path / "broken.yaml").write_text("concepts: 3\n")
    listed = {
        f["name"]: f
        for f in json.loads(invoke("concepts", "list", "--search-path", tmp_path, "--json").stdout)
    }
    assert listed["knots"]["concepts"] == 2
    assert listed["knots"]["title"] == "A few knots"
    assert "error" in listed["broken"]
    assert listed["symbolic-core"]["concepts"] >= 40
    text = invoke("concepts", "list", "--search-path", tmp_path).stdout
    assert "A few knots" in text
    assert "broken" in text


def test_one_concept_is_shown_with_what_it_leads_to(invoke, tmp_path: Path) -> None:
    (tmp_path / "knots.yaml").write_text(LIBRARY)
    text = invoke("concepts", "show", tmp_path / "knots.yaml", "knots.crossing").stdout
    assert "Crossing  (knots.crossing)" in text
    assert "leads to:          knots.jones" in text
    as_json = json.loads(invoke("concepts", "show", tmp_path / "knots.yaml", "knots.jones", "--json").stdout)
    assert as_json["prerequisites"] == ["knots.crossing"]


def test_all_concepts_are_shown_by_domain(invoke, tmp_path: Path) -> None:
    (tmp_path / "knots.yaml").write_text(LIBRARY)
    text = invoke("concepts", "show", tmp_path / "knots.yaml").stdout
    assert text.index("knots: 2") < text.index("knots.crossing") < text.index("knots.jones")


def test_check_says_what_is_well(invoke) -> None:
    result = invoke("concepts", "check", "symbolic-core")
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[-1].startswith("symbolic-core: no errors, ")


def test_check_is_strict_when_asked(invoke, tmp_path: Path) -> None:
    (tmp_path / "knots.yaml").write_text(LIBRARY.replace(", description: Where a strand passes over.", ""))
    loose = invoke("concepts", "check", tmp_path / "knots.yaml")
    assert loose.exit_code == 0
    assert "1 warning" in loose.stdout.splitlines()[-1]
    strict = invoke("concepts", "check", tmp_path / "knots.yaml", "--strict")
    assert strict.exit_code == 4
    assert "1 error" in strict.stderr


def test_stats_count(invoke, tmp_path: Path) -> None:
    (tmp_path / "knots.yaml").write_text(LIBRARY)
    counted = json.loads(invoke("concepts", "stats", tmp_path / "knots.yaml", "--json").stdout)
    assert counted["concepts"] == 2
    assert counted["longest_chain"] == 2
    assert counted["levels"] == {"4": 1, "8": 1}
    assert "2 concepts; domains: 1" in invoke("concepts", "stats", tmp_path / "knots.yaml").stdout
