"""The state space dual scan in plain torch: the recurrence, and the chunked form of the paper.

For every head, with the state ``h`` of shape (headdim, dstate)::

    dt'_t = clamp(softplus(dt_t + dt_bias), *dt_limit)
    h_t   = exp(dt'_t A) h_{t-1} + dt'_t x_t B_t^T
    y_t   = (h_t C_t + D x_t) silu(z_t)

``ssd_recurrent`` says exactly that, one token after the other. ``ssd_chunked`` computes the
same with matrix products: inside a chunk, the state a chunk leaves, the states passed on
from chunk to chunk, and what a state adds to the outputs of the chunk that it enters
(Dao and Gu, "Transformers are SSMs", section 6).

Shapes: ``x`` and ``z`` (batch, seqlen, nheads, headdim), ``dt`` (batch, seqlen, nheads), ``A``
(nheads,), ``B`` and ``C`` (batch, seqlen, ngroups, dstate), ``D`` (nheads,) or (nheads, headdim),
``dt_bias`` (nheads,), states (batch, nheads, headdim, dstate). With ``cu_seqlens`` (int32,
ndocs + 1 offsets) batch is 1, states are (ndocs, nheads, headdim, dstate), and every document
begins from its own initial state at a chunk boundary of its own.

Everything is computed in float32, or in float64 when ``x`` is float64; ``y`` has the dtype of
``x``, states have the dtype of the computation.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["ssd_chunked", "ssd_chunked_with_states", "ssd_recurrent", "ssd_recurrent_with_states"]

_NO_LIMIT = (0.0, math.inf)
# In float32 a step's log-decay is held at or above this: exp(-60) is nothing beside 1, and the
# differences of a chunk's cumulative sum keep their digits however strong the decay is.
_LOG_DECAY_FLOOR = -60.0


def compute_dtype(x: Tensor) -> torch.dtype:
    """Return the dtype that the references compute in: float64 for float64 inputs, else float32."""
    return torch.float64 if x.dtype == torch.float64 else torch.float32


def step_sizes(
    dt: Tensor,
    *,
    dt_bias: Tensor | None = None,
    dt_softplus: bool = False,
    dt_limit: tuple[float, float] = _NO_LIMIT,
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """Return the step sizes that the recurrence uses, of the shape of ``dt``.

    Args:
        dt: (..., nheads).
        dt_bias: (nheads,), added first.
        dt_softplus: Whether softplus is applied to the sum.
        dt_limit: Lowest and highest step size; steps are clamped into it last.
        dtype: What to compute in and return.
    """
    dt = dt.to(dtype)
    if dt_bias is not None:
        dt = dt + dt_bias.to(dtype)
    if dt_softplus:
        dt = F.softplus(dt)
    return dt.clamp(*dt_limit)


def ssd_recurrent(
    x: Tensor,
    dt: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    *,
    D: Tensor | None = None,
    z: Tensor | None = None,
    dt_bias: Tensor | None = None,
    dt_softplus: bool = False,
    dt_limit: tuple[float, float] = _NO_LIMIT,
    initial_states: Tensor | None = None,
    cu_seqlens: Tensor | None = None,
) -> Tensor:
    """Scan token by token; see the module for the formula and the shapes.

    Returns:
        y, of the shape and dtype of ``x``.
    """
    return ssd_recurrent_with_states(
        x, dt, A, B, C, D=D, z=z, dt_bias=dt_bias, dt_softplus=dt_softplus, dt_limit=dt_limit,
        initial_states=initial_states, cu_seqlens=cu_seqlens,
    )[0]  # fmt: skip


def ssd_recurrent_with_states(
    x: Tensor,
    dt: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    *,
    D: Tensor | None = None,
    z: Tensor | None = None,
    dt_bias: Tensor | None = None,
    dt_softplus: bool = False,
    dt_limit: tuple[float, float] = _NO_LIMIT,
    initial_states: Tensor | None = None,
    cu_seqlens: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Scan token by token, and return the states as well.

    Returns:
        y as ``ssd_recurrent`` gives it, and the state after the last token of every row or document.
    """
    dtype = compute_dtype(x)
    nheads, headdim, dstate = x.shape[2], x.shape[3], B.shape[3]
    repeats = nheads // B.shape[2]
    steps = step_sizes(dt, dt_bias=dt_bias, dt_softplus=dt_softplus, dt_limit=dt_limit, dtype=dtype)
    decay = torch.exp(steps * A.to(dtype))
    xs, inputs = x.to(dtype), x.to(dtype) * steps[..., None]
    Bs = B.to(dtype).repeat_interleave(repeats, dim=2)
    Cs = C.to(dtype).repeat_interleave(repeats, dim=2)
    if initial_states is None:
        ndocs = x.shape[0] if cu_seqlens is None else len(cu_seqlens) - 1
        states = xs.new_zeros(ndocs, nheads, headdim, dstate)
    else:
        states = initial_states.to(dtype)

    def run(rows: slice, start: int, stop: int, h: Tensor) -> tuple[list[Tensor], Tensor]:
        outputs = []
        for t in range(start, stop):
            update = inputs[rows, t, :, :, None] * Bs[rows, t, :, None, :]
            h = decay[rows, t, :, None, None] * h + update
            outputs.append((h * Cs[rows, t, :, None, :]).sum(-1))
        return outputs, h

    if cu_seqlens is None:
        ys, final = run(slice(None), 0, x.shape[1], states)
    else:
        ys, finals, bounds = [], [], cu_seqlens.tolist()
        for doc, (start, stop) in enumerate(itertools.pairwise(bounds)):
            doc_ys, h = run(slice(0, 1), start, stop, states[doc : doc + 1])
            ys += doc_ys
            finals.append(h)
        final = torch.cat(finals)
    y = torch.stack(ys, dim=1) if ys else torch.zeros_like(xs)
    return _finish(y, xs, D, z).to(x.dtype), final


