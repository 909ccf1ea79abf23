"""Gradients of the scan, chunk by chunk: matrix products of scaled tiles, summed over heads on chip.

``input_gradients_kernel`` gives dx and what states add to dB, ``output_gradients_kernel`` what states
add to dC and the gradient of the products C B^T. With ``M_ij = CB_ij x'_j dy'_i``, all scaled, they
also leave the sums of M over rows and columns, of which the gradient of the decay takes the
difference: both come from the same rounded factors, so that what they share cancels.
There are no atomics: a program sums the heads of its split, and the splits are added in order.
"""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def input_gradients_kernel(
    X, B, CB, DY, DY_ROWS, DSTATES, INPUT, INPUT_AGAIN, OUTPUT_PAIR, D,
    DX, DB, COLUMN, TO_STATE, DIRECT, DD,
    START, LENGTH,
    x_t, x_h, b_t, b_g, dy_t, dy_h, row, first_head, nheads, slab, heads_per_group, ngroups, splits,
    D_DIM: tl.constexpr, HEADS: tl.constexpr,
    P: tl.constexpr, N: tl.constexpr, CHUNK: tl.constexpr, ROWS: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """Write dx for ROWS inputs j of one chunk and HEADS heads, and sum ``x'_j dS'`` over the heads.

    COLUMN is the sum of M over outputs, TO_STATE what the input adds to the leaving state times its
    gradient, DIRECT the gradient of x' times x, whose factor is left out.
    """
    PARTS: tl.constexpr = CHUNK // ROWS
    part = tl.program_id(0) % PARTS
    first_local = tl.program_id(0) // PARTS * HEADS
    chunk = tl.program_id(1)
    group = (first_head + first_local) // heads_per_group
    start = tl.load(START + chunk).to(tl.int64)
    length = tl.load(LENGTH + chunk)
    t = tl.arange(0, CHUNK)
    j = part * ROWS + tl.arange(0, ROWS)
    p = tl.arange(0, P)
    n = tl.arange(0, N)
    real = (t < length)[:, None]
    real_rows = (j < length)[:, None]
    rows = (start + j)[:, None]
    b = tl.load(B + rows * b_t + group * b_g + n[None, :], mask=real_rows, other=0.0)
    cb_at = CB + (chunk.to(tl.int64) * ngroups + group) * (CHUNK * CHUNK)
    cb = tl.load(cb_at + t[:, None] * CHUNK + j[None, :])  # (i, j)
    db = tl.zeros((ROWS, N), dtype=tl.float32)
    x_at = X + rows * x_t + p[None, :]
    dy_at = DY + (start + t)[:, None] * dy_t + p[None, :]
    state_at = DSTATES + (chunk.to(tl.int64) * slab + first_local) * (P * N) + p[:, None] * N + n[None, :]
    at = (first_head + first_local).to(tl.int64) * row + chunk.to(tl.int64) * CHUNK

    next_x = tl.load(x_at + (first_head + first_local) * x_h, mask=real_rows, other=0.0)
    next_dy = tl.load(dy_at + (first_head + first_local) * dy_h, mask=real, other=0.0)
    next_state = tl.load(state_at)
    next_input = tl.load(INPUT + at + j)
    next_again = tl.load(INPUT_AGAIN + at + j)
    next_output = tl.load(OUTPUT_PAIR + at + t)
    for h in range(HEADS):
        x = next_x
        dy = next_dy
        dstate = next_state
        as_input = next_input
        as_input_again = next_again
        as_output = next_output
        head = first_head + first_local + h
        sums_at = at + j
        if h + 1 < HEADS:
            state_at += P * N
            at += row
        following = tl.minimum(head + 1, first_head + first_local + HEADS - 1)
        next_x = tl.load(x_at + following * x_h, mask=real_rows, other=0.0)
        next_dy = tl.load(dy_at + following * dy_h, mask=real, other=0.0)
        next_state = tl.load(state_at)
        next_input = tl.load(INPUT + at + j)
        next_again = tl.load(INPUT_AGAIN + at + j)
        next_output = tl.load(OUTPUT_PAIR + at + t)

        scaled = (x.to(tl.float32) * as_input[:, None]).to(x.dtype)
        dscaled = (dy.to(tl.float32) * as_output[:, None]).to(x.dtype)
        db = tl.dot(scaled, dstate, db, input_precision=PRECISION)
        du = tl.dot(tl.trans(cb), dscaled, input_precision=PRECISION)
        column = tl.sum(du * scaled.to(tl.float32), axis=1)
        du = tl.dot(b, tl.trans(dstate), du, input_precision=PRECISION)
        tl.store(COLUMN + sums_at, column)
        tl.store(TO_STATE + sums_at, tl.sum(du * scaled.to(tl.float32), axis=1) - column)
        tl.store(DIRECT + sums_at, tl.sum(du * x.to(tl.float32), axis=1))
        dx = du * as_input_again[:, None]
        if D_DIM > 0:
            if PARTS == 1:
                wide = dy.to(tl.float32)
            else:
                wide = tl.load(DY_ROWS + rows * dy_t + head * dy_h + p[None, :], mask=real_rows, other=0.0).to(tl.float32)
            dskip = tl.sum(wide * x.to(tl.float32), axis=0)
            which = (chunk.to(tl.int64) * PARTS + part) * nheads + head
            if D_DIM == 1:
                dx += wide * tl.load(D + head).to(tl.float32)
                tl.store(DD + which, tl.sum(dskip, axis=0))
            else:
                dx += wide * tl.load(D + head * P + p).to(tl.float32)[None, :]
                tl.store(DD + which * P + p, dskip)
        tl.store(DX + (rows * nheads + head) * P + p[None, :], dx.to(DX.dtype.element_ty), mask=real_rows)
    out = (chunk.to(tl.int64) * splits + (first_head + first_local) // HEADS) * CHUNK + j
    tl.store(DB + out[:, None] * N + n[None, :], db)


@triton.jit
def output_gradients_kernel(
    X, C, CB, DY, STATES, INPUT_PAIR, OUTPUT,
    DC, DCB, ROW,
    START, LENGTH,
    x_t, x_h, c_t, c_g, dy_t, dy_h, row, first_head, nheads, slab, heads_per_group, ngroups, splits,
    HEADS: tl.constexpr,
    P: tl.constexpr, N: tl.constexpr, CHUNK: tl.constexpr, ROWS: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """Sum ``dy'_i S'`` and ``dy'_i x'_j`` over HEADS heads, for ROWS outputs i of one chunk.

    ROW is the output but for its skip times its gradient: the sum of M over inputs and what the
    entering state gives.
    """
    PARTS: tl.constexpr = CHUNK // ROWS
    part = tl.program_id(0) % PARTS
    first_local = tl.program_id(0) // PARTS * HEADS
    chunk = tl.program_id(1)
    group = (first_head + first_local) // heads_per_group
    start = tl.load(START + chunk).to(tl.int64)
    length = tl.load(LENGTH + chunk)
    t = tl.arange(0, CHUNK)
    i = part * ROWS + tl.arange(0, ROWS)
    p = tl.arange(0, P)
    n = tl.arange(0, N)
    real = (t < length)[:, None]
    real_rows = (i < length)[:, None]
    rows = (start + i)[:, None]
    c = tl.load(C + rows * c_t + group * c_g + n[None, :], mask=real_rows, other=0.0)
    cb_at = CB + (chunk.to(tl.int64) * ngroups + group) * (CHUNK * CHUNK)
    cb = tl.load(cb_at + i[:, None] * CHUNK + t[None, :])
    dc = tl.zeros((ROWS, N), dtype=tl.float32)
    dcb = tl.zeros((ROWS, CHUNK), dtype=tl.float32)
    x_at = X + (start + t)[:, None] * x_t + p[None, :]
    dy_at = DY + rows * dy_t + p[None, :]
    state_at = STATES + (chunk.to(tl.int64) * slab + first_local) * (P * N) + p[:, None] * N + n[None, :]
    at = (first_head + first_local).to(tl.int64) * row + chunk.to(tl.int64) * CHUNK

    next_x = tl.load(x_at + (first_head + first_local) * x_h, mask=real, other=0.0)
    next_dy = tl.load(dy_at + (first_head + first_local) * dy_h, mask=real_rows, other=0.0)
    next_state = tl.load(state_at)
    next_input = tl.load(INPUT_PAIR + at + t)
    next_output = tl.load(OUTPUT + at + i)
    for h in range(HEADS):
        x = next_x
        dy = next_dy
        state = next_state
        as_input = next_input
        as_output = next_output
        sums_at = at + i
        if h + 1 < HEADS:
            state_at += P * N
            at += row
        following = first_head + first_local + tl.minimum(h + 1, HEADS - 1)
        next_x = tl.load(x_at + following * x_h, mask=real, other=0.0)
        next_dy = tl.load(dy_at + following * dy_h, mask=real_rows, other=0.0)
        next_state = tl.load(state_at)
        next_input = tl.load(INPUT_PAIR + at + t)
        next_output = tl.load(OUTPUT + at + i)

        scaled = (x.to(tl.float32) * as_input[:, None]).to(x.dtype)
        dscaled = (dy.to(tl.float32) * as_output[:, None]).to(x.dtype)
        dc = tl.dot(dscaled, state, dc, input_precision=PRECISION)
        dcb = tl.dot(dscaled, tl.trans(scaled), dcb, input_precision=PRECISION)
        read = tl.dot(c, tl.trans(state), input_precision=PRECISION)
        read = tl.dot(cb, scaled, read, input_precision=PRECISION)
        tl.store(ROW + sums_at, tl.sum(read * dscaled.to(tl.float32), axis=1))
    split = chunk.to(tl.int64) * splits + (first_head + first_local) // HEADS
    tl.store(DC + (split * CHUNK + i)[:, None] * N + n[None, :], dc)
    tl.store(DCB + (split * CHUNK + i)[:, None] * CHUNK + t[None, :], dcb)
