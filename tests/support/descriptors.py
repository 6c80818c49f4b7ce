"""What the descriptors of a process are open on, by Linux's ``/proc``."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path


def targets(pid: int | str = "self") -> Iterator[str]:
    """Each descriptor's file, pipe or socket; one that is closed meanwhile is left out."""
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            yield str(link.readlink())
