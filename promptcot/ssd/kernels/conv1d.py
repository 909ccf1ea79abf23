"""Causal depthwise convolution, with or without SiLU, forward and backward, in one pass over memory each.

A program walks a tile of time and channels: every one of its lanes goes down a run of ``SEG`` tokens
and keeps the last inputs in registers, so that an input is read once and not once for every tap. The
backward pass walks the same way; what an input still has to receive from later tokens travels down the
run with it. Taps that would reach over the beginning of a document are replaced by its initial states.

Every output has one program and one order of additions, which do not depend on the tile: a document gives
the same bits packed as alone. Gradients of the weights go through partial sums, one for every tile, and
a sum of those in a fixed order.

States are (ndocs, width - 1, channels) in here, so that channels lie side by side as in ``x``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import torch
import triton
import triton.language as tl
from torch import Tensor

if TYPE_CHECKING:
    from promptcot.ssd.ops.checks import Packing

__all__ = ["convolve"]


class Tile(NamedTuple):
    """How a launch is cut: ``rows`` lanes of ``seg`` tokens, ``unroll`` at a time, by ``channels``."""

    rows: int
    seg: int
    unroll: int
    channels: int
    warps: int


# Pinned for sm_90, by the shortest sequence that a tile is for: short ones would make too few programs.
FORWARD = {0: Tile(4, 4, 4, 64, 1), 512: Tile(16, 16, 8, 64, 4)}
BACKWARD = {0: Tile(4, 4, 4, 64, 2), 512: Tile(8, 32, 4, 64, 4)}


def tile_for(table: dict[int, Tile], seqlen: int) -> Tile:
    """Return the tile of the longest length in the table that ``seqlen`` reaches."""
    return table[max(length for length in table if length <= seqlen)]


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
def _before(
    value, init, doc, pos, cols, channels, back: tl.constexpr, WIDTH: tl.constexpr, INIT: tl.constexpr
):
    """The input ``back`` tokens ago: ``value``, unless that is before the document began."""
    inside = (pos >= back)[:, None]
    if INIT:
        row = doc.to(tl.int64) * (WIDTH - 1) + (pos - back + WIDTH - 1)
        mask = (inside == 0) & (pos >= 0)[:, None] & (cols < channels)[None, :]
        state = tl.load(init + row[:, None] * channels + cols[None, :], mask=mask, other=0.0)
        return tl.where(inside, value, state.to(tl.float32))
    return tl.where(inside, value, 0.0)


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
def _forward_kernel(
    x, weight, bias, init, docs, starts, y, seqlen, channels, x_batch, x_row,
    WIDTH: tl.constexpr, SILU: tl.constexpr, BIAS: tl.constexpr, INIT: tl.constexpr, PACKED: tl.constexpr,
    ROWS: tl.constexpr, SEG: tl.constexpr, UNROLL: tl.constexpr, COLS: tl.constexpr,
):  # fmt: skip
    """y = act(conv(x)); grid: tiles of channels (fastest), tiles of tokens, batch rows."""
    batch, _, first, cols = _place(channels, seqlen, ROWS, SEG, COLS)
    x += batch.to(tl.int64) * x_batch
    y += batch.to(tl.int64) * seqlen * channels
    w0, w1, w2, w3, b = taps_of(weight, bias, cols, channels, WIDTH, BIAS)
    x1 = _rows(x, x_row, first - 1, cols, seqlen, channels)
    x2 = _rows(x, x_row, first - 2, cols, seqlen, channels)
    x3 = _rows(x, x_row, first - 3, cols, seqlen, channels)
    for block in range(0, SEG, UNROLL):
        for step in tl.static_range(UNROLL):
            t = first + (block + step)
            x0 = _rows(x, x_row, t, cols, seqlen, channels)
            doc, pos = _document(docs, starts, batch, t, seqlen, PACKED)
            p1 = _before(x1, init, doc, pos, cols, channels, 1, WIDTH, INIT)
            p2 = x2
            p3 = x3
            if WIDTH > 2:
                p2 = _before(x2, init, doc, pos, cols, channels, 2, WIDTH, INIT)
            if WIDTH > 3:
                p3 = _before(x3, init, doc, pos, cols, channels, 3, WIDTH, INIT)
            out = sum_of_taps(x0, p1, p2, p3, w0, w1, w2, w3, b, WIDTH)
            if SILU:
                out = out * tl.sigmoid(out)
            mask = (t < seqlen)[:, None] & (cols < channels)[None, :]
            place = t.to(tl.int64)[:, None] * channels + cols[None, :]
            tl.store(y + place, out.to(y.dtype.element_ty), mask=mask)
            x3 = x2
            x2 = x1
            x1 = x0


@triton.jit
def _gradient(g, total, SILU: tl.constexpr):
    """The gradient of the convolution, given that of its activation."""
    if SILU:
        sig = tl.sigmoid(total)
        g = g * (sig * (1.0 + total * (1.0 - sig)))
    return g


@triton.jit
def _backward_step(
    x, dy, weights, init, docs, starts, dx, seqlen, channels, x_row, dy_row, batch, first, cols, i, carried,
    WIDTH: tl.constexpr, SILU: tl.constexpr, INIT: tl.constexpr, PACKED: tl.constexpr,
):  # fmt: skip
    """Take every lane one token on; write the input gradient that this token was the last to add to.

    Returns:
        What is carried to the next step, and what the token adds to the gradients of taps and bias.
    """
    w0, w1, w2, w3, b = weights
    x1, x2, x3, a1, a2, a3 = carried
    t = first + i
    x0 = _rows(x, x_row, t, cols, seqlen, channels)
    g = _rows(dy, dy_row, t, cols, seqlen, channels)
    doc, pos = _document(docs, starts, batch, t, seqlen, PACKED)
    p1 = _before(x1, init, doc, pos, cols, channels, 1, WIDTH, INIT)
    p2 = x2
    p3 = x3
    if WIDTH > 2:
        p2 = _before(x2, init, doc, pos, cols, channels, 2, WIDTH, INIT)
    if WIDTH > 3:
        p3 = _before(x3, init, doc, pos, cols, channels, 3, WIDTH, INIT)
    g = _gradient(g, sum_of_taps(x0, p1, p2, p3, w0, w1, w2, w3, b, WIDTH), SILU)
    # a1, a2, a3 hold what the inputs 1, 2 and 3 tokens back have received so far.
    a1 = tl.fma(w1, tl.where((pos >= 1)[:, None], g, 0.0), a1)
    done = a1
    if WIDTH > 2:
        a2 = tl.fma(w2, tl.where((pos >= 2)[:, None], g, 0.0), a2)
        done = a2
    if WIDTH > 3:
        a3 = tl.fma(w3, tl.where((pos >= 3)[:, None], g, 0.0), a3)
        done = a3
    back = t - (WIDTH - 1)
    mask = ((back >= first) & (back < seqlen))[:, None] & (cols < channels)[None, :]
    place = back.to(tl.int64)[:, None] * channels + cols[None, :]
    tl.store(dx + place, done.to(dx.dtype.element_ty), mask=mask)
    return (x0, x1, x2, g * w0, a1, a2), (g, g * x0, g * p1, g * p2, g * p3)


@triton.jit
def _backward_kernel(
    x, weight, bias, init, docs, starts, dy, dx, partial, seqlen, channels, x_batch, x_row, dy_batch, dy_row,
    WIDTH: tl.constexpr, SILU: tl.constexpr, BIAS: tl.constexpr, INIT: tl.constexpr, PACKED: tl.constexpr,
    ROWS: tl.constexpr, SEG: tl.constexpr, UNROLL: tl.constexpr, COLS: tl.constexpr,
):  # fmt: skip
    """dx, and for every tile of tokens its part of the gradients of bias and taps (newest tap first)."""
    batch, tile, first, cols = _place(channels, seqlen, ROWS, SEG, COLS)
    x += batch.to(tl.int64) * x_batch
    dy += batch.to(tl.int64) * dy_batch
    dx += batch.to(tl.int64) * seqlen * channels
    weights = taps_of(weight, bias, cols, channels, WIDTH, BIAS)
    zero = tl.zeros((ROWS, COLS), dtype=tl.float32)
    x1 = _rows(x, x_row, first - 1, cols, seqlen, channels)
    x2 = _rows(x, x_row, first - 2, cols, seqlen, channels)
    x3 = _rows(x, x_row, first - 3, cols, seqlen, channels)
    carried = (x1, x2, x3, zero, zero, zero)
    db = zero
    d0 = zero
    d1 = zero
    d2 = zero
    d3 = zero
    for block in range(0, SEG, UNROLL):
        for step in tl.static_range(UNROLL):
            carried, add = _backward_step(
                x, dy, weights, init, docs, starts, dx, seqlen, channels, x_row, dy_row, batch, first, cols,
                block + step, carried, WIDTH, SILU, INIT, PACKED,
            )  # fmt: skip
            db += add[0]
            d0 += add[1]
            d1 += add[2]
            d2 += add[3]
            d3 += add[4]
    # The last inputs of a run still receive from the first tokens of the next.
    for step in tl.static_range(WIDTH - 1):
        carried, _ = _backward_step(
            x, dy, weights, init, docs, starts, dx, seqlen, channels, x_row, dy_row, batch, first, cols,
            SEG + step, carried, WIDTH, SILU, INIT, PACKED,
        )  # fmt: skip
    row = batch.to(tl.int64) * tl.cdiv(seqlen, ROWS * SEG) + tile
    partial += row * (WIDTH + 1) * channels + cols
    inside = cols < channels
    tl.store(partial, tl.sum(db, axis=0), mask=inside)
    tl.store(partial + channels, tl.sum(d0, axis=0), mask=inside)
    tl.store(partial + 2 * channels, tl.sum(d1, axis=0), mask=inside)
    if WIDTH > 2:
        tl.store(partial + 3 * channels, tl.sum(d2, axis=0), mask=inside)
    if WIDTH > 3:
        tl.store(partial + 4 * channels, tl.sum(d3, axis=0), mask=inside)


@triton.jit
def _bounds(offsets, doc, seqlen, PACKED: tl.constexpr):
    """The batch row of a document, its first token and the one after its last."""
    if PACKED:
        return doc * 0, tl.load(offsets + doc), tl.load(offsets + doc + 1)
    return doc, doc * 0, doc * 0 + seqlen


@triton.jit
def _final_states_kernel(
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
def _backward_states_kernel(
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
                x1 = _before(x1, init, doc_of, pos, cols, channels, 1, WIDTH, INIT)
                if WIDTH > 2:
                    x2 = _before(x2, init, doc_of, pos, cols, channels, 2, WIDTH, INIT)
                if WIDTH > 3:
                    x3 = _before(x3, init, doc_of, pos, cols, channels, 3, WIDTH, INIT)
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


def _by_rows(x: Tensor) -> Tensor:
    """Return a tensor whose channels lie side by side: ``x`` itself where they do."""
    return x if x.stride(-1) == 1 else x.contiguous()


class _Convolution(torch.autograd.Function):
    """One launch forward, one backward, and one small one each for states."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        initial_states: Tensor | None,
        packing: Packing | None,
        silu: bool,
        states: bool,
    ) -> tuple[Tensor, Tensor]:
        x, weight = _by_rows(x), weight.contiguous()
        init = None if initial_states is None else initial_states.transpose(1, 2).contiguous()
        batch, seqlen, channels = x.shape
        width = weight.shape[1]
        y = torch.empty_like(x, memory_format=torch.contiguous_format)
        tile = tile_for(FORWARD, seqlen)
        grid = (batch * triton.cdiv(seqlen, tile.rows * tile.seg) * triton.cdiv(channels, tile.channels),)
        docs = starts = offsets = None
        if packing is not None:
            docs, starts, offsets = packing.docs, packing.starts, packing.offsets
        kinds = {"WIDTH": width, "INIT": init is not None, "PACKED": packing is not None}
        _forward_kernel[grid](
            x, weight, bias, init, docs, starts, y, seqlen, channels, x.stride(0), x.stride(1), **kinds,
            SILU=silu, BIAS=bias is not None, ROWS=tile.rows, SEG=tile.seg, UNROLL=tile.unroll,
            COLS=tile.channels, num_warps=tile.warps,
        )  # fmt: skip
        ndocs = batch if packing is None else len(packing.bounds) - 1
        final = x.new_empty(0)
        if states:
            final = x.new_empty(ndocs, width - 1, channels)
            _final_states_kernel[(ndocs, triton.cdiv(channels, 128))](
                x, init, offsets, final, seqlen, channels, x.stride(0), x.stride(1), **kinds, COLS=128,
                num_warps=1,
            )  # fmt: skip
            final = final.transpose(1, 2)
        else:
            ctx.mark_non_differentiable(final)
        ctx.save_for_backward(x, weight, bias, init, docs, starts, offsets)
        ctx.kinds, ctx.silu, ctx.states, ctx.ndocs = kinds, silu, states, ndocs
        return y, final

    @staticmethod
    def backward(ctx: Any, dy: Tensor, dstates: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, bias, init, docs, starts, offsets = ctx.saved_tensors
        batch, seqlen, channels = x.shape
        width = weight.shape[1]
        dy = _by_rows(dy)
        tile = tile_for(BACKWARD, seqlen)
        tiles = batch * triton.cdiv(seqlen, tile.rows * tile.seg)
        dx = torch.empty_like(x, memory_format=torch.contiguous_format)
        partial = torch.empty(tiles, width + 1, channels, dtype=torch.float32, device=x.device)
        strides = (x.stride(0), x.stride(1), dy.stride(0), dy.stride(1))
        _backward_kernel[(tiles * triton.cdiv(channels, tile.channels),)](
            x, weight, bias, init, docs, starts, dy, dx, partial, seqlen, channels, *strides, **ctx.kinds,
            SILU=ctx.silu, BIAS=bias is not None, ROWS=tile.rows, SEG=tile.seg, UNROLL=tile.unroll,
            COLS=tile.channels, num_warps=tile.warps,
        )  # fmt: skip
        sums = partial.sum(0)
        dweight = sums[1:].flip(0).T.contiguous().to(weight.dtype)
        dbias = None if bias is None else sums[0].to(bias.dtype)
        dinit = None if init is None else torch.empty_like(init)
        if init is not None or ctx.states:
            dstates = dstates.transpose(1, 2).contiguous() if ctx.states else None
            _backward_states_kernel[(ctx.ndocs, triton.cdiv(channels, 128))](
                x, weight, bias, init, offsets, dy, dstates, dx, dinit, seqlen, channels, *strides,
                **ctx.kinds, SILU=ctx.silu, BIAS=bias is not None, FINAL=ctx.states, COLS=128, num_warps=1,
            )  # fmt: skip
        return dx, dweight, dbias, None if dinit is None else dinit.transpose(1, 2), None, None, None


def convolve(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    initial_states: Tensor | None,
    packing: Packing | None,
    *,
    silu: bool,
    states: bool,
) -> tuple[Tensor, Tensor]:
    """Convolve as ``promptcot.ssd.ops.conv`` says, whose checked arguments these are.

    Returns:
        y, and the final states (batch or ndocs, channels, width - 1) if they were asked for (else an
        empty tensor).
    """
    y, final = _Convolution.apply(x, weight, bias, initial_states, packing, silu, states)
    return y, final
