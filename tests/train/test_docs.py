"""What docs/training.md shows in Python works as it stands there."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

PAGE = Path(__file__).resolve().parents[2] / "docs" / "training.md"


def test_the_python_of_the_page_runs(
    shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    shutil.copytree(shards, tmp_path / "runs" / "first")
    monkeypatch.chdir(tmp_path)
    # Fewer tokens than on the page: the test is about the calls.
    exec(compile(code.replace("20_000", "3_000"), str(PAGE), "exec"), {"__name__": "page"})
    assert "[(1, " in capsys.readouterr().out
    assert (tmp_path / "runs" / "first" / "model" / "evaluation.json").exists()


def test_the_page_names_every_file_of_the_folder(
    shards: Path, tiny: Callable[..., object], tmp_path: Path
) -> None:
    from promptcot.train import train

    out = train(shards, recipe=tiny(tokens=500), out=tmp_path / "m").folder  # type: ignore[arg-type]
    text = PAGE.read_text(encoding="utf-8")
    assert [path.name for path in sorted(out.iterdir()) if f"`{path.name}`" not in text] == []
