"""Time the pieces around the scan against their byte floors and against mamba_ssm, on a CUDA device.

Usage: python benchmarks/bench_pieces.py [--only NAME] [--peer FOLDER] [--tune] [--warm PART/PARTS]

Every line is one pass of one piece at a layer's shape: the bytes that it cannot do without, its median
time, what share of the measured copy bandwidth that is, and the same of the peer where there is one. A piece
is checked against its definition in float64 first, and no time is printed for one that fails. ``--tune``
times other launches too; ``--warm 2/8`` only compiles, every eighth case beginning with the second.
"""

from __future__ import annotations

import argparse
import contextlib
import math
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import torch
import triton
from pieces_cases import (
    BF16,
    FP32,
    Case,
    Run,
    conv_case,
    copy_case,
    gated_case,
    randn,
    residual_case,
    step_case,
)
from triton.testing import do_bench


class Peer:
    """mamba_ssm's Triton pieces."""

    def __init__(self) -> None:
        from mamba_ssm.ops.triton import layer_norm, layernorm_gated, selective_state_update

        self.norm, self.gated, self.step = layer_norm, layernorm_gated, selective_state_update


def documents(tokens: int, seed: int = 0) -> list[int]:
    """Lengths from 100 to 20,000, as many short as long ones by their logarithm, that fill a row."""
    generator = torch.Generator().manual_seed(seed)
    lengths: list[int] = []
    while sum(lengths) < tokens:
        lengths.append(int(100 * 200 ** torch.rand((), generator=generator).item()))
    lengths[-1] -= sum(lengths) - tokens
    return lengths


def makers(peer: Any) -> dict[str, Callable[[], Case]]:
    found: dict[str, Callable[[], Case]] = {
        "conv 2.7B 8x8192": lambda: conv_case("conv+silu 2.7B 8x8192", 8, 8192, 5376),
        "conv 7B 4x8192": lambda: conv_case("conv+silu 7B 4x8192", 4, 8192, 10240),
        "conv 7B packed": lambda: conv_case("conv+silu 7B packed 32768", 1, 32768, 10240, documents(32768)),
        "gated 2.7B": lambda: gated_case("gated norm 2.7B 65536x5120", 65536, 5120, 1, peer),
        "gated 7B": lambda: gated_case("gated norm 7B 32768x8192/8", 32768, 8192, 8, peer),
        "normfirst 7B": lambda: gated_case(
            "norm-first 7B 32768x8192/8", 32768, 8192, 8, peer, gate_first=False
        ),
        "residual 2.7B": lambda: residual_case("residual norm 2.7B 65536x2560", 65536, 2560, peer),
        "residual 7B": lambda: residual_case("residual norm 7B 32768x4096", 32768, 4096, peer),
    }
    for batch in (1, 16, 64):
        found[f"copy {batch}"] = lambda b=batch: copy_case(b)
    for kept in (FP32, BF16):
        for batch in (1, 16, 64, 256):
            for mixer in (False, True):
                name = f"step {batch} {kept} {'mixer' if mixer else 'scan'}"
                found[name] = lambda b=batch, k=kept, m=mixer: step_case(b, k, peer, mixer=m)
    return found


@contextlib.contextmanager
def entry(table: dict[int, Any], key: int, value: Any) -> Iterator[None]:
    kept = table[key]
    table[key] = value
    try:
        yield
    finally:
        table[key] = kept


def time_ms(run: Run, rep: int) -> float:
    return float(do_bench(run, warmup=10, rep=rep, return_mode="median"))


def copy_bandwidth() -> float:
    source = randn(2**31, dtype=BF16)
    target = torch.empty_like(source)
    return 4 * 2**31 / time_ms(lambda: target.copy_(source), 100) * 1e3


def report(case: Case, copy: float, say: Callable[[str], None], *, tune: bool) -> None:
    verdict = case.verify()
    for name, run in case.runs.items():
        times = case.times.get(name, 1)
        ms = time_ms(run, 100) / times
        share = case.moved[name] / (ms * 1e-3) / copy
        floor = case.moved[name] / copy * 1e6
        rival = time_ms(case.peer[name], 100) / times if name in case.peer else math.nan
        say(
            f"| {case.name} | {name} | {floor:.1f} | {ms * 1e3:.1f} | {share:.0%} "
            f"| {rival * 1e3:.1f} | {rival / ms:.2f} | {verdict} |"
        )
        if not tune or name not in case.tune:
            continue
        table, key, candidates = case.tune[name]
        timed = []
        for value in candidates:
            with entry(table, key, value):
                timed.append((time_ms(case.remake.get(name, lambda run=run: run)(), 30) / times, value))
        for ms, value in sorted(timed, key=lambda pair: pair[0]):
            print(f"    {case.name} {name}: {tuple(value)} {ms * 1e3:.1f} us", flush=True)


def warm(case: Case) -> None:
    """Compile all that would be timed."""
    case.verify()
    for name, run in case.runs.items():
        run()
        if name in case.peer:
            case.peer[name]()
        if name not in case.tune:
            continue
        table, key, candidates = case.tune[name]
        for value in candidates:
            with entry(table, key, value):
                case.remake.get(name, lambda run=run: run)()()
    torch.cuda.synchronize()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="cases whose names hold this")
    parser.add_argument("--peer", help="folder that holds mamba_ssm")
    parser.add_argument("--tune", action="store_true")
    parser.add_argument("--warm", help="compile only: PART/PARTS, counted from 0")
    args = parser.parse_args()
    if not torch.cuda.is_available():
        print("bench_pieces needs a CUDA device", file=sys.stderr)
        return 1
    if args.peer:
        sys.path.insert(0, args.peer)
    cases = {name: make for name, make in makers(Peer() if args.peer else None).items() if args.only in name}
    if args.warm:
        part, parts = map(int, args.warm.split("/"))
        for make in list(cases.values())[part::parts]:
            warm(make())
        return 0
    copy = copy_bandwidth()
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    )
    lines = [
        f"{torch.cuda.get_device_name()}, torch {torch.__version__}, triton {triton.__version__}, "
        f"commit {commit.stdout.strip() or 'unknown'}, copy {copy / 1e12:.2f} TB/s",
        "",
        "| piece | pass | floor us | ours us | of copy | other us | faster | error |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    failed = False
    for name, make in cases.items():
        try:
            report(make(), copy, lines.append, tune=args.tune)
        except Exception as problem:
            failed = True
            lines.append(f"| {name} | no time: {type(problem).__name__}: {problem} |")
        torch.cuda.empty_cache()
    print("\n".join(lines), flush=True)
    return int(failed)


if __name__ == "__main__":
    raise SystemExit(main())
