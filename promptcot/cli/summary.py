"""A run in numbers, as tables: at the end of `generate`, and for `inspect`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from promptcot.cli.console import percent, say, seconds, table
from promptcot.cli.console import show as put

if TYPE_CHECKING:
    from promptcot.pipeline.summary import Summary
    from promptcot.records import Example


def show(summary: Summary, run: Path) -> None:
    """Prints the funnel, the phases and why problems were dropped."""
    state = "finished" if summary.complete else "not finished"
    total = summary.seconds.get("total", 0.0)
    pace = f", {seconds(total)}, {summary.accepted / total:,.1f} accepted/s" if total else ""
    say(
        f"{run}: {state}; {summary.accepted:,} of {summary.target:,} accepted "
        f"out of {summary.asked:,} recipes (yield {percent(summary.accepted, summary.asked)}){pace}",
        style="bold",
    )
    say()
    put(
        table(
            "Funnel",
            ("stage", ">in", ">kept", ">yield"),
            [(s.name, s.entered, s.kept, percent(s.kept, s.entered)) for s in summary.funnel],
        )
    )
    if summary.phases:
        rows = [(name, count, percent(count, summary.accepted)) for name, count in summary.phases.items()]
        put(table("Phases", ("phase", ">rows", ">share"), rows))
    if summary.tiers:
        tiers = [(name, count, percent(count, summary.accepted)) for name, count in summary.tiers.items()]
        put(table("Difficulty", ("tier", ">rows", ">share"), tiers))
    if summary.rejections:
        dropped = sum(rejection.count for rejection in summary.rejections)
        reasons = [(r.reason, r.stage, r.count, percent(r.count, dropped)) for r in summary.rejections]
        put(table("Dropped", ("reason", "stage", ">recipes", ">share"), reasons))


def show_domains(summary: Summary) -> None:
    """Prints accepted problems by domain, most first, and what each role was asked."""
    ranked = sorted(summary.domains.items(), key=lambda item: (-item[1], item[0]))
    rows = [(name or "(none)", count, percent(count, summary.accepted)) for name, count in ranked]
    put(table("Domains", ("domain", ">problems", ">share"), rows))
    uses = [
        (use.role, use.model, use.requests, use.input_tokens, use.output_tokens, f"{use.latency_s:.3f} s")
        for use in summary.roles
    ]
    columns = ("role", "model", ">requests", ">tokens in", ">tokens out", ">mean latency")
    put(table("Roles", columns, uses))


def show_rejected(summary: Summary) -> None:
    """Prints examples of every reason for dropping."""
    from rich.text import Text

    if not summary.rejections:
        say("Nothing was dropped.")
    for rejection in summary.rejections:
        title = f"{rejection.reason} in {rejection.stage}: {rejection.count:,}"
        put(Text(title, style="bold"))
        for example in rejection.examples:
            measure = f", measured {example.measure:.4g}" if example.measure is not None else ""
            limit = f", limit {example.threshold:.4g}" if example.threshold is not None else ""
            put(Text(f"  recipe {example.ordinal}: {example.detail}{measure}{limit}", style="dim"))
            if example.statement:
                _put_block(example.statement, 4)
        say()


def show_examples(examples: list[Example]) -> None:
    """Prints problems with their worked solutions, and the plans they came from."""
    from rich.text import Text

    for example in examples:
        place = f"{example.phase}, tier {example.tier}, difficulty {example.difficulty:.2f}"
        put(Text(f"{example.id}  {place}", style="bold"))
        _put_block(f"{example.domain}: {', '.join(example.concepts)}", 2, "dim")
        parts = {"problem": example.prompt, "solution": example.completion, "rationale": example.rationale}
        for name, text in parts.items():
            if text:
                put(Text(f"  {name}", style="green"))
                _put_block(text, 4)
        put(Text.assemble(("  answer  ", "green"), (f"{printable(example.answer)}\n", "cyan")))


def _put_block(text: str, indent: int, style: str = "") -> None:
    """Prints text of a stranger's, wrapped lines indented as the first ones."""
    from rich.padding import Padding
    from rich.text import Text

    put(Padding(Text(printable(text), style=style), (0, 0, 0, indent)))


def printable(text: str) -> str:
    """A stranger's text without the control characters that would drive a terminal."""
    return "".join(c if c == "\n" or c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
