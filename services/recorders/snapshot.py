"""One picture out of a segment, decoded in a process that can do nothing else."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path

from services.recorders.protocol import NothingRecorded, OutOfReach, Segment
from services.runtime.confined import answer_of
from services.runtime.iterators import closing
from services.runtime.threads import run_in_thread

TIMEOUT = 30.0
LARGEST = 32 << 20
LARGEST_SEGMENT = 128 << 20  # bytes held in which a picture is searched, where it is not on a disk


async def picture(path: Path, offset: timedelta) -> bytes:
    """The picture shown ``offset`` after the start of the segment, as JPEG.

    Raises NothingRecorded where the segment does not decode there, and OSError.
    """
    with await run_in_thread(path.open, "rb") as file:
        output = await answer_of(
            *("services.recorders.snapshot_process", str(offset.total_seconds())),
            given=file,
            seconds=TIMEOUT,
            largest=LARGEST,
        )
    if not output:
        raise NothingRecorded(f"No picture of {path.name} can be decoded {offset} after its start.")
    return output


async def picture_in(segments: AsyncIterator[Segment], at: datetime) -> bytes:
    """The picture shown at that moment, as JPEG, out of the first of these segments that has one.

    Raises NothingRecorded, OutOfReach, and what the segments' streams raise.
    """
    large = False
    async for segment in segments:
        held, cut = bytearray(), False
        async with closing(segment.open()) as chunks:
            async for chunk in chunks:
                held += chunk
                cut = len(held) > LARGEST_SEGMENT
                if cut:
                    break
        offset = max(0.0, (at - segment.span.start).total_seconds())
        arguments = (str(offset), segment.container, *(["cut"] if cut else []))
        output = await answer_of(
            "services.recorders.snapshot_process", *arguments, given=held, seconds=TIMEOUT, largest=LARGEST
        )
        if output:
            return output
        large = large or cut
    if large:
        raise OutOfReach(f"The recording at {at.isoformat()} is too large to be read for one picture.")
    raise NothingRecorded(f"No picture can be decoded at {at.isoformat()}.")
