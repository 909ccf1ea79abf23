from __future__ import annotations

import errno
import os
import subprocess
import sys

import click
import pytest

from promptcot.cli.boundary import boundary
from promptcot.errors import BackendError, ConfigError, YieldError


def ended(
    error: BaseException, capsys: pytest.CaptureFixture[str], *, debug: bool = False
) -> tuple[int, str]:
    with pytest.raises(SystemExit) as stop, boundary(debug=debug):
        raise error
    out, err = capsys.readouterr()
    assert out == ""
    assert isinstance(stop.value.code, int)
    return stop.value.code, err


def test_an_error_of_ours_is_a_line_and_its_remedy(capsys: pytest.CaptureFixture[str]) -> None:
    error = ConfigError("run.yaml: unknown key 'sed'", remedy="did you mean seed?")
    assert ended(error, capsys) == (3, "error: run.yaml: unknown key 'sed'\n  try: did you mean seed?\n")


def test_an_error_without_a_remedy_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert ended(YieldError("nothing kept"), capsys) == (11, "error: nothing kept\n")


def test_a_message_of_many_lines_becomes_one(capsys: pytest.CaptureFixture[str]) -> None:
    code, text = ended(BackendError("the server said:\n  no\n\n  never"), capsys)
    assert (code, text) == (5, "error: the server said: no never\n")


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "No space left on device"),
        (errno.EACCES, "Permission denied"),
        (errno.ENOENT, "No such file"),
    ],
)
def test_errors_of_files_name_the_place_and_what_to_do(
    number: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, text = ended(OSError(number, os.strerror(number), "data/part-00000.parquet"), capsys)
    assert code == 4
    assert text.startswith(f"error: data/part-00000.parquet: {words}")
    assert "\n  try: " in text


def test_interruption_says_how_to_go_on(capsys: pytest.CaptureFixture[str]) -> None:
    assert ended(KeyboardInterrupt(), capsys) == (130, "stopped: run the same command again to go on\n")
    assert ended(KeyboardInterrupt("stopped with 3 of 9"), capsys) == (130, "stopped: with 3 of 9\n")


def test_a_defect_is_a_line_that_says_where(capsys: pytest.CaptureFixture[str]) -> None:
    code, text = ended(ZeroDivisionError("division by zero"), capsys)
    assert code == 1
    first, second = text.splitlines()
    assert first.startswith("error: unexpected ZeroDivisionError: division by zero (at cli/test_boundary.py:")
    assert "--debug" in second


def test_debug_shows_the_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    code, text = ended(ConfigError("no"), capsys, debug=True)
    assert code == 3
    assert text.startswith("Traceback (most recent call last):")
    assert text.endswith("error: no\n")


def test_wrong_usage_is_left_to_click() -> None:
    with pytest.raises(click.UsageError), boundary(debug=False):
        raise click.UsageError("no")


def test_a_reader_that_goes_away_is_no_error() -> None:
    command = f"{sys.executable} -m promptcot prompts show author-math | head -c 1"
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}"], capture_output=True, text=True, check=False
    )
    assert "Traceback" not in done.stderr
    assert done.stderr == ""
