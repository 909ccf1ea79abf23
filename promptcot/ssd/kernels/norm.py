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
from promptcot.ssd.kernels.gates import sigmoid

__all__ = ["gated_rms_norm", "rms_norm", "rms_norm_residual"]


class Cut(NamedTuple):
    """``rows`` rows at a time by ``warps`` warps, ``stages`` ahead; backward, ``programs`` share them out."""

    rows: int
    warps: int
    stages: int = 1
    programs: int = 0


# Pinned for sm_90, by the widest group that an entry is for.
FORWARD = {
    256: Cut(4, 1),
    512: Cut(4, 2),
    1024: Cut(2, 2),
    2048: Cut(1, 2),
    3072: Cut(1, 4),
    4096: Cut(1, 4),
    6144: Cut(1, 8),
    8192: Cut(1, 8),
    16384: Cut(1, 16),
}
BACKWARD = {
    256: Cut(4, 1, 2, 4224),
    512: Cut(4, 2, 2, 2112),
    1024: Cut(1, 2, 3, 528),
    2048: Cut(1, 4, 2, 528),
    3072: Cut(1, 4, 3, 264),
    4096: Cut(1, 8, 3, 132),
    6144: Cut(1, 16, 3, 264),
    8192: Cut(1, 16, 1, 132),
    16384: Cut(1, 32, 1, 132),
}


def cut_for(table: dict[int, Cut], width: int) -> Cut:
    """Return the cut for groups of ``width`` channels."""
    for widest, cut in table.items():
        if width <= widest:
            return cut
    raise KernelError(f"x has groups of {width} channels", remedy=f"wanted at most {max(table)}")


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
def _inner(
    x, other, total, x_row, other_row, channels, rows, cols, mask, RESIDUAL: tl.constexpr, GATE: tl.constexpr
):
    """What is normalized, and the gate that comes after the norm (something else without one)."""
    value = _load(x, x_row, rows, cols, mask)
    gate = value
    if RESIDUAL:
        value += _load(other, other_row, rows, cols, mask)
        _store(total, channels, rows, cols, mask, value)
        value = value.to(total.dtype.element_ty).to(tl.float32)
    if GATE != 0:
        gate = _load(other, other_row, rows, cols, mask)
        gate = gate * sigmoid(gate)
    if GATE == 1:
        value *= gate
    return value, gate


@triton.jit
def _outer(weight, y, value, gate, scale, channels, rows, cols, mask, inside, GATE: tl.constexpr):
    """Scale, weigh and gate what was normalized, and write it."""
    w = tl.load(weight + cols, mask=inside, other=0.0).to(tl.float32)
    out = value * scale[:, None] * w[None, :]
    if GATE == 2:
        out *= gate
    _store(y, channels, rows, cols, mask, out)


@triton.jit
def _forward_kernel(
    x, other, weight, y, total, rstd, nrows, width, eps, x_row, other_row, channels,
    RESIDUAL: tl.constexpr, GATE: tl.constexpr, ROWS: tl.constexpr, BLOCK: tl.constexpr, REST: tl.constexpr,
):  # fmt: skip
    """``other`` is the residual or the gate; GATE is 0 (none), 1 (gate first) or 2 (norm first).

    A group is cut into BLOCK channels and REST more. Grid: tiles of rows, groups.
    """
    rows = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    group = tl.program_id(1)
    real = rows < nrows
    inside = tl.arange(0, BLOCK) < width
    cols = group * width + tl.arange(0, BLOCK)
    mask = real[:, None] & inside[None, :]
    value, gate = _inner(x, other, total, x_row, other_row, channels, rows, cols, mask, RESIDUAL, GATE)
    square = tl.sum(value * value, axis=1)
    if REST > 0:
        inside2 = BLOCK + tl.arange(0, REST) < width
        cols2 = group * width + BLOCK + tl.arange(0, REST)
        mask2 = real[:, None] & inside2[None, :]
        value2, gate2 = _inner(
            x, other, total, x_row, other_row, channels, rows, cols2, mask2, RESIDUAL, GATE
        )
        square += tl.sum(value2 * value2, axis=1)
    scale = 1.0 / tl.sqrt(square / width + eps)
    _outer(weight, y, value, gate, scale, channels, rows, cols, mask, inside, GATE)
    if REST > 0:
        _outer(weight, y, value2, gate2, scale, channels, rows, cols2, mask2, inside2, GATE)
    tl.store(rstd + rows.to(tl.int64) * tl.num_programs(1) + group, scale, mask=real)


@triton.jit
def _half(
    x, gate, dy, dother, w, sums, scale, x_row, gate_row, dy_row, channels, rows, cols, mask,
    GATE: tl.constexpr,
):  # fmt: skip
    """Up to the mean that a row needs: the normalized values, their gradients, and what is left to do.

    Returns:
        Values, gradients, the two factors that those of x and of the gate get in the end, new sums.
    """
    value = _load(x, x_row, rows, cols, mask)
    g = _load(dy, dy_row, rows, cols, mask)
    to_x = value
    to_gate = value
    if GATE != 0:
        z = _load(gate, gate_row, rows, cols, mask)
        sig = sigmoid(z)
        act = z * sig
        slope = tl.fma(act, 1.0 - sig, sig)
    if GATE == 1:
        to_gate = value * slope
        to_x = act
        value *= act
    value *= scale
    if GATE == 2:
        _store(dother, channels, rows, cols, mask, g * w * value * slope)
        g *= act
    return value, g * w, to_x, to_gate, tl.fma(g, value, sums)


