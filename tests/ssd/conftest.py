"""Random scans: arguments that exercise every option, and their split into documents."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

ALONG_TOKENS = ("x", "dt", "B", "C", "z")


def make_scan(
    lengths: list[int],
    *,
    nheads: int = 4,
    headdim: int = 8,
    ngroups: int = 2,
    dstate: int = 8,
    dtype: torch.dtype = torch.float64,
    packed: bool = True,
    seed: int = 0,
) -> dict[str, Any]:
    """Arguments of a scan over packed documents, or over a batch of rows of one length."""
    generator = torch.Generator().manual_seed(seed)

    def randn(*shape: int, dtype: torch.dtype = dtype) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64).to(dtype)

    wide = dtype if dtype == torch.float64 else torch.float32
    batch, seqlen = (1, sum(lengths)) if packed else (len(lengths), lengths[0])
    scan: dict[str, Any] = {
        "x": randn(batch, seqlen, nheads, headdim),
        "dt": randn(batch, seqlen, nheads),
        "A": -torch.exp(randn(nheads, dtype=wide)),
        "B": randn(batch, seqlen, ngroups, dstate),
        "C": randn(batch, seqlen, ngroups, dstate),
        "D": randn(nheads, dtype=wide),
        "z": randn(batch, seqlen, nheads, headdim),
        "dt_bias": randn(nheads, dtype=wide),
        "dt_softplus": True,
        "dt_limit": (0.0, math.inf),
        "initial_states": randn(len(lengths), nheads, headdim, dstate, dtype=wide),
    }
    if packed:
        scan["cu_seqlens"] = torch.tensor([0, *lengths]).cumsum(0).to(torch.int32)
    return scan


def take_document(scan: dict[str, Any], number: int) -> dict[str, Any]:
    """The arguments of one document of a packed scan, alone."""
    start, stop = scan["cu_seqlens"][number : number + 2].tolist()
    alone = {
        name: v[:, start:stop] if name in ALONG_TOKENS and v is not None else v for name, v in scan.items()
    }
    alone["cu_seqlens"] = torch.tensor([0, stop - start], dtype=torch.int32, device=scan["cu_seqlens"].device)
    if scan.get("initial_states") is not None:
        alone["initial_states"] = scan["initial_states"][number : number + 1]
    return alone


def gradients(
    function: Callable[..., tuple[Tensor, Tensor]], scan: dict[str, Any], weights: tuple[Tensor, Tensor]
) -> dict[str, Tensor]:
    """The two results of a scan and the gradient of every tensor under a weighted sum of them."""
    leaves = {
        name: value.detach().clone().requires_grad_()
        for name, value in scan.items()
        if isinstance(value, Tensor) and value.is_floating_point()
    }
    y, states = function(**{**scan, **leaves})
    loss = (y * weights[0]).sum() + (states * weights[1]).sum()
    grads = torch.autograd.grad(loss, list(leaves.values()))
    return {"y": y.detach(), "states": states.detach(), **dict(zip(leaves, grads, strict=True))}


def error(got: Tensor, want: Tensor) -> float:
    """The relative norm error; NaN, which passes no bound, where anything is NaN."""
    want = want.double()
    return float((got.double() - want).norm() / want.norm().clamp_min(1e-30))


@pytest.fixture(scope="session")
def scans() -> SimpleNamespace:
    """The functions above: test modules cannot import their conftest."""
    return SimpleNamespace(make=make_scan, document=take_document, gradients=gradients, error=error)


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
