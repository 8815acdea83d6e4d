"""Canonical JSON and its digest: the one definition of "the same value".

What does not belong here: any knowledge of manifests, hosts or plans.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TypeAlias

try:
    from _blake2 import blake2b  # hashlib is no more than this, and loads OpenSSL
except ImportError:
    from hashlib import blake2b

__all__ = ["DIGEST_BYTES", "Json", "blake2b", "bytes_digest", "canonical_text", "digest"]

Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"

DIGEST_BYTES = 16


def canonical_text(value: Json) -> str:
    """One line of JSON with sorted keys; equal values give equal text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def digest(value: Json) -> str:
    """Hex BLAKE2b (128 bits) of the canonical text."""
    text = canonical_text(value).encode("utf-8", "surrogateescape")
    return blake2b(text, digest_size=DIGEST_BYTES).hexdigest()


def bytes_digest(content: bytes) -> str:
    """Hex BLAKE2b (128 bits) of raw bytes."""
    return blake2b(content, digest_size=DIGEST_BYTES).hexdigest()
