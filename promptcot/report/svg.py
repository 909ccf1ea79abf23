"""Pictures of numbers as inline SVG: small pure functions, everything they are given is escaped.

Colours come from the page's style sheet through classes, so a chart follows the light and the
dark theme and the printer. A chart is drawn 520 units wide for half a page, and its words are
large enough to be read at a phone's width.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

WIDTH = 520.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 52.0, 12.0, 14.0, 38.0


@dataclass(frozen=True, slots=True)
class Score:
    """A measured share with its interval, and the share that needs no skill.

    Attributes:
        low: Lower end of the interval of `value`, and `high` the upper one; all are 0 to 1.
        baseline: What always giving the most frequent answer scores.
    """

    label: str
    value: float
    low: float
    high: float
    baseline: float


def element(name: str, *children: str | Markup, **attributes: str | float | None) -> Markup:
    """One SVG element; underscores in attribute names become hyphens, and `class_` is ``class``."""
    shown = Markup("").join(
        Markup(' {}="{}"').format(Markup(key.rstrip("_").replace("_", "-")), _text(value))
        for key, value in attributes.items()
        if value is not None
    )
    inner = Markup("").join(escape(child) for child in children)
    return Markup("<{0}{1}>{2}</{0}>").format(Markup(name), shown, inner)


def bar(parts: Sequence[tuple[str, float]], *, title: str = "") -> Markup:
    """A thin horizontal bar as wide as its place, filled from the left by `parts`.

    Args:
        parts: Class and share (0 to 1) of each part.
    """
    at, drawn = 0.0, [element("rect", class_="track", x=0, y=0, width=1000, height=10)]
    for class_, share in parts:
        width = 1000 * min(max(share, 0.0), 1.0)
        drawn.append(element("rect", class_=class_, x=at, y=0, width=width, height=10))
        at += width
    return element(
        "svg",
        *_named(title),
        *drawn,
        class_="bar",
        viewBox="0 0 1000 10",
        preserveAspectRatio="none",
        role="img",
        aria_hidden=None if title else "true",
    )


def histogram(
    edges: Sequence[float], counts: Sequence[int], *, marks: Sequence[float] = (), label: str
) -> Markup:
    """Counts between neighbouring edges, with dashed lines at `marks`.

    Args:
        edges: One more than `counts`, rising.
    """
    plot = _Plot((edges[0], edges[-1]), (0.0, max(counts, default=0) * 1.08 or 1.0), 250.0)
    columns = []
    for left, right, count in zip(edges, edges[1:], counts, strict=False):
        x, y = plot.x(left), plot.y(count)
        name = element("title", f"{left:.3g} to {right:.3g}: {count:,}")
        columns.append(
            element(
                "rect",
                name,
                class_="fill",
                x=x + 0.75,
                y=y,
                width=max(plot.x(right) - x - 1.5, 0.5),
                height=max(plot.bottom - y, 0.0),
                rx=1.5,
            )
        )
    return plot.drawn(
        *plot.grid_y(whole=True), *columns, *plot.marked(marks), *plot.axis_x(label), label=label
    )


def curves(
    series: Sequence[tuple[str, Sequence[tuple[float, float]]]],
    *,
    x_label: str,
    y_label: str,
    marks: Sequence[float] = (),
) -> Markup:
    """One line for each named series of points, the first drawn strongest; dashed lines at `marks`."""
    points = [p for _, line in series for p in line if math.isfinite(p[0]) and math.isfinite(p[1])]
    if not points:
        return Markup("")
    xs, ys = [x for x, _ in points], [y for _, y in points]
    low, high = min(ys), max(ys)
    room = (high - low or abs(high) or 1.0) * 0.06
    plot = _Plot((min(xs), max(xs)), (max(low - room, 0.0) if low >= 0 else low - room, high + room), 250.0)
    drawn = []
    for index, (name, line) in reversed(list(enumerate(series))):
        path = " ".join(
            f"{'L' if i else 'M'}{plot.x(x):.1f} {plot.y(y):.1f}"
            for i, (x, y) in enumerate(p for p in line if math.isfinite(p[0]) and math.isfinite(p[1]))
        )
        drawn.append(element("path", element("title", name), class_=f"line s{index}", d=path))
    drawn += plot.marked(marks)
    return plot.drawn(*plot.grid_y(), *drawn, *plot.axis_x(x_label), label=f"{y_label} by {x_label}")


def scores(rows: Sequence[Score], *, label: str) -> Markup:
    """A column for each score with its interval as a whisker and its baseline as a broad dash."""
    if not rows:
        return Markup("")
    plot = _Plot((0.0, float(len(rows))), (0.0, 1.0), 250.0)
    step = plot.x(1) - plot.x(0)
    width = min(step * 0.46, 56.0)
    drawn: list[Markup] = []
    for index, row in enumerate(rows):
        middle, top = plot.x(index + 0.5), plot.y(row.value)
        drawn += [
            element(
                "rect",
                element("title", f"{row.label}: {row.value:.1%} [{row.low:.1%}, {row.high:.1%}]"),
                class_="fill",
                x=middle - width / 2,
                y=top,
                width=width,
                height=max(plot.bottom - top, 0.0),
                rx=2,
            ),
            element("line", class_="whisker", x1=middle, x2=middle, y1=plot.y(row.high), y2=plot.y(row.low)),
            *(
                element("line", class_="whisker", x1=middle - 5, x2=middle + 5, y1=plot.y(v), y2=plot.y(v))
                for v in (row.low, row.high)
            ),
            element(
                "line",
                element("title", f"majority answer: {row.baseline:.1%}"),
                class_="baseline",
                x1=middle - width / 2 - 9,
                x2=middle + width / 2 + 9,
                y1=plot.y(row.baseline),
                y2=plot.y(row.baseline),
            ),
            element("text", row.label, class_="tick", x=middle, y=plot.bottom + 17, text_anchor="middle"),
        ]
    return plot.drawn(*plot.grid_y(percent=True), *drawn, plot.base(), label=label)


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """About `count` round numbers from `low` to `high`."""
    if not (math.isfinite(low) and math.isfinite(high)) or high <= low:
        return [low]
    rough = (high - low) / max(count, 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * m for m in (1, 2, 2.5, 5, 10) if power * m >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [round(i * step, 12) for i in range(first, math.floor(high / step + 1e-9) + 1)]


@dataclass(frozen=True, slots=True)
class _Plot:
    """The frame of a chart: where a value lies."""

    xs: tuple[float, float]
    ys: tuple[float, float]
    height: float

    @property
    def bottom(self) -> float:
        return self.height - _BOTTOM

    def x(self, value: float) -> float:
        span = self.xs[1] - self.xs[0] or 1.0
        return _LEFT + (value - self.xs[0]) / span * (WIDTH - _LEFT - _RIGHT)

    def y(self, value: float) -> float:
        span = self.ys[1] - self.ys[0] or 1.0
        return self.bottom - (value - self.ys[0]) / span * (self.bottom - _TOP)

    def marked(self, values: Sequence[float]) -> list[Markup]:
        """Dashed lines from top to bottom at the values that lie inside."""
        return [
            element("line", class_="mark", x1=self.x(v), x2=self.x(v), y1=_TOP, y2=self.bottom)
            for v in values
            if self.xs[0] < v < self.xs[1]
        ]

    def base(self) -> Markup:
        return element("line", class_="base", x1=_LEFT, x2=WIDTH - _RIGHT, y1=self.bottom, y2=self.bottom)

    def grid_y(self, *, percent: bool = False, whole: bool = False) -> list[Markup]:
        drawn = []
        for value in ticks(*self.ys, 4):
            if whole and value != round(value):
                continue
            y = self.y(value)
            drawn.append(element("line", class_="grid", x1=_LEFT, x2=WIDTH - _RIGHT, y1=y, y2=y))
            text = f"{value:.0%}" if percent else short(value)
            drawn.append(element("text", text, class_="tick", x=_LEFT - 7, y=y + 4, text_anchor="end"))
        return drawn

    def axis_x(self, label: str) -> list[Markup]:
        words = [
            element("text", short(v), class_="tick", x=self.x(v), y=self.bottom + 17, text_anchor="middle")
            for v in ticks(*self.xs, 6)
        ]
        name = element(
            "text",
            label,
            class_="axis-name",
            x=(WIDTH + _LEFT - _RIGHT) / 2,
            y=self.height - 4,
            text_anchor="middle",
        )
        return [self.base(), *words, name]

    def drawn(self, *children: Markup, label: str) -> Markup:
        box = f"0 0 {WIDTH:g} {self.height:g}"
        return element("svg", *_named(label), *children, class_="chart", viewBox=box, role="img")


def short(value: float) -> str:
    """A number for an axis: 1.5k, 20M, 0.25."""
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g}{unit}"
    return f"{value:.4g}"


def _named(title: str) -> list[Markup]:
    return [element("title", title)] if title else []


def _text(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:.2f}".rstrip("0").rstrip(".")
