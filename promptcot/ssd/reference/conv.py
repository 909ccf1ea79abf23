"""Causal depthwise convolution over time in plain torch, document by document.

With ``width`` taps, for every channel on its own::

    y_t = bias + sum_k weight[k] x_{t - (width - 1) + k}

Before the first token of a row or document stand its initial states (zeros when there are
none), and nothing of the document packed before it.

Shapes: ``x`` (batch, seqlen, channels), ``weight`` (channels, width) with width 2 to 4, ``bias``
(channels,), states (batch, channels, width - 1), oldest first. With ``cu_seqlens`` (int32,
ndocs + 1 offsets) batch is 1 and states are (ndocs, channels, width - 1).

Everything is computed in float32, or in float64 when ``x`` is float64; results have the dtype
of ``x``.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor
from torch.nn import functional as F

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
    """Convolve; see the module for the formula and the shapes.

    Returns:
        y, of the shape and dtype of ``x``.
    """
    return causal_conv1d_with_states(
        x, weight, bias, initial_states=initial_states, cu_seqlens=cu_seqlens
    )[0]  # fmt: skip


def causal_conv1d_silu(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    initial_states: Tensor | None = None,
    cu_seqlens: Tensor | None = None,
) -> Tensor:
    """Convolve, then apply SiLU before rounding to the dtype of ``x``.

    Returns:
        y, of the shape and dtype of ``x``.
    """
    return causal_conv1d_silu_with_states(
        x, weight, bias, initial_states=initial_states, cu_seqlens=cu_seqlens
    )[0]  # fmt: skip


def causal_conv1d_with_states(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    initial_states: Tensor | None = None,
    cu_seqlens: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Convolve, and return what the next tokens need as well.

    Returns:
        y as ``causal_conv1d`` gives it, and the last ``width - 1`` inputs of every row or document.
    """
    y, states = _convolve(x, weight, bias, initial_states, cu_seqlens)
    return y.to(x.dtype), states


def causal_conv1d_silu_with_states(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    initial_states: Tensor | None = None,
    cu_seqlens: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Convolve and apply SiLU, and return what the next tokens need as well.

    Returns:
        y as ``causal_conv1d_silu`` gives it, and the last ``width - 1`` inputs of every row or document.
    """
    y, states = _convolve(x, weight, bias, initial_states, cu_seqlens)
    return F.silu(y).to(x.dtype), states


def _convolve(
    x: Tensor, weight: Tensor, bias: Tensor | None, initial_states: Tensor | None, cu_seqlens: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Return the convolution in the dtype of the computation, and the final states."""
    dtype = torch.float64 if x.dtype == torch.float64 else torch.float32
    width = weight.shape[1]
    if cu_seqlens is None:
        documents = list(x.unbind(0))
    else:
        bounds = cu_seqlens.tolist()
        documents = [x[0, start:stop] for start, stop in pairwise(bounds)]
    outputs, finals = [], []
    for number, document in enumerate(documents):
        if initial_states is None:
            before = document.new_zeros(width - 1, document.shape[1])
        else:
            before = initial_states[number].T.to(document.dtype)
        padded = torch.cat([before, document])
        finals.append(padded[len(padded) - (width - 1) :].T)
        y = torch.zeros_like(document, dtype=dtype)
        if bias is not None:
            y = y + bias.to(dtype)
        for tap in range(width):
            y = y + weight[:, tap].to(dtype) * padded[tap : tap + len(document)].to(dtype)
        outputs.append(y)
    y = torch.stack(outputs) if cu_seqlens is None else torch.cat(outputs)[None]
    return y, torch.stack(finals)
