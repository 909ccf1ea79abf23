"""The convolution's definition, against torch's own, and its gradients against differences."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from promptcot.ssd import reference


def test_is_torchs_padded_depthwise_convolution() -> None:
    torch.manual_seed(0)
    x, weight, bias = (torch.randn(*shape, dtype=torch.float64) for shape in ((2, 9, 5), (5, 4), (5,)))
    padded = F.pad(x.transpose(1, 2), (3, 0))
    want = F.conv1d(padded, weight[:, None], bias, groups=5).transpose(1, 2)
    torch.testing.assert_close(reference.causal_conv1d(x, weight, bias), want)
    torch.testing.assert_close(reference.causal_conv1d_silu(x, weight, bias), F.silu(want))


def test_documents_and_states_are_rows_of_their_own() -> None:
    torch.manual_seed(0)
    lengths = [1, 4, 0, 2, 7]
    x, weight = torch.randn(1, 14, 3), torch.randn(3, 3)
    initial = torch.randn(5, 3, 2)
    cu_seqlens = torch.tensor([0, *lengths]).cumsum(0).int()
    y, states = reference.causal_conv1d_with_states(x, weight, initial_states=initial, cu_seqlens=cu_seqlens)
    parts, start = [], 0
    for number, length in enumerate(lengths):
        document = x[:, start : start + length]
        part, state = reference.causal_conv1d_with_states(
            document, weight, initial_states=initial[number : number + 1]
        )
        parts.append(part)
        assert torch.equal(state[0], states[number])
        start += length
    assert torch.equal(torch.cat(parts, dim=1), y)


def test_gradients_are_differences() -> None:
    torch.manual_seed(0)
    x, weight, bias, initial = (
        torch.randn(*shape, dtype=torch.float64, requires_grad=True)
        for shape in ((1, 6, 2), (2, 3), (2,), (3, 2, 2))
    )
    cu_seqlens = torch.tensor([0, 1, 2, 6], dtype=torch.int32)
    assert torch.autograd.gradcheck(
        lambda x, w, b, s: reference.causal_conv1d_silu_with_states(
            x, w, b, initial_states=s, cu_seqlens=cu_seqlens
        ),
        (x, weight, bias, initial),
    )
