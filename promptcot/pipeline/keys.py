"""What makes two requests the same request: the key under which an answer is kept.

The key is the SHA-256 of a canonical JSON text (RFC 8785) of everything that may change the
answer: who is asked and how, with which rendered words, for which item and which sample.
Nothing that only changes how fast an answer comes is part of it, and no secret.
"""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

from promptcot.records import Prompt

VERSION = 1

_encoder = msgspec.json.Encoder(order="sorted")


def request_key(prompt: Prompt, identity: str) -> bytes:
    """The key of a prompt to a backend, 32 bytes.

    Args:
        identity: `Backend.identity` of who is asked.
    """
    return hashlib.sha256(canonical(request(prompt, identity))).digest()


def request(prompt: Prompt, identity: str) -> dict[str, Any]:
    """What the key of a request is made from. Seeds are text: RFC 8785 has integers up to 2^53 alone."""
    recipe = prompt.recipe
    return {
        "version": VERSION,
        "stage": prompt.role,
        "backend": identity,
        "template": prompt.template_hash,
        "messages": [[message.role, message.content] for message in prompt.messages],
        "seed": str(prompt.seed),
        "sample": prompt.sample,
        "item": {
            "id": recipe.id,
            "concepts": list(recipe.concepts),
            "domain": recipe.domain,
            "level": recipe.level,
            "seed": str(recipe.seed),
        },
    }


def canonical(value: Any) -> bytes:
    """Canonical JSON (RFC 8785) of strings, small integers, lists and dicts with ASCII keys.

    For such values sorted compact JSON is canonical, which a test holds against the ``rfc8785``
    package; that package takes twenty times as long, a quarter of the pipeline's time.
    """
    return _encoder.encode(value)
