"""The whole road on the embedded engine, as `promptcot generate` with no config takes it."""

from __future__ import annotations

import pytest

from promptcot.config import Config, Execution, Target
from promptcot.pipeline.run import generate
from promptcot.shards.reader import open_shards
from promptcot.verification.equality import equal

SETTINGS = Config(target=Target(accepted=60, seed=5))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("symbolic") / "run"
    return folder, generate(SETTINGS, folder)


def test_defaults_make_verified_problems_in_phases(run):
    folder, summary = run
    shards = open_shards(folder)
    rows = [row for phase in (*shards.phases, "held-out") for row in shards.rows(phase)]
    assert summary.complete
    assert len(rows) == summary.accepted == 60
    assert len({row.id for row in rows}) == len({row.prompt for row in rows}) == 60
    assert len({row.domain for row in rows}) >= 3
    assert all(equal(row.answer, row.completion.rsplit("\\boxed{", 1)[1].rstrip(".}")).equal for row in rows)
    assert all(shards.count(phase) > 0 for phase in shards.phases)


@pytest.mark.slow
def test_two_workers_make_the_same_bytes(run, products, tmp_path):
    generate(SETTINGS, tmp_path / "run", execution=Execution(workers=2, concurrency=16))
    assert products(tmp_path / "run") == products(run[0])


def test_a_shard_folder_opens_with_datasets(run, tmp_path, monkeypatch):
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_OFFLINE", True)
    datasets.disable_progress_bars()
    loaded = datasets.load_dataset(str(run[0]), "foundation", split="train", cache_dir=str(tmp_path))
    assert loaded.num_rows == open_shards(run[0]).count("foundation")
