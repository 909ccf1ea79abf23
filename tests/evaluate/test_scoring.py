from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import torch

from promptcot.errors import CheckpointError, ShardError
from promptcot.evaluate import Evaluation, evaluate
from promptcot.shards.reader import open_shards
from promptcot.ssd.decode import Generation
from promptcot.ssd.hf import read_model, write_model
from promptcot.ssd.model import Mamba2LM, init_weights
from promptcot.train import TrainConfig, train
from promptcot.train.tokenizer import Codec


@pytest.fixture(scope="module")
def model_folder(shards: Path, small_run: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(__import__("promptcot.ssd.model", fromlist=["PRESETS"]).PRESETS, "tiny", small_run.TINY)
        recipe = TrainConfig(model="tiny", batch_tokens=256, max_length=64, tokens=6000)
        return train(shards, recipe=recipe, out=tmp_path_factory.mktemp("model") / "m").folder


@pytest.fixture(scope="module")
def evaluation(model_folder: Path, shards: Path) -> Evaluation:
    return evaluate(model_folder, shards)


def test_the_file_says_what_was_measured(evaluation: Evaluation, model_folder: Path, shards: Path) -> None:
    written = json.loads((model_folder / "evaluation.json").read_text())
    assert written["loss_after"] == evaluation.loss_after < 0.7 * written["loss_before"]
    held_out = list(open_shards(shards).rows("held-out"))
    counts = Counter(example.tier for example in held_out)
    assert {tier["tier"]: tier["n"] for tier in written["tiers"]} == counts
    for tier in evaluation.tiers:
        assert tier.low <= tier.correct / tier.n <= tier.high
    assert evaluation.overall.n == 30
    assert evaluation.overall.correct == sum(tier.correct for tier in evaluation.tiers)
    assert evaluation.skipped == 0


def test_the_losses_are_those_of_the_first_and_last_weights(
    evaluation: Evaluation, model_folder: Path, shards: Path
) -> None:
    """One document at a time against packed, to 1e-4."""
    loaded = read_model(model_folder)
    codec = Codec.load(model_folder, loaded.tokens)
    first = init_weights(Mamba2LM(loaded.model.config), 0)
    for model, expected in ((first, evaluation.loss_before), (loaded.model, evaluation.loss_after)):
        total = count = 0.0
        for example in open_shards(shards).rows("held-out"):
            prompt, completion = codec.prompt(example.prompt), codec.completions([example.completion])[0]
            with torch.no_grad():
                logits = model(torch.tensor([prompt + completion]))[0, len(prompt) - 1 : -1]
            total += torch.nn.functional.cross_entropy(
                logits, torch.tensor(completion), reduction="sum"
            ).item()
            count += len(completion)
        assert expected == pytest.approx(total / count, rel=1e-4)


def test_the_baseline_is_the_training_problems_majority(evaluation: Evaluation, shards: Path) -> None:
    opened = open_shards(shards)
    training = [example for phase in opened.phases for example in opened.rows(phase)]
    held_out = list(opened.rows("held-out"))
    for tier in evaluation.tiers:
        counts = Counter(example.answer for example in training if example.tier == tier.tier)
        assert counts[tier.majority_answer] == max(counts.values())
        same = [example.answer == tier.majority_answer for example in held_out if example.tier == tier.tier]
        assert tier.majority == pytest.approx(sum(same) / len(same))


@pytest.fixture
def oracle(monkeypatch: pytest.MonkeyPatch, shards: Path) -> Callable[[Callable[[int, str], str]], None]:
    """Puts completions of the test's own in the place of the model's."""

    def install(say: Callable[[int, str], str]) -> None:
        held_out = list(open_shards(shards).rows("held-out"))

        def generate(model, requests, *, stop_ids, nslots, on_finished):  # type: ignore[no-untyped-def]
            said = []
            for index, example in enumerate(held_out):
                codec = codecs[0]
                tokens = tuple(codec.completions([say(index, example.completion)])[0][:-1])
                said.append(Generation(tokens, "stop"))
                on_finished(index, said[-1])
            return said

        codecs: list[Codec] = []
        load = Codec.load

        def loading(folder: Path, special: object) -> Codec:
            codecs.append(load(folder, special))  # type: ignore[arg-type]
            return codecs[-1]

        monkeypatch.setattr("promptcot.evaluate.scoring.generate", generate)
        monkeypatch.setattr("promptcot.evaluate.scoring.Codec.load", loading)

    return install


def test_right_completions_score_and_wrong_ones_do_not(
    oracle: Callable[[Callable[[int, str], str]], None], model_folder: Path, shards: Path
) -> None:
    told: list[tuple[int, int, int]] = []
    oracle(lambda index, right: right if index % 3 else right.replace("\\boxed{", "\\boxed{9"))
    evaluation = evaluate(model_folder, shards, progress=lambda *now: told.append(now))
    assert [(tier.n, tier.correct) for tier in evaluation.tiers] == [(10, 10), (10, 0), (10, 10)]
    assert told[-1] == (30, 30, 20)
    assert len(evaluation.samples) == 9
    oracle(lambda index, right: right.replace("boxed", "box"))
    evaluation = evaluate(model_folder, shards)
    assert evaluation.overall.correct == 0
    assert all(sample.given is None for sample in evaluation.samples)


def test_a_model_without_lineage_has_no_loss_before(model_folder: Path, shards: Path, tmp_path: Path) -> None:
    loaded = read_model(model_folder)
    files = Codec.load(model_folder, loaded.tokens).files()
    write_model(tmp_path / "m", loaded.model, loaded.tokens, files)
    bare = evaluate(tmp_path / "m", shards, max_new_tokens=2)
    assert bare.loss_before is None
    assert bare.cut_off > 0


def test_what_cannot_be_scored_is_refused(
    model_folder: Path, shards: Path, small_run: ModuleType, tmp_path: Path
) -> None:
    with pytest.raises(CheckpointError, match=r"config\.json"):
        evaluate(tmp_path, shards)
    empty = small_run.write_shards(tmp_path / "run", {"foundation": [small_run.example(1, "f", 1)]}, [])
    with pytest.raises(ShardError, match="no held-out problems"):
        evaluate(model_folder, empty)
