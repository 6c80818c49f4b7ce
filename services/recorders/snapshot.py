"""One picture out of a segment on disk, decoded in a process that can do nothing else."""

from datetime import timedelta
from pathlib import Path

from services.recorders.base import NothingRecorded
from services.runtime.confined import answer_of
from services.runtime.threads import run_in_thread

TIMEOUT = 30.0
LARGEST = 32 << 20


async def picture(path: Path, offset: timedelta) -> bytes:
    """The picture shown ``offset`` after the start of the segment, as JPEG.

    Raises NothingRecorded where the segment does not decode there, and OSError.
    """
    with await run_in_thread(path.open, "rb") as file:
        output = await answer_of(
            "services.recorders.snapshot_process", str(offset.total_seconds()), given=file, seconds=TIMEOUT
        )
    if not output or len(output) > LARGEST:
        raise NothingRecorded(f"No picture of {path.name} can be decoded {offset} after its start.")
    return output
