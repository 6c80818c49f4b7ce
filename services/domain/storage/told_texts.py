"""Texts that stores and recorders tell, as every database stores them: whoever used them may have chosen the text."""

import hashlib

LONGEST = 1024  # characters: the longest key of S3


def storable(text: str, longest: int = LONGEST) -> str:
    """Return the text without NUL and halves of surrogate pairs, which no database stores, and not too long."""
    return text[:longest].encode("utf-8", "replace").decode().replace("\0", "\ufffd")


def distinct(text: str, longest: int = 200) -> str:
    """Return the text as ``storable`` does, where it has to stay another one than every other text."""
    kept = storable(text, longest)
    if kept == text:
        return kept
    return f"{kept}#{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}"
