"""What the forward and the backward scan share: their arguments, and the launches that both begin with."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from triton.tools.tensor_descriptor import TensorDescriptor

from promptcot.ssd.kernels.launch import ScanConfig, divisor_at_most
from promptcot.ssd.kernels.scan_plan import Plan
from promptcot.ssd.kernels.scan_products import products_kernel
from promptcot.ssd.kernels.scan_scales import LIMIT_FLOAT16, LIMIT_WIDE
from promptcot.ssd.kernels.scan_states import join_segments_kernel, sweep_kernel
from promptcot.ssd.kernels.scan_steps import steps_forward_kernel

STEP_HEADS = 16
# Bytes of states that are held at a time. Heads are done in slabs, which changes no bit of a result:
# smaller slabs leave more of the card idle at the end of every launch, larger ones take more memory.
# Going backward there are two states a chunk, and much else beside them.
FORWARD_SLAB_BYTES = 704 << 20
BACKWARD_SLAB_BYTES = 320 << 20


@dataclass(frozen=True)
class Scan:
    """Arguments of a scan over tokens: x (tokens, nheads, headdim), B and C (tokens, ngroups, dstate)."""

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
        """Heads of x."""
        return self.x.shape[1]

    @property
    def heads_per_group(self) -> int:
        """Heads that share B and C."""
        return self.x.shape[1] // self.B.shape[1]

    @property
    def precision(self) -> str:
        """Of float32 products; the matrix units' own float32 is too coarse."""
        return "tf32x3" if self.x.dtype == torch.float32 else "tf32"

    @property
    def headdim(self) -> int:
        """Channels of a head."""
        return self.x.shape[2]

    @property
    def dstate(self) -> int:
        """State of a channel."""
        return self.B.shape[2]

    @property
    def ngroups(self) -> int:
        """Groups of B and C."""
        return self.B.shape[1]

    @property
    def size(self) -> dict[str, object]:
        """Constants that most kernels take."""
        return {"P": self.headdim, "CHUNK": self.config.chunk, "PRECISION": self.precision}

    @property
    def where(self) -> tuple[Tensor, Tensor]:
        """Start and length of every chunk."""
        return self.plan.chunk_start, self.plan.chunk_length

    @property
    def limit(self) -> float:
        """How much a chunk may decay before it is strong, in log 2."""
        return LIMIT_FLOAT16 if self.x.dtype == torch.float16 else LIMIT_WIDE

    @property
    def d_dim(self) -> int:
        """Axes of D, 0 without it."""
        return 0 if self.D is None else self.D.dim()

    def slabs(self, copies: int, limit: int) -> list[tuple[int, int]]:
        """Return first head and number of heads of every slab, for so many states a chunk and bytes."""
        unit = divisor_at_most(
            self.heads_per_group, max(self.config.gradient_heads, self.config.output_heads)
        )
        head = self.plan.nchunks * self.headdim * self.dstate * self.x.element_size() * copies
        size = unit * max(1, limit // max(1, head * unit))
        return [(first, min(size, self.nheads - first)) for first in range(0, self.nheads, size)]

    def states(self, slab: int) -> Tensor:
        """Return an unwritten buffer for one state of so many heads at every chunk."""
        shape = (self.plan.nchunks, slab, self.headdim, self.dstate)
        return torch.empty(shape, dtype=self.x.dtype, device=self.x.device)

    def tiles(self, tensor: Tensor, rows: int, heads: int) -> TensorDescriptor:
        """Describe (tokens, nheads, headdim) for copies of so many rows of so many heads."""
        shape = [tensor.shape[0], tensor.shape[1] * tensor.shape[2]]
        return TensorDescriptor(tensor, shape, [tensor.stride(0), 1], [rows, heads * self.headdim])

    def fresh(self, *shape: int) -> Tensor:
        """Return an unwritten float32 buffer on the device of the scan."""
        return torch.empty(shape, dtype=torch.float32, device=self.x.device)


@dataclass(frozen=True)
class Steps:
    """Values of every head and token of a chunk, (nheads, nchunks * chunk): see ``steps_forward_kernel``."""

    step: Tensor
    decay: Tensor
    input: Tensor
    output: Tensor
    input_pair: Tensor
    output_pair: Tensor


def state_tiles(states: Tensor, heads: int) -> TensorDescriptor:
    """Describe (nchunks, nheads, headdim, dstate) for copies of the states of so many heads."""
    return TensorDescriptor.from_tensor(states.flatten(0, 2), [heads * states.shape[2], states.shape[3]])


def make_steps(scan: Scan) -> Steps:
    """Return the steps of every token and head, and their factors."""
    config, plan = scan.config, scan.plan
    steps = Steps(*(scan.fresh(scan.nheads, plan.nchunks * config.chunk) for _ in range(6)))
    if plan.nchunks:
        steps_forward_kernel[(plan.nchunks, -(-scan.nheads // STEP_HEADS))](
            scan.dt, scan.dt_bias, scan.A, steps.step, steps.decay,
            steps.input, steps.output, steps.input_pair, steps.output_pair, *scan.where,
            *scan.dt.stride(), steps.step.stride(0), scan.nheads, *scan.dt_limit,
            HAS_BIAS=scan.dt_bias is not None, SOFTPLUS=scan.dt_softplus, LIMIT=scan.limit,
            CHUNK=config.chunk, HEADS=STEP_HEADS, **config.steps.options(),
        )  # fmt: skip
    return steps


def make_products(scan: Scan) -> Tensor:
    """Return C B^T of every chunk and group, in the dtype of x."""
    B, C, config, plan = scan.B, scan.C, scan.config, scan.plan
    cb = torch.empty(plan.nchunks, scan.ngroups, config.chunk, config.chunk, dtype=B.dtype, device=B.device)
    if plan.nchunks:
        products_kernel[(scan.ngroups, plan.nchunks)](
            B, C, cb, *scan.where, *B.stride()[:2], *C.stride()[:2], scan.ngroups,
            N=scan.dstate, CHUNK=config.chunk, PRECISION=scan.precision, **config.products.options(),
        )  # fmt: skip
    return cb


def entering_states(
    scan: Scan, steps: Steps, x: Tensor, k: Tensor, initial: Tensor | None, *, reverse: bool
) -> Tensor | None:
    """Return the states that enter the segments: ``initial`` where no document is cut into segments."""
    plan = scan.plan
    if plan.nsegments == plan.ndocs:
        return initial
    final = scan.fresh(plan.nsegments, scan.nheads, scan.headdim, scan.dstate)
    total = scan.fresh(plan.nsegments, scan.nheads)
    entering = torch.empty_like(final)
    _sweep(scan, steps, x, k, None, None, None, final, total, None, (0, scan.nheads), reverse=reverse)
    size = scan.headdim * scan.dstate
    block = min(size, 1024)
    join_segments_kernel[(scan.nheads, plan.ndocs, size // block)](
        initial, final, total, entering, plan.document_segment, scan.nheads,
        REVERSE=reverse, HAS_INITIAL=initial is not None, SIZE=size, BLOCK=block,
    )  # fmt: skip
    return entering


def sweep_forward(
    scan: Scan, steps: Steps, entering: Tensor | None, states: Tensor, final: Tensor, slab: tuple[int, int]
) -> None:
    """Write the scaled states that enter the chunks, and those that leave the segments."""
    _sweep(scan, steps, scan.x, scan.B, entering, None, states, final, None, None, slab, reverse=False)


def sweep_backward(
    scan: Scan, steps: Steps, dy: Tensor, entering: Tensor | None, entered: Tensor,
    states: Tensor, final: Tensor, through: Tensor, slab: tuple[int, int],
) -> None:  # fmt: skip
    """Write gradients of states that leave chunks (scaled) and enter segments, and what passes chunks."""
    _sweep(scan, steps, dy, scan.C, entering, entered, states, final, None, through, slab, reverse=True)


def document_states(scan: Scan, final: Tensor, *, reverse: bool) -> Tensor:
    """Return the states at the documents' ends, or begins, from those at the segments'."""
    plan = scan.plan
    if plan.nsegments == plan.ndocs:
        return final
    return final.index_select(0, plan.document_segment[:-1] if reverse else plan.last_segment)


def _sweep(
    scan: Scan, steps: Steps, x: Tensor, k: Tensor, entering: Tensor | None, entered: Tensor | None,
    states: Tensor | None, final: Tensor, total: Tensor | None, through: Tensor | None, slab: tuple[int, int],
    *, reverse: bool,
) -> None:  # fmt: skip
    plan = scan.plan
    launch = scan.config.sweep_reverse if reverse else scan.config.sweep
    sweep_kernel[(slab[1], plan.nsegments)](
        x, k, steps.step, steps.decay, entering, entered, states, final, total, through,
        plan.segment_chunk, plan.segment_chunks, *scan.where,
        *x.stride()[:2], *k.stride()[:2], steps.step.stride(0),
        slab[0], scan.nheads, slab[1], scan.heads_per_group,
        REVERSE=reverse, HAS_INITIAL=entering is not None, WRITE=states is not None, LIMIT=scan.limit,
        N=scan.dstate, **scan.size, **launch.options(),
    )  # fmt: skip
