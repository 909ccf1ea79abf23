from __future__ import annotations

import asyncio
import os
import shutil
import signal

import msgspec
import pytest

from promptcot.config import Execution, Sampling, Solving, Target, dump
from promptcot.errors import BackendError, ConfigError, ResourceError, YieldError
from promptcot.pipeline.progress import Silent
from promptcot.pipeline.run import Interrupted, generate
from promptcot.pipeline.summary import summarise
from promptcot.records import Recipe
from promptcot.shards.reader import open_shards
from promptcot.verification.equality import equal


@pytest.fixture(scope="module")
def reference(scripted, products, tmp_path_factory):
    """One run that nothing disturbed, its backend, and the hashes of what it made."""
    folder = tmp_path_factory.mktemp("reference") / "run"
    settings, backend = scripted.config(60), scripted.Scripted()
    summary = generate(settings, folder, parts=scripted.parts(settings, backend))
    return folder, backend, summary, products(folder)


def test_filters_drop_what_the_script_made_wrong_and_nothing_else(reference, scripted):
    folder, _, summary, _ = reference
    kinds = [scripted.kind_of(scripted.Recipes().recipe(i)) for i in range(summary.asked)]
    assert summary.accepted == 60 == kinds.count("right") + 1  # one of the repeated ones comes first
    by_reason = {(row.stage, row.reason): row.count for row in summary.rejections}
    assert by_reason == {
        ("author", "refusal"): kinds.count("refused"),
        ("author", "missing-answer"): kinds.count("malformed"),
        ("judge", "bad-format"): kinds.count("bad"),
        ("solved", "wrong-answer"): kinds.count("wrong"),
        ("solved", "no-answer"): kinds.count("silent"),
        ("duplicates", "exact-duplicate"): kinds.count("repeated") - 1,
    }
    assert all(row.examples for row in summary.rejections)
    shards = open_shards(folder)
    rows = [row for phase in (*shards.phases, "held-out") for row in shards.rows(phase)]
    assert len({row.recipe for row in rows}) == 60
    assert all(equal(row.answer, row.completion.rsplit("boxed{")[1][:-1]).equal for row in rows)


def test_the_summary_adds_up(reference):
    folder, backend, summary, _ = reference
    assert summary.complete
    assert summary.funnel[0].entered == summary.asked
    assert summary.funnel[-1].kept == summary.accepted == sum(summary.phases.values())
    assert sum(summary.tiers.values()) == sum(summary.domains.values()) == sum(summary.histogram) == 60
    assert sum(use.requests for use in summary.roles) == len(backend.asked) == len(set(backend.asked))
    assert {"author", "judge", "solver", "filter duplicates", "shards", "total"} <= set(summary.seconds)
    assert summarise(folder) == summary
    assert not list(folder.glob("ledger.sqlite-*"))


def test_what_is_published_names_no_place(scripted, tmp_path):
    settings, backend = scripted.config(5), scripted.Scripted()
    backend.identity = "scripted http://gpu-7.internal:8000"
    generate(settings, tmp_path, parts=scripted.parts(settings, backend))
    published = (tmp_path / "manifest.json").read_text() + (tmp_path / "README.md").read_text()
    assert "gpu-7" not in published
    assert str(tmp_path) not in published
    assert "scripted-1" in published


def test_rows_are_in_order_and_structures_stay_on_one_side(reference):
    shards = open_shards(reference[0])
    for phase in shards.phases:
        scores = [row.difficulty for row in shards.rows(phase)]
        assert scores == sorted(scores)
    train = {
        row.structure for phase in shards.phases for row in shards.rows(phase) if row.measures["ops"] >= 3
    }
    held = {row.structure for row in shards.rows("held-out") if row.measures["ops"] >= 3}
    assert not train & held


@pytest.mark.parametrize("concurrency", [1, 3, 256])
def test_concurrency_changes_nothing(reference, scripted, products, tmp_path, concurrency):
    settings = scripted.config(60)
    execution = Execution(concurrency=concurrency)
    generate(settings, tmp_path, execution=execution, parts=scripted.parts(settings, scripted.Scripted()))
    assert products(tmp_path) == reference[3]


