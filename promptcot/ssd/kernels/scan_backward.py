"""The backward scan: what is launched, in which order, into which buffers."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import triton
from torch import Tensor

from promptcot.ssd.kernels.launch import divisor_at_most
from promptcot.ssd.kernels.scan import (
    BACKWARD_SLAB_BYTES,
    STEP_HEADS,
    Scan,
    Steps,
    document_states,
    entering_states,
    make_products,
    make_steps,
    state_tiles,
    sweep_backward,
    sweep_forward,
)
from promptcot.ssd.kernels.scan_gradients import input_gradients_kernel, output_gradients_kernel
from promptcot.ssd.kernels.scan_products import join_kernel
from promptcot.ssd.kernels.scan_steps import steps_backward_kernel
from promptcot.ssd.kernels.scan_strong import strong_inputs_kernel


@dataclass(frozen=True)
class Gradients:
    """Gradients of a scan, in the dtypes and shapes of what they belong to."""

    x: Tensor
    dt: Tensor
    A: Tensor
    B: Tensor
    C: Tensor
    D: Tensor | None
    dt_bias: Tensor
    initial_states: Tensor


@dataclass(frozen=True)
class InputGradients:
    """What ``input_gradients_kernel`` leaves: see there."""

    dx: Tensor
    db: Tensor
    column: Tensor
    both: Tensor
    skip: Tensor | None
    dD: Tensor | None


@dataclass(frozen=True)
class OutputGradients:
    """What ``output_gradients_kernel`` leaves: see there."""

    dc: Tensor
    dcb: Tensor
    row: Tensor


@dataclass(frozen=True)
class StrongGradients:
    """What ``strong_inputs_kernel`` leaves: see there."""

    dcb: Tensor
    strong: Tensor
    column: Tensor


def backward(scan: Scan, dy: Tensor, dfinal: Tensor | None) -> Gradients:
    """Return the gradients under the gradient of y, and that of the final states where there is one."""
    steps, cb = make_steps(scan), make_products(scan)
    inputs, outputs = make_input_gradients(scan, steps), make_output_gradients(scan, steps)
    ends = scan.fresh(scan.plan.nsegments, scan.nheads, scan.headdim, scan.dstate)
    begins = torch.empty_like(ends)
    through = scan.fresh(scan.plan.nchunks, scan.nheads)
    entering = entering_states(scan, steps, scan.x, scan.B, scan.initial_states, reverse=False)
    dentering = entering_states(scan, steps, dy, scan.C, dfinal, reverse=True)
    for slab in scan.slabs(2, BACKWARD_SLAB_BYTES):
        states, dstates = scan.states(slab[1]), scan.states(slab[1])
        sweep_forward(scan, steps, entering, states, ends, slab)
        sweep_backward(scan, steps, dy, dentering, states, dstates, begins, through, slab)
        output_gradients(scan, steps, states, cb, dy, outputs, slab)
        input_gradients(scan, steps, dstates, cb, dy, inputs, slab)
        del states, dstates  # before the next slab's are made
    strong = strong_gradients(scan, steps, cb, dy, inputs, outputs)
    dB, dC = join(scan, inputs, outputs, strong)
    ddt, dA, dbias, dD = steps_backward(scan, steps, inputs, outputs, strong, through)
    dinitial = document_states(scan, begins, reverse=True)
    return Gradients(x=inputs.dx, dt=ddt, A=dA, B=dB, C=dC, D=dD, dt_bias=dbias, initial_states=dinitial)


def make_input_gradients(scan: Scan, steps: Steps) -> InputGradients:
    """Return unwritten buffers for ``input_gradients``."""
    x, config, plan = scan.x, scan.config, scan.plan
    splits = scan.nheads // divisor_at_most(scan.heads_per_group, config.gradient_heads)
    parts = config.chunk // config.input_gradient_rows
    return InputGradients(
        dx=torch.empty(x.shape, dtype=x.dtype, device=x.device),
        db=scan.fresh(plan.nchunks, splits, config.chunk, scan.dstate),
        column=torch.empty_like(steps.step), both=torch.empty_like(steps.step),
        skip=torch.empty_like(steps.step) if scan.d_dim == 1 else None,
        dD=scan.fresh(plan.nchunks * parts, scan.nheads, scan.headdim) if scan.d_dim == 2 else None,
    )  # fmt: skip


def input_gradients(
    scan: Scan,
    steps: Steps,
    dstates: Tensor,
    cb: Tensor,
    dy: Tensor,
    out: InputGradients,
    slab: tuple[int, int],
) -> None:
    """Write what ``input_gradients_kernel`` leaves for a slab of heads."""
    x, B, config, plan = scan.x, scan.B, scan.config, scan.plan
    heads = divisor_at_most(scan.heads_per_group, config.gradient_heads)
    splits, rows = scan.nheads // heads, config.input_gradient_rows
    count, parts = config.input_gradient_together if heads % 2 == 0 else 1, config.chunk // rows
    if plan.nchunks:
        input_gradients_kernel[(slab[1] // heads * parts, plan.nchunks)](
            scan.tiles(x, rows, count), B, cb,
            scan.tiles(dy, config.chunk, count), scan.tiles(dy, rows, count),
            state_tiles(dstates, count),
            steps.input, steps.output_pair, scan.D,
            out.dx, out.db, out.column, out.both, out.skip, out.dD, *scan.where,
            *B.stride()[:2], steps.step.stride(0),
            slab[0], scan.nheads, slab[1], scan.heads_per_group, scan.ngroups, splits,
            D_DIM=scan.d_dim, HEADS=heads, COUNT=count, N=scan.dstate, ROWS=rows, **scan.size,
            **config.input_gradients.options(),
        )  # fmt: skip


def make_output_gradients(scan: Scan, steps: Steps) -> OutputGradients:
    """Return unwritten buffers for ``output_gradients``."""
    config, plan = scan.config, scan.plan
    splits = scan.nheads // divisor_at_most(scan.heads_per_group, config.gradient_heads)
    return OutputGradients(
        dc=scan.fresh(plan.nchunks, splits, config.chunk, scan.dstate),
        dcb=scan.fresh(plan.nchunks, splits, config.chunk, config.chunk),
        row=torch.empty_like(steps.step),
    )


def output_gradients(
    scan: Scan,
    steps: Steps,
    states: Tensor,
    cb: Tensor,
    dy: Tensor,
    out: OutputGradients,
    slab: tuple[int, int],
) -> None:
    """Write what ``output_gradients_kernel`` leaves for a slab of heads."""
    x, C, config, plan = scan.x, scan.C, scan.config, scan.plan
    heads = divisor_at_most(scan.heads_per_group, config.gradient_heads)
    splits, rows = scan.nheads // heads, config.output_gradient_rows
    count, parts = config.output_gradient_together if heads % 2 == 0 else 1, config.chunk // rows
    if plan.nchunks:
        output_gradients_kernel[(slab[1] // heads * parts, plan.nchunks)](
            scan.tiles(x, config.chunk, count), C, cb, scan.tiles(dy, rows, count),
            state_tiles(states, count), steps.input_pair, steps.output,
            out.dc, out.dcb, out.row, *scan.where, *C.stride()[:2], steps.step.stride(0),
            slab[0], slab[1], scan.heads_per_group, scan.ngroups, splits,
            HEADS=heads, COUNT=count, N=scan.dstate, ROWS=rows, **scan.size,
            **config.output_gradients.options(),
        )  # fmt: skip


def strong_gradients(
    scan: Scan, steps: Steps, cb: Tensor, dy: Tensor, inputs: InputGradients, outputs: OutputGradients
) -> StrongGradients:
    """Add to dx and ROW what the pairs of strong chunks give, and return the rest."""
    x, config, plan = scan.x, scan.config, scan.plan
    heads = divisor_at_most(scan.heads_per_group, config.strong_heads)
    splits = scan.nheads // heads
    out = StrongGradients(
        dcb=scan.fresh(plan.nchunks, splits, config.chunk, config.chunk),
        strong=torch.empty(plan.nchunks, splits, dtype=torch.int32, device=x.device),
        column=torch.empty_like(steps.step),
    )
    if plan.nchunks:
        strong_inputs_kernel[(splits, plan.nchunks)](
            x, cb, dy, steps.step, steps.decay, inputs.dx, out.dcb, out.strong, outputs.row, out.column,
            *scan.where, *x.stride()[:2], *dy.stride()[:2], steps.step.stride(0),
            0, scan.nheads, scan.heads_per_group, scan.ngroups, splits,
            HEADS=heads, WIDTH=triton.next_power_of_2(heads), LIMIT=scan.limit,
            **scan.size, **config.strong_gradients.options(),
        )  # fmt: skip
    return out


def join(
    scan: Scan, inputs: InputGradients, outputs: OutputGradients, strong: StrongGradients
) -> tuple[Tensor, Tensor]:
    """Return dB and dC."""
    B, C, config, plan, ngroups = scan.B, scan.C, scan.config, scan.plan, scan.ngroups
    dB = torch.empty(B.shape, dtype=B.dtype, device=B.device)
    dC = torch.empty_like(dB)
    if plan.nchunks:
        join_kernel[(2 * ngroups, plan.nchunks)](
            B, C, outputs.dcb, strong.dcb, strong.strong, inputs.db, outputs.dc, dB, dC,
            *scan.where, *B.stride()[:2], *C.stride()[:2], ngroups,
            CB_SPLITS=outputs.dcb.shape[1] // ngroups, STRONG_SPLITS=strong.strong.shape[1] // ngroups,
            STATE_SPLITS=inputs.db.shape[1] // ngroups, N=scan.dstate, CHUNK=config.chunk,
            PRECISION=scan.precision, **config.join.options(),
        )  # fmt: skip
    return dB, dC


def steps_backward(
    scan: Scan,
    steps: Steps,
    inputs: InputGradients,
    outputs: OutputGradients,
    strong: StrongGradients,
    through: Tensor,
) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
    """Return ddt, dA, ddt_bias and dD."""
    config, plan = scan.config, scan.plan
    ddt = torch.empty(scan.dt.shape, dtype=scan.dt.dtype, device=scan.dt.device)
    dA = scan.fresh(plan.nchunks, scan.nheads)
    dbias = torch.empty_like(dA)
    dD = torch.empty_like(dA) if scan.d_dim == 1 else inputs.dD
    if plan.nchunks:
        steps_backward_kernel[(plan.nchunks, -(-scan.nheads // STEP_HEADS))](
            scan.dt, scan.dt_bias, scan.A, steps.step, steps.decay,
            outputs.row, inputs.column, strong.column, inputs.both, inputs.skip, through,
            ddt, dA, dbias, dD,
            *scan.where, *scan.dt.stride(), steps.step.stride(0), scan.nheads, *scan.dt_limit,
            HAS_BIAS=scan.dt_bias is not None, SOFTPLUS=scan.dt_softplus, HAS_SKIP=scan.d_dim == 1,
            LIMIT=scan.limit, CHUNK=config.chunk, HEADS=STEP_HEADS, **config.steps.options(),
        )  # fmt: skip
    return ddt, dA.sum(0), dbias.sum(0), None if dD is None else dD.sum(0)
