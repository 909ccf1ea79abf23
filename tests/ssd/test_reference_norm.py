"""The norms' definitions against their formulas written out."""

from __future__ import annotations

import functools

import pytest
import torch

from promptcot.ssd import reference


@pytest.fixture
def tensors() -> tuple[torch.Tensor, ...]:
    torch.manual_seed(0)
    shapes = ((2, 3, 12), (2, 3, 12), (12,))
    return tuple(torch.randn(*shape, dtype=torch.float64, requires_grad=True) for shape in shapes)


def test_formulas(tensors: tuple[torch.Tensor, ...]) -> None:
    x, z, weight = tensors
    gate = z / (1 + torch.exp(-z))
    for ngroups in (1, 3):
        for first in (True, False):
            inner = x * gate if first else x
            groups = [g / (g.pow(2).mean(-1, keepdim=True) + 1e-3).sqrt() for g in inner.chunk(ngroups, -1)]
            want = weight * torch.cat(groups, -1) * (1 if first else gate)
            name = "gated_rms_norm_gate_first" if first else "gated_rms_norm_norm_first"
            got = getattr(reference, name)(x, z, weight, eps=1e-3, ngroups=ngroups)
            torch.testing.assert_close(got, want, rtol=1e-12, atol=1e-12)
    want = weight * x / (x.pow(2).mean(-1, keepdim=True) + 1e-5).sqrt()
    torch.testing.assert_close(reference.rms_norm(x, weight), want, rtol=1e-12, atol=1e-12)


def test_residual_is_normalized_as_it_is_kept() -> None:
    torch.manual_seed(0)
    x, residual, weight = torch.randn(4, 8), torch.randn(4, 8), torch.randn(8)
    y, total = reference.rms_norm_residual(x, residual.bfloat16(), weight)
    assert total.dtype == torch.bfloat16
    assert torch.equal(y, reference.rms_norm(total.float(), weight))
    y, total = reference.rms_norm_residual(x.bfloat16(), residual, weight)
    assert (y.dtype, total.dtype) == (torch.bfloat16, torch.float32)
    assert torch.equal(total, x.bfloat16().float() + residual)


def test_gradients_are_differences(tensors: tuple[torch.Tensor, ...]) -> None:
    x, z, weight = tensors
    for function in (reference.gated_rms_norm_gate_first, reference.gated_rms_norm_norm_first):
        assert torch.autograd.gradcheck(functools.partial(function, ngroups=2), (x, z, weight))
    assert torch.autograd.gradcheck(reference.rms_norm_residual, (x, z, weight))
