"""Steps are the sequence, one token at a time, and touch the slots that they are told to."""

from __future__ import annotations

import math

import pytest
import torch

from promptcot.errors import KernelError
from promptcot.ssd import ops, reference

HEADS, HEADDIM, DSTATE, GROUPS, WIDTH = 4, 3, 5, 2, 4
CHANNELS = HEADS * HEADDIM + 2 * GROUPS * DSTATE


def inputs(batch: int, seqlen: int) -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    shapes = {
        "xBC": (batch, seqlen, CHANNELS),
        "dt": (batch, seqlen, HEADS),
        "z": (batch, seqlen, HEADS, HEADDIM),
        "weight": (CHANNELS, WIDTH),
        "bias": (CHANNELS,),
        "D": (HEADS,),
        "dt_bias": (HEADS,),
    }
    return {name: torch.randn(*shape, dtype=torch.float64) for name, shape in shapes.items()}


def test_steps_are_the_sequence() -> None:
    t = inputs(2, 7)
    A = -torch.rand(HEADS, dtype=torch.float64)
    options = {"D": t["D"], "dt_bias": t["dt_bias"], "dt_softplus": True, "dt_limit": (0.01, 3.0)}
    mixed, conv_want = reference.causal_conv1d_silu_with_states(t["xBC"], t["weight"], t["bias"])
    x, B, C = mixed.split([HEADS * HEADDIM, GROUPS * DSTATE, GROUPS * DSTATE], dim=-1)
    want, state_want = reference.ssd_recurrent_with_states(
        x.unflatten(-1, (HEADS, HEADDIM)), t["dt"], A, B.unflatten(-1, (GROUPS, DSTATE)),
        C.unflatten(-1, (GROUPS, DSTATE)), z=t["z"], **options,
    )  # fmt: skip
    conv_state = torch.zeros(3, CHANNELS, WIDTH - 1, dtype=torch.float64)
    state = torch.zeros(3, HEADS, HEADDIM, DSTATE, dtype=torch.float64)
    slots = torch.tensor([2, 0], dtype=torch.int32)
    for i in range(7):
        y = reference.mixer_step(
            conv_state, state, t["xBC"][:, i], t["dt"][:, i], A, t["weight"], t["bias"], ngroups=GROUPS,
            z=t["z"][:, i], slots=slots, **options,
        )  # fmt: skip
        torch.testing.assert_close(y, want[:, i])
    torch.testing.assert_close(state[slots.long()], state_want)
    torch.testing.assert_close(conv_state[slots.long()], conv_want)
    assert not state[1].any()


def test_skipped_rows_change_nothing_and_give_zeros() -> None:
    t = inputs(3, 1)
    state = torch.randn(2, HEADS, HEADDIM, DSTATE)
    conv_state = torch.randn(2, CHANNELS, WIDTH - 1)
    before = state.clone(), conv_state.clone()
    slots = torch.tensor([-1, 1, -1], dtype=torch.int32)
    y = ops.mixer_step(
        conv_state, state, t["xBC"][:, 0], t["dt"][:, 0], -torch.ones(HEADS), t["weight"], ngroups=GROUPS,
        slots=slots,
    )  # fmt: skip
    assert not y[[0, 2]].any()
    assert y[1].any()
    assert torch.equal(state[0], before[0][0])
    assert torch.equal(conv_state[0], before[1][0])
    assert not torch.equal(state[1], before[0][1])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"state": torch.ones(3, 4, 3)}, "state has shape"),
        ({"state": torch.ones(1, 4, 3, 5)}, "at least 2 slots"),
        ({"state": torch.ones(2, 4, 5, 3).transpose(2, 3)}, "strides"),
        ({"x": torch.ones(2, 4)}, "x has shape"),
        ({"dt": torch.ones(2, 3)}, "dt has shape"),
        ({"A": torch.ones(3)}, "A has shape"),
        ({"B": torch.ones(2, 3, 5)}, "ngroups that divides"),
        ({"C": torch.ones(2, 2, 4)}, "C has shape"),
        ({"D": torch.ones(4, 4)}, "D has shape"),
        ({"z": torch.ones(2, 4, 4)}, "z has shape"),
        ({"dt_bias": torch.ones(4, dtype=torch.int32)}, "dt_bias has dtype"),
        ({"dt_limit": (1.0, 0.0)}, "dt_limit"),
        ({"slots": torch.tensor([0], dtype=torch.int32)}, "slots has shape"),
        ({"slots": torch.tensor([0.0, 1.0])}, "slots has dtype"),
        ({"slots": torch.tensor([0, 2], dtype=torch.int32)}, "slots run from 0 to 2"),
        ({"slots": torch.tensor([-2, 1], dtype=torch.int32)}, "slots run from -2 to 1"),
    ],
)
def test_ssd_step_refuses(change: dict[str, object], words: str) -> None:
    arguments: dict[str, object] = {
        "state": torch.ones(2, 4, 3, 5),
        "x": torch.ones(2, 4, 3),
        "dt": torch.ones(2, 4),
        "A": torch.ones(4),
        "B": torch.ones(2, 2, 5),
        "C": torch.ones(2, 2, 5),
    }
    ops.ssd_step(**arguments)  # type: ignore[arg-type]
    with pytest.raises(KernelError, match=words):
        ops.ssd_step(**arguments | change)  # type: ignore[arg-type]


def test_mixer_step_refuses() -> None:
    good = {
        "conv_state": torch.zeros(2, 22, 3),
        "state": torch.zeros(2, 4, 3, 5),
        "xBC": torch.ones(2, 22),
        "dt": torch.ones(2, 4),
        "A": torch.ones(4),
        "weight": torch.ones(22, 4),
    }
    assert math.prod(ops.mixer_step(**good).shape) == 24
    for change, words in (
        ({"ngroups": 3}, "ngroups is 3"),
        ({"ngroups": 2}, "xBC has shape"),
        ({"conv_state": torch.ones(2, 22, 2)}, "conv_state has shape"),
        ({"conv_state": torch.ones(3, 22, 3)}, "conv_state has shape"),
        ({"weight": torch.ones(22, 5)}, "weight has shape"),
        ({"bias": torch.ones(21)}, "bias has shape"),
    ):
        with pytest.raises(KernelError, match=words):
            ops.mixer_step(**good | change)
