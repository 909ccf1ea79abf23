from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from promptcot.cli.summary import printable


def shards(run: Path) -> dict[str, bytes]:
    files = [*run.glob("data/*/*.parquet"), run / "manifest.json"]
    return {str(path.relative_to(run)): path.read_bytes() for path in sorted(files)}


def test_results_go_to_stdout_and_progress_to_stderr(process) -> None:
    done = process("generate", "run", "-n", "30", "--seed", "2")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0].startswith("run: finished; 30 of 30 accepted out of ")
    for heading in ("Funnel", "Phases", "Difficulty", "Next"):
        assert heading in done.stdout.splitlines()
    assert done.stderr.splitlines()[0].startswith("30 problems to accept; stages: author, ")
    assert "\x1b" not in done.stdout + done.stderr
    assert all(line == line.rstrip() for line in done.stdout.splitlines())


def test_finished_run_is_left_as_it_is(process, tmp_path: Path) -> None:
    assert process("generate", "run", "-n", "20").returncode == 0
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "run").rglob("*.parquet")}
    again = process("generate", "run")  # the folder knows its own config
    assert again.returncode == 0, again.stderr
    assert "finished before" in again.stderr
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "run").rglob("*.parquet")} == before


def test_run_that_falls_short_says_what_it_dropped(process, tmp_path: Path) -> None:
    done = process("generate", "run", "-n", "50", "-o", "target.max_recipes=12")
    assert done.returncode == 11, done.stderr
    assert "error: run: " in done.stderr
    assert "of 50 problems accepted from 12 recipes" in done.stderr
    assert "  try: " in done.stderr
    assert "Funnel" in done.stdout
    assert (tmp_path / "run" / "manifest.json").is_file()


def test_interrupted_run_says_how_to_go_on_and_ends_with_the_same_bytes(process, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "promptcot", "generate", "run", "-n", "200", "--seed", "5"]
    started = subprocess.Popen(
        command, cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert started.stderr is not None
    first = started.stderr.readline()  # said when the work begins
    assert first.startswith("200 problems to accept"), first
    started.send_signal(signal.SIGINT)
    _, err = started.communicate(timeout=60)
    assert started.returncode == 130, err
    assert "Traceback" not in err
    last = err.splitlines()[-1]
    assert last.startswith("stopped: ")
    assert "run the same command again" in last
    assert not (tmp_path / "run" / "manifest.json").exists()
    done = process("generate", "run")
    assert done.returncode == 0, done.stderr
    assert process("generate", "whole", "-n", "200", "--seed", "5").returncode == 0
    assert shards(tmp_path / "run") == shards(tmp_path / "whole")


def test_terminal_gets_a_live_table(tmp_path: Path) -> None:
    controller, terminal = pty.openpty()
    command = [sys.executable, "-m", "promptcot", "generate", "run", "-n", "30"]
    environment = {**os.environ, "COLUMNS": "100", "TERM": "xterm-256color"}
    with subprocess.Popen(
        command, cwd=tmp_path, stdin=terminal, stdout=terminal, stderr=terminal, env=environment
    ) as started:
        os.close(terminal)
        seen = b""
        try:
            while part := os.read(controller, 65536):
                seen += part
        except OSError:
            pass  # Linux says so when the other end is closed
    os.close(controller)
    text = seen.decode()
    assert started.returncode == 0, text
    assert "\x1b[2K" in text  # a line that is drawn again
    assert "duplicates" in text
    assert "30/30 accepted" in text
    assert "error" not in text


def test_inspect_as_json(invoke, small_run: Path) -> None:
    result = invoke("inspect", small_run, "--json", "--sample", "4")
    assert result.exit_code == 0
    data = json.loads(result.stdout)
    assert data["summary"]["accepted"] == 40
    assert data["summary"]["complete"] is True
    assert len(data["examples"]) == 4
    assert all(example["answer"] for example in data["examples"])


def test_inspect_shows_problems_and_counts(invoke, small_run: Path) -> None:
    counts = invoke("inspect", small_run).stdout
    assert "40 of 40 accepted" in counts
    assert "Domains" in counts
    assert "symbolic" in counts
    first, second = (invoke("inspect", small_run, "--sample", "2").stdout for _ in range(2))
    assert first == second
    assert first.count("\n  answer  ") == 2
    assert first.count("\n  rationale\n") == 2
    assert invoke("inspect", small_run, "--rejected").exit_code == 0


def test_inspect_shows_the_problems_of_one_concept(invoke, small_run: Path) -> None:
    examples = json.loads(invoke("inspect", small_run, "--json", "--sample", "40").stdout)["examples"]
    concept = examples[0]["concepts"][0]
    of_it = [e["id"] for e in examples if concept in e["concepts"]]
    chosen = invoke("inspect", small_run, "--json", "--sample", "40", "--concept", concept).stdout
    assert [e["id"] for e in json.loads(chosen)["examples"]] == of_it
    none = invoke("inspect", small_run, "--sample", "1", "--concept", "none.such")
    assert none.exit_code == 4
    assert "no problem was made of 'none.such'" in none.stderr
    assert invoke("inspect", small_run, "--concept", concept).exit_code == 2


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\nb", "a\nb"),
        ("\x1b[2Jx", "\N{REPLACEMENT CHARACTER}[2Jx"),
        ("\u202ex", "\N{REPLACEMENT CHARACTER}x"),
    ],
)
def test_words_cannot_drive_the_terminal(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_report_prints_its_path(invoke, process, tmp_path: Path) -> None:
    assert process("generate", "run", "-n", "20").returncode == 0
    result = invoke("report", tmp_path / "run")
    assert result.exit_code == 0, result.output
    assert Path(result.stdout.strip()) == (tmp_path / "run" / "report.html").resolve()
    assert "20 problems accepted" in (tmp_path / "run" / "report.html").read_text()


def test_benchmark_keeps_its_problems_out(invoke, tmp_path: Path) -> None:
    from promptcot.records import to_json
    from promptcot.shards.reader import open_shards

    def rows(folder: Path) -> set[str]:
        shards = open_shards(folder)
        return {row.prompt for phase in (*shards.phases, "held-out") for row in shards.rows(phase)}

    assert invoke("generate", tmp_path / "all", "-n", "20").exit_code == 0
    known = max(rows(tmp_path / "all"), key=len)
    benchmark = tmp_path / "benchmark.jsonl"
    benchmark.write_bytes(to_json({"problem": known}) + b"\n")
    result = invoke("generate", tmp_path / "apart", "-n", "20", "--benchmark", benchmark)
    assert result.exit_code == 0
    assert known not in rows(tmp_path / "apart")
    assert "benchmark.jsonl" in (tmp_path / "apart" / "README.md").read_text()
