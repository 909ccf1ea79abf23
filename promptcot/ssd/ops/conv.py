"""Causal depthwise convolution with autograd: arguments are checked, then the device decides who computes."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from promptcot.errors import KernelError
from promptcot.ssd.ops.checks import Packing, check_floats, check_shape, packing_of, shape_error

__all__ = [
    "causal_conv1d",
    "causal_conv1d_silu",
    "causal_conv1d_silu_with_states",
    "causal_conv1d_with_states",
]


def causal_conv1d(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    initial_states: Tensor | None = None,
    cu_seqlens: Tensor | None = None,
) -> Tensor:
    """Convolve every channel over time with its own taps, causally.

    ``y_t = bias + sum_k weight[k] x_{t - (width - 1) + k}``; see ``promptcot.ssd.reference.conv``.

    Args:
        x: (batch, seqlen, channels); a view with channels side by side is read as it lies.
        weight: (channels, width), width 2 to 4.
        bias: (channels,).
        initial_states: (batch or ndocs, channels, width - 1), the inputs before the first, oldest first.
        cu_seqlens: (ndocs + 1,) int32, where documents begin in the one row of a packed batch.

    Returns:
        y, of the shape and dtype of ``x``. Computed in float32 (float64 for float64 inputs).

    Raises:
        KernelError: An argument does not fit; nothing was launched.
    """
    packing = _check(x, weight, bias, initial_states, cu_seqlens)
    return _convolve(x, weight, bias, initial_states, packing, silu=False, states=False)[0]


def causal_conv1d_silu(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    initial_states: Tensor | None = None,
    cu_seqlens: Tensor | None = None,
) -> Tensor:
    """Convolve as ``causal_conv1d`` does, and apply SiLU in the same pass."""
    packing = _check(x, weight, bias, initial_states, cu_seqlens)
    return _convolve(x, weight, bias, initial_states, packing, silu=True, states=False)[0]


def causal_conv1d_with_states(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    initial_states: Tensor | None = None,
    cu_seqlens: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Convolve as ``causal_conv1d`` does, and return what the next tokens need as well.

    Returns:
        y, and the last ``width - 1`` inputs of every row or document, in the dtype of ``x``. Both are
        differentiable.
    """
    packing = _check(x, weight, bias, initial_states, cu_seqlens)
    return _convolve(x, weight, bias, initial_states, packing, silu=False, states=True)


