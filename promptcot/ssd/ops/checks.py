"""Checks of the operations' arguments, done before anything is launched."""

from __future__ import annotations

from collections.abc import MutableMapping
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import torch
from torch.utils.weak import WeakIdKeyDictionary

from promptcot.errors import KernelError

if TYPE_CHECKING:
    from torch import Tensor

FLOATS = (torch.float32, torch.bfloat16, torch.float16, torch.float64)


def shape_error(name: str, tensor: Tensor, wanted: str) -> KernelError:
    """Return the error for a tensor whose shape does not fit."""
    return KernelError(f"{name} has shape {tuple(tensor.shape)}", remedy=f"wanted {wanted}")


def check_shape(name: str, tensor: Tensor | None, *wanted: tuple[int, ...]) -> None:
    """Raise KernelError unless the tensor is absent or has one of the shapes wanted."""
    if tensor is not None and tuple(tensor.shape) not in wanted:
        raise shape_error(name, tensor, " or ".join(map(str, wanted)))


def check_floats(x_name: str, x: Tensor, **others: Tensor | None) -> None:
    """Raise KernelError unless all tensors hold floats and lie on the device of the first."""
    for name, tensor in {x_name: x, **others}.items():
        if tensor is None:
            continue
        if tensor.dtype not in FLOATS:
            raise KernelError(f"{name} has dtype {tensor.dtype}", remedy="use float32, bfloat16 or float16")
        check_device(name, tensor, x_name, x)


def check_device(name: str, tensor: Tensor, x_name: str, x: Tensor) -> None:
    """Raise KernelError unless both tensors are on one device."""
    if tensor.device != x.device:
        raise KernelError(
            f"{name} is on {tensor.device}, {x_name} on {x.device}", remedy="move them to one device"
        )


@dataclass(frozen=True, slots=True)
class Packing:
    """Where the documents of one packed row begin and end.

    Attributes:
        bounds: The offsets, on the host.
        offsets: (ndocs + 1,) int32 offsets on the device.
        docs: (seqlen,) int32, the document of every token, on the device.
        starts: (seqlen,) int32, where the document of every token begins, on the device.
    """

    bounds: tuple[int, ...]
    offsets: Tensor
    docs: Tensor
    starts: Tensor


# Reading cu_seqlens costs a wait for the device, so what was read is kept as long as the tensor lives and
# is not written to: the many layers of a model pass the same one.
_SEEN: MutableMapping[Tensor, tuple[int | None, Packing]] = WeakIdKeyDictionary()


def packing_of(cu_seqlens: Tensor, batch: int, seqlen: int, x_name: str, x: Tensor) -> Packing:
    """Return the packing that ``cu_seqlens`` describes.

    Raises:
        KernelError: It does not describe one of ``seqlen`` tokens in one row.
    """
    if cu_seqlens.dim() != 1 or cu_seqlens.numel() < 2:
        raise shape_error("cu_seqlens", cu_seqlens, "(ndocs + 1,)")
    if cu_seqlens.dtype not in (torch.int32, torch.int64):
        raise KernelError(f"cu_seqlens has dtype {cu_seqlens.dtype}", remedy="use int32")
    check_device("cu_seqlens", cu_seqlens, x_name, x)
    if batch != 1:
        raise KernelError(f"cu_seqlens with a batch of {batch}", remedy="pack the documents into one row")
    version = None if cu_seqlens.is_inference() else cu_seqlens._version
    seen = _SEEN.get(cu_seqlens)
    if seen is None or version is None or seen[0] != version:
        seen = (version, _read_packing(cu_seqlens))
        _SEEN[cu_seqlens] = seen
    packing = seen[1]
    if packing.bounds[-1] != seqlen:
        raise KernelError(
            f"cu_seqlens ends at {packing.bounds[-1]}, {x_name} has {seqlen} tokens", remedy="end at seqlen"
        )
    return packing


def _read_packing(cu_seqlens: Tensor) -> Packing:
    bounds = tuple(cu_seqlens.tolist())
    if bounds[0] != 0:
        raise KernelError(f"cu_seqlens begins at {bounds[0]}", remedy="begin at 0")
    for number, (start, stop) in enumerate(pairwise(bounds)):
        if stop < start:
            raise KernelError(
                f"cu_seqlens falls from {start} to {stop} at document {number}",
                remedy="give the documents' offsets in order",
            )
    offsets = cu_seqlens.detach().to(torch.int32)
    tokens = torch.arange(bounds[-1], dtype=torch.int32, device=offsets.device)
    # Documents without tokens are passed over: a token belongs to the last document begun by then.
    docs = torch.searchsorted(offsets, tokens, right=True, out_int32=True) - 1
    return Packing(bounds=bounds, offsets=offsets, docs=docs, starts=offsets[docs.long()])
