"""The forward scan: what is launched, in which order, into which buffers."""

from __future__ import annotations

import torch
import triton
from torch import Tensor

from promptcot.ssd.kernels.launch import divisor_at_most
from promptcot.ssd.kernels.scan import (
    FORWARD_SLAB_BYTES,
    Scan,
    Steps,
    document_states,
    entering_states,
    make_products,
    make_steps,
    state_tiles,
    sweep_forward,
)
from promptcot.ssd.kernels.scan_outputs import outputs_kernel
from promptcot.ssd.kernels.scan_strong import strong_outputs_kernel


def forward(scan: Scan) -> tuple[Tensor, Tensor]:
    """Return y (tokens, nheads, headdim) and the float32 states after every document."""
    steps, cb = make_steps(scan), make_products(scan)
    y = torch.empty(scan.x.shape, dtype=scan.x.dtype, device=scan.x.device)
    final = scan.fresh(scan.plan.nsegments, scan.nheads, scan.headdim, scan.dstate)
    entering = entering_states(scan, steps, scan.x, scan.B, scan.initial_states, reverse=False)
    for slab in scan.slabs(1, FORWARD_SLAB_BYTES):
        states = scan.states(slab[1])
        sweep_forward(scan, steps, entering, states, final, slab)
        outputs(scan, steps, states, cb, y, slab)
        del states  # before the next slab's are made
    return y, document_states(scan, final, reverse=False)


def outputs(scan: Scan, steps: Steps, states: Tensor, cb: Tensor, y: Tensor, slab: tuple[int, int]) -> None:
    """Write y for a slab of heads from the states that enter their chunks."""
    x, C, config, plan = scan.x, scan.C, scan.config, scan.plan
    heads = divisor_at_most(scan.heads_per_group, config.output_heads)
    count = config.output_together if heads % 2 == 0 else 1
    strong_heads = divisor_at_most(scan.heads_per_group, config.strong_heads)
    row = steps.step.stride(0)
    if plan.nchunks:
        outputs_kernel[(slab[1] // heads, plan.nchunks)](
            scan.tiles(x, config.chunk, count), C, cb, state_tiles(states, count),
            steps.input_pair, steps.output, scan.D, y, *scan.where,
            *C.stride()[:2], row, slab[0], scan.nheads, slab[1], scan.heads_per_group, scan.ngroups,
            D_DIM=scan.d_dim, HEADS=heads, COUNT=count, N=scan.dstate,
            **scan.size, **config.outputs.options(),
        )  # fmt: skip
        strong_outputs_kernel[(slab[1] // strong_heads, plan.nchunks)](
            x, cb, steps.step, steps.decay, y, *scan.where, *x.stride()[:2], row,
            slab[0], scan.nheads, scan.heads_per_group, scan.ngroups,
            HEADS=strong_heads, WIDTH=triton.next_power_of_2(strong_heads), LIMIT=scan.limit,
            **scan.size, **config.strong_outputs.options(),
        )  # fmt: skip
