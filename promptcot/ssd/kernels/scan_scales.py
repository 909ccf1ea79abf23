"""How the decay inside a chunk is split into a factor of the output's token and one of the input's.

The decay from input j to output i is ``2^(d_i - d_j)`` with the cumulative log2-decay ``d``, which
falls from 0 to ``end`` over the chunk. With a pivot p it is ``2^(d_i - p) 2^(p - d_j)``: one factor
a row and one a column, so that no element of a chunk's square of pairs needs an exponential, and
the squares become plain matrix products of scaled inputs. With p = end / 2 both factors are at most
``2^(-end / 2)``, which a float32 or bfloat16 holds as long as the chunk decays by less than LIMIT.

A chunk that decays by more is *strong* for that head: its factors towards the states take the
pivots 0 and ``end``, where they are at most 1, and its pairs go through kernels of their own
(``scan_strong``), which take an exponential for every pair.
"""

from __future__ import annotations

import triton
import triton.language as tl

# In units of log 2. Factors reach 2^100 in float32 and bfloat16, 2^8 in float16.
LIMIT_WIDE = 200.0
LIMIT_FLOAT16 = 16.0


@triton.jit
def is_strong(end, LIMIT: tl.constexpr):
    """Whether the chunk decays by more than its factors can hold."""
    return end < -LIMIT


@triton.jit
def output_pivot(end, LIMIT: tl.constexpr):
    """The pivot of the factors of outputs, and of the state that enters."""
    return tl.where(is_strong(end, LIMIT), 0.0, 0.5 * end)


@triton.jit
def input_pivot(end, LIMIT: tl.constexpr):
    """The pivot of the factors of inputs, and of the gradient of the state that leaves."""
    return tl.where(is_strong(end, LIMIT), end, 0.5 * end)


@triton.jit
def spread(first, second, p, P: tl.constexpr, COUNT: tl.constexpr):
    """Return (rows, COUNT * P): the value of every row for the head of every column."""
    if COUNT == 1:  # noqa: SIM108 (two shapes: the compiler wants two branches)
        values = first[:, None]
    else:
        values = tl.where((p < P)[None, :], first[:, None], second[:, None])
    return values


@triton.jit
def store_row_sums(at, products, p, row, P: tl.constexpr, COUNT: tl.constexpr):
    """Store the sum over each head's columns of (rows, COUNT * P), at ``at`` and a ``row`` further."""
    if COUNT == 1:
        tl.store(at, tl.sum(products, axis=1))
    else:
        tl.store(at, tl.sum(tl.where((p < P)[None, :], products, 0.0), axis=1))
        tl.store(at + row, tl.sum(tl.where((p < P)[None, :], 0.0, products), axis=1))
