"""Time the scan beside mamba_ssm's, after showing that both compute the same thing.

Usage: python benchmarks/bench_ssd.py [--shapes 2.7b 7b ...] [--packed] [--no-peer] [--commit HASH]

Every row is checked in the same run, before its time is taken: on a slice, outputs and all
gradients against the float64 recurrence's chunked form; at the full shape against the peer where
it can be imported (mamba_ssm's Triton kernels alone, on PYTHONPATH). A kernel that fails has no time.
Times are medians of event-timed repeats on random data. "extra" is the peak of allocated memory
above inputs, output and gradients, which any implementation must hold.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import triton
from torch import Tensor

from promptcot.ssd.ops.scan import ssd
from promptcot.ssd.reference.scan import ssd_chunked


@dataclass(frozen=True)
class Shape:
    batch: int
    seqlen: int
    nheads: int
    headdim: int
    dstate: int
    ngroups: int


SHAPES = {
    "2.7b": Shape(8, 8192, 80, 64, 128, 1),
    "2.7b-long": Shape(1, 65536, 80, 64, 128, 1),
    "7b": Shape(4, 8192, 128, 64, 128, 8),
    "1.3b": Shape(8, 8192, 64, 64, 128, 1),
    "370m": Shape(16, 4096, 32, 64, 128, 1),
}
SHORT = {f"2.7b-{n}": Shape(1, n, 80, 64, 128, 1) for n in (1, 63, 65, 129)}
NAMES = ("x", "dt", "A", "B", "C", "D", "dt_bias")
# Relative norm error against float64 on the same bfloat16 inputs: the rounding of an output is
# 0.17%, that of two factors of every product the same again.
BOUND = {"A": 2e-2, "dt_bias": 1e-2}
DEFAULT_BOUND = 6e-3
PEER_BOUND = 2e-2


def inputs(shape: Shape, seed: int = 0, dtype: torch.dtype = torch.bfloat16) -> dict[str, Tensor]:
    torch.manual_seed(seed)
    s = shape
    device = "cuda"
    dt = torch.exp(torch.rand(s.nheads, device=device) * 4.6 - 6.9)  # 0.001 to 0.1
    tensors = {
        "x": torch.randn(s.batch, s.seqlen, s.nheads, s.headdim, device=device, dtype=dtype),
        "dt": torch.randn(s.batch, s.seqlen, s.nheads, device=device, dtype=dtype),
        "A": -torch.rand(s.nheads, device=device) * 15 - 1,
        "B": torch.randn(s.batch, s.seqlen, s.ngroups, s.dstate, device=device, dtype=dtype),
        "C": torch.randn(s.batch, s.seqlen, s.ngroups, s.dstate, device=device, dtype=dtype),
        "D": torch.randn(s.nheads, device=device),
        "dt_bias": dt + torch.log(-torch.expm1(-dt)),
    }
    return {name: tensor.requires_grad_() for name, tensor in tensors.items()}


def ours(t: dict[str, Tensor], cu_seqlens: Tensor | None = None) -> Tensor:
    return ssd(
        t["x"],
        t["dt"],
        t["A"],
        t["B"],
        t["C"],
        D=t["D"],
        dt_bias=t["dt_bias"],
        dt_softplus=True,
        cu_seqlens=cu_seqlens,
    )


def exact(t: dict[str, Tensor], cu_seqlens: Tensor | None = None) -> Tensor:
    return ssd_chunked(
        t["x"],
        t["dt"],
        t["A"],
        t["B"],
        t["C"],
        D=t["D"],
        dt_bias=t["dt_bias"],
        dt_softplus=True,
        cu_seqlens=cu_seqlens,
    )


def find_peer(chunk: int) -> Callable[..., Tensor] | None:
    try:
        from mamba_ssm.ops.triton.ssd_combined import mamba_chunk_scan_combined
    except ImportError as error:
        print(f"no peer: {error}")
        return None

    def peer(t: dict[str, Tensor], seq_idx: Tensor | None = None) -> Tensor:
        return mamba_chunk_scan_combined(
            t["x"],
            t["dt"],
            t["A"],
            t["B"],
            t["C"],
            chunk,
            D=t["D"],
            dt_bias=t["dt_bias"],
            dt_softplus=True,
            seq_idx=seq_idx,
        )

    return peer


def gradients(function: Callable[[], Tensor], t: dict[str, Tensor], dy: Tensor) -> dict[str, Tensor]:
    y = function()
    return {
        "y": y.detach(),
        **dict(zip(NAMES, torch.autograd.grad(y, [t[n] for n in NAMES], dy), strict=True)),
    }


def errors(got: dict[str, Tensor], want: dict[str, Tensor]) -> dict[str, float]:
    found = {}
    for name, exact in want.items():
        # The gradient of A over one token without a state is 0, and must be.
        size = exact.double().norm().clamp_min(1e-30)
        found[name] = float((got[name].double() - exact.double()).norm() / size)
    return found


def within(found: dict[str, float], bound: Callable[[str], float]) -> bool:
    return all(value <= bound(name) for name, value in found.items())  # NaN is within nothing


def show(found: dict[str, float]) -> str:
    return " ".join(f"{name}={value:.1e}" for name, value in found.items())


def check_slice(shape: Shape, cu: bool) -> bool:
    """Compare with float64 on one row of up to 700 tokens and few heads a group."""
    heads = min(shape.nheads, shape.ngroups * 10)
    small = Shape(1 if cu else 2, min(shape.seqlen, 700), heads, shape.headdim, shape.dstate, shape.ngroups)
    t = inputs(small, seed=1)
    offsets = torch.tensor([0, 1, 100, 228, 357, 700], dtype=torch.int32, device="cuda") if cu else None
    dy = torch.randn_like(t["x"])
    got = gradients(lambda: ours(t, offsets), t, dy)
    wide = {name: tensor.detach().double().requires_grad_() for name, tensor in t.items()}
    found = errors(got, gradients(lambda: exact(wide, offsets), wide, dy.double()))
    good = within(found, lambda name: BOUND.get(name, DEFAULT_BOUND))
    print(f"  float64 slice: {show(found)}  {'ok' if good else 'FAILED'}")
    return good


def check_peer(
    t: dict[str, Tensor], dy: Tensor, one: Callable[[], Tensor], other: Callable[[], Tensor]
) -> bool:
    found = errors(gradients(one, t, dy), gradients(other, t, dy))
    good = within(found, lambda name: 5e-2 if name in BOUND else PEER_BOUND)
    print(f"  full shape, beside the peer: {show(found)}  {'ok' if good else 'FAILED'}")
    return good


def median(function: Callable[[], Any]) -> float:
    return float(triton.testing.do_bench(function, warmup=25, rep=100, return_mode="median"))


def measure(function: Callable[[], Tensor], t: dict[str, Tensor], dy: Tensor) -> tuple[float, float, float]:
    """Return milliseconds forward, forward and backward, and the extra peak in GiB."""
    leaves = [t[name] for name in NAMES]

    def both() -> None:
        torch.autograd.grad(function(), leaves, dy)

    def without_grad() -> None:
        with torch.no_grad():
            function()

    both()
    torch.cuda.synchronize()
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    both()
    torch.cuda.synchronize()
    held = sum(leaf.numel() * leaf.element_size() for leaf in leaves) + t["x"].numel() * t["x"].element_size()
    extra = torch.cuda.max_memory_allocated() - before - held
    return median(without_grad), median(both), extra / 2**30


def documents(total: int, mean: int, seed: int = 0) -> list[int]:
    """Lengths of documents of 100 to 20,000 tokens with about this mean, summing to ``total``."""
    draw = random.Random(seed)
    lengths: list[int] = []
    while sum(lengths) < total:
        lengths.append(max(100, min(20_000, int(draw.lognormvariate(0.0, 1.0) * mean * 0.61))))
    lengths[-1] -= sum(lengths) - total
    return [n for n in lengths if n]


def bench(name: str, shape: Shape, peer: Callable[..., Tensor] | None, mean: int = 0) -> bool:
    print(f"{name} {shape}" + (f" packed, mean {mean}" if mean else ""))
    if not check_slice(shape, cu=bool(mean)):
        return False
    t = inputs(shape)
    dy = torch.randn_like(t["x"])
    cu, index = None, None
    if mean:
        lengths = documents(shape.seqlen, mean)
        cu = torch.tensor([0, *lengths], device="cuda").cumsum(0).to(torch.int32)
        counts = torch.tensor(lengths, device="cuda")
        index = torch.repeat_interleave(torch.arange(len(lengths), device="cuda"), counts)[None].to(
            torch.int32
        )
    if peer is not None and not check_peer(t, dy, lambda: ours(t, cu), lambda: peer(t, index)):
        return False
    rows = [("promptcot", lambda: ours(t, cu))]
    if peer is not None:
        rows.append(("mamba_ssm", lambda: peer(t, index)))
    results = [(who, *measure(function, t, dy)) for who, function in rows]
    for who, fwd, both, extra in results:
        table.append(
            f"| {name}{f' packed {mean}' if mean else ''} | {who} | {fwd:.3f} | {both:.3f} | {extra:.2f} |"
        )
    if len(results) == 2:
        (_, f1, b1, m1), (_, f2, b2, m2) = results
        table.append(f"| | ratio | {f2 / f1:.2f}x | {b2 / b1:.2f}x | {m1 / max(m2, 1e-9):.2f} |")
    print("\n".join(table[-3:]), flush=True)
    return True


table: list[str] = []


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shapes", nargs="*", default=list(SHAPES), help=f"of {[*SHAPES, *SHORT]}")
    parser.add_argument(
        "--packed", type=int, nargs="*", default=[], help="mean document lengths for 65,536 packed tokens"
    )
    parser.add_argument("--no-peer", action="store_true")
    parser.add_argument("--peer-chunk", type=int, default=256)
    parser.add_argument("--commit", default="")
    options = parser.parse_args()
    driver = subprocess.run(
        ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"], capture_output=True, text=True
    )
    print(
        f"{torch.cuda.get_device_name()}, driver {driver.stdout.strip()}, torch {torch.__version__}, "
        f"triton {triton.__version__}, commit {options.commit}, bfloat16"
    )
    peer = None if options.no_peer else find_peer(options.peer_chunk)
    good = all(bench(name, {**SHAPES, **SHORT}[name], peer) for name in options.shapes)
    good &= all(bench("2.7b", SHAPES["2.7b-long"], peer, mean) for mean in options.packed)
    print(
        "| shape | implementation | fwd ms | fwd+bwd ms | extra GiB |\n|---|---|---|---|---|\n"
        + "\n".join(table)
    )
    return int(not all(good))


if __name__ == "__main__":
    sys.exit(main())
