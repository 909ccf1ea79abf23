"""The outputs of the scan: what the inputs of the chunk and the state that enters it give."""

from __future__ import annotations

import triton
import triton.language as tl

from promptcot.ssd.kernels.scan_scales import spread


@triton.jit
def outputs_kernel(
    X, C, CB, STATES, INPUT_PAIR, OUTPUT, D, Y,
    START, LENGTH,
    c_t, c_g, row, first_head, nheads, slab, heads_per_group, ngroups,
    D_DIM: tl.constexpr, HEADS: tl.constexpr, COUNT: tl.constexpr,
    P: tl.constexpr, N: tl.constexpr, CHUNK: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """Write y of one chunk for HEADS heads of one group, COUNT (1 or 2) at a time.

    ``y_i = o_i (C_i S' + sum_j CB_ij x'_j) + D x_i`` with the scaled states that enter, x' the inputs
    times their factors (INPUT_PAIR), and o the factors of the outputs (OUTPUT). X and STATES are
    descriptors of (tokens, nheads * P) and (nchunks * slab * P, N): their tiles are copied by the
    chip's copy engine, ahead of their use. Two heads at a time halve the number of waits.
    """
    first_local = tl.program_id(0) * HEADS
    chunk = tl.program_id(1)
    group = (first_head + first_local) // heads_per_group
    start = tl.load(START + chunk)
    length = tl.load(LENGTH + chunk)
    t = tl.arange(0, CHUNK)
    p = tl.arange(0, COUNT * P)
    n = tl.arange(0, N)
    real = (t < length)[:, None]
    rows = (start.to(tl.int64) + t)[:, None]
    c = tl.load(C + rows * c_t + group * c_g + n[None, :], mask=real, other=0.0)
    cb_at = CB + (chunk.to(tl.int64) * ngroups + group) * (CHUNK * CHUNK)
    cb = tl.load(cb_at + t[:, None] * CHUNK + t[None, :])
    for i in range(HEADS // COUNT):
        local = first_local + i * COUNT
        head = first_head + local
        at = head.to(tl.int64) * row + chunk.to(tl.int64) * CHUNK
        x = X.load([start, head * P])
        state = STATES.load([(chunk * slab + local) * P, 0])
        as_input = spread(
            tl.load(INPUT_PAIR + at + t), tl.load(INPUT_PAIR + at + row * (COUNT - 1) + t), p, P, COUNT
        )
        as_output = spread(
            tl.load(OUTPUT + at + t), tl.load(OUTPUT + at + row * (COUNT - 1) + t), p, P, COUNT
        )
        # A tile may end in rows of the next document.
        scaled = tl.where(real, x.to(tl.float32) * as_input, 0.0).to(x.dtype)
        y = tl.dot(c, tl.trans(state), input_precision=PRECISION)
        y = tl.dot(cb, scaled, y, input_precision=PRECISION)
        y *= as_output
        if D_DIM == 1:
            y += x.to(tl.float32) * tl.load(D + head + p // P).to(tl.float32)[None, :]
        if D_DIM == 2:
            y += x.to(tl.float32) * tl.load(D + head * P + p).to(tl.float32)[None, :]
        tl.store(Y + (rows * nheads + head) * P + p[None, :], y.to(Y.dtype.element_ty), mask=real)
