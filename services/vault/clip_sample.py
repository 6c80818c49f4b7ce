"""A picture that was never taken out of its segment: it lies in one of the pieces that came."""

from typing import TypeAlias

from av.packet import Packet
from av.stream import Stream


class Sample:
    """Stands in for the media library's packet, which would copy the bytes; ``duration`` in the track's ticks."""

    __slots__ = ("duration", "is_keyframe", "piece", "size", "start", "view")

    def __init__(self, piece: memoryview, start: int, size: int, duration: int, *, key: bool) -> None:
        self.piece = piece
        self.start = start
        self.size = size
        self.duration = duration
        self.is_keyframe = key
        self.view = piece[start : start + size]


Held: TypeAlias = "Packet[Stream] | Sample"


def content(held: Held) -> memoryview:
    """A packet's bytes."""
    return held.view if isinstance(held, Sample) else memoryview(held)


def packet_of(held: Held) -> "Packet[Stream]":
    """The same as the library's own packet; the times of one that is made are for the caller to set."""
    if not isinstance(held, Sample):
        return held
    made: Packet[Stream] = Packet(bytes(held.view))
    made.duration, made.is_keyframe = held.duration, held.is_keyframe
    return made
