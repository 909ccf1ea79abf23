"""The examples run as their own first lines say, on a smaller scale."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
EXAMPLES = REPOSITORY / "examples"


def run(*command: str, cwd: Path = REPOSITORY) -> str:
    done = subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, env={**os.environ, "NO_COLOR": "1"}
    )
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def promptcot(*arguments: str) -> str:
    return run(sys.executable, "-m", "promptcot", *arguments)


def test_generate_prints_a_problem_of_each_phase_and_resumes(tmp_path: Path) -> None:
    first = run(sys.executable, str(EXAMPLES / "generate.py"), str(tmp_path / "run"))
    assert "--- foundation" in first
    assert "--- challenge" in first
    assert run(sys.executable, str(EXAMPLES / "generate.py"), str(tmp_path / "run")) == first


def test_own_concept_reaches_the_shards(tmp_path: Path) -> None:
    from promptcot.shards.reader import open_shards

    config = EXAMPLES / "own_concept" / "promptcot.yaml"
    promptcot("generate", str(tmp_path / "run"), "--config", str(config), "-n", "60")
    shards = open_shards(tmp_path / "run")
    rows = [row for phase in shards.phases for row in shards.rows(phase)]
    assert any("mine.halving-steps" in row.concepts for row in rows)


def test_train_on_your_shards_learns_something(tmp_path: Path) -> None:
    folder = str(tmp_path / "run")
    promptcot("generate", folder, "--config", str(EXAMPLES / "demo.yaml"), "-n", "200")
    printed = run(sys.executable, str(EXAMPLES / "train_on_your_shards.py"), folder, "8000")
    before, after = (float(word) for word in printed.split("held-out loss ")[1].split("\n")[0].split(" -> "))
    assert after < before
