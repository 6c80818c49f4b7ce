"""What a recorder gave, taken through the clip to the verdict, as retrieve-footage does; and that it refused."""

from typing import Any

import pytest
from vault_bench import Bench

from services.recorders.protocol import Recorder, RecorderDown
from services.runtime.spans import Span
from services.vault.sealing import Sealed


async def judged(bench: Bench, recorder: Recorder, asked: Span, channel: str = "cam1", **changes: Any) -> Sealed:
    """The sealed object with its outcome; raises what the verdict raises."""
    promised = await recorder.coverage(channel, asked)
    segments = [segment async for segment in recorder.fetch(channel, asked)]
    return await bench.seal(asked, segments, promised=promised, channel=channel, **changes)


async def assert_login_refused(recorder: Recorder, channel: str, asked: Span, password: str) -> None:
    """It is told that the recorder does not take this password, without the password."""
    assert not (await recorder.probe()).reachable
    with pytest.raises(RecorderDown) as down:
        await recorder.coverage(channel, asked)
    assert down.value.code == "login"
    assert password not in str(down.value)
