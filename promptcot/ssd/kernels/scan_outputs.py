"""The outputs of the scan: what the inputs of the chunk and the state that enters it give."""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def outputs_kernel(
    X, X_ROWS, C, CB, STATES, INPUT_PAIR, OUTPUT, D, Y,
    START, LENGTH,
    x_t, x_h, c_t, c_g, row, first_head, nheads, slab, heads_per_group, ngroups,
    D_DIM: tl.constexpr, HEADS: tl.constexpr,
    P: tl.constexpr, N: tl.constexpr, CHUNK: tl.constexpr, ROWS: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """Write ROWS rows of y of one chunk for HEADS heads of one group.

    ``y_i = o_i (C_i S' + sum_j CB_ij x'_j) + D x_i`` with the scaled states that enter, x' the inputs
    times their factors (INPUT_PAIR), and o the factors of the outputs (OUTPUT). The next head's tiles
    are asked for before this head's are used. X_ROWS is X again, for rows that the compiler lays out otherwise.
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
    x_at = X + (start + t)[:, None] * x_t + p[None, :]
    state_at = STATES + (chunk.to(tl.int64) * slab + first_local) * (P * N) + p[:, None] * N + n[None, :]
    at = (first_head + first_local).to(tl.int64) * row + chunk.to(tl.int64) * CHUNK

    next_x = tl.load(x_at + (first_head + first_local) * x_h, mask=real, other=0.0)
    next_state = tl.load(state_at)
    next_input = tl.load(INPUT_PAIR + at + t)
    next_output = tl.load(OUTPUT + at + i)
    for h in range(HEADS):
        x = next_x
        state = next_state
        as_input = next_input
        as_output = next_output
        head = first_head + first_local + h
        if h + 1 < HEADS:
            state_at += P * N
            at += row
        following = tl.minimum(head + 1, first_head + first_local + HEADS - 1)
        next_x = tl.load(x_at + following * x_h, mask=real, other=0.0)
        next_state = tl.load(state_at)
        next_input = tl.load(INPUT_PAIR + at + t)
        next_output = tl.load(OUTPUT + at + i)

        scaled = (x.to(tl.float32) * as_input[:, None]).to(x.dtype)
        y = tl.dot(c, tl.trans(state), input_precision=PRECISION)
        y = tl.dot(cb, scaled, y, input_precision=PRECISION)
        y *= as_output[:, None]
        if D_DIM > 0:
            if PARTS == 1:
                skip = x.to(tl.float32)
            else:
                skip = tl.load(X_ROWS + rows * x_t + head * x_h + p[None, :], mask=real_rows, other=0.0).to(tl.float32)
            if D_DIM == 1:
                y += skip * tl.load(D + head).to(tl.float32)
            else:
                y += skip * tl.load(D + head * P + p).to(tl.float32)[None, :]
        tl.store(Y + (rows * nheads + head) * P + p[None, :], y.to(Y.dtype.element_ty), mask=real_rows)