@triton.jit
def _finish(
    value, g, mean, to_x, to_gate, scale, dtotal, dx, dother, dtotal_row, channels, rows, cols, mask,
    RESIDUAL: tl.constexpr, GATE: tl.constexpr,
):  # fmt: skip
    """Write the gradients, now that the mean is known."""
    grad = scale * (g - value * mean)
    if GATE == 1:
        _store(dother, channels, rows, cols, mask, grad * to_gate)
        grad *= to_x
    if RESIDUAL:
        grad += _load(dtotal, dtotal_row, rows, cols, mask)
        if dother is not None:
            _store(dother, channels, rows, cols, mask, grad)
    _store(dx, channels, rows, cols, mask, grad)


@triton.jit
def _backward_kernel(
    x, gate, weight, rstd, dy, dtotal, dx, dother, partial, nrows, width, share,
    x_row, gate_row, dy_row, dtotal_row, channels,
    RESIDUAL: tl.constexpr, GATE: tl.constexpr, ROWS: tl.constexpr, BLOCK: tl.constexpr, REST: tl.constexpr,
    STAGES: tl.constexpr,
):  # fmt: skip
    """Gradients of a run of ``share`` rows, and this run's part of the weight's gradient.

    With RESIDUAL, ``x`` is the new residual, ``dtotal`` its gradient and ``dother`` that of the old one (none
    where it is the same as ``dx``). With GATE, ``dother`` is the gradient of the gate. Grid: runs, groups.
    """
    run = tl.program_id(0)
    group = tl.program_id(1)
    inside = tl.arange(0, BLOCK) < width
    cols = group * width + tl.arange(0, BLOCK)
    w = tl.load(weight + cols, mask=inside, other=0.0).to(tl.float32)[None, :]
    sums = tl.zeros((ROWS, BLOCK), dtype=tl.float32)
    if REST > 0:
        inside2 = BLOCK + tl.arange(0, REST) < width
        cols2 = group * width + BLOCK + tl.arange(0, REST)
        w2 = tl.load(weight + cols2, mask=inside2, other=0.0).to(tl.float32)[None, :]
        sums2 = tl.zeros((ROWS, REST), dtype=tl.float32)
    for first in tl.range(run * share, tl.minimum(run * share + share, nrows), ROWS, num_stages=STAGES):
        rows = first + tl.arange(0, ROWS)
        real = (rows < nrows) & (rows < run * share + share)
        scale = tl.load(rstd + rows.to(tl.int64) * tl.num_programs(1) + group, mask=real, other=0.0)[:, None]
        mask = real[:, None] & inside[None, :]
        value, g, to_x, to_gate, sums = _half(
            x, gate, dy, dother, w, sums, scale, x_row, gate_row, dy_row, channels, rows, cols, mask, GATE
        )
        dot = tl.sum(g * value, axis=1)
        if REST > 0:
            mask2 = real[:, None] & inside2[None, :]
            value2, g2, to_x2, to_gate2, sums2 = _half(
                x, gate, dy, dother, w2, sums2, scale, x_row, gate_row, dy_row, channels, rows, cols2,
                mask2, GATE,
            )  # fmt: skip
            dot += tl.sum(g2 * value2, axis=1)
        mean = dot[:, None] / width
        _finish(
            value, g, mean, to_x, to_gate, scale, dtotal, dx, dother, dtotal_row, channels, rows, cols, mask,
            RESIDUAL, GATE,
        )  # fmt: skip
        if REST > 0:
            _finish(
                value2, g2, mean, to_x2, to_gate2, scale, dtotal, dx, dother, dtotal_row, channels, rows,
                cols2, mask2, RESIDUAL, GATE,
            )  # fmt: skip
    tl.store(partial + run.to(tl.int64) * channels + cols, tl.sum(sums, axis=0), mask=inside)
    if REST > 0:
        tl.store(partial + run.to(tl.int64) * channels + cols2, tl.sum(sums2, axis=0), mask=inside2)


def pieces_of(width: int) -> tuple[int, int]:
    """Cut a group into two powers of two that leave few lanes idle: 5120 into 4096 and 1024.

    Returns:
        The two, the second 0 where one is enough or just as good.
    """
    block: int = triton.next_power_of_2(width)
    if block == width or width < 256:
        return block, 0
    rest: int = triton.next_power_of_2(width - block // 2)
    return (block // 2, rest) if rest < block // 2 else (block, 0)


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
    block, rest = pieces_of(width)
    cut = cut_for(FORWARD, width)
    y = torch.empty(nrows, channels, dtype=x.dtype, device=x.device)
    rstd = torch.empty(nrows, ngroups, dtype=torch.float32, device=x.device)
    total = None
    if residual and other is not None:
        total = torch.empty(nrows, channels, dtype=other.dtype, device=x.device)
    other_row = 0 if other is None else other.stride(0)
    _forward_kernel[(triton.cdiv(nrows, cut.rows), ngroups)](
        x, other, weight, y, total, rstd, nrows, width, eps, x.stride(0), other_row, channels,
        RESIDUAL=residual, GATE=gate, ROWS=cut.rows, BLOCK=block, REST=rest, num_warps=cut.warps,
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
    block, rest = pieces_of(width)
    cut = cut_for(BACKWARD, width)
    share = triton.cdiv(triton.cdiv(nrows, cut.rows), max(1, cut.programs // ngroups)) * cut.rows
    runs = triton.cdiv(nrows, share)
    partial = torch.empty(runs, channels, dtype=torch.float32, device=x.device)
    strides = [0 if tensor is None else tensor.stride(0) for tensor in (x, gate_values, dy, dtotal)]
    _backward_kernel[(runs, ngroups)](
        x, gate_values, weight, rstd, dy, dtotal, dx, dother, partial, nrows, width, share, *strides,
        channels, RESIDUAL=dtotal is not None, GATE=gate, ROWS=cut.rows, BLOCK=block, REST=rest,
        STAGES=cut.stages, num_warps=cut.warps,
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
