"""The Triton decode steps: on the card where there is one, else in Triton's interpreter."""

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
from promptcot.ssd.kernels import decode  # noqa: E402

DEVICE = "cuda" if GPU else "cpu"
needs_gpu = pytest.mark.skipif(not GPU, reason="needs a CUDA device")
Shape = tuple[int, int, int, int, int, int, int]
# batch, slots, heads, headdim, dstate, groups, width
SMALL: Shape = (3, 5, 4, 8, 16, 2, 4)
ODD: Shape = (3, 4, 3, 12, 12, 1, 3)
NARROW: Shape = (2, 2, 2, 16, 16, 2, 2)
LAYER: Shape = (48, 64, 128, 64, 128, 8, 4)


@pytest.fixture(autouse=True)
def _poison() -> Iterator[None]:
    """Fill what torch.empty gives with NaN, so that an element nobody writes is seen."""
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)


def make(
    shape: Shape, *, dtype: torch.dtype = torch.float32, kept: torch.dtype = torch.float32
) -> dict[str, Any]:
    batch, nslots, heads, headdim, dstate, groups, width = shape
    generator = torch.Generator().manual_seed(sum(shape))

    def randn(*size: int, dtype: torch.dtype = dtype) -> Tensor:
        return torch.randn(*size, generator=generator).to(dtype).to(DEVICE)

    channels = heads * headdim + 2 * groups * dstate
    slots = torch.randperm(nslots, generator=generator)[:batch].int()
    slots[batch // 2] = -1
    return {
        "conv_state": randn(nslots, channels, width - 1),
        "state": randn(nslots, heads, headdim, dstate, dtype=kept),
        "xBC": randn(batch, channels + 16)[:, 8:-8],
        "dt": 3 * randn(batch, heads),
        "A": -torch.exp(randn(heads, dtype=torch.float32)),
        "weight": randn(channels, width, dtype=torch.float32),
        "bias": randn(channels, dtype=torch.float32),
        "ngroups": groups,
        "D": randn(heads, dtype=torch.float32),
        "z": randn(batch, heads, headdim),
        "dt_bias": randn(heads, dtype=torch.float32),
        "dt_softplus": True,
        "dt_limit": (0.001, 2.0),
        "slots": slots.to(DEVICE),
    }


ORDER = tuple(make(NARROW))


def copied(case: dict[str, Any], dtype: torch.dtype | None = None) -> dict[str, Any]:
    return {
        name: value.clone() if dtype is None or not value.is_floating_point() else value.to(dtype)
        for name, value in case.items()
        if isinstance(value, Tensor)
    } | {name: value for name, value in case.items() if not isinstance(value, Tensor)}


def step(case: dict[str, Any]) -> Tensor:
    return decode.mixer_step(*(case[name] for name in ORDER))


def error(got: Tensor, want: Tensor) -> float:
    return float((got.double() - want).norm() / want.norm())


@pytest.mark.parametrize("shape", [SMALL, ODD, NARROW, pytest.param(LAYER, marks=needs_gpu)])
def test_is_the_reference(shape: Shape) -> None:
    case = make(shape)
    for change in ({}, {"D": None, "z": None, "bias": None, "dt_limit": (0.0, float("inf"))}):
        got, want = copied(case | change), copied(case | change, torch.float64)
        y = step(got)
        assert error(y, reference.mixer_step(**want)) < 1e-6
        assert error(got["state"], want["state"]) < 1e-6
        assert torch.equal(got["conv_state"].double(), want["conv_state"])


def test_options_of_the_step() -> None:
    case = make(SMALL) | {"dt_softplus": False, "slots": None, "dt_bias": None}
    case["D"] = torch.randn(4, 8, device=DEVICE)
    got, want = copied(case), copied(case, torch.float64)
    assert error(step(got), reference.mixer_step(**want)) < 1e-6
    assert error(got["state"], want["state"]) < 1e-6


def test_softplus_keeps_its_digits() -> None:
    case = make(SMALL) | {"dt_bias": None, "slots": None, "dt_limit": (0.0, float("inf"))}
    case["dt"] = torch.tensor([[-40.0, -20.0, -3.0, 0.0], [1e-3, 3.0, 20.0, 90.0], [-9.0] * 4], device=DEVICE)
    case["state"].zero_()
    got, want = copied(case), copied(case, torch.float64)
    step(got)
    reference.mixer_step(**want)
    for head in range(4):
        for row in range(3):
            assert error(got["state"][row, head], want["state"][row, head]) < 2e-6


def test_a_row_does_not_know_its_neighbours() -> None:
    case = make(LAYER if GPU else SMALL, dtype=torch.bfloat16)
    whole = copied(case)
    y = step(whole)
    for row in (0, 2):
        alone = copied(case)
        for name in ("xBC", "dt", "z", "slots"):
            alone[name] = alone[name][row : row + 1]
        assert torch.equal(step(alone), y[row : row + 1])
        slot = int(case["slots"][row])
        assert torch.equal(alone["state"][slot], whole["state"][slot])
        assert torch.equal(alone["conv_state"][slot], whole["conv_state"][slot])


def test_slots_that_do_not_exist_touch_nothing() -> None:
    case = make(SMALL)
    case["slots"] = torch.tensor([-1, 5, -7], dtype=torch.int32, device=DEVICE)
    got = copied(case)
    assert not step(got).any()
    assert torch.equal(got["state"], case["state"])
    assert torch.equal(got["conv_state"], case["conv_state"])


def test_bfloat16_state_costs_this_much() -> None:
    """64 steps of the recurrence: the error that docs/kernels-pieces.md states."""
    case = make((2, 2, 2, 16, 16, 1, 4)) | {"slots": None, "dt_bias": None}
    case["dt"] = case["dt"] / 3 - 3
    exact = copied(case, torch.float64)
    kept = copied(case)
    kept["state"] = kept["state"].bfloat16()
    for _ in range(64 if GPU else 12):
        y, want = step(kept), reference.mixer_step(**exact)
    assert error(y, want) < (2e-2 if GPU else 4e-2)


@pytest.mark.parametrize("rows", [4, 16, 64])
@pytest.mark.parametrize("kept", [torch.float32, torch.bfloat16])
def test_every_tile(rows: int, kept: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    case = make((2, 2, 2, 64, 128, 1, 4), kept=kept)
    size = case["state"].element_size()
    monkeypatch.setitem(decode.STEP, size, decode.STEP[size]._replace(rows=rows))
    got, want = copied(case), copied(case, torch.float64)
    assert error(step(got), reference.mixer_step(**want)) < 1e-6
    bound = 1e-6 if kept == torch.float32 else 2.5e-3 if GPU else 5e-3
    assert error(got["state"], want["state"]) < bound


@needs_gpu
def test_more_elements_than_an_int32_counts() -> None:
    state = torch.zeros(2049, 128, 64, 128, dtype=torch.bfloat16, device="cuda")
    assert state.numel() > 2**31
    state[[0, 2048]] = torch.randn(128, 64, 128, device="cuda").bfloat16()
    case = make((1, 2, 128, 64, 128, 8, 4), dtype=torch.bfloat16)
    x = torch.randn(2, 128, 64, device="cuda").bfloat16()
    x[1] = x[0]
    B = torch.randn(1, 8, 128, device="cuda").bfloat16().expand(2, -1, -1)
    slots = torch.tensor([0, 2048], dtype=torch.int32, device="cuda")
    dt = case["dt"].expand(2, -1)
    y = decode.ssd_step(state, x, dt, case["A"], B, B, None, None, None, True, (0.0, float("inf")), slots)
    assert torch.equal(y[0], y[1])
    assert torch.equal(state[0], state[2048])
    assert y.isfinite().all()
