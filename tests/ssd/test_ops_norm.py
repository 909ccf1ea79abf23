"""The norms on a CPU: their definitions, and clear refusals."""

from __future__ import annotations

import pytest
import torch

from promptcot.errors import KernelError
from promptcot.ssd import ops, reference


def test_is_the_reference() -> None:
    torch.manual_seed(0)
    x, z, weight = torch.randn(2, 3, 12), torch.randn(2, 3, 12), torch.randn(12)
    assert torch.equal(ops.rms_norm(x, weight, eps=1e-3), reference.rms_norm(x, weight, eps=1e-3))
    got, want = ops.rms_norm_residual(x, z, weight), reference.rms_norm_residual(x, z, weight)
    assert all(map(torch.equal, got, want))
    for name in ("gated_rms_norm_gate_first", "gated_rms_norm_norm_first"):
        got = getattr(ops, name)(x, z, weight, eps=1e-3, ngroups=3)
        assert torch.equal(got, getattr(reference, name)(x, z, weight, eps=1e-3, ngroups=3))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"x": torch.ones(0, 12)}, "x has shape"),
        ({"z": torch.ones(3, 12)}, "z has shape"),
        ({"weight": torch.ones(11)}, "weight has shape"),
        ({"weight": torch.ones(12, dtype=torch.int32)}, "weight has dtype"),
        ({"z": torch.ones(2, 12, device="meta")}, "z is on meta"),
        ({"ngroups": 5}, "ngroups is 5, x has 12 channels"),
        ({"ngroups": 0}, "ngroups is 0"),
    ],
)
def test_refuses(change: dict[str, object], words: str) -> None:
    arguments = {"x": torch.ones(2, 12), "z": torch.ones(2, 12), "weight": torch.ones(12)} | change
    with pytest.raises(KernelError, match=words):
        ops.gated_rms_norm_gate_first(**arguments)  # type: ignore[arg-type]


def test_residual_is_checked() -> None:
    with pytest.raises(KernelError, match="residual has shape"):
        ops.rms_norm_residual(torch.ones(2, 12), torch.ones(12), torch.ones(12))
