from __future__ import annotations

from itertools import pairwise

import pytest
import torch

from promptcot.errors import ConfigError
from promptcot.ssd.model import PRESETS, Mamba2LM, ModelConfig, init_weights, preset


def small(**changes: object) -> ModelConfig:
    fields = {"vocab_size": 37, "d_model": 32, "n_layers": 3, "dstate": 8, "headdim": 16, **changes}
    return ModelConfig.model_validate(fields)


def model_of(config: ModelConfig, seed: int = 0, dtype: torch.dtype = torch.float64) -> Mamba2LM:
    return init_weights(Mamba2LM(config), seed).to(dtype)


def packed(lengths: list[int], vocab: int = 37) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    total = sum(lengths)
    draw = torch.Generator().manual_seed(5)
    ids = torch.randint(vocab, (1, total), generator=draw)
    targets = torch.randint(-vocab, vocab, (1, total), generator=draw)
    return ids, targets, torch.tensor([0, *torch.tensor(lengths).cumsum(0)], dtype=torch.int32)


@pytest.mark.parametrize("ngroups", [1, 2])
@pytest.mark.parametrize("tie", [True, False])
def test_packed_documents_have_the_logits_loss_and_gradients_of_documents_alone(
    ngroups: int, tie: bool
) -> None:
    model = model_of(small(ngroups=ngroups, tie_embeddings=tie))
    lengths = [1, 70, 3, 33, 32]
    ids, targets, cu = packed(lengths)
    together = model(ids, cu)
    model.loss(ids, targets, cu).backward()
    gradients = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    model.zero_grad()
    for start, stop in pairwise(cu):
        alone = model(ids[:, start:stop])
        torch.testing.assert_close(together[:, start:stop], alone, rtol=1e-9, atol=1e-9)
        model.loss(ids[:, start:stop], targets[:, start:stop]).backward()
    assert gradients.keys() == dict(model.named_parameters()).keys()
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(gradients[name], parameter.grad, rtol=1e-8, atol=1e-9)


def test_the_loss_counts_supervised_tokens_only() -> None:
    model = model_of(small())
    ids, targets, cu = packed([20, 9])
    kept = targets[0] >= 0
    every = torch.nn.functional.cross_entropy(model(ids, cu)[0][kept], targets[0][kept], reduction="sum")
    torch.testing.assert_close(model.loss(ids, targets, cu), every)
    assert model.loss(ids, torch.full_like(targets, -100), cu).item() == 0.0


def test_a_token_reaches_nothing_before_it() -> None:
    model = model_of(small())
    ids, _, cu = packed([20, 9])
    other = ids.clone()
    other[0, 12] = (other[0, 12] + 1) % 37
    before, after = model(ids, cu), model(other, cu)
    assert torch.equal(before[:, :12], after[:, :12])
    assert torch.equal(before[:, 20:], after[:, 20:])
    assert not torch.allclose(before[:, 12:20], after[:, 12:20])


def test_weights_come_from_the_seed_and_the_name() -> None:
    shallow, deep = model_of(small(n_layers=1)), model_of(small(n_layers=3))
    theirs = dict(deep.named_parameters())
    for name, parameter in shallow.named_parameters():
        if not name.endswith("out_proj.weight"):  # which is scaled by the depth
            assert torch.equal(parameter, theirs[name])
    assert not torch.equal(model_of(small(), seed=1).lm_head.weight, deep.lm_head.weight)


def test_the_initialization_is_the_published_one() -> None:
    model = model_of(small(d_model=256, n_layers=2, headdim=8), dtype=torch.float32)
    mixer = model.backbone.layers[0].mixer
    steps = torch.nn.functional.softplus(mixer.dt_bias)
    assert 0.001 <= steps.min() < 0.005
    assert 0.02 < steps.max() <= 0.1001
    assert 1 <= mixer.A_log.exp().min() < 4
    assert 12 < mixer.A_log.exp().max() <= 16
    assert torch.equal(mixer.D, torch.ones_like(mixer.D))
    assert mixer.in_proj.weight.std().item() == pytest.approx((1 / 256 / 3) ** 0.5, rel=0.02)
    assert mixer.out_proj.weight.std().item() == pytest.approx((1 / 512 / 3 / 2) ** 0.5, rel=0.02)
    assert model.backbone.embeddings.weight.std().item() == pytest.approx(0.02, rel=0.05)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [("130m", 128_989_632), ("codestral-7b", 7_285_403_648)],
)
def test_presets_have_the_published_size(name: str, parameters: int) -> None:
    with torch.device("meta"):
        model = Mamba2LM(preset(name))
    assert sum(p.numel() for p in model.parameters()) == parameters


def test_every_preset_fits_and_a_misspelt_one_is_named() -> None:
    assert all(preset(name, vocab_size=64).vocab_size == 64 for name in PRESETS)
    with pytest.raises(ConfigError, match="did you mean 'nano'"):
        preset("nanno")


def test_a_shape_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="does not divide"):
        small(headdim=24)
    with pytest.raises(ValueError, match="does not divide nheads"):
        small(ngroups=3)


def test_bfloat16_keeps_a_float32_residual_and_float32_logits() -> None:
    model = model_of(small(), dtype=torch.bfloat16)
    ids, _, cu = packed([20, 9])
    assert model(ids, cu).dtype == torch.float32
    exact = model_of(small())(ids, cu)
    assert (model(ids, cu).double() - exact).abs().max() < 0.02
