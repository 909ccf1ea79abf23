"""What bench_pieces times: one piece at one shape each, with its check, its least bytes and its peer."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
import triton
from torch import Tensor
from torch.nn import functional as F

from promptcot.ssd import ops, reference
from promptcot.ssd.kernels import conv1d, decode, norm

BF16, FP32 = torch.bfloat16, torch.float32
Run = Callable[[], Any]


def randn(*shape: int, dtype: torch.dtype = BF16, grad: bool = False) -> Tensor:
    return torch.randn(*shape, device="cuda", dtype=FP32).to(dtype).requires_grad_(grad)


def error(got: Tensor, want: Tensor) -> float:
    want = want.detach().double()
    return float((got.detach().double() - want).norm() / want.norm())


def passes(function: Callable[..., Any], leaves: list[Tensor], grads: list[Tensor]) -> dict[str, Run]:
    """The forward pass of a function, and its backward pass alone."""
    outputs = function(*leaves)
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)

    def forward() -> None:
        with torch.no_grad():
            function(*leaves)

    return {
        "fwd": forward,
        "bwd": lambda: torch.autograd.grad(outputs, leaves, grads, retain_graph=True),
    }


def results(function: Callable[..., Any], leaves: list[Tensor], grads: list[Tensor]) -> list[Tensor]:
    leaves = [leaf.detach().requires_grad_() for leaf in leaves]
    outputs = function(*leaves)
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    grads = [grad.to(output.dtype) for grad, output in zip(grads, outputs, strict=True)]
    return [*outputs, *torch.autograd.grad(outputs, leaves, grads)]


def check(
    ours: Callable[..., Any], definition: Callable[..., Any], leaves: list[Tensor], grads: list[Tensor]
) -> str:
    """Compare all outputs and gradients with float64; the same formula in float32 sets the bound."""
    got = results(ours, leaves, grads)
    again = results(ours, leaves, grads)
    plain = results(definition, leaves, grads)
    exact = results(definition, [leaf.double() for leaf in leaves], grads)
    worst = 0.0
    for one, two, rough, want in zip(got, again, plain, exact, strict=True):
        assert torch.equal(one, two), "two runs differ"
        ratio = error(one, want) / max(error(rough, want), 1e-6)
        assert ratio <= 1.5, f"error {error(one, want):.2e}, {ratio:.2f} times that of the formula in float32"
        worst = max(worst, ratio)
    return f"{worst:.2f}"


class Tune(NamedTuple):
    """A launch table, the key that a case takes, and what else to try there."""

    table: dict[int, Any]
    key: int
    candidates: list[Any]


@dataclass
class Case:
    """One piece at one shape.

    Attributes:
        name: What the table calls it.
        moved: Least bytes of every pass.
        runs: What to time of ours.
        peer: What to time of the peer, by pass.
        verify: Checks ours, and says how its error compares.
        tune: What ``--tune`` tries, by pass.
        remake: How to make a run anew under another launch, where the old one has its own captured.
        times: How many times a run does the pass, where that is not once.
    """

    name: str
    moved: dict[str, int]
    runs: dict[str, Run]
    verify: Callable[[], str]
    peer: dict[str, Run] = field(default_factory=dict)
    tune: dict[str, Tune] = field(default_factory=dict)
    remake: dict[str, Callable[[], Run]] = field(default_factory=dict)
    times: dict[str, int] = field(default_factory=dict)


CONV_FORWARD = [
    conv1d.Tile(*tile)
    for tile in (
        (4, 64, 4, 128, 4, 3), (4, 64, 8, 128, 4, 1), (4, 64, 8, 128, 4, 2), (8, 64, 4, 128, 4, 3),
        (2, 64, 4, 256, 4, 3), (8, 64, 4, 128, 8, 3), (4, 128, 4, 128, 4, 4),
    )
]  # fmt: skip
CONV_BACKWARD = [
    conv1d.Tile(*tile)
    for tile in (
        (4, 64, 4, 128, 4, 3), (4, 64, 2, 128, 4, 1), (4, 64, 4, 128, 4, 2), (2, 64, 4, 256, 4, 3),
        (8, 64, 4, 128, 8, 3), (4, 128, 4, 128, 4, 3), (4, 64, 4, 64, 2, 3),
    )
]  # fmt: skip


def conv_case(name: str, batch: int, seqlen: int, channels: int, lengths: list[int] | None = None) -> Case:
    """The convolution over the part of in_proj's output that it is for."""
    weight, bias = randn(channels, 4, dtype=FP32, grad=True), randn(channels, dtype=FP32, grad=True)
    wide = randn(batch, seqlen, 2 * channels)
    x, dy = wide[..., channels:].detach().requires_grad_(), randn(batch, seqlen, channels)
    cu_seqlens = None
    if lengths is not None:
        cu_seqlens = torch.tensor([0, *lengths], device="cuda").cumsum(0).int()

    def ours(*leaves: Tensor) -> Tensor:
        return ops.causal_conv1d_silu(*leaves, cu_seqlens=cu_seqlens)

    def torchs(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        padded = F.pad(x.transpose(1, 2), (3, 0))
        return F.silu(F.conv1d(padded, weight.to(BF16)[:, None], bias.to(BF16), groups=channels)).transpose(
            1, 2
        )

    def verify() -> str:
        short = torch.tensor([0, 1, 700, 701, 2048], device="cuda", dtype=torch.int32)
        part = [x.detach().reshape(1, -1, channels)[:, :2048], weight, bias]
        return check(
            lambda *t: ops.causal_conv1d_silu(*t, cu_seqlens=short),
            lambda *t: reference.causal_conv1d_silu(*t, cu_seqlens=short),
            part,
            [dy.reshape(1, -1, channels)[:, :2048]],
        )

    tensor = 2 * batch * seqlen * channels
    peer = {} if lengths else passes(torchs, [x, weight, bias], [dy])
    return Case(
        name,
        {"fwd": 2 * tensor, "bwd": 3 * tensor},
        passes(ours, [x, weight, bias], [dy]),
        verify,
        peer,
        {"fwd": Tune(conv1d.FORWARD, 1024, CONV_FORWARD), "bwd": Tune(conv1d.BACKWARD, 1024, CONV_BACKWARD)},
    )


def norm_tunes(width: int) -> dict[str, Tune]:
    rows = (1,) if width > 1024 else (1, 2)
    few = max(1, width // 1024)
    return {
        "fwd": Tune(
            norm.FORWARD,
            min(least for least in norm.FORWARD if least >= width),
            [norm.Cut(r, triton.next_power_of_2(few * k)) for r in (*rows, 4) for k in (1, 2)],
        ),
        "bwd": Tune(
            norm.BACKWARD,
            min(least for least in norm.BACKWARD if least >= width),
            [
                norm.Cut(r, triton.next_power_of_2(few * k), s, programs)
                for r in rows
                for k in ((2, 4) if width <= 1024 else (1, 2))
                for s in (1, 2, 3)
                for programs in ((528, 1056) if width <= 1024 else (132, 264))
            ],
        ),
    }


def gated_case(
    name: str, tokens: int, channels: int, ngroups: int, peer: Any, *, gate_first: bool = True
) -> Case:
    weight = randn(channels, dtype=FP32, grad=True)
    x, z = (
        randn(tokens, channels, grad=True),
        randn(tokens, 2 * channels)[:, :channels].detach().requires_grad_(),
    )
    dy = randn(tokens, channels)
    suffix = "gate_first" if gate_first else "norm_first"

    def ours(*leaves: Tensor) -> Tensor:
        return getattr(ops, f"gated_rms_norm_{suffix}")(*leaves, ngroups=ngroups)

    def theirs(x: Tensor, z: Tensor, weight: Tensor) -> Tensor:
        return peer.gated.rmsnorm_fn(
            x, weight, None, z=z, eps=1e-5, group_size=channels // ngroups, norm_before_gate=not gate_first
        )

    def verify() -> str:
        definition = getattr(reference, f"gated_rms_norm_{suffix}")
        return check(
            ours, lambda *t: definition(*t, ngroups=ngroups), [x[:4096], z[:4096], weight], [dy[:4096]]
        )

    tensor = 2 * tokens * channels
    return Case(
        name,
        {"fwd": 3 * tensor, "bwd": 5 * tensor},
        passes(ours, [x, z, weight], [dy]),
        verify,
        passes(theirs, [x, z, weight], [dy]) if peer else {},
        norm_tunes(channels // ngroups),
    )


def residual_case(name: str, tokens: int, channels: int, peer: Any) -> Case:
    weight = randn(channels, dtype=FP32, grad=True)
    x, residual = randn(tokens, channels, grad=True), randn(tokens, channels, dtype=FP32, grad=True)
    grads = [randn(tokens, channels), randn(tokens, channels, dtype=FP32)]

    def theirs(x: Tensor, residual: Tensor, weight: Tensor) -> Any:
        return peer.norm.rms_norm_fn(
            x, weight, None, residual=residual, prenorm=True, residual_in_fp32=True, eps=1e-5
        )

    def verify() -> str:
        some = [x[:4096], residual[:4096], weight]
        return check(ops.rms_norm_residual, reference.rms_norm_residual, some, [g[:4096] for g in grads])

    elements = tokens * channels
    leaves = [x, residual, weight]
    return Case(
        name,
        {"fwd": 12 * elements, "bwd": 16 * elements},
        passes(ops.rms_norm_residual, leaves, grads),
        verify,
        passes(theirs, leaves, grads) if peer else {},
        norm_tunes(channels),
    )


STEPS = [decode.Tile(r, w) for r, w in ((2, 1), (4, 1), (8, 1), (16, 2), (32, 2), (32, 4), (64, 4), (64, 8))]


def graph_of(runs: list[Run]) -> Run:
    """Capture runs, of which each has a state of its own, as the layers of a model have."""
    for run in runs:
        run()
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        for run in runs:
            run()
    return graph.replay


def step_case(batch: int, kept: torch.dtype, peer: Any, *, mixer: bool = False) -> Case:
    """One token at the 7B model's layer: 128 heads, headdim 64, dstate 128, 8 groups."""
    heads, headdim, dstate, groups = 128, 64, 128, 8
    channels = heads * headdim + 2 * groups * dstate
    bytes_kept = batch * heads * headdim * dstate * (4 if kept == FP32 else 2)
    layers = max(2, 2**28 // bytes_kept)
    states = [randn(batch, heads, headdim, dstate, dtype=kept) for _ in range(layers)]
    convs = [randn(batch, channels, 3) for _ in range(layers)]
    weight, bias = randn(channels, 4, dtype=FP32), randn(channels, dtype=FP32)
    xBC, dt, z = randn(batch, channels), randn(batch, heads), randn(batch, heads, headdim)
    A, D, dt_bias = -randn(heads, dtype=FP32).exp(), randn(heads, dtype=FP32), randn(heads, dtype=FP32)
    slots = torch.arange(batch, device="cuda", dtype=torch.int32)
    options = {"D": D, "z": z, "dt_bias": dt_bias, "dt_softplus": True, "slots": slots}

    def split(mixed: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x, B, C = mixed.split([heads * headdim, groups * dstate, groups * dstate], -1)
        return x.view(-1, heads, headdim), B.view(-1, groups, dstate), C.view(-1, groups, dstate)

    x, B, C = split(xBC)

    def ours(state: Tensor, conv: Tensor) -> Tensor:
        if mixer:
            return ops.mixer_step(conv, state, xBC, dt, A, weight, bias, ngroups=groups, **options)
        return ops.ssd_step(state, x, dt, A, B, C, **options)

    expanded = [A[:, None, None].expand(heads, headdim, dstate), dt[..., None].expand(-1, -1, headdim)]

    def theirs(state: Tensor, conv: Tensor) -> Tensor:
        """Torch for the convolution: the peer's own needs a CUDA extension."""
        parts = x, B, C
        if mixer:
            window = torch.cat([conv, xBC[..., None]], dim=-1)
            conv.copy_(window[..., 1:])
            parts = split(F.silu((window * weight).sum(-1) + bias).to(BF16))
        return peer.step.selective_state_update(
            state, parts[0], expanded[1], expanded[0], *parts[1:], D=D[:, None].expand(-1, headdim), z=z,
            dt_bias=dt_bias[:, None].expand(-1, headdim), dt_softplus=True, state_batch_indices=slots,
        )  # fmt: skip

    def verify() -> str:
        wide = {
            n: v.double() if torch.is_tensor(v) and v.is_floating_point() else v for n, v in options.items()
        }
        state, conv = states[0].clone(), convs[0].clone()
        exact, exact_conv = state.double(), conv.double()
        y = ours(state, conv)
        if mixer:
            tensors = [t.double() for t in (xBC, dt, A, weight, bias)]
            want = reference.mixer_step(exact_conv, exact, *tensors, ngroups=groups, **wide)
        else:
            want = reference.ssd_step(exact, *(t.double() for t in (x, dt, A, B, C)), **wide)
        assert torch.equal(conv.double(), exact_conv)
        assert error(y, want) < 6e-3
        assert error(state, exact) < (3e-3 if mixer or kept == BF16 else 1e-6)
        return f"{error(y, want):.1e}"

    def timed(step: Callable[[Tensor, Tensor], Tensor]) -> dict[str, Run]:
        every = [functools.partial(step, state, conv) for state, conv in zip(states, convs, strict=True)]
        return {"step": every[0], "graph": graph_of(every)}

    moved = 2 * bytes_kept + 2 * batch * (heads * headdim * 3 + 2 * groups * dstate)
    if mixer:
        moved += 2 * batch * channels * 6
    tune = Tune(decode.STEP, states[0].element_size(), STEPS)
    kind, label = "mixer" if mixer else "scan", "fp32" if kept == FP32 else "bf16"
    return Case(
        f"{kind} step, batch {batch}, {label} state",
        {"step": moved, "graph": moved},
        timed(ours),
        verify,
        timed(theirs) if peer else {},
        {"graph": tune},
        remake={"graph": lambda: timed(ours)["graph"]},
        times={"graph": layers},
    )


def copy_case(batch: int) -> Case:
    """What torch's copy takes for the bytes of a step's state."""
    numel = batch * 128 * 64 * 128
    layers = max(2, 2**26 // numel)
    pairs = [(randn(numel, dtype=FP32), randn(numel, dtype=FP32)) for _ in range(layers)]
    every = [functools.partial(torch.Tensor.copy_, *pair) for pair in pairs]
    moved = {"step": 8 * numel, "graph": 8 * numel}
    runs = {"step": every[0], "graph": graph_of(every)}
    return Case(f"torch copy, batch {batch}, fp32 state", moved, runs, lambda: "-", times={"graph": layers})
