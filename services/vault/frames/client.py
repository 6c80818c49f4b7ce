"""Single pictures out of footage: decoded, marked and encoded by a confined process (``process``).

Nothing is written to disk. Each call is one process, which ends with its picture; callers limit how many run.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from services.runtime.confined import answer_of
from services.vault.redaction.protocol import HEAD

PROCESS = "services.vault.frames.process"
SECONDS = 45.0
LARGEST = 24 << 20  # bytes of an answer


@dataclass(frozen=True)
class Still:
    """One picture as JPEG. ``offset_ms`` is how long after the first picture of its piece it is shown.

    ``sha256`` is of its decoded samples in the format ``pixels``, before it was marked; None for formats that are not
    kept plane by plane.
    """

    jpeg: bytes
    offset_ms: float
    sha256: str | None
    pixels: str
    width: int
    height: int


async def strip(pieces: Sequence[bytes | None], marks: bytes) -> bytes | None:
    """Return the first picture of each piece, small and side by side, as one JPEG; None where none can be decoded.

    ``marks``: a PNG with transparency, which is laid over all of it. A piece is the first boxes of a fragmented MP4 and
    the beginning of one fragment.
    """
    facts, jpeg = await _ask("strip", pieces, marks)
    return jpeg if facts.get("shown") else None


async def still(piece: bytes, at_ms: float, marks: bytes) -> Still | None:
    """Return the picture that is shown at ``at_ms`` of a fragment, in full; None where none can be decoded there."""
    facts, jpeg = await _ask("still", [piece], marks, at_ms=at_ms)
    return Still(jpeg, **facts) if jpeg else None


async def again(jpeg: bytes, marks: bytes) -> bytes | None:
    """Return a picture that was written before, with further marks over it."""
    _, marked = await _ask("again", [jpeg], marks)
    return marked or None


async def _ask(
    mode: str, pieces: Sequence[bytes | None], marks: bytes, **further: float
) -> tuple[dict[str, Any], bytes]:
    sizes = [None if piece is None else len(piece) for piece in pieces]
    job = json.dumps({"mode": mode, "marks": len(marks), "pieces": sizes, **further}).encode()
    given = b"".join((HEAD.pack(len(job)), job, marks, *(piece for piece in pieces if piece is not None)))
    answer = await answer_of(PROCESS, given=given, seconds=SECONDS, largest=LARGEST)
    if not answer:
        return {}, b""
    [length] = HEAD.unpack_from(answer)
    return json.loads(answer[HEAD.size : HEAD.size + length]), answer[HEAD.size + length :]
