"""One token for a batch of slots: the convolution, and the scan with its gate.

A step reads and writes every state once and does next to nothing with it, so it is a copy that
thinks a little: a tile of state rows for every program, streamed past the caches. The arithmetic is
float32 whatever the state is kept in.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import triton
import triton.language as tl
from torch import Tensor

from promptcot.ssd.kernels.conv1d_kernels import sum_of_taps, taps_of
from promptcot.ssd.kernels.gates import sigmoid

__all__ = ["conv_step", "mixer_step", "ssd_step"]


class Tile(NamedTuple):
    """State rows of a program, and its warps."""

    rows: int
    warps: int


# Pinned for sm_90, by the bytes of a state's element. Not by the batch: a row's bits must not hang on it.
STEP = {2: Tile(32, 2), 4: Tile(64, 8)}
_CONV_COLS = 256


def step_tile(state: Tensor) -> Tile:
    """Return the tile for states of this kind, cut to the rows that a head has."""
    tile = STEP[state.element_size()]
    return tile._replace(rows=min(tile.rows, triton.next_power_of_2(state.shape[2])))


@triton.jit
def _slot(slots, row, nslots, SLOTS: tl.constexpr):
    """The slot of a batch row, and whether there is one."""
    slot = row.to(tl.int64)
    if SLOTS:
        slot = tl.load(slots + row).to(tl.int64)
    return slot, (slot >= 0) & (slot < nslots)


@triton.jit
def _softplus(v):
    """log(1 + exp(v)) without overflow, exact to the last digits where it is small."""
    e = tl.exp(-tl.abs(v))
    u = 1.0 + e
    small = u == 1.0
    return tl.maximum(v, 0.0) + tl.where(small, e, tl.log(u) * (e / tl.where(small, 1.0, u - 1.0)))


@triton.jit
def _step_size(
    dt, dt_bias, place, head, low, high, BIAS: tl.constexpr, SOFTPLUS: tl.constexpr, LIMIT: tl.constexpr
):
    step = tl.load(dt + place).to(tl.float32)
    if BIAS:
        step += tl.load(dt_bias + head).to(tl.float32)
    if SOFTPLUS:
        step = _softplus(step)
    if LIMIT:
        step = tl.minimum(tl.maximum(step, low), high)
    return step


@triton.jit
def _read(state, slot, live, head, nheads, headdim, dstate, p, n):
    """A tile of state rows, and where it lies. First of all: all else can be done while it is on its way."""
    mask = ((p < headdim) & live)[:, None] & (n < dstate)[None, :]
    place = ((slot * nheads + head) * headdim + p)[:, None] * dstate + n[None, :]
    return tl.load(state + place, mask=mask, other=0.0, eviction_policy="evict_first"), state + place, mask


@triton.jit
def _advance(
    tile, A, D, z, y, live, row, head, nheads, headdim, p, step, xs, bs, cs, z_row,
    D_DIM: tl.constexpr, GATE: tl.constexpr,
):  # fmt: skip
    """Move a tile of state rows one token on, and write its outputs."""
    inside = p < headdim
    h, place, mask = tile
    decay = tl.exp(tl.load(A + head).to(tl.float32) * step)
    h = h.to(tl.float32) * decay + (step * xs)[:, None] * bs[None, :]
    tl.store(place, h.to(place.dtype.element_ty), mask=mask, eviction_policy="evict_first")
    out = tl.sum(h * cs[None, :], axis=1)
    if D_DIM == 1:
        out += tl.load(D + head).to(tl.float32) * xs
    if D_DIM == 2:
        out += tl.load(D + head * headdim + p, mask=inside, other=0.0).to(tl.float32) * xs
    if GATE:
        g = tl.load(z + row.to(tl.int64) * z_row + head * headdim + p, mask=inside, other=0.0).to(tl.float32)
        out *= g * sigmoid(g)
    out = tl.where(live, out, 0.0)
    tl.store(y + (row.to(tl.int64) * nheads + head) * headdim + p, out.to(y.dtype.element_ty), mask=inside)


@triton.jit
def _ssd_kernel(
    state, x, dt, A, B, C, D, z, dt_bias, slots, y, nslots, nheads, headdim, dstate, ngroups, low, high,
    x_row, dt_row, b_row, c_row, z_row,
    D_DIM: tl.constexpr, GATE: tl.constexpr, BIAS: tl.constexpr, SOFTPLUS: tl.constexpr, LIMIT: tl.constexpr,
    SLOTS: tl.constexpr, ROWS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Grid: tiles of a head's state (fastest), heads, batch rows."""
    tiles = tl.cdiv(headdim, ROWS)
    pid = tl.program_id(0)
    p = (pid % tiles) * ROWS + tl.arange(0, ROWS)
    head = (pid // tiles) % nheads
    row = pid // (tiles * nheads)
    n = tl.arange(0, BLOCK)
    slot, live = _slot(slots, row, nslots, SLOTS)
    tile = _read(state, slot, live, head, nheads, headdim, dstate, p, n)
    wide = row.to(tl.int64)
    step = _step_size(dt, dt_bias, wide * dt_row + head, head, low, high, BIAS, SOFTPLUS, LIMIT)
    xs = tl.load(x + wide * x_row + head * headdim + p, mask=p < headdim, other=0.0).to(tl.float32)
    group = (head // (nheads // ngroups)) * dstate + n
    bs = tl.load(B + wide * b_row + group, mask=n < dstate, other=0.0).to(tl.float32)
    cs = tl.load(C + wide * c_row + group, mask=n < dstate, other=0.0).to(tl.float32)
    _advance(tile, A, D, z, y, live, row, head, nheads, headdim, p, step, xs, bs, cs, z_row, D_DIM, GATE)


@triton.jit
def _window(conv_state, x, slot, cols, mask, channels, WIDTH: tl.constexpr):
    """The inputs of some channels: the new one, and those 1, 2 and 3 tokens back."""
    x0 = tl.load(x + cols, mask=mask, other=0.0).to(tl.float32)
    past = conv_state + (slot * channels + cols) * (WIDTH - 1) + (WIDTH - 2)
    x1 = tl.load(past, mask=mask, other=0.0).to(tl.float32)
    x2 = tl.load(past - 1, mask=mask & (WIDTH > 2), other=0.0).to(tl.float32)
    x3 = tl.load(past - 2, mask=mask & (WIDTH > 3), other=0.0).to(tl.float32)
    return x0, x1, x2, x3


@triton.jit
def _shift(conv_state, slot, cols, mask, channels, x0, x1, x2, WIDTH: tl.constexpr):
    """Write the last inputs of some channels back, one token on."""
    past = conv_state + (slot * channels + cols) * (WIDTH - 1) + (WIDTH - 2)
    kind = conv_state.dtype.element_ty
    tl.store(past, x0.to(kind), mask=mask)
    if WIDTH > 2:
        tl.store(past - 1, x1.to(kind), mask=mask)
    if WIDTH > 3:
        tl.store(past - 2, x2.to(kind), mask=mask)


@triton.jit
def _conv_kernel(
    conv_state, x, weight, bias, slots, y, nslots, channels, x_row,
    WIDTH: tl.constexpr, BIAS: tl.constexpr, SILU: tl.constexpr, SLOTS: tl.constexpr, COLS: tl.constexpr,
):  # fmt: skip
    """Grid: tiles of channels (fastest), batch rows."""
    tiles = tl.cdiv(channels, COLS)
    pid = tl.program_id(0)
    cols = (pid % tiles) * COLS + tl.arange(0, COLS)
    row = pid // tiles
    slot, live = _slot(slots, row, nslots, SLOTS)
    inside = cols < channels
    mask = inside & live
    window = _window(conv_state, x + row.to(tl.int64) * x_row, slot, cols, mask, channels, WIDTH)
    _shift(conv_state, slot, cols, mask, channels, window[0], window[1], window[2], WIDTH)
    x0, x1, x2, x3 = window
    w0, w1, w2, w3, b = taps_of(weight, bias, cols, channels, WIDTH, BIAS)
    # As a tile of one row, which is what the sum is written for.
    out = sum_of_taps(x0[None, :], x1[None, :], x2[None, :], x3[None, :], w0, w1, w2, w3, b, WIDTH)
    if SILU:
        out = out * sigmoid(out)
    out = tl.where(live, out, 0.0)
    place = y + row.to(tl.int64) * channels + cols
    tl.store(place[None, :], out.to(y.dtype.element_ty), mask=inside[None, :])


def _flat(x: Tensor) -> Tensor:
    """Return ``x`` as one dense row for every row of the batch, copied only where it does not lie so."""
    rows = x.reshape(x.shape[0], -1)
    return rows if rows.stride(-1) == 1 else rows.contiguous()


def ssd_step(
    state: Tensor,
    x: Tensor,
    dt: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    D: Tensor | None,
    z: Tensor | None,
    dt_bias: Tensor | None,
    dt_softplus: bool,
    dt_limit: tuple[float, float],
    slots: Tensor | None,
) -> Tensor:
    """Advance the scan as ``promptcot.ssd.ops.decode`` says, whose checked arguments these are."""
    nslots, nheads, headdim, dstate = state.shape
    batch = x.shape[0]
    y = torch.empty(batch, nheads, headdim, dtype=x.dtype, device=x.device)
    xs, dts, Bs, Cs = _flat(x), _flat(dt), _flat(B), _flat(C)
    zs = None if z is None else _flat(z)
    tile = step_tile(state)
    _ssd_kernel[(batch * nheads * triton.cdiv(headdim, tile.rows),)](
        state, xs, dts, A.contiguous(), Bs, Cs, None if D is None else D.contiguous(), zs, dt_bias, slots, y,
        nslots, nheads, headdim, dstate, B.shape[1], *dt_limit, xs.stride(0), dts.stride(0), Bs.stride(0),
        Cs.stride(0), 0 if zs is None else zs.stride(0), D_DIM=0 if D is None else D.dim(),
        GATE=z is not None, BIAS=dt_bias is not None, SOFTPLUS=dt_softplus, LIMIT=dt_limit != (0.0, math.inf),
        SLOTS=slots is not None, ROWS=tile.rows, BLOCK=triton.next_power_of_2(dstate), num_warps=tile.warps,
    )  # fmt: skip
    return y


def conv_step(
    conv_state: Tensor, x: Tensor, weight: Tensor, bias: Tensor | None, slots: Tensor | None, *, silu: bool
) -> Tensor:
    """Advance the convolution as ``promptcot.ssd.ops.decode`` says, whose checked arguments these are."""
    batch, channels = x.shape
    y = torch.empty(batch, channels, dtype=x.dtype, device=x.device)
    xs = _flat(x)
    _conv_kernel[(batch * triton.cdiv(channels, _CONV_COLS),)](
        conv_state, xs, weight.contiguous(), bias, slots, y, conv_state.shape[0], channels, xs.stride(0),
        WIDTH=weight.shape[1], BIAS=bias is not None, SILU=silu, SLOTS=slots is not None, COLS=_CONV_COLS,
        num_warps=2,
    )  # fmt: skip
    return y


def mixer_step(
    conv_state: Tensor,
    state: Tensor,
    xBC: Tensor,
    dt: Tensor,
    A: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    ngroups: int,
    D: Tensor | None,
    z: Tensor | None,
    dt_bias: Tensor | None,
    dt_softplus: bool,
    dt_limit: tuple[float, float],
    slots: Tensor | None,
) -> Tensor:
    """Advance both states as ``promptcot.ssd.ops.decode`` says, whose checked arguments these are.

    Two launches: one that did both was slower at every batch (docs/kernels-pieces.md).
    """
    _, nheads, headdim, dstate = state.shape
    inner, width = nheads * headdim, ngroups * dstate
    mixed = conv_step(conv_state, xBC, weight, bias, slots, silu=True)
    x = mixed[:, :inner].unflatten(-1, (nheads, headdim))
    B, C = (mixed[:, inner + at : inner + at + width].unflatten(-1, (ngroups, dstate)) for at in (0, width))
    return ssd_step(state, x, dt, A, B, C, D, z, dt_bias, dt_softplus, dt_limit, slots)
