"""The sigmoid of the gates, in the five instructions that it takes.

Triton's own keeps denormal results, which costs twice as many; a convolution with SiLU is then bound by its
instructions and not by its bytes.
"""

from __future__ import annotations

import triton
import triton.language as tl
from triton import knobs

# The interpreter knows no PTX. It computes the same function, to the last digit or two.
_INTERPRETED = tl.constexpr(knobs.runtime.interpret)


@triton.jit
def sigmoid(x):
    """1 / (1 + exp(-x)) of float32 values, exact to about 2 ulp; results under 1e-38 are 0."""
    if _INTERPRETED:
        return tl.sigmoid(x)
    return tl.inline_asm_elementwise(
        """{
        .reg .f32 t;
        mul.f32 t, $1, 0fBFB8AA3B;
        ex2.approx.ftz.f32 t, t;
        add.f32 t, t, 0f3F800000;
        rcp.approx.ftz.f32 $0, t;
        }""",
        "=f,f",
        [x],
        dtype=tl.float32,
        is_pure=True,
        pack=1,
    )
