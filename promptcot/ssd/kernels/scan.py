"""The scan on a device, forward and backward: what is launched, in which order, into which buffers."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from promptcot.ssd.kernels.launch import ScanConfig, divisor_at_most
from promptcot.ssd.kernels.scan_gradients import input_gradients_kernel, output_gradients_kernel
from promptcot.ssd.kernels.scan_outputs import outputs_kernel
from promptcot.ssd.kernels.scan_plan import Plan
from promptcot.ssd.kernels.scan_products import join_kernel, products_kernel
from promptcot.ssd.kernels.scan_scales import LIMIT_FLOAT16, LIMIT_WIDE
from promptcot.ssd.kernels.scan_states import join_segments_kernel, sweep_kernel
from promptcot.ssd.kernels.scan_steps import steps_backward_kernel, steps_forward_kernel
from promptcot.ssd.kernels.scan_strong import strong_inputs_kernel, strong_outputs_kernel

_STEP_HEADS = 16


@dataclass(frozen=True)
class Scan:
    """Arguments of a scan over rows of tokens: x (tokens, nheads, headdim), B and C (tokens, ngroups, dstate)."""

    x: Tensor
    dt: Tensor
    A: Tensor
    B: Tensor
    C: Tensor
    D: Tensor | None
    dt_bias: Tensor | None
    initial_states: Tensor | None
    dt_softplus: bool
    dt_limit: tuple[float, float]
    plan: Plan
    config: ScanConfig

    @property
    def nheads(self) -> int:
        return self.x.shape[1]

    @property
    def heads_per_group(self) -> int:
        return self.x.shape[1] // self.B.shape[1]

    @property
    def precision(self) -> str:
        """Of float32 products; the matrix units' own float32 is too coarse."""
        return "tf32x3" if self.x.dtype == torch.float32 else "tf32"

    @property
    def headdim(self) -> int:
        return self.x.shape[2]

    @property
    def dstate(self) -> int:
        return self.B.shape[2]

    @property
    def ngroups(self) -> int:
        return self.B.shape[1]

    @property
    def size(self) -> dict[str, object]:
        """Constants that most kernels take."""
        return {"P": self.headdim, "CHUNK": self.config.chunk, "PRECISION": self.precision}

    @property
    def where(self) -> tuple[Tensor, Tensor]:
        return self.plan.chunk_start, self.plan.chunk_length

    @property
    def limit(self) -> float:
        return LIMIT_FLOAT16 if self.x.dtype == torch.float16 else LIMIT_WIDE

    @property
    def d_dim(self) -> int:
        return 0 if self.D is None else self.D.dim()

    def fresh(self, *shape: int) -> Tensor:
        """Return an unwritten float32 buffer on the device of the scan."""
        return torch.empty(shape, dtype=torch.float32, device=self.x.device)


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


def forward(scan: Scan) -> tuple[Tensor, Tensor]:
    """Return y (tokens, nheads, headdim) and the float32 states after every document."""
    steps = _steps(scan)
    states, final = _sweep_forward(scan, steps)
    return _outputs(scan, steps, states, _products(scan)), final


def backward(scan: Scan, dy: Tensor, dfinal: Tensor | None) -> Gradients:
    """Return the gradients under the gradient of y, and that of the final states where there is one."""
    steps, cb = _steps(scan), _products(scan)
    states, _ = _sweep_forward(scan, steps)
    dstates, dinitial, through = _sweep_backward(scan, steps, states, dy, dfinal)
    outputs = _output_gradients(scan, steps, states, cb, dy)
    inputs = _input_gradients(scan, steps, dstates, cb, dy)
    strong = _strong_gradients(scan, steps, cb, dy, inputs, outputs)
    dB, dC = _join(scan, inputs, outputs, strong)
    ddt, dA, dbias = _steps_backward(scan, steps, inputs, outputs, strong, through)
    return Gradients(x=inputs.dx, dt=ddt, A=dA, B=dB, C=dC, D=inputs.dD, dt_bias=dbias, initial_states=dinitial)


