"""A whole run against a server with faults, by an author, a judge and a solver whose truth is known."""

from __future__ import annotations

import asyncio
import hashlib
import re
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import stamina
from aiohttp import web

from promptcot.config import Execution, load
from promptcot.pipeline.run import generate
from promptcot.prompting.tags import unescape
from promptcot.records import Example
from promptcot.shards.reader import open_shards

CRITERIA = ("format", "factual", "difficulty", "coverage", "solvability")


class Servant:
    """Answers as a model would, and three first times in ten with a fault."""

    def __init__(self) -> None:
        self.asked: Counter[bytes] = Counter()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        self.asked[raw] += 1
        if self.asked[raw] == 1 and _chance(raw, "fault") < 0.3:
            fault = int(_chance(raw, "which") * 4)
            if fault == 0:
                return web.Response(status=429, headers={"Retry-After": "1"})
            if fault == 1:
                return web.Response(status=503, body=b"<html>")
            return web.Response(body=[b'{"choices": []}', b'{"choices": [{"mess'][fault - 2])
        system, user = (turn["content"] for turn in msgspec.json.decode(raw)["messages"])
        if system.startswith("You set"):
            text = _author(raw)
        elif system.startswith("You examine"):
            text = _judge(user)
        else:
            text = f"I add.\n\\boxed{{{_sum(user)}}}"
        choice = {"message": {"content": text}, "finish_reason": "stop"}
        return web.Response(body=msgspec.json.encode({"choices": [choice]}))


def _chance(raw: bytes, what: str) -> float:
    return int.from_bytes(hashlib.sha256(raw + what.encode()).digest()[:6], "big") / 2**48


def _author(raw: bytes) -> str:
    """In twelve: two without a problem, two refusals, one repeated, two wrong, five right."""
    kind = int(_chance(raw, "kind") * 12)
    a, b = (int(_chance(raw, name) * 9000) + 1000 for name in "ab")
    if kind < 2:
        return "<think>Hm.</think>Here is a fine problem about sums."
    if kind < 4:
        return "I'm sorry, but I can't help with that."
    if kind == 4:
        a, b = 1, 2
    answer = a + b + (1 if kind in (5, 6) else 0)
    story = f"A shelf holds {a} red and {b} blue books, and 3 &lt; {a}. How many are red or blue?"
    parts = {
        "rationale": "Both counts are needed.",
        "problem": story,
        "solution": "Add.",
        "answer": f"${answer}$",
    }
    return (
        "<think>Draft.</think>\n```xml\n" + "".join(f"<{k}>\n{v}\n</{k}>\n" for k, v in parts.items()) + "```"
    )


def _sum(user: str) -> int:
    statement = user.partition("<problem>")[2].partition("</problem>")[0]
    a, b = re.findall(r"\d+", unescape(statement))[:2]
    return int(a) + int(b)


def _judge(user: str) -> str:
    given = user.partition("<answer>")[2].partition("</answer>")[0].strip()
    factual = "perfect" if given == str(_sum(user)) else "bad"
    lines = [f"{name}: {factual if name == 'factual' else 'perfect'}" for name in CRITERIA]
    return "Let me see: the sum is not perfect? It is.\n<ratings>\n" + "\n".join(lines) + "\n</ratings>"


@pytest.fixture
def servant() -> Iterator[tuple[Servant, str]]:
    """The server in a thread of its own, as a run has a loop of its own."""
    made = Servant()
    loop = asyncio.new_event_loop()
    app = web.Application()
    app.router.add_post("/v1/chat/completions", made.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)

    async def start() -> str:
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return f"http://127.0.0.1:{runner.addresses[0][1]}/v1"

    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield made, asyncio.run_coroutine_threadsafe(start(), loop).result(20)
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(20)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(20)
        loop.close()


@pytest.fixture(autouse=True)
def _no_pauses() -> Iterator[None]:
    with stamina.set_testing(True, attempts=100, cap=True):
        yield


def settings(url: str, **target: Any) -> Any:
    overrides = [
        "graph=competition-math",
        f"backends.big={{kind: openai, base_url: '{url}', model: scripted}}",
        "roles={author: big, judge: big, solver: big}",
        *(f"target.{key}={value}" for key, value in target.items()),
    ]
    return load(None, overrides)


def rows(folder: Path) -> list[Example]:
    shards = open_shards(folder)
    return [row for phase in (*shards.phases, "held-out") for row in shards.rows(phase)]


def shape(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted((folder / "data").rglob("*.parquet"))}


def test_only_right_and_new_problems_come_through_and_each_answer_is_asked_for_once(
    tmp_path: Path, servant: tuple[Servant, str]
) -> None:
    made, url = servant
    config = settings(url, accepted=60, seed=3)
    summary = generate(config, tmp_path / "one", execution=Execution(concurrency=16))
    assert summary.accepted == 60
    kept = rows(tmp_path / "one")
    assert len(kept) == 60
    for row in kept:
        a, b = re.findall(r"\d+", row.prompt)[:2]
        assert int(row.answer) == int(a) + int(b)
        assert f"3 < {a}" in row.prompt, "unescaped, once"
        assert "<think>" not in row.prompt + row.completion
    assert len({row.prompt for row in kept}) == 60
    reasons = {(r.stage, r.reason): r.count for r in summary.rejections}
    assert reasons["author", "missing-problem"] > 0
    assert reasons["author", "refusal"] > 0
    assert sum(count for (stage, _), count in reasons.items() if stage == "judge") > 0
    assert sum(count for (stage, _), count in reasons.items() if stage == "duplicates") > 0
    assert max(made.asked.values()) == 2
    assert 1.1 < made.asked.total() / len(made.asked) < 1.5, "only what met a fault was asked for again"

    asked = made.asked.total()
    generate(config, tmp_path / "one", execution=Execution(concurrency=4))
    assert made.asked.total() == asked, "a finished run asks nothing"
    generate(config, tmp_path / "two", execution=Execution(concurrency=1))
    assert shape(tmp_path / "one") == shape(tmp_path / "two") != {}
