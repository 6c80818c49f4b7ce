"""Hash JSON content: what is signed, and what is bound to it, by its canonical form (RFC 8785)."""

import hashlib
from collections.abc import Mapping
from typing import Any

import rfc8785


def hash_of(content: Mapping[str, Any]) -> str:
    """Return the SHA-256 of the canonical JSON, in hex."""
    return hashlib.sha256(rfc8785.dumps(dict(content))).hexdigest()
