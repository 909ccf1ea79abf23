"""Step sizes of the scan and their decay, forward and backward: one value a token and head."""

from __future__ import annotations

import triton
import triton.language as tl

from promptcot.ssd.kernels.scan_scales import input_pivot, is_strong, output_pivot

LOG2_E = 1.4426950408889634
# As in the reference: a step's log-decay is held at or above -60, here in units of log 2.
_DECAY_FLOOR = tl.constexpr(-60.0 * LOG2_E)
_LOG2_E = tl.constexpr(LOG2_E)
# A step of 0 counts as this much where an input is scaled by it, so that its gradient can be told
# from the gradient of the scaled input; beside any other step it is nothing.
_STEP_FLOOR = tl.constexpr(2.0**-40)


@triton.jit
def _step(v, SOFTPLUS: tl.constexpr):
    """Softplus through log(1 + e) with Kahan's correction, linear above 20 as torch has it."""
    if SOFTPLUS:
        e = tl.exp(tl.minimum(v, 20.0))
        u = 1.0 + e
        small = tl.where(u == 1.0, e, tl.log(u) * (e / tl.where(u == 1.0, 1.0, u - 1.0)))
        v = tl.where(v > 20.0, v, small)
    return v


@triton.jit
def steps_forward_kernel(
    DT, BIAS, A, STEP, DECAY, INPUT, OUTPUT, INPUT_PAIR, OUTPUT_PAIR,
    START, LENGTH,
    dt_t, dt_h, row, nheads, low, high,
    HAS_BIAS: tl.constexpr, SOFTPLUS: tl.constexpr, LIMIT: tl.constexpr,
    CHUNK: tl.constexpr, HEADS: tl.constexpr,
):  # fmt: skip
    """Write the steps, the cumulative log2-decay of every chunk and its factors, head after head.

    INPUT is step times factor, OUTPUT the factor of outputs (``scan_scales``); the PAIR twins are
    the same but 0 for strong chunks, whose pairs are done elsewhere.
    """
    chunk = tl.program_id(0)
    start = tl.load(START + chunk).to(tl.int64)
    length = tl.load(LENGTH + chunk)
    t = tl.arange(0, CHUNK)
    h = tl.program_id(1) * HEADS + tl.arange(0, HEADS)
    mask = (t < length)[:, None] & (h < nheads)[None, :]
    v = tl.load(DT + (start + t)[:, None] * dt_t + h[None, :] * dt_h, mask=mask, other=0.0).to(tl.float32)
    if HAS_BIAS:
        v += tl.load(BIAS + h, mask=h < nheads, other=0.0).to(tl.float32)[None, :]
    step = tl.minimum(tl.maximum(_step(v, SOFTPLUS), low), high)
    step = tl.where(mask, step, 0.0)
    a = tl.load(A + h, mask=h < nheads, other=0.0).to(tl.float32) * _LOG2_E
    decay = tl.cumsum(tl.maximum(step * a[None, :], _DECAY_FLOOR), axis=0)
    out = h.to(tl.int64)[:, None] * row + chunk.to(tl.int64) * CHUNK + t[None, :]
    end = tl.sum(tl.where((t == CHUNK - 1)[:, None], decay, 0.0), axis=0)
    as_input = tl.exp2(input_pivot(end, LIMIT)[None, :] - decay) * tl.where(
        mask, tl.maximum(step, _STEP_FLOOR), 0.0
    )
    as_output = tl.exp2(decay - output_pivot(end, LIMIT)[None, :])
    strong = is_strong(end, LIMIT)[None, :]
    written = (h < nheads)[:, None]
    tl.store(STEP + out, tl.trans(step), mask=written)
    tl.store(DECAY + out, tl.trans(decay), mask=written)
    tl.store(INPUT + out, tl.trans(as_input), mask=written)
    tl.store(OUTPUT + out, tl.trans(as_output), mask=written)
    tl.store(INPUT_PAIR + out, tl.trans(tl.where(strong, 0.0, as_input)), mask=written)
    tl.store(OUTPUT_PAIR + out, tl.trans(tl.where(strong, 0.0, as_output)), mask=written)


