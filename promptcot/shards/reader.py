"""Reads shards in bounded memory, after checking that they are what their manifest says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from promptcot.errors import ShardError
from promptcot.records import Example
from promptcot.shards import manifest as manifests
from promptcot.shards.files import sha256
from promptcot.shards.manifest import HELD_OUT, Manifest, PhaseFiles, ShardFile
from promptcot.shards.table import from_batch, schema

_BATCH = 256
_MAX_ROW_GROUP = 1 << 30  # uncompressed bytes that a row group may claim: a bound on what a reader decodes


@dataclass(frozen=True, slots=True)
class ShardSet:
    """The shards of a run folder.

    Attributes:
        folder: The run folder.
        manifest: Its manifest.
        phases: Names of the training phases in curriculum order; ``held-out`` is not among them.
    """

    folder: Path
    manifest: Manifest
    phases: tuple[str, ...]
    _files: Mapping[str, PhaseFiles]

    def count(self, phase: str) -> int:
        """Rows of a phase, or of ``held-out``."""
        return self._phase(phase).rows

    def rows(self, phase: str) -> Iterator[Example]:
        """The examples of a phase (or of ``held-out``) in their order, one batch in memory at a time.

        Raises:
            ShardError: There is no such phase, or a file is not the one of the manifest.
        """
        for file in self._phase(phase).files:
            self._check(file)
            yield from self._read(file)

    def verify(self) -> None:
        """Checks every file against the manifest.

        Raises:
            ShardError: A file is missing, truncated or changed.
        """
        for phase in self._files.values():
            for file in phase.files:
                self._check(file)

    def _phase(self, name: str) -> PhaseFiles:
        if name not in self._files:
            raise ShardError(f"{self.folder}: no phase {name!r}; it has {', '.join(self._files)}")
        return self._files[name]

    def _check(self, file: ShardFile) -> None:
        path = self.folder / file.path
        remedy = "run `promptcot generate` on the folder again to write its shards anew"
        try:
            size = path.stat().st_size
            if size != file.bytes:
                raise ShardError(f"{path}: {size} bytes, the manifest says {file.bytes}", remedy=remedy)
            if sha256(path) != file.sha256:
                raise ShardError(f"{path}: its content is not that of the manifest", remedy=remedy)
        except OSError as error:
            raise ShardError(f"cannot read {path}: {error.strerror or error}", remedy=remedy) from error

    def _read(self, file: ShardFile) -> Iterator[Example]:
        import pyarrow as pa
        import pyarrow.parquet as pq

        path = self.folder / file.path
        try:
            with pq.ParquetFile(path, page_checksum_verification=True) as parquet:
                if not parquet.schema_arrow.equals(schema()):
                    raise ShardError(f"{path}: its columns are not those of a shard")
                _refuse_bombs(parquet, path)
                for batch in parquet.iter_batches(batch_size=_BATCH):
                    yield from from_batch(batch, str(path))
        except (pa.ArrowException, OSError) as error:
            raise ShardError(f"{path}: not readable as Parquet: {error}") from error


def open_shards(folder: Path) -> ShardSet:
    """Opens the shards of a run folder. Files are checked when they are read.

    Raises:
        ShardError: There is no manifest, or it names a file outside the folder.
    """
    manifest = manifests.read(folder)
    files = {phase.name: phase for phase in manifest.every_phase()}
    for phase in files.values():
        for file in phase.files:
            if Path(file.path).is_absolute() or ".." in Path(file.path).parts:
                raise ShardError(f"{folder / manifests.NAME}: {file.path} leads out of the folder")
    return ShardSet(folder, manifest, tuple(name for name in files if name != HELD_OUT), files)


def _refuse_bombs(parquet: object, path: Path) -> None:
    metadata = parquet.metadata  # type: ignore[attr-defined]
    for index in range(metadata.num_row_groups):
        if metadata.row_group(index).total_byte_size > _MAX_ROW_GROUP:
            raise ShardError(f"{path}: row group {index} unpacks to more than {_MAX_ROW_GROUP >> 20} MiB")
