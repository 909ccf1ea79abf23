"""Randomness by name: every draw comes from a seed and the path of what it is for.

Seeds are hashed, never added: two neighbouring seeds share nothing, and a draw does
not move when a stage before it draws more or less. That is what makes a run the same
for any number of workers and across restarts.
"""

from __future__ import annotations

import hashlib
import json
import random


def derive(seed: int, *path: str | int) -> int:
    """A 63-bit seed for what `path` names, independent of every other path.

    Args:
        seed: The run's seed.
        path: What the randomness is for, such as ``("sample", 17)``. A string and an
            integer of the same digits are different paths.
    """
    name = json.dumps([seed, *path], separators=(",", ":"), ensure_ascii=False).encode()
    return int.from_bytes(hashlib.blake2b(name, digest_size=8).digest(), "big") >> 1


def rng(seed: int, *path: str | int) -> random.Random:
    """A generator of its own for what `path` names (see `derive`)."""
    return random.Random(derive(seed, *path))


def fingerprint(*parts: str | bytes, size: int = 16) -> str:
    """A hexadecimal content hash of `parts`, each delimited by its length.

    Args:
        size: Bytes of digest; the result has twice as many characters.
    """
    digest = hashlib.blake2b(digest_size=size)
    for part in parts:
        raw = part.encode() if isinstance(part, str) else part
        digest.update(len(raw).to_bytes(8, "big"))
        digest.update(raw)
    return digest.hexdigest()
