"""Optimizers and learning-rate schedules.

Matrices inside the mixers may be trained by Muon (Jordan et al., 2024): momentum, made orthogonal by a
Newton-Schulz iteration, so that every direction of the matrix moves alike. Everything else (embeddings,
head, norms, convolutions, A, D and step-size biases) is trained by AdamW without weight decay.
``torch.optim.Muon`` computes its iteration in bfloat16, which a CPU does slowly, and takes a
projection as one matrix; this one computes in float32 on a CPU, takes the blocks [z|x|B|C|dt] of ``in_proj``
one by one, as they are projections of their own, and treats equal shapes together.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any, Literal

import torch
from torch import Tensor

from promptcot.ssd.model import Mamba2LM

__all__ = ["Muon", "build_optimizers", "learning_rate_factor", "set_learning_rates"]

Schedule = Literal["constant", "cosine", "wsd"]

# Coefficients of the quintic iteration of Jordan et al.: steep at zero, and settling near one
# (between about 0.7 and 1.2) after five rounds, which is all that an update needs.
_COEFFICIENTS = (3.4445, -4.7750, 2.0315)
_ROUNDS = 5


class Muon(torch.optim.Optimizer):
    """Momentum made orthogonal, for matrices.

    Args:
        params: Matrices (out, in), or groups of them. A group may have ``blocks``: the heights of the
            matrices of which each of its parameters is a stack.
        lr: An update of a square matrix has this spectral norm; of a taller one, the root of
            its height over its width times more.
        momentum: Of the running sum of gradients, with Nesterov's look-ahead.
        weight_decay: Decoupled.
    """

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[dict[str, Any]],
        lr: float = 0.02,
        *,
        momentum: float = 0.95,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(
            params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay, "blocks": None}
        )

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Updates every matrix that has a gradient."""
        assert closure is None, "Muon takes no closure"
        pieces: dict[tuple[int, ...], list[tuple[Tensor, Tensor, float]]] = defaultdict(list)
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                state = self.state[parameter]
                if not state:
                    state["momentum"] = torch.zeros_like(parameter)
                state["momentum"].lerp_(parameter.grad, 1 - group["momentum"])
                ahead = parameter.grad.lerp(state["momentum"], group["momentum"])
                parameter.mul_(1 - group["lr"] * group["weight_decay"])
                heights = group["blocks"] or [parameter.shape[0]]
                for target, update in zip(parameter.split(heights), ahead.split(heights), strict=True):
                    pieces[tuple(update.shape)].append((target, update, group["lr"]))
        for (height, width), members in pieces.items():
            updates = orthogonalize(torch.stack([update for _, update, _ in members]))
            scale = math.sqrt(max(1.0, height / width))
            for (target, _, lr), update in zip(members, updates.unbind(), strict=True):
                target.sub_(update.to(target.dtype), alpha=lr * scale)


def orthogonalize(matrices: Tensor) -> Tensor:
    """The nearest matrices with orthonormal rows or columns, roughly (singular values 0.7 to 1.2).

    Args:
        matrices: (count, out, in).
    """
    a, b, c = _COEFFICIENTS
    x: Tensor = matrices.float() if matrices.device.type == "cpu" else matrices.bfloat16()
    tall = x.shape[1] > x.shape[2]
    if tall:
        x = x.transpose(1, 2)
    x = x / (x.float().square().sum((1, 2), keepdim=True).sqrt() + 1e-7).to(x.dtype)
    for _ in range(_ROUNDS):
        gram: Tensor = x @ x.transpose(1, 2)
        x = a * x + (b * gram + c * (gram @ gram)) @ x
    return x.transpose(1, 2) if tall else x


def build_optimizers(
    model: Mamba2LM,
    *,
    optimizer: Literal["adamw", "muon"],
    lr: float,
    matrix_lr: float,
    betas: tuple[float, float],
    eps: float,
    weight_decay: float,
) -> list[torch.optim.Optimizer]:
    """The optimizers of a model; each group remembers its peak learning rate as ``peak_lr``.

    Args:
        model: Whose parameters are trained.
        optimizer: What trains the projections of the mixers; everything else is trained by AdamW.
        lr: Peak learning rate of AdamW.
        matrix_lr: Peak learning rate of Muon.
        betas: Of AdamW.
        eps: Of AdamW.
        weight_decay: Of the projections, and of nothing else.
    """
    c = model.config
    blocks = [c.d_inner, c.d_inner, c.ngroups * c.dstate, c.ngroups * c.dstate, c.nheads]
    named = [(name, parameter) for name, parameter in model.named_parameters() if parameter.requires_grad]
    in_proj = [p for name, p in named if name.endswith("in_proj.weight")]
    out_proj = [p for name, p in named if name.endswith("out_proj.weight")]
    rest = [p for name, p in named if not name.endswith(("in_proj.weight", "out_proj.weight"))]
    no_decay: dict[str, Any] = {"params": rest, "weight_decay": 0.0}
    optimizers: list[torch.optim.Optimizer]
    if optimizer == "adamw":
        groups = [{"params": in_proj + out_proj, "weight_decay": weight_decay}, no_decay]
        optimizers = [torch.optim.AdamW(groups, lr=lr, betas=betas, eps=eps, fused=True)]
    else:
        matrices: list[dict[str, Any]] = [{"params": in_proj, "blocks": blocks}, {"params": out_proj}]
        optimizers = [
            Muon(matrices, lr=matrix_lr, weight_decay=weight_decay),
            torch.optim.AdamW([no_decay], lr=lr, betas=betas, eps=eps, fused=True),
        ]
    for group in (group for each in optimizers for group in each.param_groups):
        group["peak_lr"] = group["lr"]
    return optimizers


def learning_rate_factor(
    schedule: Schedule, progress: float, step: int, *, warmup_steps: int, decay_share: float = 0.3
) -> float:
    """Share of the peak learning rate to use.

    Args:
        schedule: ``constant``; ``cosine`` falls to nothing over the whole run; ``wsd`` stays, then falls
            linearly to nothing over the last `decay_share` of it.
        progress: Share of the run that is done, 0 to 1.
        step: Steps done before this one.
        warmup_steps: Steps over which the rate rises from nothing.
        decay_share: Of ``wsd``.
    """
    warm = min(1.0, (step + 1) / warmup_steps) if warmup_steps else 1.0
    done = min(max(progress, 0.0), 1.0)
    if schedule == "cosine":
        return warm * 0.5 * (1 + math.cos(math.pi * done))
    if schedule == "wsd":
        return warm * min(1.0, (1 - done) / decay_share)
    return warm


def set_learning_rates(optimizers: list[torch.optim.Optimizer], factor: float) -> None:
    """Sets every group to `factor` times its peak."""
    for group in (group for optimizer in optimizers for group in optimizer.param_groups):
        group["lr"] = group["peak_lr"] * factor
