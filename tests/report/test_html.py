"""The page is whole, loads nothing, runs nothing, and shows a stranger's words as words."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable
from html.parser import HTMLParser

import pytest

from promptcot.pipeline.summary import Rejected, Rejection
from promptcot.records import Example
from promptcot.report.gather import Material
from promptcot.report.html import render
from promptcot.report.page import page

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</p></article><style>*{display:none}</style>",
    "javascript:alert(1)",
    "<svg onload=alert(1)>",
    "{{ 7*7 }}{% for x in y %}",
    "</style><script>alert(1)</script>",
    "<iframe srcdoc='<script>alert(1)</script>'>",
    "' onmouseover='alert(1)",
    "<!--",
    "]]><script>",
    "\u202egnp.exe",
    "<a href=javascript:alert(1)>x</a>",
    "&lt;script&gt;",
    "<base href='//evil.example'>",
    "<meta http-equiv=refresh content='0;url=//evil.example'>",
    "<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src=1 onerror=alert(1)&gt;'>",
)

ALLOWED = frozenset(
    word
    for line in (
        "html head meta title style body header main section footer nav p h1 h2 h3 a div span b small i dl",
        "dt dd table thead tbody tr th td details summary ul li article pre code svg rect line path text",
    )
    for word in line.split()
)


class Seen(HTMLParser):
    """Tags, attributes and text of a page."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta",):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.text.append(data)


@pytest.fixture(scope="module")
def words() -> str:
    return "\n".join(HOSTILE)


def test_page_is_well_formed_and_made_of_known_elements(material: Material) -> None:
    seen = Seen(render(page(material)))
    assert not seen.open
    assert {tag for tag, _ in seen.tags} <= ALLOWED


def test_page_loads_and_runs_nothing(material: Material) -> None:
    seen = Seen(render(page(material)))
    for tag, attributes in seen.tags:
        assert tag != "script"
        assert not any(
            name.startswith("on") or name in ("style", "src", "srcset", "action") for name in attributes
        )
        if "href" in attributes:
            assert str(attributes["href"]).startswith("#")


def test_policy_allows_the_page_s_own_style_sheet_alone(material: Material) -> None:
    html = render(page(material))
    (style,) = re.findall(r"<style>(.*?)</style>", html, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    (policy,) = [a["content"] for _, a in Seen(html).tags if a.get("http-equiv") == "Content-Security-Policy"]
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def test_hostile_words_are_shown_and_do_nothing(
    words: str, make: Callable[..., Material], make_example: Callable[..., Example]
) -> None:
    rows = [
        make_example(
            i, prompt=words, completion=words, answer=words, rationale=words, domain=words, concepts=(words,),
            author=words, id=words + str(i),
        )
        for i in range(9)
    ]  # fmt: skip
    rejected = Rejection(
        stage=words,
        reason=words,
        count=3,
        examples=(Rejected(ordinal=1, detail=words[:250], statement=words[:500]),),
    )
    made = make({"foundation": rows}, name=words, rejections=(rejected,), domains={words: 9})
    plain = Seen(render(page(make({"foundation": [make_example(i) for i in range(9)]}))))
    seen = Seen(render(page(made)))
    assert not seen.open
    assert {tag for tag, _ in seen.tags} <= {tag for tag, _ in plain.tags}
    shown = "".join(seen.text)
    for word in HOSTILE:
        assert word in shown
    names = {name for _, attributes in seen.tags for name in attributes}
    assert names <= {name for _, attributes in plain.tags for name in attributes}


def test_the_page_is_the_same_every_time(material: Material) -> None:
    assert render(page(material)) == render(page(material))


def test_style_sheet_is_valid_enough_to_close_what_it_opens(material: Material) -> None:
    (style,) = re.findall(r"<style>(.*?)</style>", render(page(material)), re.DOTALL)
    assert style.count("{") == style.count("}") > 50
    classes = {
        name
        for _, attributes in Seen(render(page(material))).tags
        for name in str(attributes.get("class") or "").split()
    }
    unknown = {name for name in classes if f".{name}" not in style}
    assert unknown <= {"n4", "n8"}  # the default number of columns needs no rule
