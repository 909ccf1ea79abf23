"""Bad input ends a command with one clear line, the exit code of its kind, no traceback, and nothing lost."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

CYCLE = """
schema: 1
name: circle
concepts:
  - {id: a.one, name: One, description: The first., domain: a, level: 1, prerequisites: [a.two]}
  - {id: a.two, name: Two, description: The second., domain: a, level: 1, prerequisites: [a.one]}
"""
UNDEFINED = """{% extends "promptcot:author-math" %}
{% block request %}
Set a problem about {{ conceptz }}.
{% endblock %}
"""


def refused(result, code: int, *words: str, after: int = 0) -> None:
    """It ended with this code, a line of error and perhaps a remedy, which hold `words`, and nothing else.

    Args:
        after: Lines of progress that come before.
    """
    assert result.exit_code == code, result.output
    lines = result.stderr.strip().splitlines()[after:]
    assert lines[0].startswith("error: "), result.stderr
    assert len(lines) <= 2
    assert all(line.startswith("  try: ") for line in lines[1:])
    for word in words:
        assert word in result.stderr, result.stderr
    assert "Traceback" not in result.stderr


def content(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture
def copied(small_run: Path, tmp_path: Path) -> Path:
    return shutil.copytree(small_run, tmp_path / "copied")


def test_missing_config(invoke, tmp_path: Path) -> None:
    refused(
        invoke("generate", tmp_path / "run", "-c", tmp_path / "no.yaml"),
        4,
        "no.yaml",
        "No such file",
        "try: check the path",
    )
    assert not (tmp_path / "run").exists()


def test_unreadable_config(invoke, tmp_path: Path) -> None:
    refused(invoke("generate", tmp_path / "run", "-c", tmp_path), 4, str(tmp_path))
    (tmp_path / "latin.yaml").write_bytes(b"graph: caf\xe9\n")
    refused(invoke("generate", tmp_path / "run", "-c", tmp_path / "latin.yaml"), 4, "latin.yaml", "UTF-8")
    assert not (tmp_path / "run").exists()


def test_config_that_is_no_yaml_names_the_line(invoke, tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("graph: symbolic-core\ntarget: {accepted: 3\nroles: {}\n")
    refused(invoke("generate", tmp_path / "run", "-c", tmp_path / "c.yaml"), 3, "c.yaml:")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("targt: {accepted: 3}", ["'targt'", "did you mean 'target'?"]),
        ("target: {acepted: 3}", ["'acepted'", "did you mean 'accepted'?"]),
        ("target: {accepted: many}", ["target.accepted"]),
        ("target: {accepted: 0}", ["target.accepted"]),
        ("graph: symbolic-cor", ["'symbolic-cor'", "did you mean 'symbolic-core'?"]),
        ("roles: {author: big}", ["roles.author", "'big'"]),
        ("backends: {big: {kind: opnai}}\nroles: {author: big}", ["'opnai'", "did you mean 'openai'?"]),
        ("filters: [{rule: judg}]", ["'judg'", "did you mean 'judge'?"]),
        ("filters: [{rule: judge, strictt: 1}]", ["strictt"]),
        ("curriculum: {arrange: easy-to-hrd}", ["'easy-to-hrd'", "did you mean 'easy-to-hard'?"]),
        ("templates: {author: author-mth}", ["'author-mth'", "did you mean 'author-math'?"]),
        ("sampling: {domains: [astrology]}", ["astrology"]),
    ],
)
def test_config_with_a_mistake(invoke, tmp_path: Path, text: str, words: list[str]) -> None:
    (tmp_path / "c.yaml").write_text(text)
    result = invoke("generate", tmp_path / "run", "-c", tmp_path / "c.yaml")
    refused(result, result.exit_code, *words)
    assert result.exit_code in (3, 4)
    assert not list((tmp_path / "run").rglob("*.parquet"))


def test_folder_is_free_for_the_right_config_after_a_wrong_one(invoke, tmp_path: Path) -> None:
    refused(invoke("generate", tmp_path / "run", "-n", "3", "-o", "graph=symbolic-cor"), 4)
    (tmp_path / "c.yaml").write_text("target: {accepted: 3}")
    result = invoke("generate", tmp_path / "run", "-c", tmp_path / "c.yaml")
    assert result.exit_code == 0, result.output


def test_misspelt_name_is_not_kept_as_the_config_of_a_new_folder(invoke, tmp_path: Path) -> None:
    refused(
        invoke("generate", tmp_path / "run", "-o", "graph=symbolic-coree"), 4, "did you mean 'symbolic-core'"
    )
    assert invoke("generate", tmp_path / "run", "-n", "5").exit_code == 0


@pytest.mark.parametrize("override", ["target", "=3", "graph.name=x", "target.sed=3", "target.seed=[1"])
def test_override_with_a_mistake(invoke, tmp_path: Path, override: str) -> None:
    refused(invoke("generate", tmp_path / "run", "-o", override), 3)
    assert not (tmp_path / "run").exists()


def test_graph_with_a_circle(invoke, tmp_path: Path) -> None:
    (tmp_path / "circle.yaml").write_text(CYCLE)
    words = ("circle.yaml:", "circle: a.one -> a.two -> a.one")
    refused(invoke("generate", tmp_path / "run", "-o", f"graph={tmp_path / 'circle.yaml'}"), 4, *words)
    result = invoke("concepts", "check", tmp_path / "circle.yaml")
    assert result.exit_code == 4
    assert "circle: a.one -> a.two -> a.one" in result.stdout


def test_template_with_an_undefined_variable(invoke, tmp_path: Path) -> None:
    (tmp_path / "mine.jinja").write_text(UNDEFINED)
    words = ("mine", "conceptz")
    override = f"templates.author={tmp_path / 'mine.jinja'}"
    refused(invoke("generate", tmp_path / "run", "-n", "3", "-o", override), 4, *words)
    refused(invoke("prompts", "render", tmp_path / "mine.jinja"), 4, *words)
    (tmp_path / "mine.jinja").write_text(UNDEFINED.replace("conceptz", "domain"))
    result = invoke("generate", tmp_path / "run", "-n", "3", "-o", override)  # mended: the folder is free
    assert result.exit_code == 0, result.output


def test_unknown_template_library_and_concept(invoke) -> None:
    refused(invoke("prompts", "show", "juge"), 4, "did you mean 'judge'?")
    refused(invoke("concepts", "show", "symbolic-cor"), 4, "did you mean 'symbolic-core'?")
    refused(invoke("concepts", "show", "symbolic-core", "arithmetic.ad"), 4, "did you mean 'arithmetic.add'?")


def test_run_of_another_config_is_refused_and_left_as_it_was(invoke, copied: Path) -> None:
    before = content(copied)
    result = invoke("generate", copied, "--seed", "4")
    refused(result, 3, "target.seed", "4", "3")
    assert content(copied) == before


@pytest.mark.parametrize("command", ["inspect", "report", "train", "evaluate"])
def test_folder_that_is_no_run(invoke, tmp_path: Path, command: str) -> None:
    refused(invoke(command, tmp_path / "no"), 4, "no such run folder", "promptcot generate")
    refused(invoke(command, tmp_path), 4, "not a run folder", "run.yaml")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", [("inspect", "--sample", "2"), ("report",)])
def test_damaged_shard(invoke, copied: Path, command: tuple[str, ...]) -> None:
    path = next(copied.glob("data/*/part-00000.parquet"))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)
    refused(invoke(command[0], copied, *command[1:]), 8, path.name, "promptcot generate")


def test_ledger_that_is_none(invoke, copied: Path) -> None:
    (copied / "ledger.sqlite").write_bytes(b"not a database, but as long as a header of one would be" * 4)
    before = content(copied)
    result = invoke("inspect", copied)
    refused(result, result.exit_code, "ledger.sqlite")
    assert result.exit_code in (3, 4)
    assert content(copied) == before


def test_train_without_torch_says_so(small_run: Path) -> None:
    code = f"""
