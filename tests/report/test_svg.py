from __future__ import annotations

import html
import math
import re
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from promptcot.report import svg

NUMBERS = st.floats(-1e9, 1e9, allow_nan=False)


def parsed(markup: Markup) -> ElementTree.Element:
    return ElementTree.fromstring(str(markup))


def finite(root: ElementTree.Element) -> bool:
    return not any(
        bad in value for node in root.iter() for value in node.attrib.values() for bad in ("nan", "inf")
    )


@given(st.text(), st.text())
def test_property_element_escapes_words_and_attributes(word: str, value: str) -> None:
    shape = re.compile(r'<text title="([^"<>]*)">([^<>]*)</text>')
    found = shape.fullmatch(str(svg.element("text", word, title=value)))
    assert found
    assert (html.unescape(found[1]), html.unescape(found[2])) == (value, word)


def test_element_leaves_out_what_is_none_and_turns_underscores_into_hyphens() -> None:
    assert (
        svg.element("rect", class_="fill", stroke_width=1.5, x=None)
        == '<rect class="fill" stroke-width="1.5"></rect>'
    )


@given(st.lists(st.tuples(st.just("fill"), st.floats(-1, 2)), max_size=5))
def test_property_bar_parts_stay_inside_and_lie_side_by_side(parts: list[tuple[str, float]]) -> None:
    drawn = parsed(svg.bar(parts)).findall("rect")[1:]
    at = 0.0
    for rect, (_, share) in zip(drawn, parts, strict=True):
        assert float(rect.attrib["x"]) == pytest.approx(at, abs=0.02 * len(parts))
        assert float(rect.attrib["width"]) == pytest.approx(1000 * min(max(share, 0), 1), abs=0.01)
        at += float(rect.attrib["width"])


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=40))
def test_property_histogram_heights_are_proportional_to_counts(counts: list[int]) -> None:
    edges = [i / len(counts) for i in range(len(counts) + 1)]
    root = parsed(svg.histogram(edges, counts, label="difficulty"))
    heights = [float(rect.attrib["height"]) for rect in root.findall("rect")]
    assert len(heights) == len(counts)
    assert finite(root)
    top, most = max(heights), max(counts)
    for height, count in zip(heights, counts, strict=True):
        assert height == pytest.approx(top * count / most if most else 0.0, abs=0.02)


def test_histogram_marks_only_what_lies_inside() -> None:
    root = parsed(svg.histogram([0, 0.5, 1], [1, 2], marks=[0.0, 0.35, 1.0, 7.0], label="x"))
    assert len([line for line in root.findall("line") if line.attrib["class"] == "mark"]) == 1


@given(st.lists(st.tuples(NUMBERS, NUMBERS), max_size=30))
def test_property_curves_draw_inside_their_frame(points: list[tuple[float, float]]) -> None:
    made = svg.curves([("loss", points)], x_label="step", y_label="loss")
    if not points:
        assert made == ""
        return
    root = parsed(made)
    assert finite(root)
    (path,) = root.findall("path")
    numbers = [float(n) for n in path.attrib["d"].replace("M", "").replace("L", "").split()]
    assert all(0 <= x <= svg.WIDTH for x in numbers[::2])
    assert all(0 <= y <= 250 for y in numbers[1::2])


def test_curves_leave_out_values_that_are_no_numbers() -> None:
    root = parsed(
        svg.curves([("loss", [(0, 2.0), (1, math.nan), (2, math.inf), (3, 1.0)])], x_label="x", y_label="y")
    )
    (path,) = root.findall("path")
    assert path.attrib["d"].count("L") == 1


def test_scores_show_interval_and_baseline() -> None:
    root = parsed(svg.scores([svg.Score("tier 1", 0.5, 0.25, 0.75, 0.125)], label="exact match"))
    lines = {line.attrib["class"]: line.attrib for line in root.findall("line")}
    (column,) = root.findall("rect")
    top, bottom = float(column.attrib["y"]), float(lines["base"]["y1"])
    (whisker,) = [
        line.attrib
        for line in root.findall("line")
        if line.attrib["class"] == "whisker" and line.attrib["x1"] == line.attrib["x2"]
    ]
    height = 2 * (bottom - top)  # of 100%
    assert float(whisker["y2"]) == pytest.approx(bottom - 0.25 * height, abs=0.05)
    assert float(whisker["y1"]) == pytest.approx(bottom - 0.75 * height, abs=0.05)
    assert float(lines["baseline"]["y1"]) == pytest.approx(bottom - 0.125 * height, abs=0.05)


@given(NUMBERS, NUMBERS, st.integers(1, 8))
def test_property_ticks_rise_and_stay_inside(low: float, high: float, count: int) -> None:
    made = svg.ticks(low, high, count)
    assert made == sorted(made)
    if high > low + 1e-6:
        room = 1e-6 * max(abs(low), abs(high), 1.0)
        assert all(low - room <= tick <= high + room for tick in made)
        assert len(made) <= 2.5 * count + 2


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (0.25, "0.25"), (999, "999"), (1500, "1.5k"), (2e6, "2M")]
)
def test_short_numbers(value: float, text: str) -> None:
    assert svg.short(value) == text