def test_a_finished_run_asks_nothing_and_mends_its_shards(scripted, products, tmp_path):
    settings = scripted.config(10)
    generate(settings, tmp_path, parts=scripted.parts(settings, scripted.Scripted()))
    before = products(tmp_path)
    backend = scripted.Scripted()
    assert generate(settings, tmp_path, parts=scripted.parts(settings, backend)).complete
    shard = next((tmp_path / "data").rglob("*.parquet"))
    shard.write_bytes(shard.read_bytes()[:-1])
    (tmp_path / "README.md").unlink()
    generate(settings, tmp_path, parts=scripted.parts(settings, backend))
    assert products(tmp_path) == before
    assert backend.asked == []


def test_another_config_or_other_sources_are_refused(scripted, tmp_path):
    settings = scripted.config(5)
    generate(settings, tmp_path, parts=scripted.parts(settings, scripted.Scripted()))
    other = scripted.config(6)
    with pytest.raises(ConfigError, match=r"target\.accepted: 5 != 6"):
        generate(other, tmp_path, parts=scripted.parts(other, scripted.Scripted()))
    backend = scripted.Scripted()
    backend.identity = "scripted/2"
    with pytest.raises(ConfigError, match="backend author: scripted/1 != scripted/2"):
        generate(settings, tmp_path, parts=scripted.parts(settings, backend))


def test_a_folder_of_something_else_is_refused(scripted, tmp_path):
    (tmp_path / "thesis.txt").write_text("precious")
    with pytest.raises(ConfigError, match=r"not a run folder, and not empty \(it holds thesis.txt\)"):
        generate(scripted.config(5), tmp_path)
    assert [path.name for path in tmp_path.iterdir() if path.name != ".lock"] == ["thesis.txt"]
    with pytest.raises(ConfigError, match="a file, and a run needs a folder"):
        generate(scripted.config(5), tmp_path / "thesis.txt")
    with pytest.raises(ResourceError, match="check the path and its permissions"):
        generate(scripted.config(5), tmp_path / "thesis.txt" / "run")


def test_no_yield_is_an_error_with_the_reasons_and_no_shards(scripted, tmp_path):
    settings = scripted.config(5, filters=({"rule": "judge", "criteria": ["clarity"]},))
    with pytest.raises(YieldError, match=r"0 of 5 .* 150 recipes; .*judge: unrated \(\d+\)"):
        generate(settings, tmp_path, parts=scripted.parts(settings, scripted.Scripted()))
    assert not (tmp_path / "manifest.json").exists()
    assert summarise(tmp_path).asked == 150


def test_too_little_yield_is_an_error_with_the_shards_of_what_there_is(scripted, tmp_path):
    settings = scripted.config(50, target={"accepted": 50, "max_recipes": 40})
    with pytest.raises(YieldError, match="shards of these are written"):
        generate(settings, tmp_path, parts=scripted.parts(settings, scripted.Scripted()))
    summary = summarise(tmp_path)
    assert 0 < open_shards(tmp_path).manifest.accepted == summary.accepted < 50


def test_a_dead_endpoint_stops_the_run_and_costs_nothing(reference, scripted, products, tmp_path):
    settings = scripted.config(60)
    calls = []

    def dies(prompt):
        calls.append(prompt.id)
        return BackendError("connection refused", retryable=True) if len(calls) > 50 else None

    with pytest.raises(BackendError, match="20 requests in a row were not answered: connection refused"):
        generate(settings, tmp_path, parts=scripted.parts(settings, scripted.Scripted(fail=dies)))
    generate(settings, tmp_path, parts=scripted.parts(settings, scripted.Scripted()))
    assert products(tmp_path) == reference[3]


def test_a_wrong_key_ends_the_run_at_once(scripted, tmp_path):
    settings = scripted.config(5)
    backend = scripted.Scripted(fail=lambda _: BackendError("unauthorised", status=401))
    with pytest.raises(BackendError, match="unauthorised"):
        generate(settings, tmp_path, parts=scripted.parts(settings, backend))


def test_poison_is_put_aside(scripted, tmp_path):
    settings = scripted.config(20)
    poison = {f"r{i:08d}" for i in range(0, 400, 3)}

    def fails(prompt):
        return BackendError("timed out", retryable=True) if prompt.recipe.id in poison else None

    summary = generate(settings, tmp_path, parts=scripted.parts(settings, scripted.Scripted(fail=fails)))
    assert summary.accepted == 20
    assert {row.reason: row.stage for row in summary.rejections}["backend-error"] == "author"


