"""One token more: arguments are checked, then the device decides who computes."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from promptcot.errors import KernelError
from promptcot.ssd.ops.checks import check_device, check_floats, check_shape, shape_error
from promptcot.ssd.reference import decode as reference

__all__ = ["conv_step", "conv_step_silu", "mixer_step", "ssd_step"]


def ssd_step(
    state: Tensor,
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
    slots: Tensor | None = None,
) -> Tensor:
    """Advance the scan of every row by one token; ``state`` is updated in place.

    The recurrence is that of ``ssd``; nothing is differentiable. The arithmetic is float32 whatever the
    state is kept in.

    Args:
        state: (nslots, nheads, headdim, dstate), contiguous; float32, or half the bytes in bfloat16.
        x: (batch, nheads, headdim).
        dt: (batch, nheads).
        A: (nheads,).
        B: (batch, ngroups, dstate); ngroups divides nheads.
        C: Like B.
        D: (nheads,) or (nheads, headdim).
        z: Like x; the result is multiplied by silu(z).
        dt_bias: (nheads,), added to dt first.
        dt_softplus: Whether softplus follows.
        dt_limit: Lowest and highest step; steps are clamped last.
        slots: (batch,) int32, the slot of every row's sequence, no slot twice; a row with -1 is skipped.
            Row i has slot i without it. On CUDA a slot past the last is skipped too (reading them
            would stop the device), elsewhere it is an error.

    Returns:
        y, of the shape and dtype of ``x``; zeros in skipped rows.

    Raises:
        KernelError: An argument does not fit; nothing was launched.
    """
    if state.dim() != 4:
        raise shape_error("state", state, "(nslots, nheads, headdim, dstate)")
    if x.dim() != 3:
        raise shape_error("x", x, "(batch, nheads, headdim)")
    batch, nheads, headdim = x.shape
    check_shape("state", state, (state.shape[0], nheads, headdim, state.shape[3]))
    if B.dim() != 3 or B.shape[1] == 0 or nheads % B.shape[1]:
        raise shape_error("B", B, f"(batch, ngroups that divides nheads = {nheads}, dstate)")
    groups = (batch, B.shape[1], state.shape[3])
    check_shape("B", B, groups)
    check_shape("C", C, groups)
    check_shape("dt", dt, (batch, nheads))
    check_shape("z", z, (batch, nheads, headdim))
    check_floats("x", x, state=state, dt=dt, A=A, B=B, C=C, D=D, z=z, dt_bias=dt_bias)
    _check_heads(nheads, headdim, A, D, dt_bias, dt_limit)
    _check_slots(slots, batch, x, state=state)
    if _on_gpu(x):
        from promptcot.ssd.kernels import decode as kernels

        return kernels.ssd_step(state, x, dt, A, B, C, D, z, dt_bias, dt_softplus, dt_limit, slots)
    return reference.ssd_step(
        state, x, dt, A, B, C, D=D, z=z, dt_bias=dt_bias, dt_softplus=dt_softplus, dt_limit=dt_limit,
        slots=slots,
    )  # fmt: skip


def conv_step(
    conv_state: Tensor, x: Tensor, weight: Tensor, bias: Tensor | None = None, *, slots: Tensor | None = None
) -> Tensor:
    """Advance the convolution of every row by one token; ``conv_state`` is updated in place.

    Args:
        conv_state: (nslots, channels, width - 1), contiguous, oldest input first.
        x: (batch, channels).
        weight: (channels, width), width 2 to 4.
        bias: (channels,).
        slots: As in ``ssd_step``.

    Returns:
        y, of the shape and dtype of ``x``; zeros in skipped rows.

    Raises:
        KernelError: An argument does not fit; nothing was launched.
    """
    _check_conv(conv_state, x, weight, bias, slots, "x")
    if _on_gpu(x):
        from promptcot.ssd.kernels import decode as kernels

        return kernels.conv_step(conv_state, x, weight, bias, slots, silu=False)
    return reference.conv_step(conv_state, x, weight, bias, slots=slots)


def conv_step_silu(
    conv_state: Tensor, x: Tensor, weight: Tensor, bias: Tensor | None = None, *, slots: Tensor | None = None
) -> Tensor:
    """Advance the convolution as ``conv_step`` does, and apply SiLU."""
    _check_conv(conv_state, x, weight, bias, slots, "x")
    if _on_gpu(x):
        from promptcot.ssd.kernels import decode as kernels

        return kernels.conv_step(conv_state, x, weight, bias, slots, silu=True)
    return reference.conv_step_silu(conv_state, x, weight, bias, slots=slots)


def mixer_step(
    conv_state: Tensor,
    state: Tensor,
    xBC: Tensor,
    dt: Tensor,
    A: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    ngroups: int = 1,
    D: Tensor | None = None,
    z: Tensor | None = None,
    dt_bias: Tensor | None = None,
    dt_softplus: bool = False,
    dt_limit: tuple[float, float] = (0.0, math.inf),
    slots: Tensor | None = None,
) -> Tensor:
    """Advance convolution with SiLU, scan and gate by one token; both states are updated in place.

    The same as ``conv_step_silu``, a split into x, B and C, and ``ssd_step``.

    Args:
        conv_state: (nslots, channels, width - 1), contiguous; the channels of x, B and C in this order.
        state: (nslots, nheads, headdim, dstate), contiguous.
        xBC: (batch, channels), before the convolution.
        dt: (batch, nheads).
        A: (nheads,).
        weight: (channels, width), width 2 to 4.
        bias: (channels,).
        ngroups: How many groups of heads share one B and C each; divides nheads.
        D: As in ``ssd_step``.
        z: (batch, nheads, headdim).
        dt_bias: As in ``ssd_step``.
        dt_softplus: As in ``ssd_step``.
        dt_limit: As in ``ssd_step``.
        slots: As in ``ssd_step``, for both states.

    Returns:
        y (batch, nheads, headdim) in the dtype of ``xBC``; zeros in skipped rows.

    Raises:
        KernelError: An argument does not fit; nothing was launched.
    """
    if state.dim() != 4:
        raise shape_error("state", state, "(nslots, nheads, headdim, dstate)")
    nslots, nheads, headdim, dstate = state.shape
    if ngroups < 1 or nheads % ngroups:
        raise KernelError(f"ngroups is {ngroups}, nheads {nheads}", remedy="use a divisor of nheads")
    _check_conv(conv_state, xBC, weight, bias, slots, "xBC")
    batch = xBC.shape[0]
    check_shape("xBC", xBC, (batch, nheads * headdim + 2 * ngroups * dstate))
    check_shape("conv_state", conv_state, (nslots, *conv_state.shape[1:]))
    check_shape("dt", dt, (batch, nheads))
    check_shape("z", z, (batch, nheads, headdim))
    check_floats("xBC", xBC, state=state, dt=dt, A=A, D=D, z=z, dt_bias=dt_bias)
    _check_heads(nheads, headdim, A, D, dt_bias, dt_limit)
    _check_slots(slots, batch, xBC, state=state)
    if _on_gpu(xBC):
        from promptcot.ssd.kernels import decode as kernels

        return kernels.mixer_step(
            conv_state, state, xBC, dt, A, weight, bias, ngroups, D, z, dt_bias, dt_softplus, dt_limit, slots
        )
    return reference.mixer_step(
        conv_state, state, xBC, dt, A, weight, bias, ngroups=ngroups, D=D, z=z, dt_bias=dt_bias,
        dt_softplus=dt_softplus, dt_limit=dt_limit, slots=slots,
    )  # fmt: skip


def _on_gpu(x: Tensor) -> bool:
    return x.is_cuda and x.dtype != torch.float64


def _check_conv(
    conv_state: Tensor, x: Tensor, weight: Tensor, bias: Tensor | None, slots: Tensor | None, x_name: str
) -> None:
    """Raise KernelError at the first argument of a convolution step that does not fit the others."""
    if x.dim() != 2:
        raise shape_error(x_name, x, "(batch, channels)")
    batch, channels = x.shape
    if weight.dim() != 2 or weight.shape[0] != channels or not 2 <= weight.shape[1] <= 4:
        raise shape_error("weight", weight, f"({channels}, 2 to 4)")
    if conv_state.dim() != 3 or tuple(conv_state.shape[1:]) != (channels, weight.shape[1] - 1):
        raise shape_error("conv_state", conv_state, f"(nslots, {channels}, {weight.shape[1] - 1})")
    check_shape("bias", bias, (channels,))
    check_floats(x_name, x, conv_state=conv_state, weight=weight, bias=bias)
    _check_slots(slots, batch, x, conv_state=conv_state)


def _check_heads(
    nheads: int,
    headdim: int,
    A: Tensor,
    D: Tensor | None,
    dt_bias: Tensor | None,
    dt_limit: tuple[float, float],
) -> None:
    check_shape("A", A, (nheads,))
    check_shape("D", D, (nheads,), (nheads, headdim))
    check_shape("dt_bias", dt_bias, (nheads,))
    low, high = dt_limit
    if not low <= high:
        raise KernelError(f"dt_limit is {dt_limit}", remedy="give the lower limit first")


def _check_slots(slots: Tensor | None, batch: int, x: Tensor, **states: Tensor) -> None:
    """Raise KernelError unless the states are contiguous and have the slots that are named."""
    for name, state in states.items():
        if not state.is_contiguous():
            raise KernelError(
                f"{name} has strides {state.stride()}", remedy="keep it contiguous: it is updated in place"
            )
        if slots is None and state.shape[0] < batch:
            raise shape_error(name, state, f"at least {batch} slots, one for every row")
    if slots is None:
        return
    check_shape("slots", slots, (batch,))
    if slots.dtype not in (torch.int32, torch.int64):
        raise KernelError(f"slots has dtype {slots.dtype}", remedy="use int32")
    check_device("slots", slots, "x", x)
    if not slots.is_cuda and batch:
        low, high = int(slots.min()), int(slots.max())
        nslots = min(state.shape[0] for state in states.values())
        if low < -1 or high >= nslots:
            raise KernelError(
                f"slots run from {low} to {high}, there are {nslots}", remedy="name a slot, or -1 to skip"
            )
