"""Root mean square norms, alone, after a residual sum, or gated; one pass over memory each way.

Forward, a program normalizes a few rows of one group of channels. Backward, a fixed number of programs
shares the rows out in runs, and each keeps the sum of its part of the weight's gradient in registers;
the parts are added in a fixed order. How a row is cut depends on the width of a group alone, so that a
row's bits do not depend on the rows beside it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
import triton
import triton.language as tl
from torch import Tensor

from promptcot.errors import KernelError

__all__ = ["gated_rms_norm", "rms_norm", "rms_norm_residual"]


class Cut(NamedTuple):
    """``rows`` rows at a time by ``warps`` warps, ``stages`` ahead; backward, ``programs`` share them out."""

    rows: int
    warps: int
    stages: int = 1
    programs: int = 0


# Pinned for sm_90, by the widest group (rounded up to a power of two) that an entry is for.
FORWARD = {
    256: Cut(4, 1),
    512: Cut(4, 2),
    1024: Cut(2, 2),
    2048: Cut(1, 2),
    4096: Cut(1, 4),
    8192: Cut(1, 8),
    16384: Cut(1, 16),
}
BACKWARD = {
    256: Cut(4, 1, 1, 4224),
    512: Cut(4, 2, 1, 2112),
    1024: Cut(2, 4, 1, 1056),
    2048: Cut(1, 4, 1, 1056),
    4096: Cut(1, 8, 1, 528),
    8192: Cut(1, 16, 1, 264),
    16384: Cut(1, 32, 1, 132),
}


def cut_for(table: dict[int, Cut], block: int) -> Cut:
    """Return the cut for groups of ``block`` channels."""
    for widest, cut in table.items():
        if block <= widest:
            return cut
    raise KernelError(
        f"x has groups of more than {block // 2} channels", remedy=f"wanted at most {max(table)}"
    )


@triton.jit
def _load(x, stride, rows, cols, mask):
    """Read rows of a group in float32, zeros where the mask is off."""
    place = x + rows.to(tl.int64)[:, None] * stride + cols[None, :]
    return tl.load(place, mask=mask, other=0.0).to(tl.float32)


@triton.jit
def _store(y, stride, rows, cols, mask, value):
    place = y + rows.to(tl.int64)[:, None] * stride + cols[None, :]
    tl.store(place, value.to(y.dtype.element_ty), mask=mask)


@triton.jit
def _forward_kernel(
    x, other, weight, y, total, rstd, nrows, width, eps, x_row, other_row, channels,
    RESIDUAL: tl.constexpr, GATE: tl.constexpr, ROWS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """``other`` is the residual or the gate; GATE is 0 (none), 1 (gate first) or 2 (norm first).

    Grid: tiles of rows, groups.
    """
    rows = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    group = tl.program_id(1)
    lane = tl.arange(0, BLOCK)
    cols = group * width + lane
    mask = (rows < nrows)[:, None] & (lane < width)[None, :]
    value = _load(x, x_row, rows, cols, mask)
    gate = value
    if RESIDUAL:
        value += _load(other, other_row, rows, cols, mask)
        _store(total, channels, rows, cols, mask, value)
        value = value.to(total.dtype.element_ty).to(tl.float32)
    if GATE != 0:
        gate = _load(other, other_row, rows, cols, mask)
        gate = gate * tl.sigmoid(gate)
    if GATE == 1:
        value *= gate
    w = tl.load(weight + cols, mask=lane < width, other=0.0).to(tl.float32)
    scale = 1.0 / tl.sqrt(tl.sum(value * value, axis=1) / width + eps)
    out = value * scale[:, None] * w[None, :]
    if GATE == 2:
        out *= gate
    _store(y, channels, rows, cols, mask, out)
    tl.store(rstd + rows.to(tl.int64) * tl.num_programs(1) + group, scale, mask=rows < nrows)


@triton.jit
def _backward_kernel(
    x, gate, weight, rstd, dy, dtotal, dx, dother, partial, nrows, width, share,
    x_row, gate_row, dy_row, dtotal_row, channels,
    RESIDUAL: tl.constexpr, GATE: tl.constexpr, ROWS: tl.constexpr, BLOCK: tl.constexpr, STAGES: tl.constexpr,
):  # fmt: skip
    """Gradients of a run of ``share`` rows, and this run's part of the weight's gradient.

    With RESIDUAL, ``x`` is the new residual, ``dtotal`` its gradient and ``dother`` that of the old one (none
    where it is the same as ``dx``). With GATE, ``dother`` is the gradient of the gate. Grid: runs, groups.
    """
    run = tl.program_id(0)
    group = tl.program_id(1)
    lane = tl.arange(0, BLOCK)
    cols = group * width + lane
    inside = lane < width
    w = tl.load(weight + cols, mask=inside, other=0.0).to(tl.float32)[None, :]
    sums = tl.zeros((ROWS, BLOCK), dtype=tl.float32)
    for first in tl.range(run * share, tl.minimum(run * share + share, nrows), ROWS, num_stages=STAGES):
        rows = first + tl.arange(0, ROWS)
        real = (rows < nrows) & (rows < run * share + share)
        mask = real[:, None] & inside[None, :]
        value = _load(x, x_row, rows, cols, mask)
        g = _load(dy, dy_row, rows, cols, mask)
        scale = tl.load(rstd + rows.to(tl.int64) * tl.num_programs(1) + group, mask=real, other=0.0)[:, None]
        plain = value
        if GATE != 0:
            z = _load(gate, gate_row, rows, cols, mask)
            sig = tl.sigmoid(z)
            act = z * sig
            slope = sig + act * (1.0 - sig)
        if GATE == 1:
            value *= act
        value *= scale
        if GATE == 2:
            _store(dother, channels, rows, cols, mask, g * w * value * slope)
            g *= act
        sums += g * value
        g *= w
        mean = tl.sum(g * value, axis=1)[:, None] / width
        grad = scale * (g - value * mean)
        if GATE == 1:
            _store(dother, channels, rows, cols, mask, grad * plain * slope)
            grad *= act
        if RESIDUAL:
            grad += _load(dtotal, dtotal_row, rows, cols, mask)
            if dother is not None:
                _store(dother, channels, rows, cols, mask, grad)
        _store(dx, channels, rows, cols, mask, grad)
    tl.store(partial + run.to(tl.int64) * channels + cols, tl.sum(sums, axis=0), mask=inside)


def _as_rows(x: Tensor) -> Tensor:
    """Return ``x`` as rows with channels side by side, copied only where it does not lie so."""
    rows = x.reshape(-1, x.shape[-1])
    return rows if rows.stride(-1) == 1 else rows.contiguous()


def _forward(
    x: Tensor, other: Tensor | None, weight: Tensor, eps: float, ngroups: int, *, residual: bool, gate: int
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Launch the forward kernel on rows; return y, the scales, and the sum with a residual."""
    nrows, channels = x.shape
    width = channels // ngroups
    block = triton.next_power_of_2(width)
    cut = cut_for(FORWARD, block)
    y = torch.empty(nrows, channels, dtype=x.dtype, device=x.device)
    rstd = torch.empty(nrows, ngroups, dtype=torch.float32, device=x.device)
    total = None
    if residual and other is not None:
        total = torch.empty(nrows, channels, dtype=other.dtype, device=x.device)
    other_row = 0 if other is None else other.stride(0)
    _forward_kernel[(triton.cdiv(nrows, cut.rows), ngroups)](
        x, other, weight, y, total, rstd, nrows, width, eps, x.stride(0), other_row, channels,
        RESIDUAL=residual, GATE=gate, ROWS=cut.rows, BLOCK=block, num_warps=cut.warps,
    )  # fmt: skip
    return y, rstd, total


