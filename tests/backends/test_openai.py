"""The client against a scripted server for faults, and against a real one."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest
import stamina
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from promptcot.backends.base import Backend
from promptcot.backends.openai import OpenAIBackend, open_openai, retry_after
from promptcot.config import Execution
from promptcot.errors import BackendError, ConfigError, ParseError
from promptcot.prompting.parse import parse_answer, parse_judgement, parse_problem
from promptcot.prompting.render import Renderer
from promptcot.records import Completion, Concept, Message, Prompt, Recipe

KEY = "sk-canary-0123456789"
RECIPE = Recipe(id="r00000001", ordinal=1, concepts=("a",), domain="d", level=3, seed=1)
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


def prompt(text: str = "What is 2 + 2?", *, seed: int = 5) -> Prompt:
    return Prompt(
        id="r00000001/solver/0",
        role="solver",
        messages=(Message(role="user", content=text),),
        template="solve",
        template_hash="h",
        recipe=RECIPE,
        seed=seed,
    )


def chat(content: Any = "4", **message: Any) -> dict[str, Any]:
    return {
        "choices": [
            {"message": {"role": "assistant", "content": content, **message}, "finish_reason": "stop"}
        ],
        "usage": {"prompt_tokens": 7, "completion_tokens": 3},
    }


def reply(body: Any = None, *, status: int = 200, headers: dict[str, str] | None = None) -> Answer:
    raw = body if isinstance(body, bytes) else msgspec.json.encode(chat() if body is None else body)

    async def answer(request: web.Request) -> web.StreamResponse:
        return web.Response(body=raw, status=status, headers=headers)

    return answer


@dataclass
class Script:
    """Answers requests in order, the last one for ever, and keeps what was asked."""

    answers: list[Answer]
    bodies: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    url: str = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.headers.append(dict(request.headers))
        self.bodies.append(msgspec.json.decode(await request.read()))
        return await self.answers[min(len(self.bodies), len(self.answers)) - 1](request)


@contextlib.asynccontextmanager
async def serving(*answers: Answer) -> AsyncIterator[Script]:
    """A server on the loopback that answers as told."""
    script = Script(list(answers))
    app = web.Application()
    app.router.add_post("/v1/chat/completions", script.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    script.url = f"http://{host}:{port}/v1"
    try:
        yield script
    finally:
        await runner.cleanup()


@pytest.fixture(autouse=True)
def _no_pauses() -> Iterator[None]:
    """Tries again at once, as often as the backend is set to."""
    with stamina.set_testing(True, attempts=100, cap=True):
        yield


def backend(url: str, **options: Any) -> OpenAIBackend:
    return open_openai("big", {"base_url": url, "model": "m", **options}, Execution(concurrency=8))


def ask(*answers: Answer, **options: Any) -> tuple[Completion, Script]:
    """What one prompt gets from a server that answers so."""

    async def main() -> tuple[Completion, Script]:
        async with serving(*answers) as script:
            client = backend(script.url, **options)
            try:
                return await client.complete(prompt()), script
            finally:
                await client.close()

    return asyncio.run(main())


def fails(*answers: Answer, **options: Any) -> BackendError:
    with pytest.raises(BackendError) as caught:
        ask(*answers, **options)
    return caught.value


def test_a_chat_completion_becomes_a_record_and_the_request_is_what_was_set() -> None:
    options = {"temperature": 0.5, "top_p": 0.9, "max_tokens": 12, "extra_body": {"min_p": 0.1}}
    done, script = ask(reply(chat("It is \\boxed{4}.")), **options)
    assert done.text == "It is \\boxed{4}."
    assert (done.finish_reason, done.input_tokens, done.output_tokens) == ("stop", 7, 3)
    assert (done.prompt_id, done.backend, done.model) == ("r00000001/solver/0", "big", "m")
    assert done.latency_s > 0
    assert script.bodies == [
        {
            "model": "m",
            "messages": [{"role": "user", "content": "What is 2 + 2?"}],
            "stream": False,
            "temperature": 0.5,
            "top_p": 0.9,
            "max_tokens": 12,
            "seed": 5,
            "min_p": 0.1,
        }
    ]
    assert "Authorization" not in script.headers[0]


def test_what_is_not_set_is_not_sent() -> None:
    _, script = ask(reply(), seed=False)
    assert set(script.bodies[0]) == {"model", "messages", "stream"}


async def reset(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def reset_mid_body(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": "1000"})
    await response.prepare(request)
    await response.write(b'{"choices": [')
    assert request.transport is not None
    request.transport.abort()
    return response


async def drip(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    with contextlib.suppress(ConnectionError, asyncio.CancelledError):
        while True:
            await response.write(b" ")
            await asyncio.sleep(0.02)
    return response


async def flood(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    with contextlib.suppress(ConnectionError):
        for _ in range(10_000):
            await response.write(b" " * (1 << 16))
    return response


PASSING: dict[str, Answer] = {
    "408": reply(b"slow", status=408),
    "409": reply(b"", status=409),
    "429": reply(b"busy", status=429),
    "429 with a pause": reply(b"busy", status=429, headers={"Retry-After": "3"}),
    "500": reply(b"<html>", status=500),
    "502": reply(b"", status=502),
    "503": reply(b"\xff\xfe", status=503),
    "reset": reset,
    "reset mid-body": reset_mid_body,
    "html": reply(b"<html><body>Welcome</body></html>"),
    "nothing": reply(b""),
    "truncated": reply(msgspec.json.encode(chat())[:-9]),
    "list": reply([1, 2]),
    "another shape": reply({"answer": "4"}),
    "error inside": reply({"error": {"message": "overloaded"}}),
    "no choices": reply({"choices": []}),
    "null content": reply(chat(None)),
    "content of parts": reply(chat([{"type": "text", "text": "4"}])),
    "not UTF-8": reply(b'{"choices": [{"message": {"content": "\xff"}}]}'),
    "half a character": reply(b'{"choices": [{"message": {"content": "\\ud800"}}]}'),
    "deep": reply(b"[" * 100_000),
    "packed": reply(gzip.compress(b" " * 10_000_000), headers={"Content-Encoding": "gzip"}),
}


@pytest.mark.parametrize("fault", PASSING)
def test_a_passing_fault_is_outlived(fault: str) -> None:
    done, script = ask(PASSING[fault], PASSING[fault], reply(chat("4")))
    assert done.text == "4"
    assert len(script.bodies) == 3
    assert script.bodies[0] == script.bodies[2]


@pytest.mark.parametrize("fault", PASSING)
def test_a_lasting_fault_is_given_up_after_the_set_number_of_tries(fault: str) -> None:
    error = fails(PASSING[fault], attempts=2)
    assert error.retryable
    assert str(error).startswith("backend 'big' at http://127.0.0.1:")
    assert len(str(error)) < 500


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (400, "context"),
        (401, "api_key_env"),
        (403, "api_key_env"),
        (404, "base_url"),
        (413, ""),
        (422, "options"),
    ],
)
def test_what_will_not_mend_is_not_tried_again(status: int, said: str) -> None:
    error = fails(reply({"error": "no such thing"}, status=status), reply())
    assert not error.retryable
    assert error.status == status
    assert "no such thing" in str(error)
    assert said in error.remedy


def test_a_redirect_is_not_followed() -> None:
    async def main() -> tuple[BackendError, Script]:
        async with serving(reply()) as elsewhere:
            moved = reply(b"", status=307, headers={"Location": f"{elsewhere.url}/chat/completions"})
            async with serving(moved) as script:
                client = backend(script.url)
                with pytest.raises(BackendError, match="redirect") as caught:
                    await client.complete(prompt())
                await client.close()
                return caught.value, elsewhere

    error, elsewhere = asyncio.run(main())
    assert not error.retryable
    assert elsewhere.bodies == []


def test_an_answer_that_drips_for_ever_ends_at_the_time_limit() -> None:
    error = fails(drip, timeout_s=0.2, attempts=1)
    assert error.retryable
    assert "no answer within 0.2 s" in str(error)


def test_an_answer_without_end_is_cut_off_at_the_byte_limit() -> None:
    error = fails(flood, max_bytes=1 << 20)
    assert not error.retryable
    assert "more than 1,048,576 bytes" in str(error)


def test_a_server_that_is_not_there_is_named() -> None:
    async def main() -> None:
        async with serving(reply()) as script:
            url = script.url
        client = backend(url, attempts=2)
        try:
            await client.complete(prompt())
        finally:
            await client.close()

    with pytest.raises(BackendError, match="check that the server runs") as caught:
        asyncio.run(main())
    assert caught.value.retryable


def test_reasoning_given_apart_is_kept_as_thinking_and_a_refusal_is_one() -> None:
    assert ask(reply(chat("4", reasoning_content="Hm.")))[0].text == "<think>\nHm.\n</think>\n\n4"
    assert ask(reply(chat(None, reasoning="Hm.")))[0].text == "<think>\nHm."
    refused = ask(reply(chat(None, refusal="I will not.")))[0]
    assert (refused.text, refused.finish_reason) == ("I will not.", "content_filter")


def test_no_more_requests_are_in_flight_than_allowed() -> None:
    flying = most = 0

    async def slow(request: web.Request) -> web.StreamResponse:
        nonlocal flying, most
        flying += 1
        most = max(most, flying)
        await asyncio.sleep(0)
        flying -= 1
        return await reply()(request)

    async def main() -> None:
        async with serving(slow) as script:
            client = open_openai("big", {"base_url": script.url, "model": "m"}, Execution(concurrency=3))
            await asyncio.gather(*(client.complete(prompt(str(i))) for i in range(40)))
            await client.close()
            assert len(script.bodies) == 40

    asyncio.run(main())
    assert 1 <= most <= 3


def test_the_key_is_sent_and_shown_nowhere(
    monkeypatch: pytest.MonkeyPatch, caplog: Any, tmp_path: Path
) -> None:
    monkeypatch.setenv("THE_KEY", KEY)
    caplog.set_level(logging.DEBUG)
    _, script = ask(reply(b"", status=503), reply(), api_key_env="THE_KEY")
    assert script.headers[0]["Authorization"] == f"Bearer {KEY}"
    echoing = reply(f"the key {KEY} is wrong".encode(), status=401)
    error = fails(echoing, api_key_env="THE_KEY")
    client = backend("http://localhost:1/v1", api_key_env="THE_KEY")
    shown = [
        str(error),
        repr(error),
        repr(client),
        str(client),
        client.identity,
        str(vars(client)),
        caplog.text,
    ]
    assert not [text for text in shown if KEY in text]
    assert "the key *** is wrong" in str(error)
    (tmp_path / "key").write_text(f"{KEY}\n")
    _, script = ask(reply(), api_key_file=str(tmp_path / "key"))
    assert script.headers[0]["Authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"base_url": "localhost:8000"}, "base_url: not an address"),
        ({"base_url": "file:///etc/passwd"}, "base_url: not an address"),
        ({"base_url": "http://me:secret@host/v1"}, "without user, password"),
        ({"base_url": "http://host/v1?api-key=x"}, "without user, password"),
        ({"model": ""}, "model"),
        ({"temprature": 1}, "did you mean 'temperature'"),
        ({"temperature": 3}, "temperature"),
        ({"extra_body": {"n": 4}}, "n is set by promptcot"),
        ({"api_key_env": "A", "api_key_file": "b"}, "not both"),
        ({"api_key_env": "NO_SUCH_VARIABLE"}, "NO_SUCH_VARIABLE holds no key"),
        ({"api_key_env": "BROKEN_KEY"}, "is not a key"),
        ({"api_key_file": "/no/such/file"}, "check api_key_file"),
    ],
)
def test_options_that_do_not_fit(options: dict[str, Any], said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_SUCH_VARIABLE", raising=False)
    monkeypatch.setenv("BROKEN_KEY", f"{KEY}\nHost: elsewhere")
    with pytest.raises(ConfigError, match=said) as caught:
        open_openai("big", {"base_url": "http://host/v1", "model": "m", **options}, Execution())
    assert str(caught.value).startswith("backends.big")
    assert KEY not in str(caught.value)
    assert "secret" not in str(caught.value)


def test_the_identity_changes_with_what_changes_answers_and_with_nothing_else() -> None:
    plain = backend("http://host/v1")
    assert isinstance(plain, Backend)
    same = [{"timeout_s": 5}, {"attempts": 3}, {"max_bytes": 2048}, {"max_wait_s": 1}]
    other = [
        {"temperature": 0.1},
        {"top_p": 0.5},
        {"max_tokens": 5},
        {"seed": False},
        {"extra_body": {"a": 1}},
    ]
    assert {backend("http://host/v1/", **options).identity for options in same} == {plain.identity}
    identities = {backend("http://host/v1", **options).identity for options in other}
    assert len(identities | {plain.identity, backend("http://other/v1").identity}) == len(other) + 2


def test_a_pause_is_read_in_both_forms() -> None:
    assert retry_after("2.5", now=0) == 2.5
    assert retry_after("Thu, 01 Jan 1970 00:01:00 GMT", now=20) == 40
    assert retry_after("Thu, 01 Jan 1970 00:01:00 GMT", now=90) == 0


@given(st.text(max_size=80) | st.floats().map(str) | st.none())
def test_a_pause_is_never_negative_or_endless(value: str | None) -> None:
    assert 0 <= retry_after(value, now=0) < float("inf")


def test_the_pause_that_a_server_asks_for_is_kept_and_bounded() -> None:
    waits: list[float] = []

    def note(details: stamina.instrumentation.RetryDetails) -> None:
        waits.append(details.wait_for)

    before = stamina.instrumentation.get_on_retry_hooks()
    stamina.instrumentation.set_on_retry_hooks([note])
    stamina.set_testing(False)
    try:
        asked = [reply(b"", status=429, headers={"Retry-After": pause}) for pause in ("0.01", "1e9")]
        ask(*asked, reply(), max_wait_s=0.02)
    finally:
        stamina.instrumentation.set_on_retry_hooks(before)
    assert 0.01 <= waits[0] <= 0.0125
    assert 0.02 <= waits[1] <= 0.025


@pytest.mark.server
@pytest.mark.timeout(300)
def test_a_real_server_answers_the_prompts_of_every_role(tiny_llama: Path, transformers_server: str) -> None:
    """A random model talks nonsense: the seam holds, and the parsers say honestly that it is nonsense."""
    renderer = Renderer()
    concepts = [Concept(id="a", name="Greatest common divisor")]
    level = {"concepts": concepts, "level": 3, "level_name": "easy"}
    problem = {"problem": "What is the greatest common divisor of 12 and 18, if 12 < 18?"}
    prompts = [
        renderer.prompt("author-math", role="author", recipe=RECIPE, seed=1, domain="number theory", **level),
        renderer.prompt("judge", role="judge", recipe=RECIPE, seed=2, answer="6", **level, **problem),
        renderer.prompt("solve", role="solver", recipe=RECIPE, seed=3, **problem),
    ]

    async def main() -> tuple[list[Completion], BackendError]:
        client = backend(transformers_server, model=str(tiny_llama), max_tokens=16)
        lost = backend(transformers_server, model="/no/such/model", max_tokens=4)
        try:
            done = await asyncio.gather(*(client.complete(prompt) for prompt in prompts))
            with pytest.raises(BackendError) as caught:
                await lost.complete(prompts[2])
            return done, caught.value
        finally:
            await client.close()
            await lost.close()

    (author, judge, solver), refused = asyncio.run(main())
    for prompt, completion in zip(prompts, (author, judge, solver), strict=True):
        assert completion.prompt_id == prompt.id
        assert completion.model == str(tiny_llama)
        assert completion.finish_reason in ("stop", "length")
        assert completion.input_tokens > sum(len(turn.content) for turn in prompt.messages) / 20
        assert 0 <= completion.output_tokens <= 16
    with pytest.raises(ParseError):
        parse_problem(prompts[0], author)
    with pytest.raises(ParseError):
        parse_judgement("p", judge)
    assert parse_answer(solver.text) is None
    assert not refused.retryable


@pytest.mark.parametrize(
    "usage",
    [
        {"prompt_tokens": 10**30, "completion_tokens": -4},
        {"prompt_tokens": 2**63, "completion_tokens": None},
        {"prompt_tokens": "7", "completion_tokens": [3]},
        [7, 3],
        "none",
        None,
    ],
)
def test_odd_counts_of_tokens_cost_no_answer(usage: Any) -> None:
    completion, script = ask(reply(chat() | {"usage": usage}))
    assert (completion.text, completion.input_tokens, completion.output_tokens) == ("4", 0, 0)
    assert len(script.bodies) == 1