def ssd_chunked(
    x: Tensor,
    dt: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    *,
    D: Tensor | None = None,
    z: Tensor | None = None,
    dt_bias: Tensor | None = None,
    dt_softplus: bool = False,
    dt_limit: tuple[float, float] = _NO_LIMIT,
    initial_states: Tensor | None = None,
    cu_seqlens: Tensor | None = None,
    chunk_size: int = 64,
) -> Tensor:
    """Scan with matrix products over chunks of ``chunk_size`` tokens.

    Returns:
        y, of the shape and dtype of ``x``; that of ``ssd_recurrent`` up to rounding.
    """
    return ssd_chunked_with_states(
        x, dt, A, B, C, D=D, z=z, dt_bias=dt_bias, dt_softplus=dt_softplus, dt_limit=dt_limit,
        initial_states=initial_states, cu_seqlens=cu_seqlens, chunk_size=chunk_size,
    )[0]  # fmt: skip


def ssd_chunked_with_states(
    x: Tensor,
    dt: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    *,
    D: Tensor | None = None,
    z: Tensor | None = None,
    dt_bias: Tensor | None = None,
    dt_softplus: bool = False,
    dt_limit: tuple[float, float] = _NO_LIMIT,
    initial_states: Tensor | None = None,
    cu_seqlens: Tensor | None = None,
    chunk_size: int = 64,
) -> tuple[Tensor, Tensor]:
    """Scan with matrix products over chunks, and return the states as well.

    Returns:
        y as ``ssd_chunked`` gives it, and the state after the last token of every row or document.
    """
    dtype = compute_dtype(x)
    nheads, headdim, (ngroups, dstate) = x.shape[2], x.shape[3], B.shape[2:]
    grid = _chunk_grid(x.shape[0], x.shape[1], chunk_size, cu_seqlens, x.device)
    xs = x.to(dtype)
    if initial_states is None:
        states = xs.new_zeros(grid.ndocs, nheads, headdim, dstate)
    else:
        states = initial_states.to(dtype)
    if grid.nchunks == 0:
        return _finish(torch.zeros_like(xs), xs, D, z).to(x.dtype), states

    # Padding repeats a document's last token with a step of 0: no decay, no input. Everything is
    # computed in the grid, where a document lies the same way whatever is packed beside it.
    steps = step_sizes(
        grid.gather(dt), dt_bias=dt_bias, dt_softplus=dt_softplus, dt_limit=dt_limit, dtype=dtype
    )
    steps = steps * grid.real[..., None]
    log_decay = steps * A.to(dtype)
    if dtype == torch.float32:
        log_decay = log_decay.clamp(min=_LOG_DECAY_FLOOR)
    total = log_decay.cumsum(dim=1).transpose(1, 2)  # (nchunks, nheads, chunk_size)
    xs = grid.gather(xs)
    inputs = (xs * steps[..., None]).transpose(1, 2)  # (nchunks, nheads, chunk_size, headdim)
    Bs = grid.gather(B.to(dtype)).transpose(1, 2)  # (nchunks, ngroups, chunk_size, dstate)
    Cs = grid.gather(C.to(dtype)).transpose(1, 2)

    # 1. inside the chunk: y = (C B^T * L) x, with L the decay from the input's token to the output's
    L = torch.exp(_lower_differences(total))
    weights = (Cs @ Bs.transpose(2, 3)).unsqueeze(2) * L.view(len(L), ngroups, -1, *L.shape[2:])
    y = weights.flatten(1, 2) @ inputs
    # 2. the state that the chunk's own tokens leave at its end, (nchunks, nheads, headdim, dstate)
    to_end = torch.exp(total[..., -1:] - total)
    left = _by_group((inputs * to_end[..., None]).transpose(2, 3), Bs)
    # 3. from chunk to chunk
    entering, final = _pass_states(left, torch.exp(total[..., -1]), states, grid)
    # 4. what the entering state adds
    from_state = _by_group_transposed(Cs, entering)
    y = y + from_state * torch.exp(total)[..., None]

    y = _finish(y.transpose(1, 2), xs, D, None if z is None else grid.gather(z.to(dtype)))
    return grid.scatter(y).view(x.shape).to(x.dtype), final