@dataclass(frozen=True)
class _Steps:
    """Values of every head and token of a chunk, (nheads, nchunks * chunk): see ``steps_forward_kernel``."""

    step: Tensor
    decay: Tensor
    input: Tensor
    output: Tensor
    input_pair: Tensor
    output_pair: Tensor


@dataclass(frozen=True)
class _InputGradients:
    """What ``input_gradients_kernel`` leaves: see there."""

    dx: Tensor
    db: Tensor
    column: Tensor
    to_state: Tensor
    direct: Tensor
    dD: Tensor | None


@dataclass(frozen=True)
class _OutputGradients:
    """What ``output_gradients_kernel`` leaves: see there."""

    dc: Tensor
    dcb: Tensor
    row: Tensor


@dataclass(frozen=True)
class _StrongGradients:
    """What ``strong_inputs_kernel`` leaves: see there."""

    dcb: Tensor
    strong: Tensor
    direct: Tensor


def _steps(scan: Scan) -> _Steps:
    config, plan = scan.config, scan.plan
    steps = _Steps(*(scan.fresh(scan.nheads, plan.nchunks * config.chunk) for _ in range(6)))
    if plan.nchunks:
        steps_forward_kernel[(plan.nchunks, -(-scan.nheads // _STEP_HEADS))](
            scan.dt, scan.dt_bias, scan.A, steps.step, steps.decay,
            steps.input, steps.output, steps.input_pair, steps.output_pair, *scan.where,
            *scan.dt.stride(), steps.step.stride(0), scan.nheads, *scan.dt_limit,
            HAS_BIAS=scan.dt_bias is not None, SOFTPLUS=scan.dt_softplus, LIMIT=scan.limit,
            CHUNK=config.chunk, HEADS=_STEP_HEADS, **config.steps.options(),
        )  # fmt: skip
    return steps


def _products(scan: Scan) -> Tensor:
    """Return C B^T of every chunk and group, in the dtype of x."""
    B, C, config, plan = scan.B, scan.C, scan.config, scan.plan
    cb = torch.empty(plan.nchunks, scan.ngroups, config.chunk, config.chunk, dtype=B.dtype, device=B.device)
    if plan.nchunks:
        products_kernel[(scan.ngroups, plan.nchunks)](
            B, C, cb, *scan.where, *B.stride()[:2], *C.stride()[:2], scan.ngroups,
            N=scan.dstate, CHUNK=config.chunk, PRECISION=scan.precision, **config.products.options(),
        )  # fmt: skip
    return cb


def _outputs(scan: Scan, steps: _Steps, states: Tensor, cb: Tensor) -> Tensor:
    x, C, config, plan = scan.x, scan.C, scan.config, scan.plan
    y = torch.empty(x.shape, dtype=x.dtype, device=x.device)
    heads = divisor_at_most(scan.heads_per_group, config.output_heads)
    strong_heads = divisor_at_most(scan.heads_per_group, config.strong_heads)
    row = steps.step.stride(0)
    if plan.nchunks:
        outputs_kernel[(scan.nheads // heads * (config.chunk // config.output_rows), plan.nchunks)](
            x, x, C, cb, states, steps.input_pair, steps.output, scan.D, y, *scan.where,
            *x.stride()[:2], *C.stride()[:2], row, 0, scan.nheads, scan.nheads, scan.heads_per_group, scan.ngroups,
            D_DIM=scan.d_dim, HEADS=heads, N=scan.dstate, ROWS=config.output_rows, **scan.size, **config.outputs.options(),
        )  # fmt: skip
        strong_outputs_kernel[(scan.nheads // strong_heads, plan.nchunks)](
            x, cb, steps.step, steps.decay, y, *scan.where, *x.stride()[:2], row,
            0, scan.nheads, scan.heads_per_group, scan.ngroups,
            HEADS=strong_heads, LIMIT=scan.limit, **scan.size, **config.strong.options(),
        )  # fmt: skip
    return y


def _input_gradients(scan: Scan, steps: _Steps, dstates: Tensor, cb: Tensor, dy: Tensor) -> _InputGradients:
    x, B, config, plan = scan.x, scan.B, scan.config, scan.plan
    heads = divisor_at_most(scan.heads_per_group, config.gradient_heads)
    splits, parts = scan.nheads // heads, config.chunk // config.input_gradient_rows
    out = _InputGradients(
        dx=torch.empty(x.shape, dtype=x.dtype, device=x.device),
        db=scan.fresh(plan.nchunks, splits, config.chunk, scan.dstate),
        column=torch.empty_like(steps.step), to_state=torch.empty_like(steps.step), direct=torch.empty_like(steps.step),
        dD=scan.fresh(*(plan.nchunks * parts, scan.nheads, scan.headdim)[: 1 + scan.d_dim]) if scan.d_dim else None,
    )  # fmt: skip
    if plan.nchunks:
        input_gradients_kernel[(splits * parts, plan.nchunks)](
            x, B, cb, dy, dy, dstates, steps.input, steps.input, steps.output_pair, scan.D,
            out.dx, out.db, out.column, out.to_state, out.direct, out.dD, *scan.where,
            *x.stride()[:2], *B.stride()[:2], *dy.stride()[:2], steps.step.stride(0),
            0, scan.nheads, scan.nheads, scan.heads_per_group, scan.ngroups, splits,
            D_DIM=scan.d_dim, HEADS=heads, N=scan.dstate, ROWS=config.input_gradient_rows, **scan.size,
            **config.input_gradients.options(),
        )  # fmt: skip
    return out


def _output_gradients(scan: Scan, steps: _Steps, states: Tensor, cb: Tensor, dy: Tensor) -> _OutputGradients:
    x, C, config, plan = scan.x, scan.C, scan.config, scan.plan
    heads = divisor_at_most(scan.heads_per_group, config.gradient_heads)
    splits, parts = scan.nheads // heads, config.chunk // config.output_gradient_rows
    out = _OutputGradients(
        dc=scan.fresh(plan.nchunks, splits, config.chunk, scan.dstate),
        dcb=scan.fresh(plan.nchunks, splits, config.chunk, config.chunk),
        row=torch.empty_like(steps.step),
    )
    if plan.nchunks:
        output_gradients_kernel[(splits * parts, plan.nchunks)](
            x, C, cb, dy, states, steps.input_pair, steps.output, out.dc, out.dcb, out.row, *scan.where,
            *x.stride()[:2], *C.stride()[:2], *dy.stride()[:2], steps.step.stride(0),
            0, scan.nheads, scan.nheads, scan.heads_per_group, scan.ngroups, splits,
            HEADS=heads, N=scan.dstate, ROWS=config.output_gradient_rows, **scan.size,
            **config.output_gradients.options(),
        )  # fmt: skip
    return out


def _strong_gradients(
    scan: Scan, steps: _Steps, cb: Tensor, dy: Tensor, inputs: _InputGradients, outputs: _OutputGradients
) -> _StrongGradients:
    x, config, plan = scan.x, scan.config, scan.plan
    heads = divisor_at_most(scan.heads_per_group, config.strong_heads)
    splits = scan.nheads // heads
    out = _StrongGradients(
        dcb=scan.fresh(plan.nchunks, splits, config.chunk, config.chunk),
        strong=torch.empty(plan.nchunks, splits, dtype=torch.int32, device=x.device),
        direct=torch.empty_like(steps.step),
    )
    if plan.nchunks:
        strong_inputs_kernel[(splits, plan.nchunks)](
            x, cb, dy, steps.step, steps.decay, inputs.dx, out.dcb, out.strong, outputs.row, inputs.column, out.direct,
            *scan.where, *x.stride()[:2], *dy.stride()[:2], steps.step.stride(0),
            0, scan.nheads, scan.heads_per_group, scan.ngroups, splits,
            HEADS=heads, LIMIT=scan.limit, **scan.size, **config.strong.options(),
        )  # fmt: skip
    return out


def _join(
    scan: Scan, inputs: _InputGradients, outputs: _OutputGradients, strong: _StrongGradients
) -> tuple[Tensor, Tensor]:
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


def _steps_backward(
    scan: Scan, steps: _Steps, inputs: _InputGradients, outputs: _OutputGradients, strong: _StrongGradients, through: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    config, plan = scan.config, scan.plan
    ddt = torch.empty(scan.dt.shape, dtype=scan.dt.dtype, device=scan.dt.device)
    dA = scan.fresh(plan.nchunks, scan.nheads)
    dbias = torch.empty_like(dA)
    if plan.nchunks:
        steps_backward_kernel[(plan.nchunks, -(-scan.nheads // _STEP_HEADS))](
            scan.dt, scan.dt_bias, scan.A, steps.step, steps.decay,
            outputs.row, inputs.column, inputs.to_state, inputs.direct, strong.direct, through, ddt, dA, dbias,
            *scan.where, *scan.dt.stride(), steps.step.stride(0), scan.nheads, *scan.dt_limit,
            HAS_BIAS=scan.dt_bias is not None, SOFTPLUS=scan.dt_softplus, LIMIT=scan.limit,
            CHUNK=config.chunk, HEADS=_STEP_HEADS, **config.steps.options(),
        )  # fmt: skip
    return ddt, dA.sum(0), dbias.sum(0)


def _sweep_forward(scan: Scan, steps: _Steps) -> tuple[Tensor, Tensor]:
    """Return the scaled states that enter the chunks, and those that leave the documents."""
    states, ends, _ = _sweep(scan, steps, scan.x, scan.B, scan.initial_states, None)
    return states, ends


def _sweep_backward(
    scan: Scan, steps: _Steps, states: Tensor, dy: Tensor, dfinal: Tensor | None
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the gradients of states that leave the chunks (scaled) and enter documents, and what passes chunks."""
    return _sweep(scan, steps, dy, scan.C, dfinal, states)


def _sweep(
    scan: Scan, steps: _Steps, x: Tensor, k: Tensor, initial: Tensor | None, entered: Tensor | None
) -> tuple[Tensor, Tensor, Tensor]:
    """Sweep forward over x and B, or backward over dy and C where the states that entered are given."""
    plan, config, nheads, headdim, dstate = scan.plan, scan.config, scan.nheads, scan.headdim, scan.dstate
    reverse = entered is not None
    states = torch.empty(plan.nchunks, nheads, headdim, dstate, dtype=x.dtype, device=x.device)
    final = scan.fresh(plan.nsegments, nheads, headdim, dstate)
    through = scan.fresh(plan.nchunks if reverse else 0, nheads)

    def sweep(entering: Tensor | None, total: Tensor | None) -> None:
        sweep_kernel[(nheads, plan.nsegments)](
            x, k, steps.step, steps.decay, entering, entered, states, final, total, through,
            plan.segment_chunk, plan.segment_chunks, *scan.where, *x.stride()[:2], *k.stride()[:2], steps.step.stride(0),
            0, nheads, nheads, scan.heads_per_group,
            REVERSE=reverse, HAS_INITIAL=entering is not None, WRITE=total is None, LIMIT=scan.limit,
            N=dstate, **scan.size, **config.sweep.options(),
        )  # fmt: skip

    if plan.nsegments == plan.ndocs:
        sweep(initial, None)
        return states, final, through
    total = scan.fresh(plan.nsegments, nheads)
    sweep(None, total)
    entering = torch.empty_like(final)
    size = headdim * dstate
    block = min(size, 1024)
    join_segments_kernel[(nheads, plan.ndocs, size // block)](
        initial, final, total, entering, plan.document_segment, nheads,
        REVERSE=reverse, HAS_INITIAL=initial is not None, SIZE=size, BLOCK=block,
    )  # fmt: skip
    sweep(entering, None)
    return states, final.index_select(0, plan.document_segment[:-1] if reverse else plan.last_segment), through
