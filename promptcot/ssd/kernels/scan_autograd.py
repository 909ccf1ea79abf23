"""The scan's kernels as one differentiable function."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from promptcot.ssd.kernels.launch import ScanConfig, scan_config
from promptcot.ssd.kernels.scan import Scan
from promptcot.ssd.kernels.scan_backward import backward
from promptcot.ssd.kernels.scan_forward import forward
from promptcot.ssd.kernels.scan_plan import plan_documents, plan_rows


def ssd_kernels(
    x: Tensor,
    dt: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    *,
    D: Tensor | None,
    z: Tensor | None,
    dt_bias: Tensor | None,
    dt_softplus: bool,
    dt_limit: tuple[float, float],
    initial_states: Tensor | None,
    cu_seqlens: Tensor | None,
    config: ScanConfig | None = None,
) -> tuple[Tensor, Tensor]:
    """Scan with the kernels; arguments as in ``promptcot.ssd.ops.ssd_with_states``, already checked.

    Args:
        config: Another configuration than the pinned one, for tests and benchmarks.

    Returns:
        y, and the float32 states after the last token of every row or document.
    """
    batch, seqlen = x.shape[:2]
    config = config or scan_config(x.element_size(), x.shape[3], B.shape[3])
    if cu_seqlens is None:
        plan = plan_rows(batch, seqlen, config.chunk, config.segment, x.device)
    else:
        plan = plan_documents(cu_seqlens, config.chunk, config.segment, x.device)
    rows = (_copyable(_rows(x)), _rows(dt), A, _rows(B.to(x.dtype)), _rows(C.to(x.dtype)))
    y, states = _Scan.apply(*rows, D, dt_bias, initial_states, dt_softplus, dt_limit, plan, config)
    y = y.view(x.shape)
    return (y if z is None else (y.float() * F.silu(z.float())).to(x.dtype)), states


def _rows(tensor: Tensor) -> Tensor:
    """Return (batch, seqlen, ...) as (batch * seqlen, ...) with elements of the last axis side by side."""
    rows = tensor.flatten(0, 1)
    return rows if rows.dim() == 2 or rows.stride(-1) == 1 else rows.contiguous()


def _copyable(rows: Tensor) -> Tensor:
    """Return rows of heads side by side at addresses that the copy engine takes: multiples of 16 bytes."""
    size = rows.element_size()
    fits = rows.stride(2) == 1 and rows.stride(1) == rows.shape[2]
    fits = fits and rows.stride(0) * size % 16 == 0 and rows.data_ptr() % 16 == 0
    return rows if fits else rows.contiguous()


class _Scan(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, *arguments: Any) -> tuple[Tensor, Tensor]:
        x, dt, A, B, C, D, dt_bias, initial_states, *options = arguments
        ctx.save_for_backward(x, dt, A, B, C, D, dt_bias, initial_states)
        ctx.options = options
        ctx.set_materialize_grads(False)
        return forward(Scan(x, dt, A, B, C, _dense(D), dt_bias, _dense(initial_states), *options))

    @staticmethod
    def backward(ctx: Any, *outer: Tensor | None) -> tuple[Tensor | None, ...]:
        dy, dfinal = outer
        x, dt, A, B, C, D, dt_bias, initial_states = ctx.saved_tensors
        scan = Scan(x, dt, A, B, C, _dense(D), dt_bias, _dense(initial_states), *ctx.options)
        if dy is None:
            dy = torch.zeros_like(x)
        dy = _copyable(dy)
        g = backward(scan, dy, _dense(dfinal))
        return (
            g.x, g.dt, g.A.to(A.dtype), g.B, g.C,
            None if D is None or g.D is None else g.D.to(D.dtype),
            None if dt_bias is None else g.dt_bias.to(dt_bias.dtype),
            None if initial_states is None else g.initial_states.to(initial_states.dtype),
            None, None, None, None,
        )  # fmt: skip


def _dense(tensor: Tensor | None) -> Tensor | None:
    return None if tensor is None else tensor.contiguous()
