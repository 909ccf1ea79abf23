"""One token more, in plain torch: the steps that update convolution and scan states in place.

States live in slots, one sequence in each. ``slots`` (int32, one for every row of the batch) says
which slot a row's sequence has; rows with -1 are skipped: they change nothing and give zeros. Without
``slots``, row i has slot i. No two rows may name the same slot.

Shapes: ``state`` (nslots, nheads, headdim, dstate), ``x`` and ``z`` (batch, nheads, headdim), ``dt``
(batch, nheads), ``A`` (nheads,), ``B`` and ``C`` (batch, ngroups, dstate), ``D`` (nheads,) or (nheads,
headdim), ``dt_bias`` (nheads,), ``conv_state`` (nslots, channels, width - 1), oldest input first.

Everything is computed in float32, or in float64 when ``x`` is float64; ``y`` has the dtype of ``x``, states
keep their own. Nothing here is differentiable.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from promptcot.ssd.reference.scan import compute_dtype, step_sizes

__all__ = ["conv_step", "conv_step_silu", "mixer_step", "ssd_step"]


def _taken(batch: int, slots: Tensor | None, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return the rows that are not skipped, and their slots."""
    if slots is None:
        rows = torch.arange(batch, device=device)
        return rows, rows
    rows = torch.nonzero(slots >= 0).flatten()
    return rows, slots.index_select(0, rows).long()


@torch.no_grad()
def ssd_step(
    state: Tensor,
    x: Tensor,
    dt: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    *,
    D: Tensor | None = None,
    z: Tensor | None = None,
    dt_bias: Tensor | None = None,
    dt_softplus: bool = False,
    dt_limit: tuple[float, float] = (0.0, math.inf),
    slots: Tensor | None = None,
) -> Tensor:
    """Advance the scan by one token, the recurrence of ``ssd_recurrent``; ``state`` is updated.

    The output is computed from the state before that is rounded to the dtype in which it is kept.

    Returns:
        y, of the shape and dtype of ``x``; zeros in skipped rows.
    """
    dtype = compute_dtype(x)
    repeats = x.shape[1] // B.shape[1]
    rows, at = _taken(x.shape[0], slots, x.device)
    xs = x.index_select(0, rows).to(dtype)
    steps = step_sizes(
        dt.index_select(0, rows), dt_bias=dt_bias, dt_softplus=dt_softplus, dt_limit=dt_limit, dtype=dtype
    )
    Bs = B.index_select(0, rows).to(dtype).repeat_interleave(repeats, dim=1)
    Cs = C.index_select(0, rows).to(dtype).repeat_interleave(repeats, dim=1)
    decay = torch.exp(steps * A.to(dtype))[..., None, None]
    h = state.index_select(0, at).to(dtype) * decay
    h += (steps[..., None] * xs)[..., None] * Bs[:, :, None, :]
    taken = torch.einsum("bhpn,bhn->bhp", h, Cs)
    state.index_copy_(0, at, h.to(state.dtype))
    if D is not None:
        taken = taken + (D if D.dim() == 2 else D[:, None]).to(dtype) * xs
    if z is not None:
        taken = taken * F.silu(z.index_select(0, rows).to(dtype))
    return torch.zeros_like(x, memory_format=torch.contiguous_format).index_copy_(0, rows, taken.to(x.dtype))


def conv_step(
    conv_state: Tensor, x: Tensor, weight: Tensor, bias: Tensor | None = None, *, slots: Tensor | None = None
) -> Tensor:
    """Advance the convolution by one token ``x`` (batch, channels); ``conv_state`` is updated.

    Returns:
        y, of the shape and dtype of ``x``; zeros in skipped rows.
    """
    return _conv_step(conv_state, x, weight, bias, slots, silu=False)


def conv_step_silu(
    conv_state: Tensor, x: Tensor, weight: Tensor, bias: Tensor | None = None, *, slots: Tensor | None = None
) -> Tensor:
    """Advance the convolution by one token and apply SiLU; ``conv_state`` is updated.

    Returns:
        y, of the shape and dtype of ``x``; zeros in skipped rows.
    """
    return _conv_step(conv_state, x, weight, bias, slots, silu=True)


@torch.no_grad()
def _conv_step(
    conv_state: Tensor, x: Tensor, weight: Tensor, bias: Tensor | None, slots: Tensor | None, *, silu: bool
) -> Tensor:
    dtype = compute_dtype(x)
    rows, at = _taken(x.shape[0], slots, x.device)
    new = x.index_select(0, rows)[..., None]
    window = torch.cat([conv_state.index_select(0, at).to(dtype), new.to(dtype)], dim=-1)
    conv_state.index_copy_(0, at, window[..., 1:].to(conv_state.dtype))
    y = (window * weight.to(dtype)).sum(-1)
    if bias is not None:
        y = y + bias.to(dtype)
    y = (F.silu(y) if silu else y).to(x.dtype)
    return torch.zeros_like(x, memory_format=torch.contiguous_format).index_copy_(0, rows, y)


def mixer_step(
    conv_state: Tensor,
    state: Tensor,
    xBC: Tensor,
    dt: Tensor,
    A: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    ngroups: int = 1,
    D: Tensor | None = None,
    z: Tensor | None = None,
    dt_bias: Tensor | None = None,
    dt_softplus: bool = False,
    dt_limit: tuple[float, float] = (0.0, math.inf),
    slots: Tensor | None = None,
) -> Tensor:
    """Advance convolution with SiLU, scan and gate by one token; both states are updated.

    Args:
        conv_state: (nslots, channels, width - 1), where the channels are those of x, B and C in this order.
        state: (nslots, nheads, headdim, dstate).
        xBC: (batch, channels), before the convolution.
        dt: (batch, nheads).
        A: (nheads,).
        weight: (channels, width).
        bias: (channels,).
        ngroups: How many groups of heads share one B and C each.
        D: As in ``ssd_step``.
        z: As in ``ssd_step``.
        dt_bias: As in ``ssd_step``.
        dt_softplus: As in ``ssd_step``.
        dt_limit: As in ``ssd_step``.
        slots: As in ``ssd_step``.

    Returns:
        y (batch, nheads, headdim) in the dtype of ``xBC``; zeros in skipped rows.
    """
    _, nheads, headdim, dstate = state.shape
    inner = nheads * headdim
    mixed = conv_step_silu(conv_state, xBC, weight, bias, slots=slots)
    x, B, C = torch.split(mixed, [inner, ngroups * dstate, ngroups * dstate], dim=-1)
    return ssd_step(
        state, x.reshape(-1, nheads, headdim), dt, A, B.reshape(-1, ngroups, dstate),
        C.reshape(-1, ngroups, dstate), D=D, z=z, dt_bias=dt_bias, dt_softplus=dt_softplus,
        dt_limit=dt_limit, slots=slots,
    )  # fmt: skip
