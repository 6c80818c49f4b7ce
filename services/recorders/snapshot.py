"""One picture out of a segment on disk, decoded in a process that can do nothing else."""

import asyncio
import sys
from datetime import timedelta
from pathlib import Path

from services.recorders.base import NothingRecorded
from services.runtime.confine import clean_environment
from services.runtime.threads import run_in_thread

TIMEOUT = 30.0
LARGEST = 32 << 20


async def picture(path: Path, offset: timedelta) -> bytes:
    """The picture shown ``offset`` after the start of the segment, as JPEG.

    Raises NothingRecorded where the segment does not decode there, and OSError.
    """
    with await run_in_thread(path.open, "rb") as file:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-m", "services.recorders.snapshot_process", str(offset.total_seconds())),
            stdin=file,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env=clean_environment(),
        )
        try:
            async with asyncio.timeout(TIMEOUT):
                output, _ = await process.communicate()
        except TimeoutError:
            output = b""
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
    if not output or len(output) > LARGEST:
        raise NothingRecorded(f"No picture of {path.name} can be decoded {offset} after its start.")
    return output
