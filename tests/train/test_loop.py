from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import torch
from safetensors.torch import load_file

from promptcot.errors import CheckpointError, ConfigError, ShardError
from promptcot.ssd.hf import read_model
from promptcot.train import Report, TrainConfig, TrainResult, load_recipe, train
from promptcot.train.tokenizer import Codec

Tiny = Callable[..., TrainConfig]


def metrics(out: Path) -> list[dict[str, float]]:
    """The lines of the metrics that do not depend on the clock."""
    timed = {"seconds", "tokens_per_second", "eta_seconds"}
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    return [{key: value for key, value in line.items() if key not in timed} for line in lines]


@pytest.fixture(scope="module")
def trained(shards: Path, tmp_path_factory: pytest.TempPathFactory, small_run: ModuleType) -> TrainResult:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(__import__("promptcot.ssd.model", fromlist=["PRESETS"]).PRESETS, "tiny", small_run.TINY)
        recipe = TrainConfig(model="tiny", batch_tokens=256, max_length=64, tokens=6000)
        return train(shards, recipe=recipe, out=tmp_path_factory.mktemp("model") / "m")


def test_a_training_leaves_a_model_folder_and_its_lineage(trained: TrainResult, shards: Path) -> None:
    loaded = read_model(trained.folder)
    codec = Codec.load(trained.folder, loaded.tokens)
    assert codec.size <= loaded.model.config.vocab_size
    assert sum(p.numel() for p in loaded.model.parameters()) == trained.parameters
    assert 6000 <= trained.tokens < 6256
    lines = metrics(trained.folder)
    assert [line["step"] for line in lines] == list(range(1, trained.steps + 1))
    assert lines[-1]["loss"] < 0.7 * lines[0]["loss"]
    lineage = json.loads((trained.folder / "lineage.json").read_text())
    manifest = json.loads((shards / "manifest.json").read_text())
    for ours, theirs in zip(lineage["shards"]["phases"], manifest["phases"], strict=True):
        assert ours["name"] == theirs["name"]
        assert ours["sha256"] == [file["sha256"] for file in theirs["files"]]
    assert [stage["stage"] for stage in lineage["stages"]] == ["foundation", "challenge"]
    assert sum(stage["steps"] for stage in lineage["stages"]) == trained.steps
    assert sum(stage["tokens"] for stage in lineage["stages"]) == trained.tokens
    assert lineage["limited_by"] == "tokens"
    assert not (trained.folder / "checkpoints").exists()


def test_the_same_again_is_the_same_model(
    trained: TrainResult, shards: Path, tiny: Tiny, tmp_path: Path
) -> None:
    again = train(shards, recipe=tiny(), out=tmp_path / "m")
    assert metrics(again.folder) == metrics(trained.folder)
    for name in ("model.safetensors", "tokenizer.json", "config.json"):
        assert (again.folder / name).read_bytes() == (trained.folder / name).read_bytes()
    before = (again.folder / "model.safetensors").stat().st_mtime_ns
    assert train(shards, recipe=tiny(), out=tmp_path / "m") == again
    assert (again.folder / "model.safetensors").stat().st_mtime_ns == before


@pytest.mark.parametrize("optimizer", ["muon", "adamw"])
def test_a_run_that_was_killed_goes_on_bitwise(
    shards: Path, tiny: Tiny, tmp_path: Path, optimizer: str
) -> None:
    recipe = tiny(optimizer=optimizer, checkpoint_every=5, keep=3)
    whole = train(shards, recipe=recipe, out=tmp_path / "whole")

    class Killed(Exception):
        pass

    def kill_at(step: int) -> Callable[[Report], None]:
        def progress(report: Report) -> None:
            if report.step == step:
                raise Killed

        return progress

    for step in (7, 18):
        with pytest.raises(Killed):
            train(shards, recipe=recipe, out=tmp_path / "cut", progress=kill_at(step))
    assert len(list((tmp_path / "cut" / "checkpoints").glob("step-*"))) == 3
    cut = train(shards, recipe=recipe, out=tmp_path / "cut")
    assert cut.resumed_at == 15
    assert metrics(tmp_path / "cut") == metrics(tmp_path / "whole")
    ours, theirs = (load_file(r.folder / "model.safetensors") for r in (cut, whole))
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_a_signal_ends_the_step_and_leaves_a_checkpoint(shards: Path, tiny: Tiny, tmp_path: Path) -> None:
    recipe = tiny(checkpoint_every=0)

    def interrupt(report: Report) -> None:
        if report.step == 3:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        train(shards, recipe=recipe, out=tmp_path / "m", progress=interrupt)
    result = train(shards, recipe=recipe, out=tmp_path / "m")
    assert result.resumed_at == 3
    assert metrics(result.folder) == metrics(train(shards, recipe=recipe, out=tmp_path / "n").folder)


def test_rows_of_a_step_are_averaged_over_its_supervised_tokens(
    shards: Path, tiny: Tiny, tmp_path: Path
) -> None:
    """Four rows of one step against one row of four times the size, to 1e-4 (the rows differ a little)."""
    many = train(shards, recipe=tiny(accumulate=4, batch_tokens=128), out=tmp_path / "a")
    one = train(shards, recipe=tiny(batch_tokens=512), out=tmp_path / "b")
    first, second = metrics(many.folder)[0], metrics(one.folder)[0]
    assert first["loss"] == pytest.approx(second["loss"], rel=0.02)
    assert abs(first["tokens"] - second["tokens"]) < 64


