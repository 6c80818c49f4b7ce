"""What a recorder gave, taken through the clip to the verdict, as retrieve-footage does."""

from typing import Any

from vault_bench import Bench

from services.recorders.base import Recorder
from services.runtime.spans import Span
from services.vault.sealing import Sealed


async def judged(bench: Bench, recorder: Recorder, asked: Span, channel: str = "cam1", **changes: Any) -> Sealed:
    """The sealed object with its outcome; raises what the verdict raises."""
    promised = await recorder.coverage(channel, asked)
    segments = [segment async for segment in recorder.fetch(channel, asked)]
    return await bench.seal(asked, segments, promised=promised, channel=channel, **changes)
