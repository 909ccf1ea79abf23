"""The kernels of the causal convolution; ``promptcot.ssd.kernels.conv1d`` launches them.

A program walks a tile of time and channels: every one of its lanes goes down a run of ``SEG`` tokens
and keeps the last inputs in registers, so that an input is read once and not once for every tap. The
backward pass walks the same way; what an input still has to receive from later tokens travels down the
run with it. Where a document begins inside a tile, taps that would reach over it are replaced by its initial
states; the other tiles, which are most, do not ask.

Every output has one program and one order of additions, which do not depend on the tile: a document gives
the same bits packed as alone. Gradients of the weights go through partial sums, one for every tile, and
a sum of those in a fixed order.

States are (ndocs, width - 1, channels) in here, so that channels lie side by side as in ``x``.
"""

from __future__ import annotations

import triton
import triton.language as tl

from promptcot.ssd.kernels.gates import sigmoid


@triton.jit
def _place(channels, seqlen, ROWS: tl.constexpr, SEG: tl.constexpr, COLS: tl.constexpr):
    """Where a program works: batch row, tile of tokens, first token of every lane, channels."""
    col_tiles = tl.cdiv(channels, COLS)
    row_tiles = tl.cdiv(seqlen, ROWS * SEG)
    pid = tl.program_id(0)
    cols = (pid % col_tiles) * COLS + tl.arange(0, COLS)
    tile = (pid // col_tiles) % row_tiles
    batch = pid // (col_tiles * row_tiles)
    return batch, tile, tile * ROWS * SEG + tl.arange(0, ROWS) * SEG, cols


@triton.jit
def _document(docs, starts, batch, t, seqlen, PACKED: tl.constexpr):
    """The document of the tokens ``t``, and how far into it they are."""
    if PACKED:
        inside = (t >= 0) & (t < seqlen)
        doc = tl.load(docs + t, mask=inside, other=0)
        return doc, t - tl.load(starts + t, mask=inside, other=0)
    return batch + t * 0, t


@triton.jit
def _crossed(starts, first, last, seqlen, WIDTH: tl.constexpr, PACKED: tl.constexpr):
    """Whether a document begins, anywhere in the tile, where the taps of a lane would reach over it."""
    begin = first * 0
    if PACKED:
        begin = tl.load(starts + tl.minimum(last, seqlen - 1), mask=first < seqlen, other=0)
    over = (begin > first - (WIDTH - 1)) & (first < seqlen)
    return tl.max(over.to(tl.int32), axis=0) > 0


@triton.jit
def _before(
    value, init, doc, pos, cols, channels, back: tl.constexpr,
    WIDTH: tl.constexpr, INIT: tl.constexpr, EDGES: tl.constexpr,
):  # fmt: skip
    """The input ``back`` tokens ago: ``value``, unless that is before the document began."""
    if EDGES:
        inside = (pos >= back)[:, None]
        if INIT:
            row = doc.to(tl.int64) * (WIDTH - 1) + (pos - back + WIDTH - 1)
            mask = (inside == 0) & (pos >= 0)[:, None] & (cols < channels)[None, :]
            state = tl.load(init + row[:, None] * channels + cols[None, :], mask=mask, other=0.0)
            value = tl.where(inside, value, state.to(tl.float32))
        else:
            value = tl.where(inside, value, 0.0)
    return value


@triton.jit
def _rows(x, stride, t, cols, seqlen, channels):
    """Read the tokens ``t``, zeros past the ends, in float32."""
    mask = ((t >= 0) & (t < seqlen))[:, None] & (cols < channels)[None, :]
    values = tl.load(x + t.to(tl.int64)[:, None] * stride + cols[None, :], mask=mask, other=0.0)
    return values.to(tl.float32)


@triton.jit
def taps_of(weight, bias, cols, channels, WIDTH: tl.constexpr, BIAS: tl.constexpr):
    """The tap of every distance into the past (0 for those beyond the width), and the bias."""
    inside = cols < channels
    taps = weight + cols * WIDTH + (WIDTH - 1)
    w0 = tl.load(taps, mask=inside, other=0.0).to(tl.float32)[None, :]
    w1 = tl.load(taps - 1, mask=inside, other=0.0).to(tl.float32)[None, :]
    w2 = tl.load(taps - 2, mask=inside & (WIDTH > 2), other=0.0).to(tl.float32)[None, :]
    w3 = tl.load(taps - 3, mask=inside & (WIDTH > 3), other=0.0).to(tl.float32)[None, :]
    b = w0 * 0.0
    if BIAS:
        b = tl.load(bias + cols, mask=inside, other=0.0).to(tl.float32)[None, :]
    return w0, w1, w2, w3, b


@triton.jit
def sum_of_taps(x0, x1, x2, x3, w0, w1, w2, w3, b, WIDTH: tl.constexpr):
    """Add the taps to the bias, oldest first: the one place that says in which order."""
    total = tl.broadcast_to(b, x0.shape)
    if WIDTH > 3:
        total = tl.fma(w3, x3, total)
    if WIDTH > 2:
        total = tl.fma(w2, x2, total)
    total = tl.fma(w1, x1, total)
    return tl.fma(w0, x0, total)


@triton.jit
def _window(
    x1, x2, x3, init, docs, starts, batch, t, cols, seqlen, channels,
    WIDTH: tl.constexpr, INIT: tl.constexpr, PACKED: tl.constexpr, EDGES: tl.constexpr,
):  # fmt: skip
    """The inputs before the tokens ``t`` as their documents have them, and how far in the tokens are."""
    doc = t
    pos = t
    if EDGES:
        doc, pos = _document(docs, starts, batch, t, seqlen, PACKED)
    x1 = _before(x1, init, doc, pos, cols, channels, 1, WIDTH, INIT, EDGES)
    if WIDTH > 2:
        x2 = _before(x2, init, doc, pos, cols, channels, 2, WIDTH, INIT, EDGES)
    if WIDTH > 3:
        x3 = _before(x3, init, doc, pos, cols, channels, 3, WIDTH, INIT, EDGES)
    return x1, x2, x3, pos


@triton.jit
def _walk_forward(
    x, weight, bias, init, docs, starts, y, seqlen, channels, x_row, batch, first, cols,
    WIDTH: tl.constexpr, SILU: tl.constexpr, BIAS: tl.constexpr, INIT: tl.constexpr, PACKED: tl.constexpr,
    EDGES: tl.constexpr, SEG: tl.constexpr, UNROLL: tl.constexpr, STAGES: tl.constexpr,
):  # fmt: skip
    w0, w1, w2, w3, b = taps_of(weight, bias, cols, channels, WIDTH, BIAS)
    x1 = _rows(x, x_row, first - 1, cols, seqlen, channels)
    x2 = _rows(x, x_row, first - 2, cols, seqlen, channels)
    x3 = _rows(x, x_row, first - 3, cols, seqlen, channels)
    inside = (cols < channels)[None, :]
    x += first.to(tl.int64)[:, None] * x_row + cols[None, :]
    y += first.to(tl.int64)[:, None] * channels + cols[None, :]
    for block in tl.range(0, SEG, UNROLL, num_stages=STAGES):
        for step in tl.static_range(UNROLL):
            t = first + (block + step)
            mask = (t < seqlen)[:, None] & inside
            x0 = tl.load(x + (block + step) * x_row, mask=mask, other=0.0).to(tl.float32)
            p1, p2, p3, _ = _window(
                x1, x2, x3, init, docs, starts, batch, t, cols, seqlen, channels, WIDTH, INIT, PACKED, EDGES
            )
            out = sum_of_taps(x0, p1, p2, p3, w0, w1, w2, w3, b, WIDTH)
            if SILU:
                out = out * sigmoid(out)
            tl.store(y + (block + step) * channels, out.to(y.dtype.element_ty), mask=mask)
            x3 = x2
            x2 = x1
            x1 = x0


@triton.jit
def forward_kernel(
    x, weight, bias, init, docs, starts, y, seqlen, channels, x_batch, x_row,
    WIDTH: tl.constexpr, SILU: tl.constexpr, BIAS: tl.constexpr, INIT: tl.constexpr, PACKED: tl.constexpr,
    ROWS: tl.constexpr, SEG: tl.constexpr, UNROLL: tl.constexpr, COLS: tl.constexpr, STAGES: tl.constexpr,
):  # fmt: skip
    """y = act(conv(x)); grid: tiles of channels (fastest), tiles of tokens, batch rows."""
    batch, _, first, cols = _place(channels, seqlen, ROWS, SEG, COLS)
    x += batch.to(tl.int64) * x_batch
    y += batch.to(tl.int64) * seqlen * channels
    if PACKED or INIT:
        if _crossed(starts, first, first + (SEG - 1), seqlen, WIDTH, PACKED):
            _walk_forward(
                x, weight, bias, init, docs, starts, y, seqlen, channels, x_row, batch, first, cols,
                WIDTH, SILU, BIAS, INIT, PACKED, True, SEG, UNROLL, 1,
            )  # fmt: skip
        else:
            _walk_forward(
                x, weight, bias, init, docs, starts, y, seqlen, channels, x_row, batch, first, cols,
                WIDTH, SILU, BIAS, INIT, PACKED, False, SEG, UNROLL, STAGES,
            )  # fmt: skip
    else:
        # What is read before the first token is zero, as it should be.
        _walk_forward(
            x, weight, bias, init, docs, starts, y, seqlen, channels, x_row, batch, first, cols,
            WIDTH, SILU, BIAS, INIT, PACKED, False, SEG, UNROLL, STAGES,
        )  # fmt: skip


@triton.jit
def _gradient(g, total, SILU: tl.constexpr):
    """The gradient of the convolution, given that of its activation."""
    if SILU:
        sig = sigmoid(total)
        g = g * sig * tl.fma(total, 1.0 - sig, 1.0)
    return g


@triton.jit
def _kept(g, pos, back: tl.constexpr, EDGES: tl.constexpr):
    """What of the gradient reaches the input ``back`` tokens ago: nothing across a beginning."""
    if EDGES:
        g = tl.where((pos >= back)[:, None], g, 0.0)
    return g


@triton.jit
def _backward_step(
    x, dy, weights, init, docs, starts, dx, seqlen, channels, x_row, dy_row, batch, first, cols,
    i, carried, sums,
    WIDTH: tl.constexpr, SILU: tl.constexpr, INIT: tl.constexpr, PACKED: tl.constexpr, EDGES: tl.constexpr,
    OWN: tl.constexpr,
):  # fmt: skip
    """Take every lane one token on; write the input gradient that this token was the last to add to.

    ``x``, ``dy`` and ``dx`` point at the first tokens of the lanes. Tokens that are not the lane's OWN add
    nothing to the gradients of taps and bias.

    Returns:
        What is carried to the next step, and the sums of the gradients of bias and taps.
    """
    w0, w1, w2, w3, b = weights
    x1, x2, x3, a1, a2, a3 = carried
    t = first + i
    inside = (cols < channels)[None, :]
    mask = (t < seqlen)[:, None] & inside
    x0 = tl.load(x + i * x_row, mask=mask, other=0.0).to(tl.float32)
    g = tl.load(dy + i * dy_row, mask=mask, other=0.0).to(tl.float32)
    p1, p2, p3, pos = _window(
        x1, x2, x3, init, docs, starts, batch, t, cols, seqlen, channels, WIDTH, INIT, PACKED, EDGES
    )
    g = _gradient(g, sum_of_taps(x0, p1, p2, p3, w0, w1, w2, w3, b, WIDTH), SILU)
    # a1, a2, a3 hold what the inputs 1, 2 and 3 tokens back have received so far.
    a1 = tl.fma(w1, _kept(g, pos, 1, EDGES), a1)
    done = a1
    if WIDTH > 2:
        a2 = tl.fma(w2, _kept(g, pos, 2, EDGES), a2)
        done = a2
    if WIDTH > 3:
        a3 = tl.fma(w3, _kept(g, pos, 3, EDGES), a3)
        done = a3
    back = t - (WIDTH - 1)
    mask = ((back >= first) & (back < seqlen))[:, None] & inside
    tl.store(dx + (i - (WIDTH - 1)) * channels, done.to(dx.dtype.element_ty), mask=mask)
    if OWN:
        db, d0, d1, d2, d3 = sums
        db += g
        d0 = tl.fma(g, x0, d0)
        d1 = tl.fma(g, p1, d1)
        if WIDTH > 2:
            d2 = tl.fma(g, p2, d2)
        if WIDTH > 3:
            d3 = tl.fma(g, p3, d3)
        sums = (db, d0, d1, d2, d3)
    return (x0, x1, x2, g * w0, a1, a2), sums


@triton.jit
def _walk_backward(
    x, weight, bias, init, docs, starts, dy, dx, partial, seqlen, channels, x_row, dy_row, batch, first, cols,
    WIDTH: tl.constexpr, SILU: tl.constexpr, BIAS: tl.constexpr, INIT: tl.constexpr, PACKED: tl.constexpr,
    EDGES: tl.constexpr, ROWS: tl.constexpr, SEG: tl.constexpr, UNROLL: tl.constexpr, COLS: tl.constexpr,
    STAGES: tl.constexpr,
):  # fmt: skip
    weights = taps_of(weight, bias, cols, channels, WIDTH, BIAS)
    zero = tl.zeros((ROWS, COLS), dtype=tl.float32)
    x1 = _rows(x, x_row, first - 1, cols, seqlen, channels)
    x2 = _rows(x, x_row, first - 2, cols, seqlen, channels)
    x3 = _rows(x, x_row, first - 3, cols, seqlen, channels)
    x += first.to(tl.int64)[:, None] * x_row + cols[None, :]
    dy += first.to(tl.int64)[:, None] * dy_row + cols[None, :]
    dx += first.to(tl.int64)[:, None] * channels + cols[None, :]
    carried = (x1, x2, x3, zero, zero, zero)
    sums = (zero, zero, zero, zero, zero)
    for block in tl.range(0, SEG, UNROLL, num_stages=STAGES):
        for step in tl.static_range(UNROLL):
            carried, sums = _backward_step(
                x, dy, weights, init, docs, starts, dx, seqlen, channels, x_row, dy_row, batch, first, cols,
                block + step, carried, sums, WIDTH, SILU, INIT, PACKED, EDGES, True,
            )  # fmt: skip
    # The last inputs of a run still receive from the first tokens of the next.
    for step in tl.static_range(WIDTH - 1):
        carried, sums = _backward_step(
            x, dy, weights, init, docs, starts, dx, seqlen, channels, x_row, dy_row, batch, first, cols,
            SEG + step, carried, sums, WIDTH, SILU, INIT, PACKED, EDGES, False,
        )  # fmt: skip
    inside = cols < channels
    for k in tl.static_range(WIDTH + 1):
        tl.store(partial + k * channels + cols, tl.sum(sums[k], axis=0), mask=inside)


@triton.jit
def backward_kernel(
    x, weight, bias, init, docs, starts, dy, dx, partial, seqlen, channels, x_batch, x_row, dy_batch, dy_row,
    WIDTH: tl.constexpr, SILU: tl.constexpr, BIAS: tl.constexpr, INIT: tl.constexpr, PACKED: tl.constexpr,
    ROWS: tl.constexpr, SEG: tl.constexpr, UNROLL: tl.constexpr, COLS: tl.constexpr, STAGES: tl.constexpr,
):  # fmt: skip
    """dx, and for every tile of tokens its part of the gradients of bias and taps (newest tap first)."""
    batch, tile, first, cols = _place(channels, seqlen, ROWS, SEG, COLS)
    x += batch.to(tl.int64) * x_batch
    dy += batch.to(tl.int64) * dy_batch
    dx += batch.to(tl.int64) * seqlen * channels
    row = batch.to(tl.int64) * tl.cdiv(seqlen, ROWS * SEG) + tile
    partial += row * (WIDTH + 1) * channels
    if PACKED or INIT:
        if _crossed(starts, first, first + (SEG + WIDTH - 2), seqlen, WIDTH, PACKED):
            _walk_backward(
                x, weight, bias, init, docs, starts, dy, dx, partial, seqlen, channels, x_row, dy_row, batch,
                first, cols, WIDTH, SILU, BIAS, INIT, PACKED, True, ROWS, SEG, UNROLL, COLS, 1,
            )  # fmt: skip
        else:
            _walk_backward(
                x, weight, bias, init, docs, starts, dy, dx, partial, seqlen, channels, x_row, dy_row, batch,
                first, cols, WIDTH, SILU, BIAS, INIT, PACKED, False, ROWS, SEG, UNROLL, COLS, STAGES,
            )  # fmt: skip
    else:
        _walk_backward(
            x, weight, bias, init, docs, starts, dy, dx, partial, seqlen, channels, x_row, dy_row, batch,
            first, cols, WIDTH, SILU, BIAS, INIT, PACKED, False, ROWS, SEG, UNROLL, COLS, STAGES,
        )  # fmt: skip


@triton.jit
def _bounds(offsets, doc, seqlen, PACKED: tl.constexpr):
    """The batch row of a document, its first token and the one after its last."""
    if PACKED:
        return doc * 0, tl.load(offsets + doc), tl.load(offsets + doc + 1)
    return doc, doc * 0, doc * 0 + seqlen


@triton.jit
def final_states_kernel(
    x, init, offsets, states, seqlen, channels, x_batch, x_row,
    WIDTH: tl.constexpr, INIT: tl.constexpr, PACKED: tl.constexpr, COLS: tl.constexpr,
):  # fmt: skip
    """The last inputs of every document; grid: documents, tiles of channels."""
    doc = tl.program_id(0)
    cols = tl.program_id(1) * COLS + tl.arange(0, COLS)
    inside = cols < channels
    batch, start, stop = _bounds(offsets, doc, seqlen, PACKED)
    x += batch.to(tl.int64) * x_batch
    states += doc.to(tl.int64) * (WIDTH - 1) * channels
    for j in tl.static_range(WIDTH - 1):
        t = stop - (WIDTH - 1) + j
        here = inside & (t >= start)
        value = tl.load(x + t.to(tl.int64) * x_row + cols, mask=here, other=0.0).to(tl.float32)
        if INIT:
            row = doc.to(tl.int64) * (WIDTH - 1) + (t - start + WIDTH - 1)
            there = inside & (t < start)
            value += tl.load(init + row * channels + cols, mask=there, other=0.0).to(tl.float32)
        tl.store(states + j * channels + cols, value.to(states.dtype.element_ty), mask=inside)


@triton.jit
def backward_states_kernel(
    x, weight, bias, init, offsets, dy, dstates, dx, dinit, seqlen, channels,
    x_batch, x_row, dy_batch, dy_row,
    WIDTH: tl.constexpr, SILU: tl.constexpr, BIAS: tl.constexpr, INIT: tl.constexpr, FINAL: tl.constexpr,
    PACKED: tl.constexpr, COLS: tl.constexpr,
):  # fmt: skip
    """The gradient of the initial states, and what final states add to dx; grid: documents, channels.

    Runs after the kernel that wrote dx. The inputs of a document belong to one program here.
    """
    doc = tl.program_id(0)
    cols = tl.program_id(1) * COLS + tl.arange(0, COLS)
    inside = cols < channels
    batch, start, stop = _bounds(offsets, doc, seqlen, PACKED)
    x += batch.to(tl.int64) * x_batch
    dy += batch.to(tl.int64) * dy_batch
    dx += batch.to(tl.int64) * seqlen * channels
    states = doc.to(tl.int64) * (WIDTH - 1) * channels
    w0, w1, w2, w3, b = taps_of(weight, bias, cols, channels, WIDTH, BIAS)
    if INIT:
        lane = tl.arange(0, 1)
        for j in tl.static_range(WIDTH - 1):
            total = tl.zeros((1, COLS), dtype=tl.float32)
            for i in tl.static_range(j + 1):
                # Token i of the document reaches back over i + width - 1 - j inputs to state j.
                t = start + i + lane
                pos = lane * 0 + i
                doc_of = lane * 0 + doc
                x0 = _rows(x, x_row, t, cols, stop, channels)
                x1 = _rows(x, x_row, t - 1, cols, stop, channels)
                x2 = _rows(x, x_row, t - 2, cols, stop, channels)
                x3 = _rows(x, x_row, t - 3, cols, stop, channels)
                x1 = _before(x1, init, doc_of, pos, cols, channels, 1, WIDTH, INIT, True)
                if WIDTH > 2:
                    x2 = _before(x2, init, doc_of, pos, cols, channels, 2, WIDTH, INIT, True)
                if WIDTH > 3:
                    x3 = _before(x3, init, doc_of, pos, cols, channels, 3, WIDTH, INIT, True)
                g = _rows(dy, dy_row, t, cols, stop, channels)
                g = _gradient(g, sum_of_taps(x0, x1, x2, x3, w0, w1, w2, w3, b, WIDTH), SILU)
                tap = tl.load(weight + cols * WIDTH + (j - i), mask=inside, other=0.0).to(tl.float32)
                total = tl.fma(tap[None, :], g, total)
            if FINAL:
                left = j - (stop - start)
                rest = inside & (left >= 0)
                kept = tl.load(dstates + states + left * channels + cols, mask=rest, other=0.0)
                total += kept.to(tl.float32)[None, :]
            out = total.to(dinit.dtype.element_ty)
            tl.store(dinit + states + j * channels + cols[None, :], out, mask=inside[None, :])
    if FINAL:
        for j in tl.static_range(WIDTH - 1):
            t = stop - (WIDTH - 1) + j
            mask = inside & (t >= start)
            place = dx + t.to(tl.int64) * channels + cols
            total = tl.load(place, mask=mask, other=0.0).to(tl.float32)
            total += tl.load(dstates + states + j * channels + cols, mask=mask, other=0.0).to(tl.float32)
            tl.store(place, total.to(dx.dtype.element_ty), mask=mask)
