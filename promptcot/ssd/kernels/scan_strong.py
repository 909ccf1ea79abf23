"""The pairs of chunks whose decay is too strong to be split into factors: an exponential for every pair.

Both kernels look at every head of their split and leave at once the heads that the other kernels have
done; they are slow, and meant for the few heads that forget within a chunk.
"""

from __future__ import annotations

import triton
import triton.language as tl

from promptcot.ssd.kernels.scan_scales import is_strong


@triton.jit
def strong_outputs_kernel(
    X, CB, STEP, DECAY, Y,
    START, LENGTH,
    x_t, x_h, row, first_head, nheads, heads_per_group, ngroups,
    HEADS: tl.constexpr, WIDTH: tl.constexpr, LIMIT: tl.constexpr,
    P: tl.constexpr, CHUNK: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """Add to y what the chunk's own inputs give, for the strong ones among HEADS (at most WIDTH) heads."""
    first = first_head + tl.program_id(0) * HEADS
    chunk = tl.program_id(1)
    group = first // heads_per_group
    start = tl.load(START + chunk).to(tl.int64)
    length = tl.load(LENGTH + chunk)
    t = tl.arange(0, CHUNK)
    p = tl.arange(0, P)
    real = (t < length)[:, None]
    rows = (start + t)[:, None]
    square = t[:, None] * CHUNK + t[None, :]
    last = first.to(tl.int64) * row + chunk.to(tl.int64) * CHUNK + CHUNK - 1
    heads = tl.arange(0, WIDTH)
    ends = tl.load(DECAY + last + heads * row.to(tl.int64), mask=heads < HEADS, other=0.0)
    found = tl.sum(is_strong(ends, LIMIT).to(tl.int32), axis=0)
    for i in range(tl.where(found > 0, HEADS, 0)):
        head = first + i
        at = head.to(tl.int64) * row + chunk.to(tl.int64) * CHUNK
        if is_strong(tl.load(DECAY + at + CHUNK - 1), LIMIT):
            cb = tl.load(CB + (chunk.to(tl.int64) * ngroups + group) * (CHUNK * CHUNK) + square).to(
                tl.float32
            )
            x = tl.load(X + rows * x_t + head * x_h + p[None, :], mask=real, other=0.0)
            decay = tl.load(DECAY + at + t)
            weights = cb * tl.exp2(tl.minimum(decay[:, None] - decay[None, :], 0.0))
            weights = (weights * tl.load(STEP + at + t)[None, :]).to(x.dtype)
            y_at = Y + (rows * nheads + head) * P + p[None, :]
            y = tl.load(y_at, mask=real, other=0.0).to(tl.float32)
            y = tl.dot(weights, x, y, input_precision=PRECISION)
            tl.store(y_at, y.to(Y.dtype.element_ty), mask=real)


@triton.jit
def strong_inputs_kernel(
    X, CB, DY, STEP, DECAY,
    DX, DCB, STRONG, ROW, STRONG_COLUMN,
    START, LENGTH,
    x_t, x_h, dy_t, dy_h, row, first_head, nheads, heads_per_group, ngroups, splits,
    HEADS: tl.constexpr, WIDTH: tl.constexpr, LIMIT: tl.constexpr,
    P: tl.constexpr, CHUNK: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """Do for the strong ones among HEADS heads what ``scan_gradients`` does for the pairs of the others.

    DCB of the split is written, and STRONG set, only where there is such a head.
    """
    first = first_head + tl.program_id(0) * HEADS
    chunk = tl.program_id(1)
    group = first // heads_per_group
    start = tl.load(START + chunk).to(tl.int64)
    length = tl.load(LENGTH + chunk)
    t = tl.arange(0, CHUNK)
    p = tl.arange(0, P)
    real = (t < length)[:, None]
    rows = (start + t)[:, None]
    last = first.to(tl.int64) * row + chunk.to(tl.int64) * CHUNK + CHUNK - 1
    heads = tl.arange(0, WIDTH)
    ends = tl.load(DECAY + last + heads * row.to(tl.int64), mask=heads < HEADS, other=0.0)
    expected = tl.sum(is_strong(ends, LIMIT).to(tl.int32), axis=0)
    found = 0
    split = chunk.to(tl.int64) * splits + first // HEADS
    for i in range(tl.where(expected > 0, HEADS, 0)):
        head = first + i
        at = head.to(tl.int64) * row + chunk.to(tl.int64) * CHUNK
        if is_strong(tl.load(DECAY + at + CHUNK - 1), LIMIT):
            # (j, i): rows are inputs
            cb_at = CB + (chunk.to(tl.int64) * ngroups + group) * (CHUNK * CHUNK)
            cb = tl.load(cb_at + t[None, :] * CHUNK + t[:, None])
            x = tl.load(X + rows * x_t + head * x_h + p[None, :], mask=real, other=0.0)
            dy = tl.load(DY + rows * dy_t + head * dy_h + p[None, :], mask=real, other=0.0)
            decay = tl.load(DECAY + at + t)
            step = tl.load(STEP + at + t)
            factor = tl.exp2(tl.minimum(decay[None, :] - decay[:, None], 0.0))
            du = tl.dot((cb.to(tl.float32) * factor).to(x.dtype), dy, input_precision=PRECISION)
            dx_at = DX + (rows * nheads + head) * P + p[None, :]
            dx = tl.load(dx_at, mask=real, other=0.0).to(tl.float32) + du * step[:, None]
            tl.store(dx_at, dx.to(DX.dtype.element_ty), mask=real)
            decayed = tl.dot(x, tl.trans(dy), input_precision=PRECISION) * factor
            pairs = cb.to(tl.float32) * decayed
            column = tl.sum(pairs, axis=1)
            tl.store(ROW + at + t, tl.load(ROW + at + t) + tl.sum(pairs * step[:, None], axis=0))
            tl.store(STRONG_COLUMN + at + t, column)
            # Kept as (i, j) as the others are; in memory, for a register of every pair is too many.
            dcb_at = DCB + split * (CHUNK * CHUNK) + t[None, :] * CHUNK + t[:, None]
            dcb = decayed * step[:, None]
            if found > 0:
                dcb += tl.load(dcb_at)
            tl.store(dcb_at, dcb)
            found += 1
    tl.store(STRONG + split, found)
