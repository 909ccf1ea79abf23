"""Gradients of the scan, chunk by chunk: matrix products of scaled tiles, summed over heads on chip.

``input_gradients_kernel`` gives dx and what states add to dB, ``output_gradients_kernel`` what states
add to dC and the gradient of the products C B^T. With ``M_ij = CB_ij x'_j dy'_i``, all scaled, they
also leave the sums of M over rows and columns, of which the gradient of the decay takes the
difference: both come from the same rounded factors, so that what they share cancels.
COUNT (1 or 2) heads are done at a time. There are no atomics: a program sums the heads of its split,
and the splits are added in order.
"""

from __future__ import annotations

import triton
import triton.language as tl

from promptcot.ssd.kernels.scan_scales import spread, store_row_sums


@triton.jit
def input_gradients_kernel(
    X, B, CB, DY, DY_ROWS, DSTATES, INPUT, OUTPUT_PAIR, D,
    DX, DB, COLUMN, BOTH, SKIP, DD,
    START, LENGTH,
    b_t, b_g, row, first_head, nheads, slab, heads_per_group, ngroups, splits,
    D_DIM: tl.constexpr, HEADS: tl.constexpr, COUNT: tl.constexpr,
    P: tl.constexpr, N: tl.constexpr, CHUNK: tl.constexpr, ROWS: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """Write dx for ROWS inputs j of one chunk and HEADS heads, and sum ``x'_j dS'`` over the heads.

    COLUMN is the sum of M over outputs, BOTH that and what the input adds to the leaving state, times
    its gradient, SKIP the product of x and dy. X, DY, DY_ROWS and DSTATES are descriptors as in
    ``outputs_kernel``, for tiles of ROWS, CHUNK and ROWS tokens and of one state.
    """
    PARTS: tl.constexpr = CHUNK // ROWS
    part = tl.program_id(0) % PARTS
    first_local = tl.program_id(0) // PARTS * HEADS
    chunk = tl.program_id(1)
    group = (first_head + first_local) // heads_per_group
    start = tl.load(START + chunk)
    length = tl.load(LENGTH + chunk)
    t = tl.arange(0, CHUNK)
    p = tl.arange(0, COUNT * P)
    n = tl.arange(0, N)
    j = part * ROWS + tl.arange(0, ROWS)
    real = (t < length)[:, None]
    real_rows = (j < length)[:, None]
    rows = (start.to(tl.int64) + j)[:, None]
    b = tl.load(B + rows * b_t + group * b_g + n[None, :], mask=real_rows, other=0.0)
    cb_at = CB + (chunk.to(tl.int64) * ngroups + group) * (CHUNK * CHUNK)
    cb = tl.load(cb_at + t[:, None] * CHUNK + j[None, :])
    db = tl.zeros((ROWS, N), dtype=tl.float32)
    for h in range(HEADS // COUNT):
        local = first_local + h * COUNT
        head = first_head + local
        at = head.to(tl.int64) * row + chunk.to(tl.int64) * CHUNK
        x = X.load([start + part * ROWS, head * P])
        dy = DY.load([start, head * P])
        dstate = DSTATES.load([(chunk * slab + local) * P, 0])
        as_input = spread(tl.load(INPUT + at + j), tl.load(INPUT + at + row * (COUNT - 1) + j), p, P, COUNT)
        as_output = spread(
            tl.load(OUTPUT_PAIR + at + t), tl.load(OUTPUT_PAIR + at + row * (COUNT - 1) + t), p, P, COUNT
        )
        scaled = tl.where(real_rows, x.to(tl.float32) * as_input, 0.0).to(x.dtype)
        dscaled = tl.where(real, dy.to(tl.float32) * as_output, 0.0).to(x.dtype)
        db = tl.dot(scaled, dstate, db, input_precision=PRECISION)
        du = tl.dot(tl.trans(cb), dscaled, input_precision=PRECISION)
        store_row_sums(COLUMN + at + j, du * scaled.to(tl.float32), p, row, P, COUNT)
        du = tl.dot(b, tl.trans(dstate), du, input_precision=PRECISION)
        store_row_sums(BOTH + at + j, du * scaled.to(tl.float32), p, row, P, COUNT)
        dx = du * as_input
        if D_DIM > 0:
            own = dy if PARTS == 1 else DY_ROWS.load([start + part * ROWS, head * P])
        if D_DIM == 1:
            dx += own.to(tl.float32) * tl.load(D + head + p // P).to(tl.float32)[None, :]
            store_row_sums(SKIP + at + j, own.to(tl.float32) * x.to(tl.float32), p, row, P, COUNT)
        if D_DIM == 2:
            dx += own.to(tl.float32) * tl.load(D + head * P + p).to(tl.float32)[None, :]
            dskip = tl.sum(tl.where(real_rows, own.to(tl.float32) * x.to(tl.float32), 0.0), axis=0)
            tl.store(DD + ((chunk.to(tl.int64) * PARTS + part) * nheads + head) * P + p, dskip)
        tl.store(DX + (rows * nheads + head) * P + p[None, :], dx.to(DX.dtype.element_ty), mask=real_rows)
    out = (chunk.to(tl.int64) * splits + (first_head + first_local) // HEADS) * CHUNK + j
    tl.store(DB + out[:, None] * N + n[None, :], db)


@triton.jit
def output_gradients_kernel(
    X, C, CB, DY, STATES, INPUT_PAIR, OUTPUT,
    DC, DCB, ROW,
    START, LENGTH,
    c_t, c_g, row, first_head, slab, heads_per_group, ngroups, splits,
    HEADS: tl.constexpr, COUNT: tl.constexpr,
    P: tl.constexpr, N: tl.constexpr, CHUNK: tl.constexpr, ROWS: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """Sum ``dy'_i S'`` and ``dy'_i x'_j`` over HEADS heads, for ROWS outputs i of one chunk.

    ROW is the output but for its skip times its gradient: the sum of M over inputs and what the
    entering state gives. X, DY and STATES are
    descriptors as in ``outputs_kernel``, for tiles of CHUNK and ROWS tokens and of one state.
    """
    PARTS: tl.constexpr = CHUNK // ROWS
    part = tl.program_id(0) % PARTS
    first_local = tl.program_id(0) // PARTS * HEADS
    chunk = tl.program_id(1)
    group = (first_head + first_local) // heads_per_group
    start = tl.load(START + chunk)
    length = tl.load(LENGTH + chunk)
    t = tl.arange(0, CHUNK)
    p = tl.arange(0, COUNT * P)
    n = tl.arange(0, N)
    i = part * ROWS + tl.arange(0, ROWS)
    real = (t < length)[:, None]
    real_rows = (i < length)[:, None]
    rows = (start.to(tl.int64) + i)[:, None]
    c = tl.load(C + rows * c_t + group * c_g + n[None, :], mask=real_rows, other=0.0)
    cb_at = CB + (chunk.to(tl.int64) * ngroups + group) * (CHUNK * CHUNK)
    cb = tl.load(cb_at + i[:, None] * CHUNK + t[None, :])
    dc = tl.zeros((ROWS, N), dtype=tl.float32)
    dcb = tl.zeros((ROWS, CHUNK), dtype=tl.float32)
    for h in range(HEADS // COUNT):
        local = first_local + h * COUNT
        head = first_head + local
        at = head.to(tl.int64) * row + chunk.to(tl.int64) * CHUNK
        x = X.load([start, head * P])
        dy = DY.load([start + part * ROWS, head * P])
        state = STATES.load([(chunk * slab + local) * P, 0])
        as_input = spread(
            tl.load(INPUT_PAIR + at + t), tl.load(INPUT_PAIR + at + row * (COUNT - 1) + t), p, P, COUNT
        )
        as_output = spread(
            tl.load(OUTPUT + at + i), tl.load(OUTPUT + at + row * (COUNT - 1) + i), p, P, COUNT
        )
        scaled = tl.where(real, x.to(tl.float32) * as_input, 0.0).to(x.dtype)
        dscaled = tl.where(real_rows, dy.to(tl.float32) * as_output, 0.0).to(x.dtype)
        dc = tl.dot(dscaled, state, dc, input_precision=PRECISION)
        dcb = tl.dot(dscaled, tl.trans(scaled), dcb, input_precision=PRECISION)
        read = tl.dot(c, tl.trans(state), input_precision=PRECISION)
        read = tl.dot(cb, scaled, read, input_precision=PRECISION)
        store_row_sums(ROW + at + i, read * dscaled.to(tl.float32), p, row, P, COUNT)
    out = (chunk.to(tl.int64) * splits + (first_head + first_local) // HEADS) * CHUNK + i
    tl.store(DC + out[:, None] * N + n[None, :], dc)
    tl.store(DCB + out[:, None] * CHUNK + t[None, :], dcb)
