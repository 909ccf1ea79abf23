"""How the scan's kernels are launched: a pinned table, so that no result hangs on a timing race."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from promptcot.errors import KernelError


@dataclass(frozen=True)
class Launch:
    """Warps of a program, depth of the pipelining of its loads, and a cap on registers (0 for none)."""

    warps: int = 4
    stages: int = 2
    registers: int = 0

    def options(self) -> dict[str, int]:
        """Return the keyword arguments of a launch."""
        options = {"num_warps": self.warps, "num_stages": self.stages}
        return {**options, "maxnreg": self.registers} if self.registers else options


@dataclass(frozen=True)
class ScanConfig:
    """Sizes and launches of the scan's kernels for one shape of a head.

    Everything here may change the bits of a result, so nothing of it may depend on the batch.

    Attributes:
        chunk: Tokens between the states that are kept.
        segment: Chunks of a segment; longer documents are cut.
        output_together: Heads that a program of the outputs does at a time, 1 or 2.
        output_heads: Heads that share one program of the outputs (at most).
        gradient_heads: Heads whose gradients of B, C and C B^T are summed in one program (at most).
        input_gradient_rows: Rows of one program of the gradients of inputs and B; divides a chunk.
        output_gradient_rows: Rows of one program of the gradients of C and C B^T; divides a chunk.
        input_gradient_together: Heads that a program of the gradients of inputs and B does at a time.
        output_gradient_together: Heads that a program of the gradients of C and C B^T does at a time.
        strong_heads: Heads that one program looks through for strong decay (at most).
    """

    chunk: int = 128
    segment: int = 64
    output_together: int = 1
    output_heads: int = 40
    gradient_heads: int = 40
    input_gradient_rows: int = 128
    output_gradient_rows: int = 128
    input_gradient_together: int = 1
    output_gradient_together: int = 1
    strong_heads: int = 20
    steps: Launch = field(default=Launch(4, 1))
    products: Launch = field(default=Launch(8, 1))
    sweep: Launch = field(default=Launch(8, 3))
    sweep_reverse: Launch = field(default=Launch(4, 2))
    outputs: Launch = field(default=Launch(8, 3))
    input_gradients: Launch = field(default=Launch(8, 3))
    output_gradients: Launch = field(default=Launch(8, 3))
    strong_outputs: Launch = field(default=Launch(4, 1))
    strong_gradients: Launch = field(default=Launch(8, 1))
    join: Launch = field(default=Launch(8, 1))


HEADDIMS = (16, 32, 64, 128)
DSTATES = (16, 32, 64, 128, 256)

# (bytes of an element, headdim, dstate), as measured on sm_90 (docs/kernels.md).
_TABLE: dict[tuple[int, int, int], ScanConfig] = {(2, 64, 128): ScanConfig()}


def scan_config(element_size: int, headdim: int, dstate: int) -> ScanConfig:
    """Return the pinned configuration for a head's shape.

    Raises:
        KernelError: The kernels do not take this shape.
    """
    if headdim not in HEADDIMS or dstate not in DSTATES:
        raise KernelError(
            f"the scan has no kernel for headdim {headdim} and dstate {dstate}",
            remedy=f"use headdim in {HEADDIMS} and dstate in {DSTATES}",
        )
    return _TABLE.get((element_size, headdim, dstate)) or _fitting(element_size, headdim, dstate)


def _fitting(element_size: int, headdim: int, dstate: int) -> ScanConfig:
    """Return a configuration whose tiles fit the chip's shared memory, for shapes that were not measured."""
    if element_size == 2 and headdim <= 64 and dstate <= 128:
        return ScanConfig()
    short = ScanConfig(
        chunk=64, input_gradient_rows=64, output_gradient_rows=64,
        sweep=Launch(8, 2), sweep_reverse=Launch(8, 2), outputs=Launch(8, 2),
        input_gradients=Launch(8, 2), output_gradients=Launch(8, 2), strong_outputs=Launch(8, 1),
    )  # fmt: skip
    if element_size == 2 and headdim * dstate <= 64 * 256:
        return short
    one = Launch(8, 1)
    return replace(
        short, chunk=32, input_gradient_rows=32, output_gradient_rows=32,
        sweep=one, sweep_reverse=one, outputs=one, input_gradients=one, output_gradients=one,
    )  # fmt: skip


def divisor_at_most(n: int, limit: int) -> int:
    """Return the largest divisor of ``n`` that is at most ``limit``."""
    return max(d for d in range(1, min(n, limit) + 1) if n % d == 0)
