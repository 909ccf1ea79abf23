"""Training state on disk: whole or absent, checked by hash, and read from safetensors and JSON alone.

A checkpoint is a folder ``checkpoints/step-00000200`` with the model (itself a model folder), the
optimizers' tensors, where in the data the run stands, and the hash of each file.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from promptcot.errors import CheckpointError
from promptcot.shards.files import sha256
from promptcot.ssd.hf import write_model
from promptcot.ssd.model import Mamba2LM
from promptcot.train.tokenizer import Codec

__all__ = [
    "FOLDER",
    "check_files",
    "hash_files",
    "latest",
    "load_optimizers",
    "read_json",
    "read_state",
    "save",
]

FOLDER = "checkpoints"
_STATE, _OPTIMIZERS, _HASHES = "state.json", "optimizers.safetensors", "hashes.json"


def save(
    out: Path,
    model: Mamba2LM,
    codec: Codec,
    optimizers: list[torch.optim.Optimizer],
    state: Mapping[str, Any],
    *,
    keep: int,
) -> Path:
    """Writes a checkpoint of ``state["step"]`` under `out`, and deletes all but the last `keep`.

    Raises:
        CheckpointError: It cannot be written. Those that were there stay.
    """
    from safetensors.torch import save_file

    place = out / FOLDER / f"step-{state['step']:08d}"
    temporary = place.with_name(f".{place.name}.partial")
    try:
        shutil.rmtree(temporary, ignore_errors=True)
        write_model(temporary, model, codec.special, codec.files())
        save_file(_optimizer_tensors(model, optimizers), temporary / _OPTIMIZERS)
        (temporary / _STATE).write_text(json.dumps(state), encoding="utf-8")
        hashes = hash_files(temporary)
        (temporary / _HASHES).write_text(json.dumps(hashes, indent=2), encoding="utf-8")
        for file in temporary.iterdir():
            _sync(file)
        shutil.rmtree(place, ignore_errors=True)
        os.replace(temporary, place)
        _sync(place.parent)
    except OSError as error:
        raise CheckpointError(
            f"cannot write {place}: {error.strerror or error}",
            remedy="free some space and run the same command again: it goes on from the checkpoint before",
        ) from error
    for old in _all(out)[:-keep]:
        shutil.rmtree(old, ignore_errors=True)
    return place


def latest(out: Path) -> Path | None:
    """The newest checkpoint under `out`, checked; None where there is none.

    Raises:
        CheckpointError: It is not what was written; the message offers the one before.
    """
    found = _all(out)
    if not found:
        return None
    newest = found[-1]
    before = f"to go on from {found[-2].name}" if len(found) > 1 else "to begin anew"
    remedy = f"delete the folder {newest} {before}"
    check_files(newest, read_json(newest / _HASHES, remedy), remedy)
    return newest


def read_state(checkpoint: Path) -> dict[str, Any]:
    """Where the run stood."""
    state = read_json(checkpoint / _STATE, "delete the checkpoint")
    return dict(state)


def load_optimizers(checkpoint: Path, model: Mamba2LM, optimizers: list[torch.optim.Optimizer]) -> None:
    """Gives the optimizers the state that they had.

    Raises:
        CheckpointError: It is that of other optimizers.
    """
    from safetensors.torch import load_file

    tensors = load_file(checkpoint / _OPTIMIZERS)
    parameters = dict(model.named_parameters())
    for key, tensor in tensors.items():
        number, name, entry = key.split("/")
        if int(number) >= len(optimizers) or name not in parameters:
            raise CheckpointError(f"{checkpoint / _OPTIMIZERS}: unknown entry {key}")
        parameter = parameters[name]
        # A step counter stays where it is; everything else lies with its parameter.
        value = tensor if tensor.dim() == 0 else tensor.to(parameter.device)
        optimizers[int(number)].state[parameter][entry] = value


def hash_files(folder: Path) -> dict[str, str]:
    """Name to SHA-256 of the files in a folder."""
    return {path.name: sha256(path) for path in sorted(folder.iterdir()) if path.is_file()}


def check_files(folder: Path, hashes: Mapping[str, str], remedy: str) -> None:
    """Compares files with their hashes.

    Raises:
        CheckpointError: One is missing or differs.
    """
    for name, wanted in hashes.items():
        path = folder / name
        try:
            if Path(name).name != name or sha256(path) != wanted:
                raise CheckpointError(f"{path} is not what was written", remedy=remedy)
        except OSError as error:
            raise CheckpointError(f"cannot read {path}: {error.strerror or error}", remedy=remedy) from error


def read_json(path: Path, remedy: str) -> dict[str, Any]:
    """A JSON object from a file.

    Raises:
        CheckpointError: It is missing, or something else.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"cannot read {path}: {error}", remedy=remedy) from error
    if not isinstance(data, dict):
        raise CheckpointError(f"{path}: not a JSON object", remedy=remedy)
    return data


def _all(out: Path) -> list[Path]:
    return sorted((out / FOLDER).glob("step-*"))


def _optimizer_tensors(model: Mamba2LM, optimizers: list[torch.optim.Optimizer]) -> dict[str, Tensor]:
    names: dict[Tensor, str] = {parameter: name for name, parameter in model.named_parameters()}
    return {
        f"{number}/{names[parameter]}/{entry}": value.detach().cpu().contiguous()
        for number, optimizer in enumerate(optimizers)
        for parameter, entries in optimizer.state.items()
        for entry, value in entries.items()
    }


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
