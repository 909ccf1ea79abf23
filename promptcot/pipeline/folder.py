"""The run folder: one run's config, held by one process at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import filelock

from promptcot import config as configs
from promptcot.config import Config
from promptcot.errors import ConfigError, ResourceError
from promptcot.pipeline import ledger
from promptcot.shards import manifest
from promptcot.shards.files import cannot_write, write_atomic

CONFIG = "run.yaml"
LOCK = ".lock"


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Makes the folder where there is none, and keeps other processes out of it.

    The operating system lets go of the lock when the process ends, however it ends: a lock
    file that was left behind holds nobody up.

    Raises:
        ConfigError: Another process works in it.
        ResourceError: It cannot be made or written to.
    """
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"{folder}: a file, and a run needs a folder", remedy="name another place")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(folder, error) from error
    lock = filelock.FileLock(folder / LOCK, timeout=0)
    try:
        lock.acquire()
    except filelock.Timeout as error:
        raise ConfigError(
            f"{folder}: another process is working in this run folder",
            remedy="wait for it, or stop it and run the same command again",
        ) from error
    except OSError as error:
        raise cannot_write(folder / LOCK, error) from error
    try:
        yield
    finally:
        lock.release()


def adopt(folder: Path, config: Config) -> None:
    """Writes the config into a new run folder, or checks that an old one is of this config.

    A folder in which nothing was answered yet, say for a misspelt name, takes another config.

    Raises:
        ConfigError: The folder is another run's, or holds something else.
    """
    path = folder / CONFIG
    if not path.exists():
        others = sorted(p.name for p in folder.iterdir() if p.name not in (LOCK, f"{CONFIG}.partial"))
        if others:
            raise ConfigError(
                f"{folder}: not a run folder, and not empty (it holds {others[0]})",
                remedy="name a new folder",
            )
        write_atomic(path, configs.dump(config).encode())
        return
    kept = configs.load(path)
    differences = configs.differences(kept, config)
    if differences and is_untouched(folder):
        write_atomic(path, configs.dump(config).encode())
    elif differences:
        raise ConfigError(
            f"{folder}: made with another config: {'; '.join(differences)}",
            remedy="name a new folder, or leave the config as it is to resume",
        )
    if (folder / manifest.NAME).exists() and not ledger.exists(folder):
        raise ResourceError(
            f"{folder}: its shards are written, but its {ledger.NAME} is gone", remedy="name a new folder"
        )


def is_untouched(folder: Path) -> bool:
    """Whether a run folder holds no answer yet, and no shards."""
    if not ledger.exists(folder):
        return not (folder / manifest.NAME).exists()
    db = ledger.read_only(folder)
    try:
        return not db.execute("SELECT count(*) FROM (SELECT 1 FROM answers LIMIT 1)").get
    finally:
        db.close()


def check_sources(folder: Path, kept: dict[str, str] | None, found: dict[str, str]) -> None:
    """Refuses to go on with other templates, libraries, models or benchmark files than were begun with.

    Raises:
        ConfigError: One of them changed; the message names it.
    """
    if kept is None or kept == found or is_untouched(folder):
        return
    names = sorted(kept.keys() | found.keys())
    changed = [f"{n}: {kept.get(n)} != {found.get(n)}" for n in names if kept.get(n) != found.get(n)]
    raise ConfigError(
        f"{folder}: what the run was made with has changed: {'; '.join(changed)}",
        remedy="put it back as it was, or name a new folder",
    )
