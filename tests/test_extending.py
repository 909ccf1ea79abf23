"""What docs/extending.md shows works as it stands there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from promptcot.shards.reader import open_shards

REPOSITORY = Path(__file__).resolve().parent.parent
PAGE = (REPOSITORY / "docs" / "extending.md").read_text(encoding="utf-8")


def block(language: str, containing: str) -> str:
    found = re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    (body,) = [body for body in found if containing in body]
    return str(body)


@pytest.fixture
def plugin(tmp_path: Path) -> dict[str, str]:
    """An environment in which the page's plugin is installed, with the entry points of the page."""
    site = tmp_path / "site"
    info = site / "my_plugin-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "my_plugin.py").write_text(block("python", "my_plugin.py"))
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my-plugin\nVersion: 1.0\n")
    groups = re.sub(r'\[project\.entry-points\."(.*?)"\]', r"[\1]", block("toml", "entry-points"))
    (info / "entry_points.txt").write_text(groups.replace('"', ""))
    return {**os.environ, "PYTHONPATH": str(site), "NO_COLOR": "1"}


def promptcot(*arguments: str, cwd: Path, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "promptcot", *arguments]
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True)


def test_filter_and_curriculum(plugin: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(block("yaml", "longest-first"))
    done = promptcot("generate", "run", "--config", "config.yaml", cwd=tmp_path, env=plugin)
    assert done.returncode == 0, done.stderr
    shards = open_shards(tmp_path / "run")
    for phase in shards.phases:
        lengths = [len(row.prompt) for row in shards.rows(phase)]
        assert lengths == sorted(lengths, reverse=True)
        assert all(len(row.prompt.split()) <= 40 for row in shards.rows(phase))


def test_backend_that_has_nothing_to_say_yields_nothing_and_says_so(
    plugin: dict[str, str], tmp_path: Path
) -> None:
    options = ["-n", "5", "-o", "backends.bird={kind: parrot}", "-o", "roles.author=bird"]
    done = promptcot("generate", "run", *options, cwd=tmp_path, env=plugin)
    assert done.returncode == 11
    assert "missing-problem" in done.stderr


def test_template_reaches_the_author(tmp_path: Path) -> None:
    (tmp_path / "no-calculus.jinja").write_text(block("jinja", "extends"))
    env = {**os.environ, "NO_COLOR": "1"}
    done = promptcot("prompts", "render", "no-calculus.jinja", cwd=tmp_path, env=env)
    assert done.returncode == 0, done.stderr
    assert "Use no calculus" in done.stdout
    assert "LaTeX" in done.stdout


def test_library_has_no_findings(tmp_path: Path) -> None:
    (tmp_path / "knots.yaml").write_text(block("yaml", "knots.writhe"))
    done = promptcot("concepts", "check", "knots.yaml", cwd=tmp_path, env=dict(os.environ))
    assert done.returncode == 0, done.stdout + done.stderr
