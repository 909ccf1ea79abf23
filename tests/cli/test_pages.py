"""What the documentation says of the commands is what the commands say and do."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from promptcot.cli.app import cli
from promptcot.cli.pages import commands, help_of, page

PAGE = Path(__file__).resolve().parents[2] / "docs" / "commands.md"
ALL = list(commands())


def test_page_is_what_help_says() -> None:
    assert PAGE.read_text() == page(), "run: python -m promptcot.cli.pages > docs/commands.md"


@pytest.mark.parametrize(("path", "command"), ALL, ids=[" ".join(path) for path, _ in ALL])
def test_help_on_a_wide_terminal_is_the_page_s(path: tuple[str, ...], command: click.Command) -> None:
    result = CliRunner().invoke(cli, [*path[1:], "--help"], prog_name="promptcot", terminal_width=96)
    assert result.exit_code == 0
    assert result.output.rstrip() == help_of(path, command).rstrip()


def examples() -> list[str]:
    """Every example line of every help, each once, in the order of the work."""
    found: dict[str, None] = {}
    for path, command in ALL:
        _, _, after = help_of(path, command).partition("Example:")
        found |= dict.fromkeys(re.findall(r"^ +(promptcot .*)$", after.split("Options:")[0], re.MULTILINE))
    return list(found)


@pytest.mark.slow
def test_every_example_of_the_help_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In one folder, in their order, as a reader would type them; only times and sizes are made small."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my-prompts").mkdir()
    (tmp_path / "my-concepts").mkdir()
    lines = examples()
    assert len(lines) > 20
    for line in lines:
        arguments = shlex.split(line)[1:]
        if arguments[0] == "train":
            small = {"30": "3", "1": "0.05"}
            arguments = [small.get(word, word) for word in arguments]
        result = CliRunner().invoke(cli, arguments)
        assert result.exit_code == 0, f"{line}\n{result.output}"
    assert (tmp_path / "runs" / "first" / "report.html").is_file()
