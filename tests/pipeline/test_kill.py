"""Real kills of real processes: what was answered is never asked again, and no byte differs."""

from __future__ import annotations

import random
import resource
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import apsw
import pytest

from promptcot.errors import ConfigError
from promptcot.pipeline import ledger
from promptcot.pipeline.folder import held
from promptcot.pipeline.run import generate

SCRIPT = Path(__file__).with_name("scripted.py")
ACCEPTED = 120


def start(folder: Path, log: Path, **more: object) -> subprocess.Popen[str]:
    command = [sys.executable, str(SCRIPT), str(folder), str(log), str(ACCEPTED), "8"]
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
    """What the run makes when nothing disturbs it, and how many prompts it takes."""
    folder, backend = tmp_path_factory.mktemp("whole"), scripted.Scripted()
    settings = scripted.config(ACCEPTED)
    generate(settings, folder, parts=scripted.parts(settings, backend))
    return products(folder), len(backend.asked)


@pytest.mark.parametrize("number", range(3))
def test_killed_at_any_moment_the_run_resumes_to_the_same_bytes(number, reference, products, tmp_path):
    expected, prompts = reference
    draw, folder, log = random.Random(number), tmp_path / "run", tmp_path / "log"
    log.touch()
    for attempt in range(40):
        before, asked = answered(folder), len(log.read_text().splitlines())
        process = start(folder, log)
        assert process.stdout is not None
        assert process.stdout.readline().strip() == str(process.pid)
        if attempt < 3:
            # Kills by progress, not by the clock alone: the log says how far the process is.
            goal = asked + draw.randrange(prompts // 3)
            while process.poll() is None and log.stat().st_size < goal * 18:
                time.sleep(0.001)
            time.sleep(draw.random() * 0.02)
            process.send_signal(signal.SIGKILL)
        _, errors = process.communicate()
        new = log.read_text().splitlines()[asked:]
        assert not before & set(new), "an answered prompt was asked again"
        if process.returncode == 0:
            break
        assert process.returncode == -signal.SIGKILL, errors
    assert products(folder) == expected
    assert sorted(p.name for p in folder.iterdir() if not p.name.startswith(".")) == [
        *("README.md", "data", "ledger.sqlite", "manifest.json", "run.yaml"),
    ]


def test_a_kill_while_shards_are_written_leaves_no_manifest_and_is_made_good(
    scripted, reference, products, tmp_path, monkeypatch
):
    """As a kill would: the process ends between two files of the last step."""
    settings = scripted.config(ACCEPTED)
    from promptcot.pipeline import finish

    class Killed(BaseException):
        pass

    def dying(after: int):
        left = iter(range(after))

        def write(*args, **options):
            if next(left, None) is None:
                raise Killed
            return write_phase(*args, **options)

        return write

    write_phase = finish.write_phase
    for files in range(3):
        with monkeypatch.context() as patched:
            patched.setattr(finish, "write_phase", dying(files))
            with pytest.raises(Killed):
                generate(settings, tmp_path, parts=scripted.parts(settings, scripted.Scripted()))
        assert not (tmp_path / "manifest.json").exists()
    backend = scripted.Scripted()
    generate(settings, tmp_path, parts=scripted.parts(settings, backend))
    assert backend.asked == []
    assert products(tmp_path) == reference[0]


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
    assert products(folder) == reference[0]


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
