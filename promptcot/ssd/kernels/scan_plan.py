"""Where the chunks, segments and documents of a scan lie, as small tables on the device."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils.weak import WeakIdKeyDictionary

_known: WeakIdKeyDictionary = WeakIdKeyDictionary()


@dataclass(frozen=True)
class Plan:
    """Tables of a scan; a document's chunks begin where it begins, so nothing depends on its neighbours.

    Attributes:
        chunk_start: First token of every chunk (nchunks,).
        chunk_length: Tokens of every chunk (nchunks,).
        segment_chunk: First chunk of every segment (nsegments,).
        segment_chunks: Chunks of every segment (nsegments,).
        document_segment: First segment of every document, and the end (ndocs + 1,).
        last_segment: Last segment of every document (ndocs,).
    """

    chunk_start: Tensor
    chunk_length: Tensor
    segment_chunk: Tensor
    segment_chunks: Tensor
    document_segment: Tensor
    last_segment: Tensor

    @property
    def nchunks(self) -> int:
        """Chunks of all documents."""
        return len(self.chunk_start)

    @property
    def nsegments(self) -> int:
        """Segments of all documents."""
        return len(self.segment_chunk)

    @property
    def ndocs(self) -> int:
        """Documents."""
        return len(self.last_segment)


def host_offsets(cu_seqlens: Tensor) -> Tensor:
    """Return the offsets on the host: one wait for the device for every tensor, however often it is used."""
    if cu_seqlens.device.type == "cpu" or cu_seqlens.is_inference():  # the latter do not say when they change
        return cu_seqlens.to("cpu", torch.long)
    version, offsets = _known.get(cu_seqlens, (-1, None))
    if offsets is None or version != cu_seqlens._version:
        offsets = cu_seqlens.to("cpu", torch.long)
        _known[cu_seqlens] = (cu_seqlens._version, offsets)
    return offsets


def plan_documents(cu_seqlens: Tensor, chunk: int, segment: int, device: torch.device) -> Plan:
    """Return the plan of a packed row."""
    return _plan(tuple(host_offsets(cu_seqlens).tolist()), chunk, segment, device)


def plan_rows(batch: int, seqlen: int, chunk: int, segment: int, device: torch.device) -> Plan:
    """Return the plan of a batch of rows, each a document."""
    return _plan(
        tuple(range(0, batch * seqlen + 1, seqlen)) if seqlen else (0,) * (batch + 1), chunk, segment, device
    )


@functools.lru_cache(maxsize=64)
def _plan(offsets: tuple[int, ...], chunk: int, segment: int, device: torch.device) -> Plan:
    bounds = torch.tensor(offsets)
    chunks = (bounds.diff() + chunk - 1) // chunk
    segments = ((chunks + segment - 1) // segment).clamp(min=1)
    document, rank = _spread(chunks)
    start = bounds[document] + rank * chunk
    length = torch.minimum(bounds[document + 1] - start, torch.tensor(chunk))
    first_chunk = chunks.cumsum(0) - chunks
    document, rank = _spread(segments)
    segment_chunk = first_chunk[document] + rank * segment
    segment_chunks = torch.minimum(chunks[document] - rank * segment, torch.tensor(segment))
    document_segment = torch.cat([torch.zeros(1, dtype=torch.long), segments.cumsum(0)])
    tables = [start, length, segment_chunk, segment_chunks, document_segment, document_segment[1:] - 1]
    host = torch.cat(tables).to(torch.int32)
    on_device = (host.pin_memory() if device.type == "cuda" else host).to(device, non_blocking=True)
    return Plan(*on_device.split([len(table) for table in tables]))


def _spread(counts: Tensor) -> tuple[Tensor, Tensor]:
    """Return owner and rank of every item, where every owner has so many items."""
    owner = torch.repeat_interleave(torch.arange(len(counts)), counts)
    return owner, torch.arange(len(owner)) - (counts.cumsum(0) - counts)[owner]
