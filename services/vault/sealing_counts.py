"""What a sealing tells while it runs, to the metrics and to who waits for it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from services.runtime import metrics
from services.vault.clip.client import Clip
from services.vault.coverage import FootageMissing, FootageUnreadable


@contextmanager
def outcome_counted() -> Iterator[None]:
    """Count what did not come to a sealed object; work that is called off counts as nothing."""
    try:
        yield
    except FootageMissing:
        metrics.SEALINGS.labels("missing").inc()
        raise
    except FootageUnreadable:
        metrics.SEALINGS.labels("unreadable").inc()
        raise
    except Exception:
        metrics.SEALINGS.labels("failed").inc()
        raise


def bytes_counted(clip: Clip, progress: Callable[[int, float], None]) -> Callable[[int], None]:
    """What to tell of more bytes of the clip; it tells all that came, and how much of the asked span that is."""
    size = 0
    length = clip.asked.duration / timedelta(milliseconds=1) or 1.0

    def moved(more: int) -> None:
        nonlocal size
        size += more
        metrics.BYTES_MOVED.inc(more)
        reached = clip.fragments[-1].time_ms if clip.fragments else 0
        progress(size, min(1.0, reached / length))

    return moved