@triton.jit
def steps_backward_kernel(
    DT, BIAS, A, STEP, DECAY,
    ROW, COLUMN, STRONG_COLUMN, BOTH, SKIP, THROUGH,
    DDT, DA, DBIAS, DD,
    START, LENGTH,
    dt_t, dt_h, row, nheads, low, high,
    HAS_BIAS: tl.constexpr, SOFTPLUS: tl.constexpr, HAS_SKIP: tl.constexpr, LIMIT: tl.constexpr,
    CHUNK: tl.constexpr, HEADS: tl.constexpr,
):  # fmt: skip
    """Turn the sums that the other kernels leave into ddt, and dA, ddt_bias and dD of the chunk.

    The log-decay of token t lies between every earlier input and every later output. So its
    gradient sums over the pairs that cross t: to outputs from t on, from inside the chunk or from the
    entering state, without the pairs that begin there (ROW minus COLUMN), from inputs before t to the
    leaving state (BOTH minus COLUMN), and from the entering to the leaving state (THROUGH). BOTH over the
    step is the gradient of the step that does not pass the decay.
    """
    chunk = tl.program_id(0)
    start = tl.load(START + chunk).to(tl.int64)
    length = tl.load(LENGTH + chunk)
    t = tl.arange(0, CHUNK)
    h = tl.program_id(1) * HEADS + tl.arange(0, HEADS)
    real = (h < nheads)[:, None]
    at = h.to(tl.int64)[:, None] * row + chunk.to(tl.int64) * CHUNK + t[None, :]
    end = tl.load(
        DECAY + h.to(tl.int64) * row + chunk.to(tl.int64) * CHUNK + CHUNK - 1, mask=h < nheads, other=0.0
    )
    strong = is_strong(end, LIMIT)
    step = tl.load(STEP + at, mask=real, other=0.0)
    both = tl.load(BOTH + at, mask=real, other=0.0)
    column = tl.load(COLUMN + at, mask=real, other=0.0)
    strong_column = tl.load(STRONG_COLUMN + at, mask=real & strong[:, None], other=0.0)
    crossing = tl.load(ROW + at, mask=real, other=0.0) - column - strong_column * step
    to_state = both - column
    through = tl.load(THROUGH + chunk.to(tl.int64) * nheads + h, mask=h < nheads, other=0.0)
    ddecay = tl.cumsum(crossing, axis=1, reverse=True)
    ddecay += tl.cumsum(to_state, axis=1) - to_state + through[:, None]
    a = tl.load(A + h, mask=h < nheads, other=0.0).to(tl.float32)
    inside = real & (t < length)[None, :]
    ddecay = tl.where(inside, ddecay, 0.0)
    dstep = both / tl.maximum(step, _STEP_FLOOR) + strong_column + a[:, None] * ddecay

    v = tl.load(DT + (start + t)[None, :] * dt_t + h[:, None] * dt_h, mask=inside, other=0.0).to(tl.float32)
    if HAS_BIAS:
        v += tl.load(BIAS + h, mask=h < nheads, other=0.0).to(tl.float32)[:, None]
    unclamped = _step(v, SOFTPLUS)
    dv = tl.where(inside & (unclamped >= low) & (unclamped <= high), dstep, 0.0)
    if SOFTPLUS:
        dv = dv / (1.0 + tl.exp(-v))
    out = (start + t)[None, :] * nheads + h[:, None]
    tl.store(DDT + out, dv.to(DDT.dtype.element_ty), mask=inside)
    sums = chunk.to(tl.int64) * nheads + h
    tl.store(DA + sums, tl.sum(step * ddecay, axis=1), mask=h < nheads)
    tl.store(DBIAS + sums, tl.sum(dv, axis=1), mask=h < nheads)
    if HAS_SKIP:
        tl.store(DD + sums, tl.sum(tl.load(SKIP + at, mask=inside, other=0.0), axis=1), mask=h < nheads)