def test_a_run_under_way_can_be_summarised(scripted, tmp_path, monkeypatch):
    monkeypatch.setattr("promptcot.pipeline.run._TELL_EVERY_S", 0.0)
    seen = []

    class Look(Silent):
        def accepted(self, count: int) -> None:
            seen.append((summarise(tmp_path), count))

    settings = scripted.config(40)
    parts = scripted.parts(settings, scripted.Scripted())
    generate(settings, tmp_path, execution=Execution(concurrency=2), progress=Look(), parts=parts)
    assert not any(summary.complete for summary, _ in seen)
    assert [summary.accepted for summary, _ in seen] == sorted(summary.accepted for summary, _ in seen)
    assert all(summary.accepted <= count for summary, count in seen)
    assert seen[-1][1] == 40


class _SignalAt(Silent):
    """Sends this process a signal when so many are accepted."""

    def __init__(self, number: int, accepted: int) -> None:
        self._number, self._at = number, accepted

    def accepted(self, count: int) -> None:
        if count >= self._at:
            self._at = 10**9
            os.kill(os.getpid(), self._number)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_drains_and_the_run_goes_on_from_there(
    reference, scripted, products, tmp_path, number, monkeypatch
):
    monkeypatch.setattr("promptcot.pipeline.run._TELL_EVERY_S", 0.0)
    settings, first, second = scripted.config(60), scripted.Scripted(), scripted.Scripted()
    handlers = [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)]
    with pytest.raises(Interrupted, match="run the same command again"):
        generate(
            settings,
            tmp_path,
            execution=Execution(concurrency=4),
            progress=_SignalAt(number, 7),
            parts=scripted.parts(settings, first),
        )
    assert [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)] == handlers
    kept = summarise(tmp_path)
    assert 7 <= kept.accepted < 60
    assert sum(use.requests for use in kept.roles) == len(first.asked)  # all that was asked was written
    generate(settings, tmp_path, parts=scripted.parts(settings, second))
    assert not set(first.asked) & set(second.asked)
    assert products(tmp_path) == reference[3]


def test_a_student_that_samples_measures_difficulty(scripted, tmp_path):
    settings = scripted.config(
        30, backends={"s": {"kind": "x"}}, roles={"student": "s"}, solving=Solving(student_attempts=8)
    )
    generate(settings, tmp_path, parts=scripted.parts(settings, scripted.Scripted()))
    shards = open_shards(tmp_path)
    rows = [row for phase in (*shards.phases, "held-out") for row in shards.rows(phase)]
    easy = [row.difficulty for row in rows if row.level <= 3]
    hard = [row.difficulty for row in rows if row.level >= 8]
    assert sum(easy) / len(easy) < sum(hard) / len(hard)
    assert all((row.difficulty * 8).is_integer() for row in rows)


NASTY = (
    *("", "\x00", "half \ud83d", "<problem>\ud800</problem><answer>\udfff</answer>", "\u202e" * 50),
    *("<problem>" * 5000, "<answer>" + "(" * 5000, "\\boxed{" * 3000, "<think>" * 3000, "{{ 7*7 }}{% raw %}"),
    "<problem>a</problem><answer>'; DROP TABLE answers; --</answer>",
    "<ratings>\nformat: perfect\n</ratings>",
    "<problem>What is 1 + 1?</problem><answer>9^{9^{9^{9}}}</answer>",
    "x" * (3 << 20),
)


def test_no_completion_ends_a_run(scripted, tmp_path):
    class Hostile(scripted.Scripted):
        def _author(self, prompt):
            nasty = NASTY[prompt.recipe.ordinal % len(NASTY)]
            return nasty if prompt.recipe.ordinal % 2 else super()._author(prompt)

        def _judge(self, prompt):
            ordinal = prompt.recipe.ordinal // 2
            return NASTY[ordinal % len(NASTY)] if ordinal % 3 == 1 else super()._judge(prompt)

        def _solver(self, prompt):
            if "pears" not in prompt.messages[-1].content or prompt.recipe.ordinal % 5 == 0:
                return NASTY[prompt.recipe.ordinal % len(NASTY)]
            return super()._solver(prompt)

    settings = scripted.config(10)
    summary = generate(settings, tmp_path, parts=scripted.parts(settings, Hostile()))
    assert summary.accepted == 10
    backend = Hostile()
    assert generate(settings, tmp_path, parts=scripted.parts(settings, backend)).complete
    assert backend.asked == []


