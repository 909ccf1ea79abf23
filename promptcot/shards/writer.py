"""Writes examples as Parquet whose bytes depend on nothing but the rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import Any

from promptcot.errors import ResourceError
from promptcot.records import Example
from promptcot.shards.files import replacing, sha256
from promptcot.shards.manifest import PhaseFiles, ShardFile
from promptcot.shards.table import schema, to_table

DATA = "data"
ROW_GROUP = 1024
"""Rows held in memory at once, and the size of a row group."""

_SETTINGS: dict[str, Any] = {
    "version": "2.6",
    "compression": "zstd",
    "compression_level": 3,
    "data_page_version": "1.0",
    "write_page_checksum": True,  # without it a flipped bit can read as other text, silently
    "write_statistics": True,
    "use_dictionary": ["answer_kind", "domain", "phase", "author"],
}


def write_phase(folder: Path, phase: str, examples: Iterable[Example], *, max_rows: int) -> PhaseFiles:
    """Writes the examples of a phase under ``folder/data/phase``, in their order; of none, no file.

    Args:
        max_rows: Rows of one file.

    Raises:
        ResourceError: A file cannot be written.
    """
    place = folder / DATA / phase
    rows = iter(examples)
    files: list[ShardFile] = []
    while (first := next(rows, None)) is not None:
        part = chain((first,), islice(rows, max_rows - 1))
        files.append(_write_file(folder, place / f"part-{len(files):05d}.parquet", part))
    _remove_others(place, keep={Path(file.path).name for file in files})
    return PhaseFiles(name=phase, rows=sum(file.rows for file in files), files=tuple(files))


def _write_file(folder: Path, path: Path, examples: Iterable[Example]) -> ShardFile:
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = 0
    try:
        # The writer is the inner one: it has closed the file when that is synced and renamed.
        with replacing(path) as temporary, pq.ParquetWriter(temporary, schema(), **_SETTINGS) as writer:
            for group in _groups(examples):
                writer.write_table(to_table(group), row_group_size=ROW_GROUP)
                rows += len(group)
    except pa.ArrowException as error:
        raise ResourceError(f"cannot write {path}: {error}") from error
    name = path.relative_to(folder).as_posix()
    return ShardFile(path=name, rows=rows, bytes=path.stat().st_size, sha256=sha256(path))


def _groups(examples: Iterable[Example]) -> Iterator[list[Example]]:
    rows = iter(examples)
    while group := list(islice(rows, ROW_GROUP)):
        yield group


def _remove_others(place: Path, *, keep: set[str]) -> None:
    """Removes parts that an earlier, interrupted attempt left."""
    for path in place.glob("part-*"):
        if path.name not in keep:
            path.unlink()
