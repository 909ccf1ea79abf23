"""The states between chunks: one sweep over the chunks of a segment for every head.

Forward in time the sweep leaves, for every chunk, the state that enters it; backward in time,
the gradient of the state that leaves it. Both are the same recurrence over other inputs.
A long document is cut into segments of a fixed length so that a card is full at batch 1:
first every segment is swept from zero, then the states are joined, then swept from them.
"""

from __future__ import annotations

import triton
import triton.language as tl

from promptcot.ssd.kernels.scan_scales import input_pivot, output_pivot


@triton.jit
def sweep_kernel(
    X, K, STEP, DECAY, INITIAL, ENTERED, STATES, FINAL, TOTAL, THROUGH,
    SEGMENT_CHUNK, SEGMENT_CHUNKS, START, LENGTH,
    x_t, x_h, k_t, k_g, row, first_head, nheads, slab, heads_per_group,
    REVERSE: tl.constexpr, HAS_INITIAL: tl.constexpr, WRITE: tl.constexpr, LIMIT: tl.constexpr,
    P: tl.constexpr, N: tl.constexpr, CHUNK: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """Sweep one segment of one head.

    Forward: X is x and K is B, weighted by the decay to the chunk's end and the step.
    Backward: X is dy and K is C, weighted by the decay from the chunk's begin; THROUGH takes the
    product of the gradient with the state that ENTERED the chunk, decayed over the chunk.
    WRITE: keep the state at every chunk, scaled by the pivot (``scan_scales``); without it only
    the segment's end and the log2-decay over all of it (TOTAL) are kept.
    """
    local = tl.program_id(0)
    segment = tl.program_id(1)
    head = first_head + local
    group = head // heads_per_group
    first = tl.load(SEGMENT_CHUNK + segment)
    chunks = tl.load(SEGMENT_CHUNKS + segment)
    p = tl.arange(0, P)
    n = tl.arange(0, N)
    t = tl.arange(0, CHUNK)
    within = p[:, None] * N + n[None, :]
    ends = (segment.to(tl.int64) * nheads + head) * (P * N)
    state = tl.zeros((P, N), dtype=tl.float32)
    if HAS_INITIAL:
        state = tl.load(INITIAL + ends + within).to(tl.float32)
    # A segment's chunks follow each other, and only its last may be short.
    start = tl.load(START + first, mask=chunks > 0, other=0).to(tl.int64)
    length = (chunks - 1) * CHUNK + tl.load(LENGTH + first + chunks - 1, mask=chunks > 0, other=0)
    total = 0.0
    if REVERSE and WRITE:  # what entered a chunk is asked for one chunk ahead
        entered_at = ENTERED + ((first + chunks - 1).to(tl.int64) * slab + local) * (P * N) + within
        next_entered = tl.load(entered_at, mask=chunks > 0, other=0.0)
    for i in range(chunks):
        index = i
        if REVERSE:
            index = chunks - 1 - i
        if REVERSE and WRITE:
            entered = next_entered
            if index > 0:
                entered_at -= slab.to(tl.int64) * (P * N)
            next_entered = tl.load(entered_at)
        real = (t < length - index * CHUNK)[:, None]
        rows = (start + index * CHUNK + t)[:, None]
        x = tl.load(X + rows * x_t + head * x_h + p[None, :], mask=real, other=0.0)
        k = tl.load(K + rows * k_t + group * k_g + n[None, :], mask=real, other=0.0)
        chunk = (first + index).to(tl.int64)
        at = head.to(tl.int64) * row + chunk * CHUNK
        decay = tl.load(DECAY + at + t)
        end = tl.load(DECAY + at + CHUNK - 1)
        if REVERSE:
            weight = tl.exp2(decay)
            scale = tl.exp2(end - input_pivot(end, LIMIT))
        else:
            weight = tl.exp2(end - decay) * tl.load(STEP + at + t)
            scale = tl.exp2(output_pivot(end, LIMIT))
        if WRITE:
            kept = (state * scale).to(STATES.dtype.element_ty)
            out = (chunk * slab + local) * (P * N)
            tl.store(STATES + out + within, kept)
            if REVERSE:
                through = tl.sum(tl.sum(entered.to(tl.float32) * kept.to(tl.float32), axis=1), axis=0)
                # Together the scales of the two are the decay over the chunk, but for a strong one.
                through *= tl.exp2(input_pivot(end, LIMIT) - output_pivot(end, LIMIT))
                tl.store(THROUGH + chunk * nheads + head, through)
        weighted = (x.to(tl.float32) * weight[:, None]).to(x.dtype)
        state = tl.dot(tl.trans(weighted), k, state * tl.exp2(end), input_precision=PRECISION)
        total += end
    tl.store(FINAL + ends + within, state)
    if not WRITE:
        tl.store(TOTAL + segment * nheads + head, total)


@triton.jit
def join_segments_kernel(
    INITIAL, FINAL, TOTAL, ENTERING, DOCUMENT_SEGMENT,
    nheads,
    REVERSE: tl.constexpr, HAS_INITIAL: tl.constexpr, SIZE: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Carry the states over the segments of one document, for one block of one head's state."""
    head = tl.program_id(0)
    document = tl.program_id(1)
    e = tl.program_id(2) * BLOCK + tl.arange(0, BLOCK)
    first = tl.load(DOCUMENT_SEGMENT + document)
    stop = tl.load(DOCUMENT_SEGMENT + document + 1)
    state = tl.zeros((BLOCK,), dtype=tl.float32)
    if HAS_INITIAL:
        state = tl.load(INITIAL + (document.to(tl.int64) * nheads + head) * SIZE + e).to(tl.float32)
    for i in range(stop - first):
        segment = first + i
        if REVERSE:
            segment = stop - 1 - i
        at = segment.to(tl.int64) * nheads + head
        tl.store(ENTERING + at * SIZE + e, state)
        state = state * tl.exp2(tl.load(TOTAL + at)) + tl.load(FINAL + at * SIZE + e)
