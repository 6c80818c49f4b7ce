"""Run work in a confined process, which can only read and write its pipes (``services.runtime.confine``)."""

import asyncio
import sys
from typing import IO

from services.runtime.confine import clean_environment


async def answer_of(module: str, *arguments: str, given: bytes | bytearray | IO[bytes], seconds: float) -> bytes:
    """Return the output of ``python -m module arguments`` for ``given``; empty if it fails or times out."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-m", module, *arguments),
        stdin=asyncio.subprocess.PIPE if isinstance(given, (bytes, bytearray)) else given,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=clean_environment(),
    )
    try:
        async with asyncio.timeout(seconds):
            output, _ = await process.communicate(given if isinstance(given, (bytes, bytearray)) else None)
    except TimeoutError:
        return b""
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return output if process.returncode == 0 else b""