def _finish(y: Tensor, x: Tensor, D: Tensor | None, z: Tensor | None) -> Tensor:
    """Add the skip connection, then gate."""
    if D is not None:
        D = D.to(y.dtype)
        y = y + x * (D[:, None] if D.dim() == 1 else D)
    return y if z is None else y * F.silu(z.to(y.dtype))


def _lower_differences(total: Tensor) -> Tensor:
    """Return total[t] - total[s] where s <= t, and -inf elsewhere: (..., n) to (..., n, n)."""
    n = total.shape[-1]
    above = torch.ones(n, n, dtype=torch.bool, device=total.device).triu(1)
    return (total[..., :, None] - total[..., None, :]).masked_fill(above, -math.inf)


def _by_group(per_head: Tensor, per_group: Tensor) -> Tensor:
    """Multiply (nchunks, nheads, p, q) by the (nchunks, ngroups, q, n) of each head's group."""
    ngroups = per_group.shape[1]
    nchunks, nheads, p, q = per_head.shape
    rows = per_head.reshape(nchunks, ngroups, nheads // ngroups * p, q)
    return (rows @ per_group).view(nchunks, nheads, p, -1)


def _by_group_transposed(per_group: Tensor, per_head: Tensor) -> Tensor:
    """Multiply each group's (q, n) by the transposed (p, n) of its heads: (nchunks, nheads, q, p)."""
    ngroups = per_group.shape[1]
    nchunks, nheads, p, n = per_head.shape
    columns = per_head.reshape(nchunks, ngroups, nheads // ngroups * p, n)
    product = per_group @ columns.transpose(2, 3)
    return product.view(nchunks, ngroups, -1, nheads // ngroups, p).transpose(2, 3).flatten(1, 2)


def _pass_states(left: Tensor, decay: Tensor, states: Tensor, grid: _ChunkGrid) -> tuple[Tensor, Tensor]:
    """Carry the states over the chunks of every document.

    Args:
        left: What every chunk's own tokens leave, (nchunks, nheads, headdim, dstate).
        decay: What every chunk leaves of the state that enters it, (nchunks, nheads).
        states: The states that the documents begin with.
        grid: Where the chunks lie.

    Returns:
        The state that enters every chunk, and the state that leaves every document.
    """
    h = states.index_select(0, grid.order)
    entering, done = [], []
    ranks = zip(torch.split(left, grid.active), torch.split(decay, grid.active), grid.active, strict=True)
    for left_rank, decay_rank, active in ranks:
        # Documents are in order of falling length: those still running are the first.
        done.append(h[active:])
        h = h[:active]
        entering.append(h)
        h = h * decay_rank[..., None, None] + left_rank
    final = torch.cat([h, *reversed(done)])
    return torch.cat(entering), final.index_select(0, grid.position)


@dataclass(frozen=True)
class _ChunkGrid:
    """Where the tokens of every document lie in a grid of chunks that begin where documents begin.

    Chunks are ordered by their rank in the document, then by falling length of the document, so
    that one step of the state passing is one slice, whatever the number of documents.

    Attributes:
        tokens: For every cell of the grid the token that it holds, (nchunks * chunk_size,).
        cells: For every token the cell that holds it, (batch * seqlen,).
        real: 1 where a cell holds a token of its own and 0 where it pads, (nchunks, chunk_size).
        order: The documents by falling number of chunks, (ndocs,).
        position: The place of every document in ``order``, (ndocs,).
        active: For every rank, the number of documents that have a chunk of that rank.
    """

    tokens: Tensor
    cells: Tensor
    real: Tensor
    order: Tensor
    position: Tensor
    active: list[int]

    @property
    def ndocs(self) -> int:
        return len(self.order)

    @property
    def nchunks(self) -> int:
        return len(self.real)

    def gather(self, rows: Tensor) -> Tensor:
        """Lay (batch, seqlen, ...) out as (nchunks, chunk_size, ...)."""
        flat: Tensor = _Rearrange.apply(rows.flatten(0, 1), self.tokens, self.cells)  # type: ignore[no-untyped-call]
        return flat.view(*self.real.shape, *rows.shape[2:])

    def scatter(self, cells: Tensor) -> Tensor:
        """Bring (nchunks, chunk_size, ...) back to (batch * seqlen, ...)."""
        flat = cells.flatten(0, 1)
        tokens: Tensor = _Rearrange.apply(flat, self.cells, self.tokens, self.real)  # type: ignore[no-untyped-call]
        return tokens


class _Rearrange(torch.autograd.Function):
    """``rows[index]`` whose gradient is a gather by the inverse, not a scattered sum.

    Right where every row is taken once, but for padding, whose gradient is zero.
    """

    @staticmethod
    def forward(ctx: Any, rows: Tensor, index: Tensor, inverse: Tensor, real: Tensor | None = None) -> Tensor:
        ctx.save_for_backward(inverse, *([] if real is None else [real]))
        return rows.index_select(0, index)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None]:
        inverse, *real = ctx.saved_tensors
        grad = gradients[0].index_select(0, inverse)
        if real:
            grad = grad * real[0].flatten().view(-1, *[1] * (grad.dim() - 1))
        return grad, None, None, None


def _chunk_grid(
    batch: int, seqlen: int, chunk_size: int, cu_seqlens: Tensor | None, device: torch.device
) -> _ChunkGrid:
    if cu_seqlens is None:
        bounds = torch.arange(batch + 1) * seqlen
    else:
        bounds = cu_seqlens.to(device="cpu", dtype=torch.long)
    lengths = bounds.diff()
    nchunks = (lengths + chunk_size - 1) // chunk_size
    order = torch.argsort(nchunks, descending=True, stable=True)
    ranks = torch.arange(int(nchunks.max()) if len(nchunks) else 0)
    exists = nchunks[order] > ranks[:, None]  # (ranks, ndocs)
    rank, place = exists.nonzero(as_tuple=True)
    doc = order[place]
    token = (bounds[doc] + rank * chunk_size)[:, None] + torch.arange(chunk_size)
    last = bounds[doc + 1, None] - 1
    real = token <= last
    cells = torch.empty(int(bounds[-1]), dtype=torch.long)
    cells[token[real]] = torch.arange(token.numel())[real.flatten()]
    position = torch.empty_like(order)
    position[order] = torch.arange(len(order))
    return _ChunkGrid(
        tokens=torch.minimum(token, last).flatten().to(device),
        cells=cells.to(device),
        real=real.to(device, torch.float32),
        order=order.to(device),
        position=position.to(device),
        active=exists.sum(dim=1).tolist(),
    )
