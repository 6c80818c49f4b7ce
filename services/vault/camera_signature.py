"""Whether a camera has signed its pictures (ONVIF Media Signing): seen as the footage passes, and not checked.

The signature lies in the stream as a unit of its own, user data by a UUID (SEI; ITU-T H.264 and H.265, annex D).
Copying the stream keeps it. A camera signs every few groups of pictures: what begins without will hardly get one.
"""

import re
from typing import TypeAlias

UUID = bytes.fromhex("005bc93f2d715e95ada4796f90877a6f")
EXAMINED_BYTES = 64 << 20
NOT_EXAMINED = "not examined"
PRESENT = "present, not checked"
ABSENT = "absent"
ABSENT_SO_FAR = f"absent in the first {EXAMINED_BYTES >> 20} MiB"

Buffer: TypeAlias = bytes | bytearray | memoryview

_UUID = re.compile(re.escape(UUID))
# A message of the kind "user data", its length, and whose it is.
_MESSAGE = re.compile(rb"\x05\xff*[\x00-\xfe]" + re.escape(UUID))
_LONGEST_HEAD = 256
_KEPT = _LONGEST_HEAD + len(UUID)


class CameraSignature:
    """Searches the footage for a signature, fed piece by piece, in order."""

    def __init__(self) -> None:
        self._left = EXAMINED_BYTES
        self._found = False
        self._tail = b""

    @property
    def seen(self) -> str:
        """Return the result for what was fed so far."""
        if self._found:
            return PRESENT
        return ABSENT if self._left > 0 else ABSENT_SO_FAR

    def feed(self, piece: Buffer) -> None:
        if self._found or self._left <= 0:
            return
        self._left -= len(piece)
        # It may begin in the piece before.
        found = _MESSAGE.search(self._tail + bytes(piece[:_KEPT]))
        for hit in _UUID.finditer(piece):
            found = found or _MESSAGE.search(piece, max(0, hit.start() - _LONGEST_HEAD), hit.end())
        self._found = found is not None
        self._tail = bytes(piece[-_KEPT:]) if len(piece) >= _KEPT else (self._tail + bytes(piece))[-_KEPT:]
