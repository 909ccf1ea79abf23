from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from promptcot.errors import CheckpointError
from promptcot.ssd.hf import SpecialTokens, from_hf_config, read_model, to_hf_config, write_model
from promptcot.ssd.model import Mamba2LM, ModelConfig, init_weights

TOKENS = SpecialTokens(bos=1, eos=2, pad=0)


def config(ngroups: int = 1, tie: bool = True) -> ModelConfig:
    return ModelConfig(
        vocab_size=61, d_model=64, n_layers=2, dstate=16, headdim=16, ngroups=ngroups, tie_embeddings=tie
    )


def random_model(ngroups: int, tie: bool) -> Mamba2LM:
    """A model whose every parameter is away from its start, so that none can be left out unseen."""
    model = init_weights(Mamba2LM(config(ngroups, tie)), 7)
    draw = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.2 * torch.randn(parameter.shape, generator=draw)
    return model


@pytest.mark.parametrize("tie", [True, False])
def test_a_round_trip_is_bitwise(tmp_path: Path, tie: bool) -> None:
    model = random_model(2, tie)
    write_model(tmp_path / "model", model, TOKENS, {"tokenizer.json": "{}"})
    loaded = read_model(tmp_path / "model")
    assert loaded.tokens == TOKENS
    assert loaded.model.config == model.config
    ours, theirs = model.state_dict(), loaded.model.state_dict()
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert (tmp_path / "model" / "tokenizer.json").read_text() == "{}"
    assert ("lm_head.weight" in load_file(tmp_path / "model" / "model.safetensors")) is not tie


def transformers_model(folder: Path, ngroups: int) -> torch.nn.Module:
    transformers = pytest.importorskip("transformers")
    version = tuple(int(part) for part in transformers.__version__.split(".")[:2])
    if ngroups > 1 and version < (5, 23):
        pytest.skip(f"transformers {transformers.__version__} ignores the groups of the gated norm")
    model: torch.nn.Module = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    assert type(model).__name__ == "Mamba2ForCausalLM"
    return model.eval()


@pytest.mark.parametrize(("ngroups", "tie"), [(1, True), (8, False)])
@pytest.mark.filterwarnings("ignore")
def test_logits_are_those_of_transformers_both_ways(tmp_path: Path, ngroups: int, tie: bool) -> None:
    """Float32 on a CPU, to 1e-4."""
    model = random_model(ngroups, tie)
    write_model(tmp_path / "ours", model, TOKENS)
    other = transformers_model(tmp_path / "ours", ngroups)
    ids = torch.randint(61, (2, 70), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        ours, theirs = model(ids), other(ids).logits
    assert ours.std() > 0.5
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)

    other.save_pretrained(tmp_path / "theirs")  # type: ignore[operator]
    back = read_model(tmp_path / "theirs").model
    state = model.state_dict()
    assert all(torch.equal(state[name], tensor) for name, tensor in back.state_dict().items())
    assert back.config == model.config


def test_the_config_says_what_servers_ask_for() -> None:
    data = to_hf_config(config(2), TOKENS)
    assert data["architectures"] == ["Mamba2ForCausalLM"]
    assert data["num_heads"] * data["head_dim"] == data["expand"] * data["hidden_size"]
    assert data["intermediate_size"] == data["expand"] * data["hidden_size"]
    assert data["max_position_embeddings"] >= 69632
    assert "time_step_limit" not in data
    assert from_hf_config(data) == (config(2), TOKENS)


def test_the_original_layouts_name_of_the_embeddings_is_read(tmp_path: Path) -> None:
    write_model(tmp_path, random_model(1, True), TOKENS)
    weights = load_file(tmp_path / "model.safetensors")
    weights["backbone.embedding.weight"] = weights.pop("backbone.embeddings.weight")
    save_file(weights, tmp_path / "model.safetensors")
    assert read_model(tmp_path).model.lm_head.weight.shape == (61, 64)


def break_config(folder: Path, **changes: object) -> None:
    data = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**data, **changes}))


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    def fresh() -> Path:
        write_model(tmp_path, random_model(1, True), TOKENS)
        return tmp_path

    for changes, message in [
        ({"model_type": "llama"}, "'llama' model"),
        ({"num_heads": 7}, "num_heads"),
        ({"state_size": 32}, "shape"),
        ({"num_hidden_layers": 3}, "misses tensor"),
        ({"num_hidden_layers": 1}, "unknown tensor"),
        ({"hidden_act": "gelu"}, "gelu"),
        ({"time_step_limit": [0.0]}, "time_step_limit"),
    ]:
        break_config(fresh(), **changes)
        with pytest.raises(CheckpointError, match=message):
            read_model(tmp_path)
    fresh()
    data = (tmp_path / "model.safetensors").read_bytes()
    (tmp_path / "model.safetensors").write_bytes(data[: len(data) // 2])
    with pytest.raises(CheckpointError, match="not readable as safetensors"):
        read_model(tmp_path)
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(CheckpointError, match=r"config\.json"):
        read_model(tmp_path)
    with pytest.raises(CheckpointError, match=r"no config\.json"):
        read_model(tmp_path / "nowhere")


def test_limits_written_as_objects_are_read() -> None:
    data = {**to_hf_config(config(), TOKENS), "time_step_limit": [0.0, {"__float__": "Infinity"}]}
    assert from_hf_config(data)[0].dt_limit == (0.0, None)
    with pytest.raises(CheckpointError, match="dt_limit"):
        to_hf_config(ModelConfig(**{**config().model_dump(), "dt_limit": (0.001, 0.1)}), TOKENS)