import sys
sys.modules["torch"] = None
from promptcot.cli import main
sys.argv = ["promptcot", "train", {str(small_run)!r}]
main()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 4
    assert done.stderr.startswith("error: torch cannot be imported")
    assert "promptcot doctor" in done.stderr


@pytest.mark.parametrize(
    "option", [("--seconds", "0"), ("--epochs", "-1"), ("--recipe", "smal"), ("-o", "lrr=1")]
)
def test_train_with_a_mistake(invoke, small_run: Path, option: tuple[str, str]) -> None:
    result = invoke("train", small_run, *option)
    assert result.exit_code in (2, 3)
    assert "Traceback" not in result.stderr
    assert not (small_run / "model").exists()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB."""
    place = tmp_path / "disk"
    place.mkdir()
    if os.geteuid() != 0 or not shutil.which("mount"):
        pytest.skip("only root can mount a small disk")
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting is not allowed here")
    yield place
    subprocess.run(["umount", str(place)], check=True, capture_output=True)


def test_full_disk_is_said_and_the_same_command_goes_on(process, small_disk: Path) -> None:
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(400_000))
    command = ("generate", small_disk / "run", "-n", "150", "--seed", "1")
    done = process(*command)
    assert done.returncode == 4, done.stderr
    said = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(said) == 1
    assert str(small_disk) in said[0]
    assert "Traceback" not in done.stderr
    assert not (small_disk / "run" / "manifest.json").exists()
    ballast.unlink()
    subprocess.run(["mount", "-o", "remount,size=64m", str(small_disk)], check=True, capture_output=True)
    done = process(*command)
    assert done.returncode == 0, done.stderr
    assert (small_disk / "run" / "manifest.json").is_file()
