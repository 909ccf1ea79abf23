"""Compile every kernel of the scan for sm_90 without a card, and print what it takes of the chip.

Usage: python benchmarks/aot_ssd.py [--kernel NAME] [--set FIELD=VALUE ...]

Prints registers a thread, spilled bytes, shared memory and matrix instructions, and ends with 1
when a kernel spills more than ALLOWED_SPILLS says or asks for more shared memory than the chip has.
"""

from __future__ import annotations

import argparse
import dataclasses
import pathlib
import re
import subprocess
import sys
import tempfile
from typing import Any

import triton
from triton.backends.compiler import GPUTarget
from triton.backends.nvidia.compiler import get_ptxas
from triton.compiler import ASTSource

from promptcot.ssd.kernels import (
    scan_gradients,
    scan_outputs,
    scan_products,
    scan_states,
    scan_steps,
    scan_strong,
)
from promptcot.ssd.kernels.launch import Launch, ScanConfig, divisor_at_most, scan_config
from promptcot.ssd.kernels.scan_scales import LIMIT_WIDE

SHARED_MEMORY = 232_448
# Bytes, by kernel, headdim, dstate and element. The gradients hold two or three squares of 128 by 128
# float32 in registers and spill a little; launches that spill nothing were slower (docs/kernels.md).
# Shapes that were not measured may spill: they are right, and not fast.
ALLOWED_SPILLS: dict[tuple[str, int, int, str], int] = {
    ("input_gradients", 64, 128, "bf16"): 512,
    ("output_gradients", 64, 128, "bf16"): 512,
    ("strong_outputs", 64, 128, "bf16"): 64,
    ("strong_inputs", 64, 128, "bf16"): 192,
}
UNMEASURED_SPILLS = 4096
# headdim, dstate, nheads, ngroups, element
SHAPES = [
    (64, 128, 80, 1, "bf16"),
    (64, 128, 128, 8, "bf16"),
    (128, 64, 16, 1, "bf16"),
    (128, 256, 8, 1, "bf16"),
    (32, 16, 16, 1, "bf16"),
    (64, 64, 8, 1, "fp32"),
    (64, 128, 8, 1, "fp32"),
]
# Strides are multiples of 16 elements in every model, and the compiler is told so.
ALIGNED = {
    "x_t",
    "x_h",
    "b_t",
    "b_g",
    "v_t",
    "v_h",
    "r_t",
    "r_g",
    "c_t",
    "c_g",
    "k_t",
    "k_g",
    "dy_t",
    "dy_h",
    "dt_t",
    "row",
}
INTEGERS = {
    *ALIGNED, "dt_h", "first_head", "nheads", "slab", "heads_per_group", "splits", "ngroups",
}  # fmt: skip
TABLES = {"START", "LENGTH", "STRONG", "SEGMENT_CHUNK", "SEGMENT_CHUNKS", "DOCUMENT_SEGMENT"}
ELEMENTS = {
    "X",
    "B",
    "C",
    "K",
    "DY",
    "Y",
    "DX",
    "DB",
    "DC",
    "STATES",
    "DSTATES",
    "DT",
    "DDT",
    "CB",
    "ENTERED",
}


def compile_kernel(
    fn: Any, constants: dict[str, Any], launch: Launch, element: str = "bf16"
) -> dict[str, int]:
    """Compile one kernel and return what the assembler says of it."""
    names = fn.arg_names
    signature: dict[str, str] = {}
    for name in names:
        if name in constants:
            signature[name] = "constexpr"
        elif name in INTEGERS:
            signature[name] = "i32"
        elif name in TABLES:
            signature[name] = "*i32"
        elif name in ELEMENTS:
            signature[name] = f"*{element}"
        else:
            signature[name] = "fp32" if name in ("low", "high") else "*fp32"
    width = constants.get("COUNT", 1) * constants.get("P", 1)
    tile = f"tensordesc<{element}[{constants.get('CHUNK')}, {width}]>"
    state = f"tensordesc<{element}[{width}, {constants.get('N')}]>"
    if fn.__name__ in ("outputs_kernel", "input_gradients_kernel", "output_gradients_kernel"):
        rows = f"tensordesc<{element}[{constants.get('ROWS')}, {width}]>"
        described = {"X": tile, "DY": tile, "DY_ROWS": rows, "STATES": state, "DSTATES": state}
        described.update(
            {"input_gradients_kernel": {"X": rows}, "output_gradients_kernel": {"DY": rows}}.get(
                fn.__name__, {}
            )
        )
        signature.update({name: described[name] for name in described if name in names})
    if fn.__name__.endswith("gradients_kernel"):  # leave parts in float32 under the names of the gradients
        signature.update({name: "*fp32" for name in ("DB", "DC") if name in names})
    aligned = [n for n in names if signature[n].startswith("*") or n in ALIGNED]
    source = ASTSource(
        fn=fn,
        signature=signature,
        constexprs={(names.index(n),): v for n, v in constants.items()},
        attrs={(names.index(n),): [["tt.divisibility", 16]] for n in aligned},
    )
    options = launch.options()
    compiled = triton.compile(source, target=GPUTarget("cuda", 90, 32), options=options)
    with tempfile.TemporaryDirectory() as folder:
        ptx = pathlib.Path(folder) / "kernel.ptx"
        ptx.write_text(compiled.asm["ptx"])
        command = [get_ptxas(90).path, "-v", "--gpu-name=sm_90a", str(ptx), "-o", f"{ptx}.cubin"]
        ran = subprocess.run(command, capture_output=True, text=True, check=True)
    report = ran.stdout + ran.stderr
    stores, loads = map(int, re.findall(r"(\d+) bytes spill stores, (\d+) bytes spill loads", report)[-1])
    return {
        "registers": int(re.findall(r"Used (\d+) registers", report)[-1]),
        "spills": stores + loads,
        "shared": compiled.metadata.shared,
        "wgmma": compiled.asm["ptx"].count("wgmma.mma_async"),
        "mma": compiled.asm["ptx"].count("mma.sync"),
    }


