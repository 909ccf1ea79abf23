"""The Triton norms: on the card where there is one, else in Triton's interpreter.

Bounds are relative norm errors against float64; see test_kernels_conv.py for bfloat16 in the interpreter.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor

GPU = torch.cuda.is_available()
if not GPU:
    os.environ["TRITON_INTERPRET"] = "1"
# The references' matrix products, in the mode that fills what torch.empty gives with NaN.
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
pytest.importorskip("triton")

from promptcot.errors import KernelError  # noqa: E402
from promptcot.ssd import reference  # noqa: E402
from promptcot.ssd.kernels import norm  # noqa: E402

DEVICE = "cuda" if GPU else "cpu"
needs_gpu = pytest.mark.skipif(not GPU, reason="needs a CUDA device")
Function = Callable[..., Any]


@pytest.fixture(autouse=True)
def _poison() -> Iterator[None]:
    """Fill what torch.empty gives with NaN, so that an element nobody writes is seen."""
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)


def pairs(ngroups: int) -> dict[str, tuple[Function, Function]]:
    """Every norm as the kernels and as the reference have it, called with the same tensors."""
    return {
        "plain": (lambda x, w: norm.rms_norm(x, w, 1e-5), reference.rms_norm),
        "residual": (
            lambda x, r, w: norm.rms_norm_residual(x, r, w, 1e-5),
            reference.rms_norm_residual,
        ),
        "gate_first": (
            lambda x, z, w: norm.gated_rms_norm(x, z, w, 1e-5, ngroups, gate_first=True),
            lambda x, z, w: reference.gated_rms_norm_gate_first(x, z, w, ngroups=ngroups),
        ),
        "norm_first": (
            lambda x, z, w: norm.gated_rms_norm(x, z, w, 1e-5, ngroups, gate_first=False),
            lambda x, z, w: reference.gated_rms_norm_norm_first(x, z, w, ngroups=ngroups),
        ),
    }


def make(kind: str, rows: int, channels: int, dtype: torch.dtype, residual: torch.dtype) -> list[Tensor]:
    generator = torch.Generator().manual_seed(rows * channels)

    def randn(*shape: int, dtype: torch.dtype = dtype) -> Tensor:
        return torch.randn(*shape, generator=generator).to(dtype).to(DEVICE)

    tensors = [randn(2, rows, channels + 16)[..., 8:-8]]
    if kind != "plain":
        tensors.append(randn(2, rows, channels, dtype=residual if kind == "residual" else dtype))
    return [*tensors, randn(channels, dtype=torch.float32)]


def run(function: Function, tensors: list[Tensor]) -> list[Tensor]:
    """All the outputs, and the gradients of all the tensors."""
    leaves = [t.detach().requires_grad_() for t in tensors]
    outputs = function(*leaves)
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    generator = torch.Generator().manual_seed(1)
    grads = [torch.randn(o.shape, generator=generator).bfloat16().to(DEVICE).to(o.dtype) for o in outputs]
    return [*outputs, *torch.autograd.grad(outputs, leaves, grads)]


def error(got: Tensor, want: Tensor) -> float:
    return float((got.detach().double() - want.detach()).norm() / want.detach().norm())


@pytest.mark.parametrize("kind", ["plain", "residual", "gate_first", "norm_first"])
@pytest.mark.parametrize(
    ("rows", "channels", "ngroups"),
    [
        (5, 48, 1),
        (7, 320, 1),
        (3, 64, 4),
        (2, 2560, 2),
        pytest.param(1000, 5120, 1, marks=needs_gpu),
        pytest.param(1500, 8192, 8, marks=needs_gpu),
        pytest.param(300, 4096, 1, marks=needs_gpu),
    ],
)
def test_is_the_reference(kind: str, rows: int, channels: int, ngroups: int) -> None:
    kernel, definition = pairs(ngroups)[kind]
    tensors = make(kind, rows, channels, torch.float32, torch.float32)
    want = run(definition, [t.double() for t in tensors])
    for one, exact in zip(run(kernel, tensors), want, strict=True):
        assert error(one, exact) < 1e-6


@pytest.mark.parametrize("kind", ["plain", "residual", "gate_first", "norm_first"])
@pytest.mark.parametrize("residual", [torch.bfloat16, torch.float32])
def test_half_precision(kind: str, residual: torch.dtype) -> None:
    kernel, definition = pairs(2)[kind]
    tensors = make(kind, 200 if GPU else 9, 512, torch.bfloat16, residual)
    wide = [t.double() for t in tensors]
    for one, exact in zip(run(kernel, tensors), run(definition, wide), strict=True):
        assert error(one, exact) < (3e-3 if GPU else 6e-3)


@pytest.mark.parametrize("block", sorted(norm.FORWARD))
def test_every_cut(block: int) -> None:
    channels = block - 24
    for kind in ("residual", "gate_first") if GPU or block < 2048 else ("plain",):
        kernel, definition = pairs(1)[kind]
        tensors = make(kind, 9 if GPU else 2, channels, torch.float32, torch.float32)
        want = run(definition, [t.double() for t in tensors])
        for one, exact in zip(run(kernel, tensors), want, strict=True):
            assert error(one, exact) < 1e-6


@pytest.mark.parametrize("kind", ["plain", "residual", "gate_first", "norm_first"])
def test_a_row_does_not_know_its_neighbours(kind: str) -> None:
    kernel, _ = pairs(2)[kind]
    tensors = make(kind, 600 if GPU else 5, 192, torch.bfloat16, torch.float32)
    whole = [t for t in run(kernel, tensors) if t.dim() == 3]
    for rows in (slice(0, 1), slice(1, 4)):
        leaves = [t[:, rows].detach().requires_grad_() for t in tensors[:-1]]
        outputs = kernel(*leaves, tensors[-1])
        outputs = outputs if isinstance(outputs, tuple) else (outputs,)
        generator = torch.Generator().manual_seed(1)
        shape = tensors[0].shape
        grads = [torch.randn(shape, generator=generator).bfloat16().to(DEVICE).to(o.dtype) for o in outputs]
        some = [*outputs, *torch.autograd.grad(outputs, leaves, [g[:, rows] for g in grads])]
        for part, all_rows in zip(some, whole, strict=True):
            assert torch.equal(part, all_rows[:, rows])


@pytest.mark.parametrize("kind", ["residual", "gate_first"])
def test_same_bits_again(kind: str) -> None:
    kernel, _ = pairs(1)[kind]
    tensors = make(kind, 3000 if GPU else 3, 96, torch.bfloat16, torch.float32)
    first = run(kernel, tensors)
    for _ in range(19 if GPU else 1):
        assert all(map(torch.equal, run(kernel, tensors), first))


# numpy, which the interpreter computes with, warns where the card gives inf and goes on.
@pytest.mark.filterwarnings("ignore:overflow encountered in exp:RuntimeWarning")
def test_strange_strides_and_extremes() -> None:
    kernel, definition = pairs(1)["gate_first"]
    x, z, weight = make("gate_first", 3, 40, torch.float32, torch.float32)
    z = z * 1e3
    x[0, 0] = 0.0
    turned = [x.transpose(1, 2).contiguous().transpose(1, 2), z.transpose(0, 1).contiguous().transpose(0, 1)]
    got, want = run(kernel, [*turned, weight]), run(definition, [x.double(), z.double(), weight.double()])
    for one, exact in zip(got, want, strict=True):
        assert error(one, exact) < 1e-6


def test_too_wide() -> None:
    with pytest.raises(KernelError, match="wanted at most 16384"):
        norm.rms_norm(torch.ones(1, 16385, device=DEVICE), torch.ones(16385, device=DEVICE), 1e-5)


@needs_gpu
def test_more_elements_than_an_int32_counts() -> None:
    rows, channels = 263_168, 8192
    assert rows * channels > 2**31
    x = torch.randn(rows, channels, dtype=torch.bfloat16, device="cuda", requires_grad=True)
    weight = torch.randn(channels, device="cuda")
    y = norm.gated_rms_norm(x, x.detach(), weight, 1e-5, 8, gate_first=True)
    (dx,) = torch.autograd.grad(y, x, x.detach())
    tail = x.detach()[-64:].clone().requires_grad_()
    want = norm.gated_rms_norm(tail, tail.detach(), weight, 1e-5, 8, gate_first=True)
    assert torch.equal(y[-64:], want)
    assert torch.equal(dx[-64:], torch.autograd.grad(want, tail, tail.detach())[0])
