"""What the installation writes into its log, as it would stand there."""

import io
import logging
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from services.runtime.logs import configure_logs


@contextmanager
def written_logs(level: str = "debug") -> Iterator[io.StringIO]:
    """Everything that is logged inside the block, one JSON object a line."""
    root = logging.getLogger()
    handlers, before = root.handlers[:], root.level
    out = io.StringIO()
    configure_logs(level, "json", out)
    try:
        yield out
    finally:
        root.handlers[:] = handlers
        root.setLevel(before)
        structlog.reset_defaults()
