"""The recurrence is the definition; the chunked form must be the same function."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from promptcot.ssd.reference.scan import (
    ssd_chunked,
    ssd_chunked_with_states,
    ssd_recurrent,
    ssd_recurrent_with_states,
)


def test_recurrence_by_hand() -> None:
    x = torch.tensor([2.0, 3.0], dtype=torch.float64).view(1, 2, 1, 1)
    dt = torch.tensor([0.5, 1.0], dtype=torch.float64).view(1, 2, 1)
    A = torch.tensor([-0.25], dtype=torch.float64)
    B = torch.tensor([[1.0, 2.0], [4.0, 1.0]], dtype=torch.float64).view(1, 2, 1, 2)
    C = torch.tensor([[1.0, 1.0], [0.5, 2.0]], dtype=torch.float64).view(1, 2, 1, 2)
    y, states = ssd_recurrent_with_states(x, dt, A, B, C, D=torch.tensor([10.0], dtype=torch.float64))
    decay = torch.tensor(-0.25, dtype=torch.float64).exp()
    first = torch.tensor([1.0, 2.0], dtype=torch.float64)  # 0.5 * 2 * B
    second = decay * first + torch.tensor([12.0, 3.0], dtype=torch.float64)
    assert torch.allclose(states[0, 0, 0], second, rtol=1e-14)
    want = torch.stack([first.sum() + 20.0, second @ C[0, 1, 0] + 30.0])
    assert torch.allclose(y.flatten(), want, rtol=1e-14)


def test_recurrence_gradcheck(scans: SimpleNamespace) -> None:
    scan = scans.make([3, 2], nheads=2, headdim=2, ngroups=1, dstate=2)
    names = ("x", "dt", "A", "B", "C", "D", "z", "dt_bias", "initial_states")

    def function(*tensors: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return ssd_recurrent_with_states(**{**scan, **dict(zip(names, tensors, strict=True))})

    assert torch.autograd.gradcheck(function, [scan[name].clone().requires_grad_() for name in names])


@settings(max_examples=15, deadline=None, derandomize=True)
@given(
    lengths=st.lists(st.integers(0, 20), min_size=1, max_size=5).filter(any),
    chunk_size=st.sampled_from([1, 4, 8, 16]),
    options=st.sets(st.sampled_from(["D", "z", "dt_bias", "initial_states"])),
    softplus=st.booleans(),
)
def test_chunked_is_the_recurrence(
    scans: SimpleNamespace, lengths: list[int], chunk_size: int, options: set[str], softplus: bool
) -> None:
    scan = scans.make(lengths, seed=len(lengths), nheads=4, headdim=3, dstate=5)
    scan["dt_softplus"] = softplus
    scan["dt_limit"] = (0.05, 1.5)
    for name in {"D", "z", "dt_bias", "initial_states"} - options:
        scan[name] = None
    y, states = ssd_recurrent_with_states(**scan)
    weights = (torch.randn_like(y), torch.randn_like(states))
    want = scans.gradients(ssd_recurrent_with_states, scan, weights)
    got = scans.gradients(lambda **kw: ssd_chunked_with_states(**kw, chunk_size=chunk_size), scan, weights)
    for name in want:
        assert scans.error(got[name], want[name]) < 1e-12, name


def test_batch_is_the_rows(scans: SimpleNamespace) -> None:
    scan = scans.make([21, 21], packed=False)
    packed = scans.make([21, 21])
    y = ssd_chunked(**scan, chunk_size=8)
    assert scans.error(y, ssd_recurrent(**scan)) < 1e-12
    assert scans.error(y.flatten(0, 1), ssd_chunked(**packed, chunk_size=8)[0]) == 0.0


@pytest.mark.parametrize("options", [{}, {"D": None, "z": None}])
def test_packed_is_alone(scans: SimpleNamespace, options: dict[str, None]) -> None:
    lengths = [1, 15, 16, 17, 0, 40, 100]
    scan = {**scans.make(lengths, headdim=16, dtype=torch.float32), **options}
    weights = (torch.randn(1, sum(lengths), 4, 16), torch.randn(len(lengths), 4, 16, 8))

    def chunked(**kw: object) -> tuple[torch.Tensor, torch.Tensor]:
        return ssd_chunked_with_states(**kw, chunk_size=16)  # type: ignore[arg-type]

    packed = scans.gradients(chunked, scan, weights)
    bounds = scan["cu_seqlens"].tolist()
    for doc, length in enumerate(lengths):
        if length == 0:
            continue
        alone = scans.document(scan, doc)
        tokens = slice(bounds[doc], bounds[doc + 1])
        got = scans.gradients(chunked, alone, (weights[0][:, tokens], weights[1][doc : doc + 1]))
        # On a CPU the products of the backward pass are laid out by the library, to rounding.
        assert torch.equal(got["y"], packed["y"][:, tokens]), doc
        assert torch.equal(got["states"], packed["states"][doc : doc + 1]), doc
        assert scans.error(got["initial_states"], packed["initial_states"][doc : doc + 1]) < 1e-6, doc
        for name in ("x", "dt", "B", "C"):
            assert scans.error(got[name], packed[name][:, tokens]) < 1e-6, (doc, name)


def test_split_and_resume(scans: SimpleNamespace) -> None:
    scan = scans.make([29], packed=False)
    want, final = ssd_chunked_with_states(**scan, chunk_size=8)
    states, parts = scan["initial_states"], []
    for start, stop in ((0, 1), (1, 9), (9, 25), (25, 29)):
        part = {n: v[:, start:stop] if n in ("x", "dt", "B", "C", "z") else v for n, v in scan.items()}
        y, states = ssd_chunked_with_states(**{**part, "initial_states": states}, chunk_size=8)
        parts.append(y)
    assert scans.error(torch.cat(parts, dim=1), want) < 1e-12
    assert scans.error(states, final) < 1e-12


def test_strong_decay_keeps_float32_digits(scans: SimpleNamespace) -> None:
    scan = scans.make([40], nheads=2, dtype=torch.float32)
    scan.update(dt_softplus=False, dt_bias=None, D=None, z=None)
    scan["A"] = torch.tensor([-1e3, -1.0])
    scan["dt"] = torch.rand(1, 40, 2) * (torch.arange(40) % 3 != 0)[:, None]
    want = ssd_recurrent(
        **{n: v.double() if torch.is_tensor(v) and v.is_floating_point() else v for n, v in scan.items()}
    )
    assert scans.error(ssd_chunked(**scan, chunk_size=32), want) < 1e-5


def test_no_token_is_no_output(scans: SimpleNamespace) -> None:
    scan = scans.make([0, 0])
    y, states = ssd_chunked_with_states(**scan)
    assert y.shape == scan["x"].shape
    assert torch.equal(states, scan["initial_states"])
