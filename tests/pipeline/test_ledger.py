from __future__ import annotations

import asyncio
import contextlib

import apsw
import msgspec
import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from promptcot.errors import ConfigError, ResourceError
from promptcot.pipeline.keys import canonical, request, request_key
from promptcot.pipeline.ledger import Decision, Ledger, read_only
from promptcot.records import Completion, Message, Prompt, Recipe

RECIPE = Recipe(id="r00000001", ordinal=1, concepts=("a", "b"), domain="d", level=3, seed=2**62 + 1)
PROMPT = Prompt(
    id="r00000001/author/0",
    role="author",
    messages=(Message(role="system", content="s"), Message(role="user", content="u")),
    template="author-math",
    template_hash="h",
    recipe=RECIPE,
    seed=2**62 + 3,
)


def completion(text: str = "t", prompt_id: str = "p") -> Completion:
    return Completion(
        prompt_id=prompt_id,
        text=text,
        finish_reason="stop",
        input_tokens=1,
        output_tokens=2,
        backend="b",
        model="m",
    )


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


@settings(deadline=None)
@given(
    system=texts, user=texts, identity=texts, concepts=st.lists(texts, max_size=3), level=st.integers(1, 10)
)
def test_keys_are_made_of_canonical_json(system, user, identity, concepts, level):
    recipe = msgspec.structs.replace(RECIPE, concepts=tuple(concepts), level=level)
    messages = (Message(role="system", content=system), Message(role="user", content=user))
    prompt = msgspec.structs.replace(PROMPT, recipe=recipe, messages=messages)
    asked = request(prompt, identity)
    assert canonical(asked) == rfc8785.dumps(asked)


def test_whatever_may_change_an_answer_changes_the_key():
    key = request_key(PROMPT, "e")
    changes = {
        "role": "judge",
        "messages": PROMPT.messages[1:],
        "template_hash": "i",
        "sample": 1,
        "seed": 1,
        "recipe": msgspec.structs.replace(RECIPE, concepts=("b", "a")),
    }
    keys = {request_key(msgspec.structs.replace(PROMPT, **{name: new}), "e") for name, new in changes.items()}
    assert len(keys | {key, request_key(PROMPT, "f")}) == len(changes) + 2
    assert key == request_key(msgspec.structs.replace(PROMPT, id="another", template="renamed"), "e")


def test_what_is_recorded_is_there_for_the_next_process(tmp_path):
    async def write() -> None:
        ledger = Ledger(tmp_path)
        await asyncio.gather(
            *(ledger.record(bytes([i]), i, "author", 0, completion(f"t{i}")) for i in range(90))
        )
        await ledger.record(bytes([3]), 3, "author", 0, completion("another answer to the same request"))
        for i in range(5):
            ledger.decide(Decision(ordinal=i, kept=i % 2 == 0, domain="d", level=1))
        ledger.set_meta({"a": [1]})
        await ledger.flush()
        ledger.close()

    async def read() -> None:
        ledger = Ledger(tmp_path)
        assert [ledger.answer(bytes([i]), i).text for i in range(90)] == [f"t{i}" for i in range(90)]
        assert ledger.answer(b"no", 5) is None
        assert ledger.frontier() == 5
        assert ledger.meta("a") == [1]
        assert ledger.meta("b", 7) == 7
        ledger.close()

    asyncio.run(write())
    asyncio.run(read())
    db = apsw.Connection(str(tmp_path / "ledger.sqlite"))
    assert db.pragma("journal_mode") == "wal"
    assert db.pragma("integrity_check") == "ok"
    db.close()


def test_a_full_disk_fails_everyone_who_waits_and_loses_nothing_written(tmp_path):
    async def fill() -> int:
        ledger = Ledger(tmp_path)
        assert ledger._db.pragma("synchronous") == 2  # full
        ledger._db.pragma("max_page_count", 60)
        written = 0
        with contextlib.suppress(ResourceError):
            for written in range(1000):
                await ledger.record(written.to_bytes(4), written, "author", 0, completion("x" * 5000))
        with pytest.raises(ResourceError, match="the disk is full"):
            await ledger.record(b"z", 0, "author", 0, completion())
        with pytest.raises(ResourceError, match="everything committed is kept"):
            await ledger.flush()
        ledger.close()
        return written

    written = asyncio.run(fill())
    assert 10 < written < 999
    db = read_only(tmp_path)
    assert db.execute("SELECT count(*) FROM answers").get == written
    db.close()


def test_something_else_is_not_taken_for_a_ledger(tmp_path):
    with pytest.raises(ResourceError, match=r"no ledger\.sqlite"):
        read_only(tmp_path)
    path = tmp_path / "ledger.sqlite"
    path.write_bytes(b"not a database, but long enough to look at " * 40)
    with pytest.raises(ConfigError, match="not a ledger"):
        Ledger(tmp_path)
    path.unlink()
    db = apsw.Connection(str(path))
    db.execute("CREATE TABLE other (x)")
    db.close()
    with pytest.raises(ConfigError, match="not a ledger"):
        Ledger(tmp_path)
    with pytest.raises(ConfigError, match="not a ledger"):
        read_only(tmp_path)


def test_a_later_version_is_refused(tmp_path):
    Ledger(tmp_path).close()
    db = apsw.Connection(str(tmp_path / "ledger.sqlite"))
    db.pragma("user_version", 99)
    db.close()
    with pytest.raises(ConfigError, match="version 99"):
        Ledger(tmp_path)
