"""Root mean square norms with autograd: arguments are checked, then the device decides who computes."""

from __future__ import annotations

import torch
from torch import Tensor

from promptcot.errors import KernelError
from promptcot.ssd.ops.checks import check_floats, check_shape, shape_error
from promptcot.ssd.reference import norm as reference

__all__ = ["gated_rms_norm_gate_first", "gated_rms_norm_norm_first", "rms_norm", "rms_norm_residual"]


def rms_norm(x: Tensor, weight: Tensor, *, eps: float = 1e-5) -> Tensor:
    """Normalize by the root mean square of the channels: ``weight * x / sqrt(mean(x^2) + eps)``.

    Args:
        x: (..., channels); a view with channels side by side is read as it lies.
        weight: (channels,).
        eps: Added to the mean square.

    Returns:
        y, of the shape and dtype of ``x``. Computed in float32 (float64 for float64 inputs).

    Raises:
        KernelError: An argument does not fit; nothing was launched.
    """
    _check(x, weight, 1)
    if _on_gpu(x):
        from promptcot.ssd.kernels import norm as kernels

        return kernels.rms_norm(x, weight, eps)
    return reference.rms_norm(x, weight, eps=eps)


def rms_norm_residual(
    x: Tensor, residual: Tensor, weight: Tensor, *, eps: float = 1e-5
) -> tuple[Tensor, Tensor]:
    """Add ``x`` to the residual stream, which may have another dtype, and normalize the rounded sum.

    Args:
        x: (..., channels).
        residual: Of the shape of ``x``; float32 for a stream that keeps its digits.
        weight: (channels,).
        eps: Added to the mean square.

    Returns:
        y in the dtype of ``x``, and the new residual in the dtype of ``residual``.

    Raises:
        KernelError: An argument does not fit; nothing was launched.
    """
    _check(x, weight, 1, residual=residual)
    if _on_gpu(x):
        from promptcot.ssd.kernels import norm as kernels

        return kernels.rms_norm_residual(x, residual, weight, eps)
    return reference.rms_norm_residual(x, residual, weight, eps=eps)


def gated_rms_norm_gate_first(
    x: Tensor, z: Tensor, weight: Tensor, *, eps: float = 1e-5, ngroups: int = 1
) -> Tensor:
    """Gate, then normalize in groups: ``weight * norm(x * silu(z))`` (Mamba-2 and Codestral).

    Args:
        x: (..., channels).
        z: Of the shape of ``x``.
        weight: (channels,).
        eps: Added to the mean square.
        ngroups: How many equal runs of channels are normalized on their own; divides channels.

    Returns:
        y, of the shape and dtype of ``x``. Computed in float32 (float64 for float64 inputs).

    Raises:
        KernelError: An argument does not fit; nothing was launched.
    """
    _check(x, weight, ngroups, z=z)
    if _on_gpu(x):
        from promptcot.ssd.kernels import norm as kernels

        return kernels.gated_rms_norm(x, z, weight, eps, ngroups, gate_first=True)
    return reference.gated_rms_norm_gate_first(x, z, weight, eps=eps, ngroups=ngroups)


def gated_rms_norm_norm_first(
    x: Tensor, z: Tensor, weight: Tensor, *, eps: float = 1e-5, ngroups: int = 1
) -> Tensor:
    """Normalize in groups, then gate: ``weight * norm(x) * silu(z)``.

    Arguments, result and errors are those of ``gated_rms_norm_gate_first``.
    """
    _check(x, weight, ngroups, z=z)
    if _on_gpu(x):
        from promptcot.ssd.kernels import norm as kernels

        return kernels.gated_rms_norm(x, z, weight, eps, ngroups, gate_first=False)
    return reference.gated_rms_norm_norm_first(x, z, weight, eps=eps, ngroups=ngroups)


def _on_gpu(x: Tensor) -> bool:
    return x.is_cuda and x.dtype != torch.float64


def _check(x: Tensor, weight: Tensor, ngroups: int, **others: Tensor) -> None:
    """Raise KernelError at the first argument that does not fit the others."""
    if x.dim() < 1 or x.numel() == 0:
        raise shape_error("x", x, "(..., channels), not empty")
    channels = x.shape[-1]
    if ngroups < 1 or channels % ngroups:
        raise KernelError(
            f"ngroups is {ngroups}, x has {channels} channels", remedy="use a divisor of the channels"
        )
    check_shape("weight", weight, (channels,))
    for name, tensor in others.items():
        check_shape(name, tensor, tuple(x.shape))
    check_floats("x", x, weight=weight, **others)
