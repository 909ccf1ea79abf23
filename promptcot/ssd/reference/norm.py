"""Root mean square normalization in plain torch: alone, after a residual sum, and gated.

Shapes: ``x``, ``z`` and ``residual`` (..., channels), ``weight`` (channels,). Everything is computed in
float32, or in float64 when ``x`` is float64; ``y`` has the dtype of ``x``.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["gated_rms_norm_gate_first", "gated_rms_norm_norm_first", "rms_norm", "rms_norm_residual"]


def _normalize(x: Tensor, eps: float, ngroups: int = 1) -> Tensor:
    """Divide every one of ``ngroups`` equal runs of channels by its root mean square."""
    groups = x.reshape(*x.shape[:-1], ngroups, x.shape[-1] // ngroups)
    return F.rms_norm(groups, groups.shape[-1:], eps=eps).reshape(x.shape)


def _computed(x: Tensor, *others: Tensor) -> tuple[Tensor, ...]:
    """Return all the tensors in the dtype that ``x`` is computed in."""
    dtype = torch.float64 if x.dtype == torch.float64 else torch.float32
    return tuple(tensor.to(dtype) for tensor in (x, *others))


def rms_norm(x: Tensor, weight: Tensor, *, eps: float = 1e-5) -> Tensor:
    """Return ``weight * x / sqrt(mean(x^2) + eps)``, the mean taken over the channels."""
    xs, ws = _computed(x, weight)
    return (ws * _normalize(xs, eps)).to(x.dtype)


def rms_norm_residual(
    x: Tensor, residual: Tensor, weight: Tensor, *, eps: float = 1e-5
) -> tuple[Tensor, Tensor]:
    """Add ``x`` to the residual stream and normalize the sum.

    The sum is rounded to the dtype of ``residual`` first, and the norm is that of the rounded sum:
    what is normalized is what the next layer finds in the stream.

    Returns:
        y in the dtype of ``x``, and the new residual in the dtype of ``residual``.
    """
    xs, rs, ws = _computed(x, residual, weight)
    new_residual = (xs + rs).to(residual.dtype)
    y = ws * _normalize(new_residual.to(xs.dtype), eps)
    return y.to(x.dtype), new_residual


def gated_rms_norm_gate_first(
    x: Tensor, z: Tensor, weight: Tensor, *, eps: float = 1e-5, ngroups: int = 1
) -> Tensor:
    """Return ``weight * norm(x * silu(z))``, normalized in each of ``ngroups`` runs of channels."""
    xs, zs, ws = _computed(x, z, weight)
    return (ws * _normalize(xs * F.silu(zs), eps, ngroups)).to(x.dtype)


def gated_rms_norm_norm_first(
    x: Tensor, z: Tensor, weight: Tensor, *, eps: float = 1e-5, ngroups: int = 1
) -> Tensor:
    """Return ``weight * norm(x) * silu(z)``, normalized in each of ``ngroups`` runs of channels."""
    xs, zs, ws = _computed(x, z, weight)
    return (ws * _normalize(xs, eps, ngroups) * F.silu(zs)).to(x.dtype)
