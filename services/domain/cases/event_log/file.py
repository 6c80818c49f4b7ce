"""The file of an event log: there whole, or not at all, and for its owner alone."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from services.runtime.errors import Fatal


@contextmanager
def new_file(target: Path) -> Iterator[BinaryIO]:
    """Open a file, mode 0600, that gets its name when the block succeeds; else nothing remains.

    Raises Fatal if ``target`` exists or cannot be written.
    """
    if target.exists():
        raise Fatal(f"no log was written | {target} | it exists | name another file, or move that one away")
    partial = target.with_name(f".{target.name}.partial")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        partial.unlink(missing_ok=True)  # left by a run that was killed
        with open(partial, "xb", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
            yield file
        partial.rename(target)
    except OSError as error:
        reason = error.strerror or str(error)
        raise Fatal(f"no log was written | {target} | {reason} | make room there, or name another file") from error
    finally:
        partial.unlink(missing_ok=True)