def _backward(
    x: Tensor,
    gate_values: Tensor | None,
    weight: Tensor,
    rstd: Tensor,
    dy: Tensor,
    dtotal: Tensor | None,
    dx: Tensor,
    dother: Tensor | None,
    gate: int,
) -> Tensor:
    """Launch the backward kernel on rows; dx and dother are written, the weight's gradient returned."""
    nrows, channels = x.shape
    ngroups = rstd.shape[1]
    width = channels // ngroups
    block = triton.next_power_of_2(width)
    cut = cut_for(BACKWARD, block)
    share = triton.cdiv(triton.cdiv(nrows, cut.rows), max(1, cut.programs // ngroups)) * cut.rows
    runs = triton.cdiv(nrows, share)
    partial = torch.empty(runs, channels, dtype=torch.float32, device=x.device)
    strides = [0 if tensor is None else tensor.stride(0) for tensor in (x, gate_values, dy, dtotal)]
    _backward_kernel[(runs, ngroups)](
        x, gate_values, weight, rstd, dy, dtotal, dx, dother, partial, nrows, width, share, *strides,
        channels, RESIDUAL=dtotal is not None, GATE=gate, ROWS=cut.rows, BLOCK=block, STAGES=cut.stages,
        num_warps=cut.warps,
    )  # fmt: skip
    return partial.sum(0).to(weight.dtype)


class _Norm(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, eps: float) -> Tensor:
        rows = _as_rows(x)
        y, rstd, _ = _forward(rows, None, weight, eps, 1, residual=False, gate=0)
        ctx.save_for_backward(rows, weight, rstd)
        ctx.shape = x.shape
        return y.view(x.shape)

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
        rows, weight, rstd = ctx.saved_tensors
        dx = torch.empty(rows.shape, dtype=rows.dtype, device=rows.device)
        dweight = _backward(rows, None, weight, rstd, _as_rows(dy), None, dx, None, 0)
        return dx.view(ctx.shape), dweight, None


class _NormResidual(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, residual: Tensor, weight: Tensor, eps: float) -> tuple[Tensor, Tensor]:
        y, rstd, total = _forward(_as_rows(x), _as_rows(residual), weight, eps, 1, residual=True, gate=0)
        assert total is not None
        ctx.save_for_backward(total, weight, rstd)
        ctx.shape, ctx.dtype = x.shape, x.dtype
        return y.view(x.shape), total.view(x.shape)

    @staticmethod
    def backward(ctx: Any, dy: Tensor, dtotal: Tensor) -> tuple[Tensor | None, ...]:
        total, weight, rstd = ctx.saved_tensors
        dx = torch.empty(total.shape, dtype=ctx.dtype, device=total.device)
        dresidual = None if ctx.dtype == total.dtype else torch.empty_like(total)
        dweight = _backward(total, None, weight, rstd, _as_rows(dy), _as_rows(dtotal), dx, dresidual, 0)
        dx = dx.view(ctx.shape)
        return dx, dx if dresidual is None else dresidual.view(ctx.shape), dweight, None


class _GatedNorm(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, z: Tensor, weight: Tensor, eps: float, ngroups: int, gate: int
    ) -> Tensor:
        rows, gates = _as_rows(x), _as_rows(z)
        y, rstd, _ = _forward(rows, gates, weight, eps, ngroups, residual=False, gate=gate)
        ctx.save_for_backward(rows, gates, weight, rstd)
        ctx.shape, ctx.gate = x.shape, gate
        return y.view(x.shape)

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
        rows, gates, weight, rstd = ctx.saved_tensors
        dx = torch.empty(rows.shape, dtype=rows.dtype, device=rows.device)
        dz = torch.empty(rows.shape, dtype=gates.dtype, device=rows.device)
        dweight = _backward(rows, gates, weight, rstd, _as_rows(dy), None, dx, dz, ctx.gate)
        return dx.view(ctx.shape), dz.view(ctx.shape), dweight, None, None, None


def rms_norm(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    """Normalize as ``promptcot.ssd.ops.norm`` says, whose checked arguments these are."""
    return _Norm.apply(x, weight, eps)


def rms_norm_residual(x: Tensor, residual: Tensor, weight: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    """Add and normalize as ``promptcot.ssd.ops.norm`` says, whose checked arguments these are."""
    y, total = _NormResidual.apply(x, residual, weight, eps)
    return y, total


def gated_rms_norm(
    x: Tensor, z: Tensor, weight: Tensor, eps: float, ngroups: int, *, gate_first: bool
) -> Tensor:
    """Gate and normalize as ``promptcot.ssd.ops.norm`` says, whose checked arguments these are."""
    return _GatedNorm.apply(x, z, weight, eps, ngroups, 1 if gate_first else 2)