def causal_conv1d_silu_with_states(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    initial_states: Tensor | None = None,
    cu_seqlens: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Convolve as ``causal_conv1d_silu`` does, and return what the next tokens need as well.

    Returns:
        y, and the last ``width - 1`` inputs of every row or document, in the dtype of ``x``. Both are
        differentiable.
    """
    packing = _check(x, weight, bias, initial_states, cu_seqlens)
    return _convolve(x, weight, bias, initial_states, packing, silu=True, states=True)


def _check(
    x: Tensor, weight: Tensor, bias: Tensor | None, initial_states: Tensor | None, cu_seqlens: Tensor | None
) -> Packing | None:
    """Raise KernelError at the first argument that does not fit the others; return the packing."""
    if x.dim() != 3:
        raise shape_error("x", x, "(batch, seqlen, channels)")
    batch, seqlen, channels = x.shape
    if weight.dim() != 2 or weight.shape[0] != channels or not 2 <= weight.shape[1] <= 4:
        raise shape_error("weight", weight, f"({channels}, 2 to 4)")
    width = weight.shape[1]
    check_shape("bias", bias, (channels,))
    check_floats("x", x, weight=weight, bias=bias, initial_states=initial_states)
    if x.numel() == 0:
        raise KernelError(f"x has shape {tuple(x.shape)}", remedy="give at least one token")
    packing = None if cu_seqlens is None else packing_of(cu_seqlens, batch, seqlen, "x", x)
    rows = batch if packing is None else len(packing.bounds) - 1
    check_shape("initial_states", initial_states, (rows, channels, width - 1))
    return packing


def _convolve(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    initial_states: Tensor | None,
    packing: Packing | None,
    *,
    silu: bool,
    states: bool,
) -> tuple[Tensor, Tensor]:
    """Return y, and the final states if they were asked for (an empty tensor if not)."""
    if x.is_cuda and x.dtype != torch.float64:
        from promptcot.ssd.kernels.conv1d import convolve

        return convolve(x, weight, bias, initial_states, packing, silu=silu, states=states)
    dtype = torch.float64 if x.dtype == torch.float64 else torch.float32
    padded, index = _pad(x, weight.shape[1] - 1, initial_states, packing)
    wide = (padded.to(dtype), weight.to(dtype), None if bias is None else bias.to(dtype))
    y: Tensor = _Taps.apply(*wide)  # type: ignore[no-untyped-call]
    if index is not None:
        y = y.index_select(1, index)
    y = (F.silu(y) if silu else y).to(x.dtype)
    return y, _last(padded, weight.shape[1] - 1, packing) if states else x.new_empty(0)


def _pad(
    x: Tensor, before: int, initial_states: Tensor | None, packing: Packing | None
) -> tuple[Tensor, Tensor | None]:
    """Put ``before`` inputs ahead of every row or document.

    Returns:
        The longer rows, and with documents, where the tokens lie in a convolution of those.
    """
    if packing is None:
        if initial_states is None:
            return F.pad(x, (0, 0, before, 0)), None
        return torch.cat([initial_states.transpose(1, 2).to(x.dtype), x], dim=1), None
    ndocs = len(packing.bounds) - 1
    index = torch.arange(x.shape[1], device=x.device) + packing.docs.long() * before
    padded = x.new_zeros(1, x.shape[1] + ndocs * before, x.shape[2]).index_copy(1, index + before, x)
    if initial_states is not None:
        ahead = torch.arange(ndocs, device=x.device) * before + packing.offsets[:-1]
        places = (ahead[:, None] + torch.arange(before, device=x.device)).flatten()
        given = initial_states.transpose(1, 2).reshape(1, ndocs * before, -1)
        padded = padded.index_copy(1, places, given.to(x.dtype))
    return padded, index


def _last(padded: Tensor, before: int, packing: Packing | None) -> Tensor:
    """Return the last ``before`` inputs of every padded row or document."""
    if packing is None:
        return padded[:, padded.shape[1] - before :].transpose(1, 2)
    ndocs = len(packing.bounds) - 1
    ends = torch.arange(ndocs, device=padded.device) * before + packing.offsets[1:]
    places = (ends[:, None] + torch.arange(before, device=padded.device)).flatten()
    return padded[0].index_select(0, places).reshape(ndocs, before, -1).transpose(1, 2)


class _Taps(torch.autograd.Function):
    """The sum over the taps, without the copy of the input that autograd would make for each."""

    @staticmethod
    def forward(ctx: Any, padded: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        width = weight.shape[1]
        seqlen = padded.shape[1] - (width - 1)
        y = padded[:, :seqlen] * weight[:, 0]
        for tap in range(1, width):
            y.addcmul_(padded[:, tap : tap + seqlen], weight[:, tap])
        if bias is not None:
            y += bias
        ctx.save_for_backward(padded, weight)
        ctx.biased = bias is not None
        return y

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        dy = grads[0]
        padded, weight = ctx.saved_tensors
        width, seqlen = weight.shape[1], dy.shape[1]
        dpadded = dweight = None
        if ctx.needs_input_grad[0]:
            dpadded = torch.zeros_like(padded)
            for tap in range(width):
                dpadded[:, tap : tap + seqlen].addcmul_(dy, weight[:, tap])
        if ctx.needs_input_grad[1]:
            taps = [(padded[:, tap : tap + seqlen] * dy).sum((0, 1)) for tap in range(width)]
            dweight = torch.stack(taps, dim=1)
        dbias = dy.sum((0, 1)) if ctx.biased and ctx.needs_input_grad[2] else None
        return dpadded, dweight, dbias
