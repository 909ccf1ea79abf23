from __future__ import annotations

import io

import pytest
from rich.console import Console

from promptcot.cli.progress import Counts, Lines, Live


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_counts_leave_out_what_earlier_processes_accepted_from_the_rate() -> None:
    clock = Clock()
    counts = Counts(clock)
    counts.begin(["author", "judge"], target=1000, accepted=400)
    clock.now += 10
    counts.stage("author", 700, 690)
    counts.accepted(500)
    assert counts.rate == pytest.approx(10.0)
    assert counts.asked == 700
    assert counts.line() == (
        "500/1,000 accepted (50.0%), 700 recipes, yield 71.4%, 10.0/s, 10.0 s, 50.0 s left"
    )


def test_counts_at_the_very_start_divide_by_nothing() -> None:
    counts = Counts(Clock())
    counts.begin(["author"], target=10, accepted=0)
    assert counts.line() == "0/10 accepted (0.0%), 0 recipes, yield -, 0.0/s, 0.0 s"


def test_lines_come_now_and_then_and_at_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    lines = Lines(clock)
    lines.begin(["author", "judge"], target=100, accepted=20)
    for done in range(1, 61):
        clock.now += 0.2
        lines.stage("author", done, done)
        lines.accepted(20 + done)
    lines.note("writing shards")
    lines.end()
    out, err = capsys.readouterr()
    said = err.splitlines()
    assert out == ""
    assert said[0] == "100 problems to accept, 20 of them are there already; stages: author, judge"
    assert [line.split(" ")[0] for line in said[1:3]] == ["44/100", "69/100"]
    assert said[3] == "writing shards"
    assert said[4].startswith("80/100 accepted (80.0%)")
    assert len(said) == 5


def test_live_display_shows_every_stage_and_the_last_notes(monkeypatch: pytest.MonkeyPatch) -> None:
    live = Live()
    monkeypatch.setattr(live._region, "start", lambda: setattr(live._region, "_started", True))
    live.begin(["author", "judge"], target=100, accepted=0)
    live.stage("author", 1200, 1100)
    live.stage("judge", 1100, 900)
    live.accepted(50)
    for note in ("one", "two", "three", "four"):
        live.note(note)
    console = Console(file=io.StringIO(), width=100, force_terminal=False)
    console.print(live._drawn())
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "1,200" in text
    assert "81.8%" in text
    assert "50/100 accepted" in text
    assert "one" not in text
    assert "four" in text
