"""``python held_worker.py FOOTAGE-DESK …``: the program whose recorders never come to an end.

Each file that is fetched gives its first bytes, a line is printed, and the rest does not come.
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from typing import Any

from services.cli import main as cli_main
from services.recorders.folder.recorder import FolderRecorder

given = FolderRecorder._bytes


async def held(self: FolderRecorder, *arguments: Any) -> AsyncIterator[bytes]:
    async for piece in given(self, *arguments):
        yield piece[: max(len(piece) // 2, 1)]
        print(f"fetching {arguments[0].path.name}.", flush=True)  # noqa: T201
        await asyncio.Event().wait()


if __name__ == "__main__":
    FolderRecorder._bytes = held  # type: ignore[method-assign,assignment]
    cli_main.app(sys.argv[2:])
