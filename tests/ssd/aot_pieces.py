"""Compile the launches that a piece of code makes for sm_90, without a GPU, and report what ptxas says.

Run as a script it prints one line for every kernel of conv1d, norm and decode, at the shapes of the 2.7B and
7B models. Needs a process in which Triton does not interpret.
"""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import torch
import triton
from torch import Tensor
from triton.backends.compiler import GPUTarget
from triton.backends.nvidia.compiler import get_ptxas
from triton.compiler import ASTSource
from triton.runtime.jit import JITFunction

TYPES = {
    torch.float32: "fp32",
    torch.bfloat16: "bf16",
    torch.float16: "fp16",
    torch.int32: "i32",
    torch.int64: "i64",
}


class Report(NamedTuple):
    kernel: str
    warps: int
    registers: int
    spills: int
    shared: int


def compile_launch(kernel: Any, args: tuple[Any, ...], options: dict[str, Any]) -> Report:
    """Compile one launch as Triton would specialize it on its arguments."""
    bound = dict(zip(kernel.arg_names, args, strict=False)) | {
        name: options[name] for name in kernel.arg_names if name in options
    }
    signature: dict[str, str] = {}
    constants: dict[tuple[int, ...], Any] = {}
    attributes: dict[tuple[int, ...], Any] = {}
    for index, (name, parameter) in enumerate(zip(kernel.arg_names, kernel.params, strict=True)):
        value = bound[name]
        if parameter.is_constexpr or value is None or (isinstance(value, int) and value == 1):
            signature[name] = "constexpr"
            constants[(index,)] = value
        elif isinstance(value, Tensor):
            signature[name] = "*" + TYPES[value.dtype]
            attributes[(index,)] = [["tt.divisibility", 16]]
        elif isinstance(value, float):
            signature[name] = "fp32"
        else:
            signature[name] = "i32" if abs(value) < 2**31 else "i64"
            if value % 16 == 0:
                attributes[(index,)] = [["tt.divisibility", 16]]
    warps = options.get("num_warps", 4)
    source = ASTSource(fn=kernel, signature=signature, constexprs=constants, attrs=attributes)
    compiled = triton.compile(source, target=GPUTarget("cuda", 90, 32), options={"num_warps": warps})
    target = re.search(r"\.target (\S+)", compiled.asm["ptx"])
    assert target is not None
    with tempfile.TemporaryDirectory() as folder:
        ptx = Path(folder) / "kernel.ptx"
        ptx.write_text(compiled.asm["ptx"])
        command = [
            get_ptxas(90).path, "-v", f"--gpu-name={target[1].rstrip(',')}", str(ptx), "-o", f"{ptx}.cubin"
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    said = done.stdout + done.stderr
    registers = re.search(r"Used (\d+) registers", said)
    spills = re.search(r"(\d+) bytes spill stores", said)
    assert registers is not None
    assert spills is not None
    return Report(kernel.fn.__name__, warps, int(registers[1]), int(spills[1]), int(compiled.metadata.shared))


@contextlib.contextmanager
def recorded() -> Iterator[list[Report]]:
    """Compile launches in place of running them; yields the list of what was compiled."""
    reports: list[Report] = []

    def run(self: Any, *args: Any, grid: Any, warmup: bool, **options: Any) -> None:
        reports.append(compile_launch(self, args, options))

    original = JITFunction.run
    JITFunction.run = run
    try:
        yield reports
    finally:
        JITFunction.run = original


def _empty(*shape: int, dtype: torch.dtype = torch.bfloat16, grad: bool = False) -> Tensor:
    return torch.empty(*shape, dtype=dtype, device="meta", requires_grad=grad)


def conv_launches() -> None:
    from promptcot.ssd.kernels.conv1d import convolve
    from promptcot.ssd.ops.checks import Packing

    wide = {"dtype": torch.float32, "grad": True}
    row = _empty(65536, dtype=torch.int32)
    packing = Packing(bounds=(0, 1024, 65536), offsets=_empty(3, dtype=torch.int32), docs=row, starts=row)
    y, _ = convolve(
        _empty(8, 8192, 5376, grad=True), _empty(5376, 4, **wide), _empty(5376, **wide), None, None,
        silu=True, states=False,
    )  # fmt: skip
    y.backward(_empty(*y.shape))
    y, states = convolve(
        _empty(1, 65536, 10240, grad=True), _empty(10240, 4, **wide), _empty(10240, **wide),
        _empty(2, 10240, 3, grad=True), packing, silu=True, states=True,
    )  # fmt: skip
    torch.autograd.backward((y, states), (_empty(*y.shape), _empty(*states.shape)))
    y, _ = convolve(
        _empty(1, 65, 10240, grad=True), _empty(10240, 4, **wide), None, None, None, silu=False, states=False
    )
    y.backward(_empty(*y.shape))


def norm_launches() -> None:
    from promptcot.ssd.kernels import norm

    for channels, ngroups in ((5120, 1), (8192, 8)):
        weight = _empty(channels, dtype=torch.float32, grad=True)
        x, z = _empty(65536, channels, grad=True), _empty(65536, channels, grad=True)
        for gate_first in (True, False):
            y = norm.gated_rms_norm(x, z, weight, 1e-5, ngroups, gate_first=gate_first)
            y.backward(_empty(*y.shape))
    for channels in (2560, 4096):
        weight = _empty(channels, dtype=torch.float32, grad=True)
        x = _empty(65536, channels, grad=True)
        residual = _empty(65536, channels, dtype=torch.float32, grad=True)
        y = norm.rms_norm(x, weight, 1e-5)
        y.backward(_empty(*y.shape))
        y, total = norm.rms_norm_residual(x, residual, weight, 1e-5)
        torch.autograd.backward((y, total), (_empty(*y.shape), _empty(*total.shape, dtype=torch.float32)))


def decode_launches() -> None:
    from promptcot.ssd.kernels import decode

    for batch, kept in ((64, torch.float32), (64, torch.bfloat16)):
        state = _empty(64, 128, 64, 128, dtype=kept)
        z, dt = _empty(batch, 128, 64), _empty(batch, 128)
        heads = _empty(128, dtype=torch.float32)
        slots = _empty(batch, dtype=torch.int32)
        options = (heads, z, heads, True, (0.0, float("inf")), slots)
        taps, bias = _empty(10240, 4, dtype=torch.float32), _empty(10240, dtype=torch.float32)
        decode.mixer_step(
            _empty(64, 10240, 3), state, _empty(batch, 10240), dt, heads, taps, bias, 8, *options
        )  # fmt: skip


def main(names: list[str]) -> None:
    launches: dict[str, Callable[[], None]] = {
        "conv": conv_launches,
        "norm": norm_launches,
        "decode": decode_launches,
    }
    for name in names or launches:
        with recorded() as reports:
            launches[name]()
        for report in reports:
            print(*report, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
