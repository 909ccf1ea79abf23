from __future__ import annotations

import pytest
import torch

from promptcot.ssd.model import Mamba2LM, ModelConfig, init_weights
from promptcot.train.optim import Muon, build_optimizers, learning_rate_factor, orthogonalize


def model() -> Mamba2LM:
    config = ModelConfig(vocab_size=40, d_model=32, n_layers=2, dstate=8, headdim=16, tie_embeddings=False)
    return init_weights(Mamba2LM(config), 0)


def optimizers(of: Mamba2LM, kind: str, weight_decay: float = 0.1) -> list[torch.optim.Optimizer]:
    return build_optimizers(
        of,
        optimizer=kind,  # type: ignore[arg-type]
        lr=0.01,
        matrix_lr=0.02,
        betas=(0.9, 0.95),
        eps=1e-8,
        weight_decay=weight_decay,
    )


@pytest.mark.parametrize("shape", [(3, 16, 16), (2, 40, 16), (1, 8, 64)])
def test_orthogonal_updates_have_singular_values_near_one(shape: tuple[int, int, int]) -> None:
    matrices = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    values = torch.linalg.svdvals(orthogonalize(matrices))
    assert values.min() > 0.3
    assert values.max() < 1.3


def test_muon_moves_along_the_gradients_polar_factor() -> None:
    draw = torch.Generator().manual_seed(1)
    weight = torch.nn.Parameter(torch.randn(24, 12, generator=draw))
    start = weight.detach().clone()
    weight.grad = torch.randn(24, 12, generator=draw)
    left, _, right = torch.linalg.svd(weight.grad, full_matrices=False)
    Muon([weight], lr=0.1).step()
    moved = (start - weight.detach()) / (0.1 * 2**0.5)
    assert torch.nn.functional.cosine_similarity(moved.flatten(), (left @ right).flatten(), dim=0) > 0.97


def test_muon_takes_the_blocks_of_a_stack_one_by_one() -> None:
    draw = torch.Generator().manual_seed(2)
    top, bottom = torch.randn(8, 8, generator=draw), 100 * torch.randn(4, 8, generator=draw)
    stack, alone = torch.nn.Parameter(torch.zeros(12, 8)), torch.nn.Parameter(torch.zeros(8, 8))
    stack.grad, alone.grad = torch.cat([top, bottom]), top
    Muon([{"params": [stack], "blocks": [8, 4]}, {"params": [alone]}], lr=0.1).step()
    torch.testing.assert_close(stack[:8], alone)
    assert torch.linalg.svdvals(stack[8:].detach()).min() > 0.03


@pytest.mark.parametrize("kind", ["adamw", "muon"])
def test_every_parameter_is_trained_once_and_projections_alone_decay(kind: str) -> None:
    of = model()
    names = {parameter: name for name, parameter in of.named_parameters()}
    seen = []
    for optimizer in optimizers(of, kind):
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                seen.append(names[parameter])
                decays = seen[-1].endswith(("in_proj.weight", "out_proj.weight"))
                assert (group["weight_decay"] > 0) is decays
                assert isinstance(optimizer, Muon) is (kind == "muon" and decays)
    assert sorted(seen) == sorted(names.values())


@pytest.mark.parametrize("kind", ["adamw", "muon"])
def test_a_few_steps_lower_the_loss(kind: str) -> None:
    of = model()
    ids = torch.randint(40, (1, 64), generator=torch.Generator().manual_seed(3))
    targets = ids.roll(-1, 1)
    every = optimizers(of, kind, 0.0)
    losses = []
    for _ in range(30):
        loss = of.loss(ids, targets) / 64
        loss.backward()
        losses.append(loss.item())
        for optimizer in every:
            optimizer.step()
            optimizer.zero_grad()
    assert losses[-1] < 0.3 * losses[0]


def test_schedules() -> None:
    def factors(schedule: str, warmup: int = 0) -> list[float]:
        return [
            learning_rate_factor(schedule, step / 10, step, warmup_steps=warmup, decay_share=0.4)  # type: ignore[arg-type]
            for step in range(11)
        ]

    assert factors("constant") == [1.0] * 11
    assert factors("wsd")[:7] == pytest.approx([1.0] * 7)
    assert factors("wsd")[7:] == pytest.approx([0.75, 0.5, 0.25, 0.0])
    assert factors("cosine")[5] == pytest.approx(0.5)
    assert factors("cosine") == sorted(factors("cosine"), reverse=True)
    assert factors("constant", 4)[:5] == [0.25, 0.5, 0.75, 1.0, 1.0]
