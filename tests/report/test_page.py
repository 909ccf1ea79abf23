from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from promptcot.pipeline.summary import Summary
from promptcot.records import Example
from promptcot.report.gather import SAMPLES, Material, Rows, choose, read
from promptcot.report.page import duration, page


def test_tiles_say_what_the_summary_counts(material: Material) -> None:
    tiles = {tile.label: tile for tile in page(material).tiles}
    assert tiles["problems accepted"].value == "2,000"
    assert tiles["yield"].value == "82.3%"
    assert tiles["rows to train on"].value == "1,800"
    assert "200 held out" in tiles["rows to train on"].note
    assert tiles["concepts used"].value == "16"
    assert tiles["held-out loss"].value == "1.22"
    assert tiles["exact match, tier 1"].value == "68%"


def test_funnel_says_what_each_stage_dropped(material: Material) -> None:
    lines = {line.label: line for line in page(material).funnel}
    assert (lines["duplicates"].text, lines["duplicates"].note) == ("2,004", "−284")
    assert (lines["author"].text, lines["author"].note) == ("2,410", "−21")


def test_concepts_of_the_graph_that_never_came_up_are_shown(material: Material) -> None:
    shown = page(material)
    never = [chip.id for _, chips in shown.concepts for chip in chips if chip.heat == 0]
    assert sorted(never) == ["nt.c11", "nt.c12"]
    assert shown.unused == 2


def test_unfinished_run_still_makes_a_page(material: Material) -> None:
    values = {name: getattr(material.summary, name) for name in Summary.__struct_fields__}
    summary = Summary(**{**values, "complete": False})
    shown = page(replace(material, summary=summary, manifest=None, rows=Rows(), model=None))
    assert "not finished" in shown.lede
    assert not shown.files
    assert not any(tier.samples for tier in shown.tiers)


def test_empty_run_makes_a_page(make: Callable[..., Material]) -> None:
    nothing = make(
        {"foundation": []}, asked=0, accepted=0, funnel=(), rejections=(), histogram=(0,) * 20, tiers={},
        phases={}, domains={}, roles=(), seconds={},
    )  # fmt: skip
    shown = page(replace(nothing, model=None))
    assert shown.histogram == ""
    assert shown.tiles[1].value == "–"


def test_model_without_a_lead_over_the_baseline_is_said_so(material: Material) -> None:
    model = material.model
    assert model is not None
    assert model.scores is not None
    fallen = [
        type(tier)(tier=tier.tier, n=tier.n, correct=2, low=0.01, high=0.2, majority=0.14)
        for tier in model.scores.tiers
    ]
    scores = type(model.scores)(loss_before=None, loss_after=4.9, tiers=tuple(fallen), overall=fallen[0])
    shown = page(replace(material, model=replace(model, scores=scores))).model
    assert shown is not None
    assert shown.verdict.startswith("On no tier")
    assert not any(above for _, above in shown.table)


def test_samples_do_not_depend_on_the_order_of_rows(make_example: Callable[..., Example]) -> None:
    examples = [make_example(i) for i in range(600)]
    forward, backward = Rows(), Rows()
    read(forward, "foundation", examples)
    read(backward, "foundation", reversed(examples))
    choose(forward)
    choose(backward)
    assert forward.samples == backward.samples
    assert forward.concepts == backward.concepts
    for held in forward.samples.values():
        assert len(held) == SAMPLES
        assert len({example.domain for example in held}) == SAMPLES


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.42, "0.4 s"), (185, "3 min 05 s"), (3599.9, "1 h 00 min"), (7800, "2 h 10 min")]
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text