def test_epochs_read_every_document_of_each_stage(shards: Path, tiny: Tiny, tmp_path: Path) -> None:
    own = train(shards, recipe=tiny(epochs=2, revisit=False), out=tmp_path / "own")
    stages = json.loads((own.folder / "lineage.json").read_text())["stages"]
    assert [stage["documents"] for stage in stages] == [60, 70]
    both = train(shards, recipe=tiny(epochs=1), out=tmp_path / "both")
    again = json.loads((both.folder / "lineage.json").read_text())["stages"]
    assert [stage["documents"] for stage in again] == [60, 130]
    assert stages[0]["tokens"] == 2 * again[0]["tokens"]
    assert again[1]["tokens"] == own.tokens / 2


def test_seconds_end_a_run(shards: Path, tiny: Tiny, tmp_path: Path) -> None:
    result = train(shards, recipe=tiny(seconds=0.3), out=tmp_path / "m")
    assert result.steps >= 1
    assert json.loads((result.folder / "lineage.json").read_text())["limited_by"] == "seconds"


def test_a_model_folder_is_where_the_next_training_begins(
    trained: TrainResult, shards: Path, tiny: Tiny, tmp_path: Path
) -> None:
    recipe = tiny(model=str(trained.folder), tokens=1000, lr=1e-4, matrix_lr=1e-3)
    more = train(shards, recipe=recipe, out=tmp_path / "m")
    assert metrics(more.folder)[0]["loss"] < 1.5 * metrics(trained.folder)[-1]["loss"]
    assert (more.folder / "tokenizer.json").read_bytes() == (trained.folder / "tokenizer.json").read_bytes()


def test_what_does_not_fit_is_refused(trained: TrainResult, shards: Path, tiny: Tiny, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="another recipe"):
        train(shards, recipe=tiny(seed=1), out=trained.folder)
    with pytest.raises(ConfigError, match="did you mean 'nano'"):
        train(shards, recipe=tiny(model="nanno"), out=tmp_path / "m")
    with pytest.raises(CheckpointError, match=r"config\.json"):
        train(shards, recipe=tiny(model=str(tmp_path)), out=tmp_path / "m")
    copy = shutil.copytree(trained.folder, tmp_path / "copy")
    data = bytearray((copy / "model.safetensors").read_bytes())
    data[-1] ^= 1
    (copy / "model.safetensors").write_bytes(data)
    with pytest.raises(CheckpointError, match="not what was written"):
        train(shards, recipe=tiny(), out=copy)


def test_a_shard_that_changed_is_refused(shards: Path, tiny: Tiny, tmp_path: Path) -> None:
    copy = shutil.copytree(shards, tmp_path / "run")
    part = copy / "data" / "challenge" / "part-00000.parquet"
    data = bytearray(part.read_bytes())
    data[200] ^= 1
    part.write_bytes(data)
    with pytest.raises(ShardError, match="not that of the manifest"):
        train(copy, recipe=tiny(), out=tmp_path / "m")


def test_a_damaged_checkpoint_is_refused_and_the_one_before_offered(
    shards: Path, tiny: Tiny, tmp_path: Path
) -> None:
    out = tmp_path / "m"

    def stop(report: Report) -> None:
        if report.step == 11:
            raise RuntimeError

    with pytest.raises(RuntimeError):
        train(shards, recipe=tiny(checkpoint_every=5), out=out, progress=stop)
    newest = out / "checkpoints" / "step-00000010"
    with (newest / "optimizers.safetensors").open("ab") as file:
        file.write(b"x")
    with pytest.raises(CheckpointError, match=r"optimizers.*step-00000010 to go on from step-00000005"):
        train(shards, recipe=tiny(checkpoint_every=5), out=out)
    shutil.rmtree(newest)
    with pytest.raises(ConfigError, match="another recipe"):
        train(shards, recipe=tiny(checkpoint_every=5, lr=0.1), out=out)
    assert train(shards, recipe=tiny(checkpoint_every=5), out=out).resumed_at == 5


def test_a_loss_that_is_no_number_stops_and_saves_the_batch(shards: Path, tiny: Tiny, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="the batch is saved as"):
        train(shards, recipe=tiny(lr=1e30, optimizer="adamw", warmup_steps=0), out=tmp_path / "m")
    (saved,) = (tmp_path / "m").glob("not-finite-step-*.json")
    content = json.loads(saved.read_text())
    assert len(content["examples"]) == len(content["rows"][0]["cu_seqlens"]) - 1
    assert not (tmp_path / "m" / "lineage.json").exists()


def test_recipes_are_whole_and_overridden_by_key() -> None:
    paper = load_recipe("paper")
    assert (paper.lr, paper.betas, paper.warmup_steps, paper.schedule) == (5e-6, (0.9, 0.95), 100, "constant")
    assert load_recipe("small", {"epochs": 3}).tokens is None
    for changes, message in [
        ({"lr0": 1}, "did you mean 'lr'"),
        ({"seconds": 5, "epochs": 1}, "exactly one"),
        ({"max_length": 4096}, "above batch_tokens"),
    ]:
        with pytest.raises(ConfigError, match=message):
            load_recipe("small", changes)
    with pytest.raises(ConfigError, match="did you mean 'small'"):
        load_recipe("smal")
