from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from promptcot.cli.app import cli

# Torch's threads fight for the cores that pytest's workers share: one each, here and in what is started.
os.environ.setdefault("OMP_NUM_THREADS", "1")

Invoke = Callable[..., Result]
Process = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def invoke() -> Invoke:
    """Runs a command in this process."""

    def run(*arguments: str | Path) -> Result:
        return CliRunner().invoke(cli, [str(argument) for argument in arguments])

    return run


@pytest.fixture
def process(tmp_path: Path) -> Process:
    """Runs a command as a user would, in an empty folder."""

    def run(*arguments: str | Path, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "promptcot", *map(str, arguments)]
        environment = {**os.environ, **(env or {})}
        return subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120, check=False
        )

    return run


@pytest.fixture(scope="session")
def small_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of 40 problems. Tests do not write into it."""
    folder = tmp_path_factory.mktemp("runs") / "small"
    result = CliRunner().invoke(cli, ["generate", str(folder), "-n", "40", "--seed", "3"])
    assert result.exit_code == 0, result.output
    return folder
