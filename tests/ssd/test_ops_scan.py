"""The operation on a CPU: the right function, without Triton, and clear refusals."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from promptcot.errors import KernelError
from promptcot.ssd.ops.scan import ssd, ssd_with_states
from promptcot.ssd.reference.scan import ssd_recurrent_with_states


@pytest.mark.parametrize(
    ("dtype", "bound"), [(torch.float64, 1e-12), (torch.float32, 2e-6), (torch.bfloat16, 5e-3)]
)
def test_is_the_recurrence(scans: SimpleNamespace, dtype: torch.dtype, bound: float) -> None:
    scan = scans.make([1, 31, 32, 33, 70], headdim=16, dtype=dtype)
    exact = {n: v.double() if torch.is_tensor(v) and v.is_floating_point() else v for n, v in scan.items()}
    want, states = ssd_recurrent_with_states(**exact)
    got, got_states = ssd_with_states(**scan)
    assert got.dtype == dtype
    assert scans.error(got, want) < bound
    assert scans.error(got_states, states) < bound
    assert torch.equal(got, ssd(**scan))


def test_non_contiguous_inputs(scans: SimpleNamespace) -> None:
    scan = scans.make([33, 20], dtype=torch.float32)
    for name in ("x", "B", "C", "z"):
        spaced = scan[name].repeat_interleave(2, dim=2)[:, :, ::2]
        scan[name], dense = spaced, scan[name]
        assert torch.equal(spaced, dense)
    y = ssd(**scan)
    assert torch.equal(y, ssd(**{n: v.contiguous() if torch.is_tensor(v) else v for n, v in scan.items()}))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"x": torch.ones(1, 8, 4)}, "x has shape"),
        ({"dt": torch.ones(1, 8, 3)}, "dt has shape"),
        ({"A": torch.ones(5)}, "A has shape"),
        ({"B": torch.ones(1, 8, 3, 8)}, "ngroups that divides"),
        ({"C": torch.ones(1, 7, 2, 8)}, "C has shape"),
        ({"D": torch.ones(4, 9)}, "D has shape"),
        ({"z": torch.ones(1, 8, 4, 9)}, "z has shape"),
        ({"dt_bias": torch.ones(1)}, "dt_bias has shape"),
        ({"initial_states": torch.ones(1, 4, 8, 8)}, "initial_states has shape"),
        ({"x": torch.ones(1, 8, 4, 8, dtype=torch.int32)}, "x has dtype"),
        ({"A": torch.ones(4, device="meta")}, "A is on meta"),
        ({"dt_limit": (1.0, 0.5)}, "dt_limit"),
        ({"cu_seqlens": torch.tensor([0, 9, 8])}, "decreases"),
        ({"cu_seqlens": torch.tensor([0, 3, 9])}, "runs from 0 to 9"),
        ({"cu_seqlens": torch.tensor([1, 3, 8])}, "runs from 1 to 8"),
        ({"cu_seqlens": torch.tensor([0.0, 3.0, 8.0])}, "cu_seqlens has dtype"),
        ({"cu_seqlens": torch.tensor([[0, 3, 8]])}, "cu_seqlens has shape"),
    ],
)
def test_refusals_name_the_argument(scans: SimpleNamespace, change: dict[str, Any], words: str) -> None:
    scan = scans.make([3, 5], dtype=torch.float32)
    with pytest.raises(KernelError, match=words):
        ssd(**{**scan, **change})


def test_packing_needs_one_row(scans: SimpleNamespace) -> None:
    scan = scans.make([4, 4], packed=False)
    with pytest.raises(KernelError, match="batch of 2"):
        ssd(**scan, cu_seqlens=torch.tensor([0, 2, 4]))


def test_a_cpu_needs_no_triton() -> None:
    code = (
        "import sys; sys.modules['triton'] = None\n"
        "import torch; from promptcot.ssd.ops import ssd\n"
        "x = torch.ones(1, 4, 2, 8); b = torch.ones(1, 4, 1, 8)\n"
        "ssd(x, torch.ones(1, 4, 2), -torch.ones(2), b, b)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
