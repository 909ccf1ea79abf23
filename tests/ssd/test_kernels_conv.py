"""The Triton convolution: on the card where there is one, else in Triton's interpreter.

Bounds are relative norm errors against float64. The interpreter truncates where the card rounds to
bfloat16, which doubles the error of a result that is kept in it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
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

from promptcot.ssd import reference  # noqa: E402
from promptcot.ssd.kernels import conv1d  # noqa: E402
from promptcot.ssd.ops.checks import packing_of  # noqa: E402

DEVICE = "cuda" if GPU else "cpu"
needs_gpu = pytest.mark.skipif(not GPU, reason="needs a CUDA device")


@pytest.fixture(autouse=True)
def _poison() -> Iterator[None]:
    """Fill what torch.empty gives with NaN, so that an element nobody writes is seen."""
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)


def make(
    lengths: list[int], channels: int, width: int, *, packed: bool, dtype: torch.dtype = torch.float32
) -> dict[str, Any]:
    generator = torch.Generator().manual_seed(sum(lengths) * channels + width)

    def randn(*shape: int, dtype: torch.dtype = dtype) -> Tensor:
        return torch.randn(*shape, generator=generator).to(dtype).to(DEVICE)

    batch, seqlen = (1, sum(lengths)) if packed else (len(lengths), lengths[0])
    offsets = torch.tensor([0, *lengths]).cumsum(0).int().to(DEVICE)
    return {
        "x": randn(batch, seqlen, channels + 16)[..., 8:-8],
        "weight": randn(channels, width, dtype=torch.float32),
        "bias": randn(channels, dtype=torch.float32),
        "initial_states": randn(len(lengths), channels, width - 1),
        "cu_seqlens": offsets if packed else None,
        "dy": randn(batch, seqlen, channels),
        "dstates": randn(len(lengths), channels, width - 1),
    }


def ours(case: dict[str, Any], *, silu: bool = True, states: bool = True) -> list[Tensor]:
    """y, final states, and the gradients of x, weight, bias and initial states that there are."""
    names = ("x", "weight", "bias", "initial_states")
    leaves = [None if case[n] is None else case[n].detach().requires_grad_() for n in names]
    cu_seqlens, x = case["cu_seqlens"], case["x"]
    packing = None if cu_seqlens is None else packing_of(cu_seqlens, *x.shape[:2], "x", x)
    y, final = conv1d.convolve(*leaves, packing, silu=silu, states=states)
    outputs, grads = ((y, final), (case["dy"], case["dstates"])) if states else ((y,), (case["dy"],))
    wanted = [leaf for leaf in leaves if leaf is not None]
    return [*outputs, *torch.autograd.grad(outputs, wanted, grads)]


def exact(case: dict[str, Any], *, silu: bool = True, states: bool = True) -> list[Tensor]:
    names = ("x", "weight", "bias", "initial_states")
    leaves = [None if case[n] is None else case[n].detach().double().requires_grad_() for n in names]
    function = reference.causal_conv1d_silu_with_states if silu else reference.causal_conv1d_with_states
    y, final = function(*leaves[:3], initial_states=leaves[3], cu_seqlens=case["cu_seqlens"])
    outputs, grads = ((y, final), (case["dy"], case["dstates"])) if states else ((y,), (case["dy"],))
    wanted = [leaf for leaf in leaves if leaf is not None]
    return [*outputs, *torch.autograd.grad(outputs, wanted, [g.double() for g in grads])]


def error(got: Tensor, want: Tensor) -> float:
    return float((got.detach().double() - want.detach()).norm() / want.detach().norm())


@pytest.mark.parametrize(
    ("lengths", "channels", "width", "packed", "silu", "without"),
    [
        ([1, 2, 3, 0, 9, 5], 70, 4, True, True, ()),
        ([9, 9], 6, 3, False, True, ()),
        ([17, 17], 8, 2, False, False, ("bias", "initial_states")),
        ([9, 5, 16, 1], 40, 4, True, False, ("initial_states",)),
        ([1, 1], 5, 4, False, True, ("bias",)),
        ([15, 17], 9, 3, True, True, ("bias",)),
        pytest.param([300, 1, 299, 512], 136, 4, True, True, (), marks=needs_gpu),
        pytest.param([4096, 4096], 5376, 4, False, True, ("initial_states",), marks=needs_gpu),
    ],
)
def test_is_the_reference(
    lengths: list[int], channels: int, width: int, packed: bool, silu: bool, without: tuple[str, ...]
) -> None:
    case = make(lengths, channels, width, packed=packed) | dict.fromkeys(without)
    for states in (True, False):
        got = ours(case, silu=silu, states=states)
        for one, want in zip(got, exact(case, silu=silu, states=states), strict=True):
            assert error(one, want) < 1e-6


@pytest.mark.parametrize("seqlen", [24, pytest.param(2048, marks=needs_gpu)])
def test_half_precision(seqlen: int) -> None:
    case = make([seqlen - 7, 7], 64, 4, packed=True, dtype=torch.bfloat16)
    for number, (one, want) in enumerate(zip(ours(case), exact(case), strict=True)):
        # Gradients of weight and bias are kept in float32.
        assert error(one, want) < (1e-5 if number in (3, 4) else 2.5e-3 if GPU else 5e-3)


@pytest.mark.parametrize(
    "tile",
    [
        # The interpreter is too slow for the longest.
        pytest.param(tile, marks=needs_gpu if tile.seg > 16 else ())
        for tile in sorted({*conv1d.FORWARD.values(), *conv1d.BACKWARD.values()})
    ],
)
def test_every_tile(tile: conv1d.Tile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conv1d, "FORWARD", {0: tile})
    monkeypatch.setattr(conv1d, "BACKWARD", {0: tile})
    span = tile.seg + 1
    case = make([span, 1, span], tile.channels + 8, 4, packed=True)
    for one, want in zip(ours(case), exact(case), strict=True):
        assert error(one, want) < 1e-6


@pytest.mark.parametrize("scale", [1, *(pytest.param(n, marks=needs_gpu) for n in (60, 400))])
@pytest.mark.parametrize("initial", [False, True])
def test_packed_is_alone_bitwise(scale: int, initial: bool) -> None:
    lengths = [5 * scale, 1, 4 * scale + 1, 2]
    case = make(lengths, 24, 4, packed=True, dtype=torch.bfloat16)
    if not initial:
        case["initial_states"] = None
    packed = ours(case)
    start = 0
    for number, length in enumerate(lengths):
        here = slice(start, start + length)
        alone = {name: case[name] for name in ("weight", "bias")} | {"cu_seqlens": None}
        alone |= {name: case[name][:, here] for name in ("x", "dy")}
        alone["dstates"] = case["dstates"][number : number + 1]
        alone["initial_states"] = case["initial_states"][number : number + 1] if initial else None
        got = ours(alone)
        assert torch.equal(got[0], packed[0][:, here])
        assert torch.equal(got[1][0], packed[1][number])
        assert torch.equal(got[2], packed[2][:, here])
        if initial:
            assert torch.equal(got[5][0], packed[5][number])
        start += length


def test_split_and_resumed_is_whole_bitwise() -> None:
    case = make([21], 24, 4, packed=False, dtype=torch.bfloat16)
    options = {"silu": True, "states": True}
    y, final = conv1d.convolve(case["x"], case["weight"], case["bias"], None, None, **options)
    for cut in (1, 2, 16):
        first, states = conv1d.convolve(
            case["x"][:, :cut], case["weight"], case["bias"], None, None, **options
        )
        second, last = conv1d.convolve(
            case["x"][:, cut:], case["weight"], case["bias"], states, None, **options
        )
        assert torch.equal(torch.cat([first, second], dim=1), y)
        assert torch.equal(last, final)


@pytest.mark.parametrize(("seqlen", "repeats"), [(20, 2), pytest.param(8192, 20, marks=needs_gpu)])
def test_same_bits_again(seqlen: int, repeats: int) -> None:
    case = make([seqlen], 40, 4, packed=False, dtype=torch.bfloat16)
    first = ours(case)
    for _ in range(repeats - 1):
        assert all(map(torch.equal, ours(case), first))


def test_strange_strides() -> None:
    case = make([12, 12], 24, 4, packed=False)
    want = ours(case)
    case["x"] = case["x"].transpose(1, 2).contiguous().transpose(1, 2)
    case["dy"] = case["dy"].transpose(1, 2).contiguous().transpose(1, 2)
    case["weight"] = case["weight"].T.contiguous().T
    assert all(map(torch.equal, ours(case), want))


@needs_gpu
def test_more_elements_than_an_int32_counts() -> None:
    channels, seqlen = 10240, 215_040
    assert channels * seqlen > 2**31
    x = torch.randn(1, seqlen, channels, dtype=torch.bfloat16, device="cuda", requires_grad=True)
    weight = torch.randn(channels, 4, device="cuda", requires_grad=True)
    y, _ = conv1d.convolve(x, weight, None, None, None, silu=True, states=False)
    (dx,) = torch.autograd.grad(y, x, x.detach())
    tail = x.detach()[:, -600:].clone().requires_grad_()
    want, _ = conv1d.convolve(tail, weight, None, None, None, silu=True, states=False)
    (dwant,) = torch.autograd.grad(want, tail, tail.detach())
    assert torch.equal(y[:, -597:], want[:, 3:])
    assert torch.equal(dx[:, -597:], dwant[:, 3:])
