"""Model folders: a checkpoint of promptcot is a ``Mamba2ForCausalLM`` folder that transformers and vLLM read.

    config.json  generation_config.json  model.safetensors  tokenizer.json  tokenizer_config.json

There is one format, so there is nothing to convert: the names of the parameters are those of
transformers, and the config is translated key by key. Weights are read from safetensors only.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from promptcot.errors import CheckpointError
from promptcot.ssd.model import Mamba2LM, ModelConfig

__all__ = ["LoadedModel", "SpecialTokens", "from_hf_config", "read_model", "to_hf_config", "write_model"]

WEIGHTS = "model.safetensors"
CONFIG = "config.json"
# Without a length key vLLM serves 2,048 tokens of a model that has no limit of its own.
_MAX_POSITIONS = 1 << 20
_HEAD, _EMBEDDINGS = "lm_head.weight", "backbone.embeddings.weight"

# ModelConfig's name of a field, and transformers'.
_KEYS = {
    "vocab_size": "vocab_size",
    "d_model": "hidden_size",
    "n_layers": "num_hidden_layers",
    "dstate": "state_size",
    "headdim": "head_dim",
    "ngroups": "n_groups",
    "expand": "expand",
    "d_conv": "conv_kernel",
    "chunk_size": "chunk_size",
    "tie_embeddings": "tie_word_embeddings",
    "use_bias": "use_bias",
    "use_conv_bias": "use_conv_bias",
    "norm_eps": "layer_norm_epsilon",
    "residual_in_fp32": "residual_in_fp32",
    "initializer_range": "initializer_range",
    "dt_min": "time_step_min",
    "dt_max": "time_step_max",
    "dt_floor": "time_step_floor",
}
# What transformers assumes where a config leaves a key out.
_HF_DEFAULTS: dict[str, Any] = {
    "num_heads": 128, "head_dim": 64, "vocab_size": 32768, "hidden_size": 4096, "state_size": 128,
    "num_hidden_layers": 64, "layer_norm_epsilon": 1e-5, "expand": 2, "conv_kernel": 4, "n_groups": 8,
    "use_bias": False, "use_conv_bias": True, "initializer_range": 0.1, "residual_in_fp32": True,
    "time_step_min": 0.001, "time_step_max": 0.1, "time_step_floor": 1e-4, "chunk_size": 256,
    "tie_word_embeddings": False,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class SpecialTokens:
    """Ids of the tokens that generation needs to know."""

    bos: int | None
    eos: int | None
    pad: int | None


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model from a folder, with its special tokens."""

    model: Mamba2LM
    tokens: SpecialTokens


