"""Causal depthwise convolution, with or without SiLU: its launches, and its place in autograd."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import torch
import triton
from torch import Tensor

from promptcot.ssd.kernels.conv1d_kernels import (
    backward_kernel,
    backward_states_kernel,
    final_states_kernel,
    forward_kernel,
)

if TYPE_CHECKING:
    from promptcot.ssd.ops.checks import Packing

__all__ = ["convolve"]


class Tile(NamedTuple):
    """How a launch is cut: ``rows`` lanes of ``seg`` tokens, ``unroll`` at a time, by ``channels``.

    Tokens are read ``stages`` - 1 turns of the loop ahead.
    """

    rows: int
    seg: int
    unroll: int
    channels: int
    warps: int
    stages: int = 1


# Pinned for sm_90, by the shortest sequence that a tile is for: short ones would make too few programs.
FORWARD = {0: Tile(4, 4, 4, 64, 1), 256: Tile(4, 16, 4, 128, 4), 1024: Tile(2, 64, 4, 256, 4, 3)}
BACKWARD = {0: Tile(4, 4, 4, 64, 2), 256: Tile(4, 16, 4, 64, 2), 1024: Tile(4, 128, 4, 128, 4, 3)}


def tile_for(table: dict[int, Tile], seqlen: int) -> Tile:
    """Return the tile of the longest length in the table that ``seqlen`` reaches."""
    return table[max(length for length in table if length <= seqlen)]


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
        forward_kernel[grid](
            x, weight, bias, init, docs, starts, y, seqlen, channels, x.stride(0), x.stride(1), **kinds,
            SILU=silu, BIAS=bias is not None, ROWS=tile.rows, SEG=tile.seg, UNROLL=tile.unroll,
            COLS=tile.channels, STAGES=tile.stages, num_warps=tile.warps,
        )  # fmt: skip
        ndocs = batch if packing is None else len(packing.bounds) - 1
        final = x.new_empty(0)
        if states:
            final = x.new_empty(ndocs, width - 1, channels)
            final_states_kernel[(ndocs, triton.cdiv(channels, 128))](
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
        backward_kernel[(tiles * triton.cdiv(channels, tile.channels),)](
            x, weight, bias, init, docs, starts, dy, dx, partial, seqlen, channels, *strides, **ctx.kinds,
            SILU=ctx.silu, BIAS=bias is not None, ROWS=tile.rows, SEG=tile.seg, UNROLL=tile.unroll,
            COLS=tile.channels, STAGES=tile.stages, num_warps=tile.warps,
        )  # fmt: skip
        sums = partial.sum(0)
        dweight = sums[1:].flip(0).T.contiguous().to(weight.dtype)
        dbias = None if bias is None else sums[0].to(bias.dtype)
        dinit = None if init is None else torch.empty_like(init)
        if init is not None or ctx.states:
            dstates = dstates.transpose(1, 2).contiguous() if ctx.states else None
            backward_states_kernel[(ctx.ndocs, triton.cdiv(channels, 128))](
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
