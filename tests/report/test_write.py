"""Reports of real run folders: finished, unfinished, with a model, damaged."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from promptcot.config import Config, Execution, Target
from promptcot.errors import ResourceError, ShardError
from promptcot.pipeline.run import generate
from promptcot.report.gather import gather
from promptcot.report.html import write_report
from promptcot.shards.reader import open_shards

TIER = {"tier": 1, "n": 40, "correct": 30, "low": 0.6, "high": 0.86, "majority": 0.25, "majority_answer": "2"}
SCORES = {
    "loss_before": 6.1,
    "loss_after": 1.9,
    "tiers": [TIER],
    "overall": {**TIER, "tier": 0, "majority_answer": ""},
    "skipped": 0,
    "cut_off": 0,
    "max_new_tokens": 90,
    "samples": [],
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "sixty"
    generate(Config(target=Target(accepted=60, seed=9)), folder, execution=Execution())
    return folder


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    return shutil.copytree(finished, tmp_path / "sixty")


def test_report_holds_what_the_run_holds(run: Path) -> None:
    path = write_report(run)
    assert path == run / "report.html"
    text = path.read_text(encoding="utf-8")
    material = gather(run)
    assert "60 problems accepted" in text
    assert material.config.fingerprint() in text
    assert material.rows.count == 60
    assert sum(sum(tiers.values()) for tiers in material.rows.tiers.values()) == 60
    shards = open_shards(run)
    ids = {row.id for phase in (*shards.phases, "held-out") for row in shards.rows(phase)}
    shown = [example.id for held in material.rows.samples.values() for example in held]
    assert shown
    assert set(shown) <= ids
    assert all(id in text for id in shown)


def test_report_is_the_same_every_time_and_replaces_the_old_one(run: Path) -> None:
    first = write_report(run).read_bytes()
    (run / "report.html").write_text("old")
    assert write_report(run).read_bytes() == first


def test_report_of_a_trained_model(run: Path) -> None:
    (run / "model").mkdir()
    steps = [{"step": i, "stage": "foundation", "loss": 6.0 / i, "lr": 0.1} for i in range(1, 30)]
    (run / "model" / "metrics.jsonl").write_text("".join(json.dumps(step) + "\n" for step in steps))
    assert "has not been scored yet" in write_report(run).read_text()
    (run / "model" / "evaluation.json").write_text(json.dumps(SCORES))
    text = write_report(run).read_text()
    assert "On tier 1 the whole interval lies above that of the majority baseline." in text
    assert "75.0%" in text
    (run / "model" / "evaluation.json").write_text(json.dumps({**SCORES, "loss_before": None}))
    assert "before training" not in write_report(run).read_text()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("metrics.jsonl", '{"step": 1, "loss": "low"}\n'),
        ("evaluation.json", "{"),
        ("evaluation.json", json.dumps({**SCORES, "tiers": [{"tier": "one"}]})),
    ],
)
def test_damaged_model_files_are_named(run: Path, name: str, content: str) -> None:
    (run / "model").mkdir()
    (run / "model" / name).write_text(content)
    with pytest.raises(ResourceError, match=name):
        write_report(run)
    assert not (run / "report.html").exists()


def test_unfinished_run_is_reported_without_its_rows(run: Path) -> None:
    (run / "manifest.json").unlink()
    text = write_report(run).read_text()
    assert "The run is not finished" in text
    assert "Not written yet." in text


def test_changed_shard_is_refused(run: Path) -> None:
    path = next(run.glob("data/*/part-00000.parquet"))
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    with pytest.raises(ShardError, match=path.name):
        write_report(run)


def test_graph_that_has_gone_leaves_ids_in_the_place_of_names(run: Path) -> None:
    config = (run / "run.yaml").read_text()
    (run / "run.yaml").write_text(config.replace("graph: symbolic-core", "graph: gone-since"))
    material = gather(run)
    assert material.known == {}
    assert min(material.rows.concepts) in write_report(run).read_text()