def test_it_runs_where_a_loop_runs_already(scripted, tmp_path):
    settings = scripted.config(5)

    async def cell() -> int:
        return generate(settings, tmp_path, parts=scripted.parts(settings, scripted.Scripted())).accepted

    assert asyncio.run(cell()) == 5


def test_a_defect_ends_the_run_as_itself(scripted, tmp_path):
    class Broken(scripted.Recipes):
        def recipe(self, ordinal: int, /) -> Recipe:
            if ordinal == 9:
                raise ZeroDivisionError("a defect")
            return super().recipe(ordinal)

    settings = scripted.config(60)
    with pytest.raises(ZeroDivisionError):
        generate(settings, tmp_path, parts=scripted.parts(settings, scripted.Scripted(), Broken()))


def test_a_config_made_in_python_resumes_like_one_from_yaml(scripted, tmp_path):
    rules = ({"rule": "judge", "criteria": ("format", "factual")},)
    settings = scripted.config(5, filters=rules)
    generate(settings, tmp_path, parts=scripted.parts(settings, scripted.Scripted()))
    assert generate(settings, tmp_path, parts=scripted.parts(settings, scripted.Scripted())).complete


def test_a_folder_without_an_answer_takes_another_config(scripted, tmp_path):
    settings = scripted.config(5)
    backend = scripted.Scripted(fail=lambda _: BackendError("no such model", status=404))
    with pytest.raises(BackendError, match="no such model"):
        generate(settings, tmp_path, parts=scripted.parts(settings, backend))
    other, mended = scripted.config(6), scripted.Scripted()
    mended.identity = "scripted/2"
    assert generate(other, tmp_path, parts=scripted.parts(other, mended)).accepted == 6


@pytest.mark.parametrize("harm", ["scattered", "short"])
def test_a_damaged_ledger_is_said_to_be_damaged(harm, reference, scripted, tmp_path):
    shutil.copytree(reference[0], tmp_path / "run")
    path = tmp_path / "run" / "ledger.sqlite"
    (tmp_path / "run" / "manifest.json").unlink()
    if harm == "short":
        os.truncate(path, path.stat().st_size // 2)
    else:
        data = bytearray(path.read_bytes())
        for at in range(4096, len(data), 97):  # past the header
            data[at] ^= 0x5A
        path.write_bytes(data)
    settings = scripted.config(60)
    for act in (
        lambda: generate(settings, tmp_path / "run", parts=scripted.parts(settings, scripted.Scripted())),
        lambda: summarise(tmp_path / "run"),
    ):
        with pytest.raises(ResourceError, match=r"ledger\.sqlite is damaged"):
            act()


def test_an_emptied_ledger_does_not_begin_a_finished_run_again(reference, scripted, tmp_path):
    shutil.copytree(reference[0], tmp_path / "run")
    os.truncate(tmp_path / "run" / "ledger.sqlite", 0)
    settings, backend = scripted.config(60), scripted.Scripted()
    with pytest.raises(ResourceError, match=r"shards are written, but its ledger\.sqlite is gone"):
        generate(settings, tmp_path / "run", parts=scripted.parts(settings, backend))
    assert not backend.asked


def test_settings_in_another_order_resume_the_run(reference, scripted, tmp_path):
    shutil.copytree(reference[0], tmp_path / "run")
    one = scripted.config(60, sampling=Sampling(sizes={1: 1.0, 2: 3.0}))
    two = scripted.config(60, sampling=Sampling(sizes={2: 3, 1: 1}))
    (tmp_path / "run" / "run.yaml").write_text(dump(one))
    assert generate(two, tmp_path / "run", parts=scripted.parts(two, scripted.Scripted())).complete


def test_a_shortfall_without_a_drop_names_none(scripted, tmp_path):
    settings = scripted.config(3, target=Target(accepted=3, seed=3, max_recipes=1))
    recipes = FirstOfKind(scripted, "right")
    with pytest.raises(YieldError, match=r"1 of 3 problems accepted from 1 recipes; shards of these"):
        generate(settings, tmp_path, parts=scripted.parts(settings, scripted.Scripted(), recipes))


class FirstOfKind:
    """The first recipe of a kind, under the ordinal 0."""

    def __init__(self, scripted, kind):
        ordinals = (scripted.Recipes().recipe(i) for i in range(100))
        self._found = next(recipe for recipe in ordinals if scripted.kind_of(recipe) == kind)

    def recipe(self, ordinal, /):
        return msgspec.structs.replace(self._found, ordinal=ordinal)