def kernels(
    headdim: int, dstate: int, nheads: int, ngroups: int, config: ScanConfig
) -> list[tuple[str, Any, dict[str, Any], Launch]]:
    """Every kernel with its constants and launch, for one shape."""
    group = nheads // ngroups
    size = {"P": headdim, "N": dstate, "CHUNK": config.chunk, "PRECISION": "tf32"}
    limit = {"LIMIT": LIMIT_WIDE}
    steps = {"HAS_BIAS": True, "SOFTPLUS": True, "CHUNK": config.chunk, "HEADS": 16, **limit}
    back = {**steps, "HAS_SKIP": True}
    heads = {
        name: divisor_at_most(group, getattr(config, f"{name}_heads"))
        for name in ("output", "gradient", "strong")
    }
    plain = {name: value for name, value in size.items() if name != "P"}
    strong = {
        **{name: value for name, value in size.items() if name != "N"},
        **limit,
        "HEADS": heads["strong"],
        "WIDTH": triton.next_power_of_2(heads["strong"]),
    }
    sweep = {**size, **limit, "HAS_INITIAL": True, "WRITE": True}
    outputs = {**size, "D_DIM": 1, "HEADS": heads["output"], "COUNT": config.output_together}
    inputs_back = {
        **size,
        "D_DIM": 1,
        "HEADS": heads["gradient"],
        "COUNT": config.input_gradient_together,
        "ROWS": config.input_gradient_rows,
    }
    outputs_back = {
        **size,
        "HEADS": heads["gradient"],
        "COUNT": config.output_gradient_together,
        "ROWS": config.output_gradient_rows,
    }
    split = group // heads["gradient"]
    join = {**plain, "CB_SPLITS": split, "STRONG_SPLITS": group // heads["strong"], "STATE_SPLITS": split}
    return [
        ("steps_forward", scan_steps.steps_forward_kernel, steps, config.steps),
        ("steps_backward", scan_steps.steps_backward_kernel, back, config.steps),
        ("products", scan_products.products_kernel, plain, config.products),
        ("sweep", scan_states.sweep_kernel, {**sweep, "REVERSE": False}, config.sweep),
        ("sweep_reverse", scan_states.sweep_kernel, {**sweep, "REVERSE": True}, config.sweep_reverse),
        ("outputs", scan_outputs.outputs_kernel, outputs, config.outputs),
        ("input_gradients", scan_gradients.input_gradients_kernel, inputs_back, config.input_gradients),
        ("output_gradients", scan_gradients.output_gradients_kernel, outputs_back, config.output_gradients),
        ("strong_outputs", scan_strong.strong_outputs_kernel, strong, config.strong_outputs),
        ("strong_inputs", scan_strong.strong_inputs_kernel, strong, config.strong_gradients),
        ("join", scan_products.join_kernel, join, config.join),
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kernel", default="", help="only kernels whose name has this in it")
    parser.add_argument(
        "--set", nargs="*", default=[], help="fields of the configuration, such as tile=32 or inputs=4,2"
    )
    parser.add_argument("--shapes", type=int, default=len(SHAPES), help="only the first so many shapes")
    options = parser.parse_args()
    failed = False
    print(f"triton {triton.__version__}, sm_90a")
    print(
        f"{'kernel':18}{'headdim':>8}{'dstate':>7}{'warps':>6}{'stages':>7}{'regs':>6}{'spills':>8}{'shared':>8}{'wgmma':>6}{'mma':>5}"
    )
    for headdim, dstate, nheads, ngroups, element in SHAPES[: options.shapes]:
        config = scan_config(4 if element == "fp32" else 2, headdim, dstate)
        for change in options.set:
            field, value = change.split("=")
            numbers = [int(v) for v in value.split(",")]
            new = numbers[0] if len(numbers) == 1 else Launch(*numbers)
            config = dataclasses.replace(config, **{field: new})
        for name, fn, constants, launch in kernels(headdim, dstate, nheads, ngroups, config):
            if options.kernel not in name:
                continue
            if element == "fp32" and "PRECISION" in constants:
                constants = {**constants, "PRECISION": "tf32x3"}
            r = compile_kernel(fn, constants, launch, element)
            other = 0 if (headdim, dstate, element) == (64, 128, "bf16") else UNMEASURED_SPILLS
            allowed = ALLOWED_SPILLS.get((name, headdim, dstate, element), other)
            bad = r["spills"] > allowed or r["shared"] > SHARED_MEMORY
            failed |= bad
            print(
                f"{name:18}{headdim:8}{dstate:7}{launch.warps:6}{launch.stages:7}{r['registers']:6}{r['spills']:8}"
                f"{r['shared']:8}{r['wgmma']:6}{r['mma']:5}{'  NOT ALLOWED' if bad else ''}",
                flush=True,
            )
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
