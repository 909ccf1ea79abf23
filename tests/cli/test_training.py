from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from promptcot.cli.needs import device_of
from promptcot.cli.scoring import Lines as ScoringLines
from promptcot.cli.scoring import _show
from promptcot.cli.training import Lines, line
from promptcot.errors import ConfigError
from promptcot.evaluate import Evaluation, Tier
from promptcot.train import Report


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def report(step: int, stage: str = "foundation") -> Report:
    return Report(
        step=step, stage=stage, done=0.1, loss=2.5, lr=0.1, grad_norm=1.0, tokens=1000 * step, supervised=10,
        seconds=1.0, tokens_per_second=1234.5, eta_seconds=75.0,
    )  # fmt: skip


def test_line_says_what_matters() -> None:
    assert line(report(1200)) == "foundation: step 1,200, loss 2.500, 1,234 tokens/s, 1 min 15 s left"


def test_lines_come_now_and_then_and_with_every_stage(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    lines = Lines(clock)
    for step in range(1, 21):
        clock.now += 1
        lines(report(step, "foundation" if step < 18 else "challenge"))
    said = [line.split(",")[0] for line in capsys.readouterr().err.splitlines()]
    assert said == [
        "foundation: step 1", "foundation: step 6", "foundation: step 11", "foundation: step 16",
        "challenge: step 18",
    ]  # fmt: skip


def test_scoring_says_its_end(capsys: pytest.CaptureFixture[str]) -> None:
    lines = ScoringLines(Clock())
    for done in range(1, 4):
        lines(done, 3, done // 2)
    assert capsys.readouterr().err == "3/3 problems answered, 1 of them rightly\n"


def test_auto_is_what_there_is() -> None:
    assert device_of("auto") == ("cuda" if torch.cuda.is_available() else "cpu")
    assert device_of("cpu") == "cpu"


@pytest.mark.parametrize("name", ["nonsense", "cpu:x", "cuda:77"])
def test_device_that_is_not_there_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=f"--device {name}") as caught:
        device_of(name)
    assert "doctor" in caught.value.remedy


def test_train_then_evaluate(invoke, small_run: Path, tmp_path: Path) -> None:
    model = tmp_path / "model"
    trained = invoke(
        "train", small_run, "--tokens", "3000", "--out", model, "--device", "cpu", "-o", "lr=0.003"
    )
    assert trained.exit_code == 0, trained.output
    assert "parameters" in trained.stdout
    assert f"promptcot evaluate {small_run} --model {model}" in trained.stdout
    again = invoke(
        "train", small_run, "--tokens", "3000", "--out", model, "--device", "cpu", "-o", "lr=0.003"
    )
    assert again.exit_code == 0, again.output
    assert again.stdout == trained.stdout  # done before: the same result, nothing trained again
    other = invoke("train", small_run, "--tokens", "3000", "--out", model, "--seed", "1", "--device", "cpu")
    assert other.exit_code == 3
    scored = invoke("evaluate", small_run, "--model", model, "--device", "cpu", "--json")
    assert scored.exit_code == 0, scored.output
    data = json.loads(scored.stdout)
    assert data == json.loads((model / "evaluation.json").read_text())
    assert data["loss_after"] < data["loss_before"]


def test_scores_stand_beside_the_baseline(capsys: pytest.CaptureFixture[str]) -> None:
    tiers = tuple(
        Tier(tier=t, n=40, correct=c, low=low, high=low + 0.3, majority=0.125, majority_answer="2")
        for t, c, low in ((1, 22, 0.4), (2, 6, 0.07), (0, 28, 0.24))
    )
    found = Evaluation(
        loss_before=6.2888, loss_after=1.25, tiers=tiers[:2], overall=tiers[2], skipped=3, cut_off=1,
        max_new_tokens=99, samples=(),
    )  # fmt: skip
    _show(Path("runs/x"), found)
    out = capsys.readouterr().out
    assert out.startswith("held-out loss: 6.289 before training, 1.250 after\n")
    rows = {
        line.split()[0]: line.split()[1:]
        for line in out.splitlines()
        if line[:5].strip() in ("1", "2", "all")
    }
    assert rows["1"] == ["40", "22", "55.0%", "40.0%", "-", "70.0%", "12.5%", "yes"]
    assert rows["2"][-1] == "no"
    assert rows["all"][:2] == ["40", "28"]
    assert "3 problems were left out" in out
    assert "1 completions were cut off at 99 tokens" in out


def test_evaluate_without_a_model_says_how_to_make_one(invoke, small_run: Path, tmp_path: Path) -> None:
    result = invoke("evaluate", small_run, "--model", tmp_path / "none")
    assert result.exit_code == 9
    assert "promptcot train" in result.stderr
