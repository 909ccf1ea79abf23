"""The README tells the truth: its commands run, its links lead somewhere, its Python works."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

REPOSITORY = Path(__file__).resolve().parent.parent
PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md"))]
FENCE = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(page: Path, language: str) -> list[str]:
    return [body for found, body in FENCE.findall(page.read_text(encoding="utf-8")) if found == language]


def run(command: list[str], folder: Path) -> None:
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, env={**os.environ, "NO_COLOR": "1"}
    )
    assert done.returncode == 0, f"{shlex.join(command)}\n{done.stdout}\n{done.stderr}"


def test_shell_commands_run(tmp_path: Path) -> None:
    """Every `promptcot` line of the README's sh blocks, in order, in one folder, at a smaller scale."""
    commands = [
        shlex.split(line, comments=True)
        for block in blocks(REPOSITORY / "README.md", "sh")
        for line in block.splitlines()
        if line.startswith("promptcot ")
    ]
    assert commands
    for _, *arguments in commands:
        arguments = [a.replace("examples/", f"{REPOSITORY}/examples/") for a in arguments]
        smaller = {"generate": ["-n", "100"], "train": ["--seconds", "3"]}.get(arguments[0], [])
        run([sys.executable, "-m", "promptcot", *arguments, *smaller], tmp_path)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)|src=\"([^\"]+)\"", text):
        link = target[0] or target[1]
        assert link.startswith("https://") or (page.parent / link).exists(), f"{page.name}: {link}"


def test_python_blocks_run(tmp_path: Path) -> None:
    """The README's Python, in order, beside a small run that it can read."""
    run([sys.executable, "-m", "promptcot", "generate", "runs/first", "-n", "60"], tmp_path)
    for body in blocks(REPOSITORY / "README.md", "python"):
        run([sys.executable, "-c", body], tmp_path)


def test_yaml_blocks_are_configs() -> None:
    from promptcot.config import Config, validate

    for page in PAGES:
        for body in blocks(page, "yaml"):
            data = yaml.safe_load(body)
            if "schema" not in data:  # a concept library has its own tests
                validate(Config, data, where=page.name)
