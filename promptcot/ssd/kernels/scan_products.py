"""The products of B and C of a chunk, which all heads of a group share, and the gradients through them."""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def products_kernel(
    B, C, CB,
    START, LENGTH,
    b_t, b_g, c_t, c_g, ngroups,
    N: tl.constexpr, CHUNK: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """Write ``C_i B_j`` for every output i at or after input j of one chunk and group, else 0."""
    group = tl.program_id(0)
    chunk = tl.program_id(1)
    start = tl.load(START + chunk).to(tl.int64)
    real = (tl.arange(0, CHUNK) < tl.load(LENGTH + chunk))[:, None]
    t = tl.arange(0, CHUNK)
    n = tl.arange(0, N)
    rows = (start + t)[:, None]
    b = tl.load(B + rows * b_t + group * b_g + n[None, :], mask=real, other=0.0)
    c = tl.load(C + rows * c_t + group * c_g + n[None, :], mask=real, other=0.0)
    products = tl.dot(c, tl.trans(b), input_precision=PRECISION)
    products = tl.where(t[:, None] >= t[None, :], products, 0.0)
    at = (chunk.to(tl.int64) * ngroups + group) * (CHUNK * CHUNK) + t[:, None] * CHUNK + t[None, :]
    tl.store(CB + at, products.to(CB.dtype.element_ty))


@triton.jit
def join_kernel(
    B, C, DCB, STRONG_DCB, STRONG, DB_PARTS, DC_PARTS, DB, DC,
    START, LENGTH,
    b_t, b_g, c_t, c_g, ngroups,
    CB_SPLITS: tl.constexpr, STRONG_SPLITS: tl.constexpr, STATE_SPLITS: tl.constexpr,
    N: tl.constexpr, CHUNK: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """Write dB (even programs) or dC of one chunk and group; the parts of splits are added in order.

    DCB holds gradients of ``C_i B_j`` as (i, j); STRONG_DCB those of strong heads, where STRONG says so.
    """
    group = tl.program_id(0) // 2
    chunk = tl.program_id(1)
    start = tl.load(START + chunk).to(tl.int64)
    length = tl.load(LENGTH + chunk)
    t = tl.arange(0, CHUNK)
    n = tl.arange(0, N)
    real = (t < length)[:, None]
    rows = (start + t)[:, None]
    pair = chunk.to(tl.int64) * ngroups + group
    square = t[:, None] * CHUNK + t[None, :]
    dcb = tl.zeros((CHUNK, CHUNK), dtype=tl.float32)
    for i in range(CB_SPLITS):
        dcb += tl.load(DCB + (pair * CB_SPLITS + i) * (CHUNK * CHUNK) + square)
    for i in range(STRONG_SPLITS):
        if tl.load(STRONG + pair * STRONG_SPLITS + i) > 0:
            dcb += tl.load(STRONG_DCB + (pair * STRONG_SPLITS + i) * (CHUNK * CHUNK) + square)
    dcb = tl.where(t[:, None] >= t[None, :], dcb, 0.0)
    total = tl.zeros((CHUNK, N), dtype=tl.float32)
    part = pair * STATE_SPLITS * (CHUNK * N) + t[:, None] * N + n[None, :]
    out = (rows * ngroups + group) * N + n[None, :]
    elem = B.dtype.element_ty
    if tl.program_id(0) % 2 == 0:
        c = tl.load(C + rows * c_t + group * c_g + n[None, :], mask=real, other=0.0)
        for i in range(STATE_SPLITS):
            total += tl.load(DB_PARTS + part + i * (CHUNK * N))
        total = tl.dot(tl.trans(dcb.to(elem)), c, total, input_precision=PRECISION)
        tl.store(DB + out, total.to(elem), mask=real)
    else:
        b = tl.load(B + rows * b_t + group * b_g + n[None, :], mask=real, other=0.0)
        for i in range(STATE_SPLITS):
            total += tl.load(DC_PARTS + part + i * (CHUNK * N))
        total = tl.dot(dcb.to(elem), b, total, input_precision=PRECISION)
        tl.store(DC + out, total.to(elem), mask=real)
