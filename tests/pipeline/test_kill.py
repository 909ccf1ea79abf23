"""Real kills of real processes: what was answered is never asked again, and no byte differs."""

from __future__ import annotations

import resource
import signal
import subprocess
import sys
import threading
from pathlib import Path

import apsw
import pytest

from promptcot.errors import ConfigError
from promptcot.pipeline import ledger
from promptcot.pipeline.folder import held
from promptcot.pipeline.run import generate

SCRIPT = Path(__file__).with_name("scripted.py")
ACCEPTED = 120


def start(
    folder: Path, log: Path, kill: tuple[str, int] | None = None, **more: object
) -> subprocess.Popen[str]:
    command = [sys.executable, str(SCRIPT), str(folder), str(log), str(ACCEPTED), "8", *map(str, kill or ())]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more)


def answered(folder: Path) -> set[str]:
    """Ids of the prompts whose answers are in the ledger."""
    if not (folder / ledger.NAME).exists():
        return set()
    db = apsw.Connection(str(folder / ledger.NAME))
    try:
        rows = db.execute("SELECT ordinal, role, sample FROM answers").fetchall()
    except apsw.SQLError:  # killed before the tables were made
        rows = []
    finally:
        db.close()
    return {f"r{ordinal:08d}/{role}/{sample}" for ordinal, role, sample in rows}


@pytest.fixture(scope="module")
def reference(scripted, products, tmp_path_factory):
    """What the run makes when nothing disturbs it."""
    folder, settings = tmp_path_factory.mktemp("whole"), scripted.config(ACCEPTED)
    generate(settings, folder, parts=scripted.parts(settings, scripted.Scripted()))
    return products(folder)


POINTS = (
    # Each process resumes what the one before left: (point, how often it is passed before the kill).
    (("commit", 1), ("committed", 1), ("ask", 1), ("committed", 4)),
    (("ask", 150), ("commit", 9), ("sync", 1), ("sync", 2)),
    (("committed", 12), ("ask", 200), ("sync", 4), ("sync", 7), ("sync", 9)),
)


@pytest.mark.parametrize("points", POINTS)
def test_killed_at_any_point_the_run_resumes_to_the_same_bytes(points, reference, products, tmp_path):
    folder, log = tmp_path / "run", tmp_path / "log"
    log.touch()
    for point in (*points, None):
        before, asked = answered(folder), len(log.read_text().splitlines())
        process = start(folder, log, point)
        _, errors = process.communicate()
        assert process.returncode == (-signal.SIGKILL if point else 0), errors
        new = log.read_text().splitlines()[asked:]
        assert not before & set(new), "an answered prompt was asked again"
        assert point is None or not (folder / "manifest.json").exists() or point[1] > 8
    assert products(folder) == reference
    assert sorted(p.name for p in folder.iterdir() if not p.name.startswith(".")) == [
        *("README.md", "data", "ledger.sqlite", "manifest.json", "run.yaml"),
    ]


@pytest.mark.parametrize("limit", [90_000, 300_000])
def test_a_full_disk_stops_cleanly_and_the_run_goes_on_with_more_room(limit, reference, products, tmp_path):
    folder, log = tmp_path / "run", tmp_path / "log"

    def no_more_room() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    process = start(folder, log, preexec_fn=no_more_room)
    _, errors = process.communicate()
    assert process.returncode != 0
    assert "ResourceError: cannot write" in errors
    assert "run the same command again" in errors
    before = answered(folder)
    asked = len(log.read_text().splitlines())
    again = start(folder, log)
    again.communicate()
    assert again.returncode == 0
    assert not before & set(log.read_text().splitlines()[asked:])
    assert products(folder) == reference


def test_a_second_process_is_refused_while_the_first_one_lives(scripted, tmp_path):
    settings = scripted.config(5)
    inside, leave = threading.Event(), threading.Event()

    def hold() -> None:
        with held(tmp_path):
            inside.set()
            leave.wait(30)

    thread = threading.Thread(target=hold)
    thread.start()
    inside.wait(30)
    try:
        with pytest.raises(ConfigError, match="another process is working in this run folder"):
            generate(settings, tmp_path, parts=scripted.parts(settings, scripted.Scripted()))
    finally:
        leave.set()
        thread.join()
    assert (tmp_path / ".lock").exists()  # a lock that is left behind holds nobody up
    assert generate(settings, tmp_path, parts=scripted.parts(settings, scripted.Scripted())).complete
