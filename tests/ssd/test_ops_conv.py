"""The convolution on a CPU: its definition in every dtype, and clear refusals."""

from __future__ import annotations

import gc
import subprocess
import sys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from promptcot.errors import KernelError
from promptcot.ssd import ops, reference
from promptcot.ssd.ops import checks


@given(
    lengths=st.lists(st.integers(0, 6), min_size=1, max_size=5).filter(any),
    width=st.integers(2, 4),
    silu=st.booleans(),
    initial=st.booleans(),
)
@settings(max_examples=25, deadline=None)
def test_is_the_reference(lengths: list[int], width: int, silu: bool, initial: bool) -> None:
    generator = torch.Generator().manual_seed(sum(lengths) + width)

    def randn(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64).requires_grad_()

    x, weight, bias = randn(1, sum(lengths), 3), randn(3, width), randn(3)
    states = randn(len(lengths), 3, width - 1) if initial else None
    cu_seqlens = torch.tensor([0, *lengths]).cumsum(0).int()
    name = "causal_conv1d_silu_with_states" if silu else "causal_conv1d_with_states"
    leaves = [x, weight, bias, *([] if states is None else [states])]
    results = []
    for module in (ops, reference):
        y, final = getattr(module, name)(x, weight, bias, initial_states=states, cu_seqlens=cu_seqlens)
        loss = (y * torch.arange(y.numel()).view(y.shape)).sum()
        loss = loss + (final * torch.arange(final.numel()).view(final.shape)).sum()
        results.append((y, final, *torch.autograd.grad(loss, leaves)))
    for got, want in zip(*results, strict=True):
        torch.testing.assert_close(got, want)
    plain = getattr(ops, name.removesuffix("_with_states"))
    assert torch.equal(plain(x, weight, bias, initial_states=states, cu_seqlens=cu_seqlens), results[0][0])


def test_half_precision_is_computed_in_float32() -> None:
    torch.manual_seed(0)
    x, weight = torch.randn(2, 40, 8).bfloat16(), torch.randn(8, 4)
    got = ops.causal_conv1d_silu(x, weight)
    assert got.dtype == torch.bfloat16
    assert torch.equal(got, ops.causal_conv1d_silu(x.float(), weight).bfloat16())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"x": torch.ones(1, 8)}, "x has shape"),
        ({"x": torch.ones(1, 0, 4)}, "at least one token"),
        ({"weight": torch.ones(4, 5)}, "weight has shape"),
        ({"weight": torch.ones(5, 4)}, "weight has shape"),
        ({"bias": torch.ones(3)}, "bias has shape"),
        ({"bias": torch.ones(4, dtype=torch.int64)}, "bias has dtype"),
        ({"initial_states": torch.ones(1, 4, 4)}, "initial_states has shape"),
        ({"weight": torch.ones(4, 4, device="meta")}, "weight is on meta"),
        ({"x": torch.ones(2, 8, 4), "cu_seqlens": torch.tensor([0, 8])}, "batch of 2"),
        ({"cu_seqlens": torch.tensor([0, 9])}, "ends at 9"),
        ({"cu_seqlens": torch.tensor([1, 8])}, "begins at 1"),
        ({"cu_seqlens": torch.tensor([0, 5, 4, 8])}, "falls from 5 to 4 at document 1"),
        ({"cu_seqlens": torch.tensor([0.0, 8.0])}, "cu_seqlens has dtype"),
        ({"cu_seqlens": torch.tensor([8])}, "cu_seqlens has shape"),
        ({"cu_seqlens": torch.tensor([0, 8]), "initial_states": torch.ones(2, 4, 3)}, "initial_states has"),
    ],
)
def test_refuses(change: dict[str, torch.Tensor], words: str) -> None:
    arguments = {"x": torch.ones(1, 8, 4), "weight": torch.ones(4, 4)} | change
    with pytest.raises(KernelError, match=words):
        ops.causal_conv1d(**arguments)


def test_a_packing_is_read_once_and_again_when_it_changes() -> None:
    x = torch.ones(1, 8, 2)
    cu_seqlens = torch.tensor([0, 3, 8], dtype=torch.int32)
    first = checks.packing_of(cu_seqlens, 1, 8, "x", x)
    assert checks.packing_of(cu_seqlens, 1, 8, "x", x) is first
    cu_seqlens[1] = 5
    second = checks.packing_of(cu_seqlens, 1, 8, "x", x)
    assert second.bounds == (0, 5, 8)
    assert second.docs.tolist() == [0] * 5 + [1] * 3
    assert second.starts.tolist() == [0] * 5 + [5] * 3
    held = len(checks._SEEN)
    del cu_seqlens
    gc.collect()
    assert len(checks._SEEN) < held


def test_a_cpu_needs_no_triton() -> None:
    script = """
import sys; sys.modules["triton"] = None
import torch
from promptcot.ssd import ops
x = torch.ones(1, 8, 4, requires_grad=True)
y = ops.gated_rms_norm_gate_first(ops.causal_conv1d_silu(x, torch.ones(4, 4)), x, torch.ones(4))
y.sum().backward()
ops.conv_step(torch.ones(1, 4, 3), torch.ones(1, 4), torch.ones(4, 4))
"""
    subprocess.run([sys.executable, "-c", script], check=True)
