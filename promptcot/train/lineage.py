"""Where a model comes from: ``lineage.json``, written last, says what a model folder was made of."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from promptcot import __version__
from promptcot.errors import CheckpointError, ConfigError
from promptcot.seeding import fingerprint
from promptcot.shards.files import sha256, write_atomic
from promptcot.shards.manifest import NAME as MANIFEST
from promptcot.shards.reader import ShardSet
from promptcot.ssd.model import PRESETS, ModelConfig, preset
from promptcot.train import checkpoint as checkpoints
from promptcot.train.recipe import TrainConfig

__all__ = ["LINEAGE", "TrainResult", "finished", "identity", "other_model", "read_lineage", "write_lineage"]

LINEAGE = "lineage.json"
_FORMAT = 1


@dataclass(frozen=True, slots=True)
class TrainResult:
    """What a training came to.

    Attributes:
        folder: The model folder.
        tokens: Read in all; `supervised` of them were learned.
        loss: Mean of the last tenth of the steps.
        documents: In the shards, without `too_long` ones that were left out.
        resumed_at: Step of the checkpoint from which it went on; 0 is none.
    """

    folder: Path
    steps: int
    tokens: int
    supervised: int
    seconds: float
    loss: float
    parameters: int
    documents: int
    too_long: int
    resumed_at: int


def identity(folder: Path, recipe: TrainConfig) -> str:
    """Hash of all that decides what a training makes: shards, recipe and first weights."""
    return fingerprint(recipe.fingerprint(), sha256(folder / MANIFEST), _base_hash(recipe))


def finished(out: Path, identity: str) -> TrainResult | None:
    """The result of a training that is done already.

    Raises:
        ConfigError: It was another training.
        CheckpointError: The folder is not what was written.
    """
    if not (out / LINEAGE).exists():
        return None
    lineage = read_lineage(out)
    if lineage["identity"] != identity:
        raise other_model(out)
    return TrainResult(folder=out, **lineage["result"])


def read_lineage(out: Path) -> dict[str, Any]:
    """The lineage of a model folder, after checking its files against it.

    Raises:
        CheckpointError: There is none, or a file is not what was written.
    """
    remedy = "train again, into an empty folder"
    lineage = checkpoints.read_json(out / LINEAGE, remedy)
    if lineage.get("format") != _FORMAT:
        raise CheckpointError(f"{out / LINEAGE}: format {lineage.get('format')!r} is not {_FORMAT}")
    checkpoints.check_files(out, lineage["files"], remedy)
    return lineage


def other_model(out: Path) -> ConfigError:
    """The error for a folder that holds the model of another training."""
    return ConfigError(
        f"{out} holds a model of other shards or another recipe",
        remedy="train into another folder, or delete this one",
    )


def write_lineage(
    shards: ShardSet,
    recipe: TrainConfig,
    config: ModelConfig,
    stages: Sequence[dict[str, Any]],
    result: TrainResult,
    files: Sequence[str],
) -> None:
    """Writes ``lineage.json`` into the result's folder, where all `files` are by now."""
    manifest = shards.manifest
    phases = [
        {"name": p.name, "rows": p.rows, "sha256": [file.sha256 for file in p.files]} for p in manifest.phases
    ]
    lineage = {
        "format": _FORMAT,
        "promptcot": __version__,
        "torch": torch.__version__,
        "identity": identity(shards.folder, recipe),
        "recipe": recipe.model_dump(mode="json"),
        "limited_by": "seconds" if recipe.seconds else "tokens" if recipe.tokens else "epochs",
        "base": {
            "model": recipe.model,
            "drawn": recipe.model in PRESETS,
            "config": config.model_dump(mode="json"),
            "hash": _base_hash(recipe),
        },
        "shards": {"config": manifest.config, "graph": manifest.graph, "phases": phases},
        "stages": list(stages),
        "result": {key: value for key, value in asdict(result).items() if key != "folder"},
        "files": {name: sha256(result.folder / name) for name in files},
    }
    write_atomic(result.folder / LINEAGE, (json.dumps(lineage, indent=2) + "\n").encode())


def _base_hash(recipe: TrainConfig) -> str:
    """Hash of the weights that training begins with; that of the settings where they are drawn."""
    if recipe.model in PRESETS:
        return fingerprint(preset(recipe.model).model_dump_json(), str(recipe.seed))
    folder = Path(recipe.model)
    if not folder.is_dir():
        preset(recipe.model)  # raises, and names the nearest preset
    try:
        files = [folder / "config.json", *sorted(folder.glob("*.safetensors"))]
        return fingerprint(*(sha256(file) for file in files))
    except OSError as error:
        raise CheckpointError(f"cannot read {error.filename}: {error.strerror or error}") from error
