"""Files that are either whole or absent: temporary name, fsync, rename, fsync of the folder."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from promptcot.errors import ResourceError

_SUFFIX = ".partial"


def write_atomic(path: Path, data: bytes) -> None:
    """Writes `data` so that `path` holds all of it or what it held before, whatever happens.

    Raises:
        ResourceError: The file cannot be written, for example because the disk is full.
    """
    with replacing(path) as temporary:
        temporary.write_bytes(data)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Gives a temporary path to write, and puts it in the place of `path` when the block ends well.

    Raises:
        ResourceError: The operating system refuses; what was at `path` is untouched.
    """
    temporary = path.with_name(path.name + _SUFFIX)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        _sync(temporary)
        os.replace(temporary, path)
        _sync(path.parent)
    except OSError as error:
        raise cannot_write(path, error) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def cannot_write(path: Path, error: OSError) -> ResourceError:
    """The error for a write that the operating system refused."""
    full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    remedy = "free some space" if full else "check the path and its permissions"
    return ResourceError(
        f"cannot write {path}: {error.strerror or error}", remedy=f"{remedy}, and run the same command again"
    )


def sha256(path: Path) -> str:
    """Hash of a file's content, read in bounded pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