def to_hf_config(config: ModelConfig, tokens: SpecialTokens, *, dtype: str = "float32") -> dict[str, Any]:
    """The ``config.json`` of a model, as transformers and vLLM read it.

    Raises:
        CheckpointError: The config clamps the step size, which such a folder cannot say in
            a way that every version reads.
    """
    if config.dt_limit != (0.0, None):
        raise CheckpointError(
            f"dt_limit {config.dt_limit} has no place in a Mamba2ForCausalLM folder",
            remedy="export a model without a limit",
        )
    translated = {theirs: getattr(config, ours) for ours, theirs in _KEYS.items()}
    return {
        "architectures": ["Mamba2ForCausalLM"],
        "model_type": "mamba2",
        **translated,
        "num_heads": config.nheads,
        "intermediate_size": config.d_inner,
        "hidden_act": "silu",
        # Where this is true, transformers 5 draws out_proj anew after it has loaded the weights.
        "rescale_prenorm_residual": False,
        "rms_norm": True,
        "norm_before_gate": False,
        "time_step_rank": -(-config.d_model // 16),
        "max_position_embeddings": _MAX_POSITIONS,
        "use_cache": True,
        "bos_token_id": tokens.bos,
        "eos_token_id": tokens.eos,
        "pad_token_id": tokens.pad,
        "dtype": dtype,
        "torch_dtype": dtype,
    }


def from_hf_config(data: Mapping[str, Any], *, where: str = CONFIG) -> tuple[ModelConfig, SpecialTokens]:
    """Reads the ``config.json`` of any ``Mamba2ForCausalLM`` folder.

    ``norm_before_gate`` is ignored as transformers and vLLM ignore it: the gate comes first.

    Raises:
        CheckpointError: It is the config of another model, or its numbers do not fit.
    """
    if data.get("model_type") != "mamba2":
        raise CheckpointError(f"{where}: a {data.get('model_type')!r} model", remedy="give a Mamba-2 model")
    full = {**_HF_DEFAULTS, **data}
    fields: dict[str, Any] = {ours: full[theirs] for ours, theirs in _KEYS.items()}
    if full["num_heads"] * full["head_dim"] != full["expand"] * full["hidden_size"]:
        raise CheckpointError(f"{where}: num_heads * head_dim is not expand * hidden_size")
    if data.get("hidden_act", "silu") not in ("silu", "swish"):
        raise CheckpointError(f"{where}: hidden_act {data['hidden_act']!r}", remedy="only silu is known")
    limit = _read_limit(data.get("time_step_limit"), where)
    try:
        config = ModelConfig.model_validate({**fields, "dt_limit": limit})
    except ValueError as error:
        raise CheckpointError(f"{where}: {error}".replace("\n", " ")) from error
    eos = data.get("eos_token_id", 2)
    eos = eos[0] if isinstance(eos, list) else eos
    return config, SpecialTokens(data.get("bos_token_id", 0), eos, data.get("pad_token_id", 1))


def _read_limit(value: Any, where: str) -> tuple[float, float | None]:
    """The step sizes' limits; some versions write infinity as a string or an object."""
    if value is None:
        return 0.0, None
    if not isinstance(value, list) or len(value) != 2:
        raise CheckpointError(f"{where}: time_step_limit {value!r} is not a pair")
    low, high = (float(v["__float__"] if isinstance(v, dict) else v) for v in value)
    return low, None if high == float("inf") else high


def write_model(
    folder: Path, model: Mamba2LM, tokens: SpecialTokens, extra_files: Mapping[str, str] | None = None
) -> None:
    """Writes a model folder.

    Args:
        folder: Made where it is missing. Not atomic: give a new folder, and rename it when it is whole.
        model: On any device; weights are written in their dtype.
        tokens: Of the tokenizer that goes with it.
        extra_files: Name to text of files to put beside, such as ``tokenizer.json``.

    Raises:
        CheckpointError: The folder cannot be written.
    """
    from safetensors.torch import save_file

    dtype = str(model.backbone.embeddings.weight.dtype).removeprefix("torch.")
    config = to_hf_config(model.config, tokens, dtype=dtype)
    generation = {"bos_token_id": tokens.bos, "eos_token_id": tokens.eos, "pad_token_id": tokens.pad}
    files = {CONFIG: config, "generation_config.json": generation}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        save_file(weights_of(model), folder / WEIGHTS, metadata={"format": "pt"})
        for name, data in files.items():
            (folder / name).write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")
        for name, text in (extra_files or {}).items():
            (folder / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise CheckpointError(
            f"cannot write the model to {folder}: {error.strerror or error}", remedy="free some space"
        ) from error


def weights_of(model: Mamba2LM) -> dict[str, Tensor]:
    """The weights by name, on the CPU; a head that is the embeddings is left out."""
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    if model.config.tie_embeddings:
        del state[_HEAD]
    return state


def read_model(folder: Path, *, device: str | torch.device = "cpu") -> LoadedModel:
    """Reads a model folder: one of promptcot's own, or any ``Mamba2ForCausalLM``.

    Raises:
        CheckpointError: Something is missing, is no safetensors file or has another shape.
    """
    try:
        data = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise CheckpointError(f"{folder}: no {CONFIG}", remedy="give the folder of a model") from error
    except (OSError, ValueError) as error:
        raise CheckpointError(f"cannot read {folder / CONFIG}: {error}") from error
    if not isinstance(data, dict):
        raise CheckpointError(f"{folder / CONFIG}: not a config")
    config, tokens = from_hf_config(data, where=str(folder / CONFIG))
    weights = _read_weights(folder)
    # Published checkpoints of the original layout call the embeddings by another name.
    if "backbone.embedding.weight" in weights:
        weights[_EMBEDDINGS] = weights.pop("backbone.embedding.weight")
    if config.tie_embeddings:
        weights.pop(_HEAD, None)
    with torch.device("meta"):
        model = Mamba2LM(config)
    _check_shapes(model, weights, folder)
    model.load_state_dict(weights, strict=False, assign=True)
    if config.tie_embeddings:
        model.lm_head.weight = model.backbone.embeddings.weight
    return LoadedModel(model.to(device), tokens)


def _read_weights(folder: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    index = folder / f"{WEIGHTS}.index.json"
    try:
        if (folder / WEIGHTS).exists() or not index.exists():
            return load_file(folder / WEIGHTS)
        names = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
        if any(Path(name).name != name for name in names):
            raise CheckpointError(f"{index} leads out of the folder")
        return {key: value for name in names for key, value in load_file(folder / name).items()}
    except FileNotFoundError as error:
        raise CheckpointError(f"{folder}: no {WEIGHTS}", remedy="give the folder of a model") from error
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise CheckpointError(
            f"{folder / WEIGHTS}: not readable as safetensors: {error}", remedy="fetch or train it again"
        ) from error


def _check_shapes(model: Mamba2LM, weights: Mapping[str, Tensor], folder: Path) -> None:
    wanted = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    if model.config.tie_embeddings:
        del wanted[_HEAD]
    for name in sorted(wanted.keys() ^ weights.keys()):
        state = "misses" if name in wanted else "has an unknown"
        raise CheckpointError(f"{folder}: {state} tensor {name}", remedy="it is not the config's model")
    for name, shape in wanted.items():
        if tuple(weights[name].shape) != shape:
            raise CheckpointError(
                f"{folder}: {name} has shape {tuple(weights[name].shape)}, the config says {shape}"
            )
        if not weights[name].is_floating_point():
            raise CheckpointError(f"{folder}: {name} has dtype {weights[name].dtype}")
