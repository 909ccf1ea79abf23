"""The state space dual scan with autograd: arguments are checked, then the device decides who computes."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from promptcot.errors import KernelError
from promptcot.ssd.kernels.scan_plan import host_offsets
from promptcot.ssd.reference.scan import ssd_chunked_with_states

__all__ = ["ssd", "ssd_with_states"]

_FLOATS = (torch.float32, torch.bfloat16, torch.float16, torch.float64)
# The chunk of the torch form on a CPU: the smallest that keeps matrix products worth their call.
_CPU_CHUNK = 32


def ssd(
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
    dt_limit: tuple[float, float] = (0.0, math.inf),
    initial_states: Tensor | None = None,
    cu_seqlens: Tensor | None = None,
) -> Tensor:
    """Scan sequences, or packed documents, with the selective state space of Mamba-2.

    ``h_t = exp(dt'_t A) h_{t-1} + dt'_t x_t B_t^T`` and ``y_t = (h_t C_t + D x_t) silu(z_t)`` with
    ``dt'_t = clamp(softplus(dt_t + dt_bias), *dt_limit)``; see ``promptcot.ssd.reference.scan``.

    Args:
        x: (batch, seqlen, nheads, headdim).
        dt: (batch, seqlen, nheads).
        A: (nheads,), negative, or the kernels are wrong: the state falls by exp(dt' A) in a step.
        B: (batch, seqlen, ngroups, dstate); ngroups divides nheads.
        C: Like B.
        D: (nheads,) or (nheads, headdim); no skip connection without it.
        z: Like x; no gate without it.
        dt_bias: (nheads,), added to dt first.
        dt_softplus: Whether softplus follows.
        dt_limit: Lowest and highest step; steps are clamped last.
        initial_states: (batch or ndocs, nheads, headdim, dstate); zeros without it.
        cu_seqlens: (ndocs + 1,) int32, where documents begin in the one row of a packed batch.

    Returns:
        y, of the shape and dtype of ``x``. Computed in float32 (float64 for float64 inputs).

    Raises:
        KernelError: An argument does not fit; nothing was launched.
    """
    return ssd_with_states(
        x, dt, A, B, C, D=D, z=z, dt_bias=dt_bias, dt_softplus=dt_softplus, dt_limit=dt_limit,
        initial_states=initial_states, cu_seqlens=cu_seqlens,
    )[0]  # fmt: skip


def ssd_with_states(
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
    dt_limit: tuple[float, float] = (0.0, math.inf),
    initial_states: Tensor | None = None,
    cu_seqlens: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Scan as ``ssd`` does, and return the final states as well.

    Returns:
        y, and the float32 states (batch or ndocs, nheads, headdim, dstate) after the last token of
        every row or document. Both are differentiable.

    Raises:
        KernelError: An argument does not fit; nothing was launched.
    """
    _check(x, dt, A, B, C, D, z, dt_bias, dt_limit, initial_states, cu_seqlens)
    if x.is_cuda and x.dtype != torch.float64:
        from promptcot.ssd.kernels.scan_autograd import ssd_kernels  # Triton is there where CUDA is

        return ssd_kernels(
            x, dt, A, B, C, D=D, z=z, dt_bias=dt_bias, dt_softplus=dt_softplus, dt_limit=dt_limit,
            initial_states=initial_states, cu_seqlens=cu_seqlens,
        )  # fmt: skip
    # Plain torch: on a CPU, and in float64, which the matrix units' kernels do not take.
    return ssd_chunked_with_states(
        x, dt, A, B, C, D=D, z=z, dt_bias=dt_bias, dt_softplus=dt_softplus, dt_limit=dt_limit,
        initial_states=initial_states, cu_seqlens=cu_seqlens, chunk_size=_CPU_CHUNK,
    )  # fmt: skip


def _check(
    x: Tensor,
    dt: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    D: Tensor | None,
    z: Tensor | None,
    dt_bias: Tensor | None,
    dt_limit: tuple[float, float],
    initial_states: Tensor | None,
    cu_seqlens: Tensor | None,
) -> None:
    """Raise KernelError at the first argument that does not fit the others."""
    if x.dim() != 4:
        raise _shape_error("x", x, "(batch, seqlen, nheads, headdim)")
    if B.dim() != 4:
        raise _shape_error("B", B, "(batch, seqlen, ngroups, dstate)")
    batch, seqlen, nheads, headdim = x.shape
    ngroups, dstate = B.shape[2:]
    if ngroups == 0 or nheads % ngroups:
        raise _shape_error("B", B, f"ngroups that divides nheads = {nheads}")
    rows = batch if cu_seqlens is None else cu_seqlens.numel() - 1
    wanted: list[tuple[str, Tensor | None, tuple[tuple[int, ...], ...]]] = [
        ("dt", dt, ((batch, seqlen, nheads),)),
        ("A", A, ((nheads,),)),
        ("B", B, ((batch, seqlen, ngroups, dstate),)),
        ("C", C, ((batch, seqlen, ngroups, dstate),)),
        ("D", D, ((nheads,), (nheads, headdim))),
        ("z", z, (tuple(x.shape),)),
        ("dt_bias", dt_bias, ((nheads,),)),
        ("initial_states", initial_states, ((rows, nheads, headdim, dstate),)),
    ]
    for name, tensor, shapes in wanted:
        if tensor is None:
            continue
        if tuple(tensor.shape) not in shapes:
            raise _shape_error(name, tensor, " or ".join(map(str, shapes)))
        if tensor.device != x.device:
            raise KernelError(f"{name} is on {tensor.device}, x on {x.device}", remedy="move them together")
    for name, tensor, _ in (("x", x, ()), *wanted):
        if tensor is not None and tensor.dtype not in _FLOATS:
            raise KernelError(f"{name} has dtype {tensor.dtype}", remedy="use float32, bfloat16 or float16")
    low, high = dt_limit
    if not low <= high:
        raise KernelError(f"dt_limit is {dt_limit}", remedy="give the lower limit first")
    if cu_seqlens is not None:
        _check_cu_seqlens(cu_seqlens, batch, seqlen)


def _check_cu_seqlens(cu_seqlens: Tensor, batch: int, seqlen: int) -> None:
    if cu_seqlens.dim() != 1 or cu_seqlens.numel() < 2:
        raise _shape_error("cu_seqlens", cu_seqlens, "(ndocs + 1,)")
    if cu_seqlens.dtype not in (torch.int32, torch.int64):
        raise KernelError(f"cu_seqlens has dtype {cu_seqlens.dtype}", remedy="use int32")
    if batch != 1:
        raise KernelError(f"cu_seqlens with a batch of {batch}", remedy="pack the documents into one row")
    offsets = host_offsets(cu_seqlens)  # waits for the device once for every tensor
    if int(offsets[0]) != 0 or int(offsets[-1]) != seqlen:
        raise KernelError(
            f"cu_seqlens runs from {int(offsets[0])} to {int(offsets[-1])}, x has {seqlen} tokens",
            remedy="begin at 0 and end at seqlen",
        )
    if bool((offsets.diff() < 0).any()):
        raise KernelError("cu_seqlens decreases", remedy="give the documents' offsets in order")


def _shape_error(name: str, tensor: Tensor, wanted: str) -> KernelError:
    return KernelError(f"{name} has shape {tuple(tensor.shape)}", remedy=f"wanted {wanted}")
