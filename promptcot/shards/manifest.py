"""The manifest of a run's shards: what was made, from what, and the hash of every file.

It is written last, so its presence says that the shards are whole. It holds nothing that
differs between two runs of one config on equal completions: no times, no paths of a machine.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from promptcot.errors import ShardError
from promptcot.records import HELD_OUT as HELD_OUT
from promptcot.records import Record

NAME = "manifest.json"
FORMAT = 1


class ShardFile(Record, frozen=True):
    """One Parquet file.

    Attributes:
        path: Relative to the run folder, with forward slashes.
        bytes: Size of the file.
        sha256: Of its content, hexadecimal.
    """

    path: str
    rows: int
    bytes: int
    sha256: str


class PhaseFiles(Record, frozen=True):
    """A phase of the curriculum (or ``held-out``) and the files that hold it, in order."""

    name: str
    rows: int
    files: tuple[ShardFile, ...] = ()


class StageCount(Record, frozen=True):
    """How many recipes met a stage, and how many went on to the next one."""

    name: str
    entered: int
    kept: int


class ReasonCount(Record, frozen=True):
    """How many recipes were dropped at `stage` for `reason`."""

    stage: str
    reason: str
    count: int


class Manifest(Record, frozen=True):
    """Everything that is said of a finished run beside its rows.

    Attributes:
        format: Version of the shard format.
        promptcot: Version of the package that wrote the shards, and `pyarrow` that of the writer.
        config: Fingerprint of the config.
        sources: What the run was made with by name: graph, templates, backends, filters; each with
            its hash or identity.
        asked: Recipes up to and including that of the last accepted problem.
        phases: Training phases in curriculum order; `held_out` is kept apart.
        certificates: What filters certify, by rule, such as the benchmarks a run was checked against.
    """

    format: int
    promptcot: str
    pyarrow: str
    config: str
    graph: str
    seed: int
    completion: str
    sources: dict[str, str]
    target: int
    asked: int
    accepted: int
    phases: tuple[PhaseFiles, ...]
    held_out: PhaseFiles
    tiers: dict[str, int]
    domains: dict[str, int]
    funnel: tuple[StageCount, ...]
    rejections: tuple[ReasonCount, ...]
    certificates: dict[str, Any] = msgspec.field(default_factory=dict)

    def every_phase(self) -> tuple[PhaseFiles, ...]:
        """The training phases and the held-out one."""
        return (*self.phases, self.held_out)


def encode(manifest: Manifest) -> bytes:
    """The manifest as indented JSON with keys in a fixed order."""
    compact = msgspec.json.encode(manifest, order="deterministic")
    return msgspec.json.format(compact, indent=2) + b"\n"


def read(folder: Path) -> Manifest:
    """Reads the manifest of a run folder.

    Raises:
        ShardError: There is none, or it is not a manifest of this format.
    """
    path = folder / NAME
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise ShardError(
            f"{folder}: no {NAME}", remedy="a run has one when `promptcot generate` has finished"
        ) from error
    except OSError as error:
        raise ShardError(f"cannot read {path}: {error.strerror or error}") from error
    try:
        manifest = msgspec.json.decode(data, type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ShardError(
            f"{path}: not a manifest: {error}", remedy="run `promptcot generate` on it again"
        ) from error
    if manifest.format != FORMAT:
        raise ShardError(f"{path}: format {manifest.format}, this version reads {FORMAT}")
    return manifest
