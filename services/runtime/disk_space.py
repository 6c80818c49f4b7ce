"""Readiness and one log line when the data folder's disk is nearly full."""

import shutil
from pathlib import Path

from services.runtime.logs import get_logger

log = get_logger(__name__)

LEAST_FREE = 256 << 20  # bytes; below it a commit or a sealed object may fail at any moment


class DiskSpace:
    """Checks the disk of ``folder``; logs once when it becomes full, and once when there is room again."""

    def __init__(self, folder: Path, *, least_free: int = LEAST_FREE) -> None:
        self._folder = folder
        self._least_free = least_free
        self._is_full = False

    async def check(self) -> str | None:
        """Return a sentence if fewer than ``least_free`` bytes are free, for ``Health.checks``."""
        free = shutil.disk_usage(self._folder).free
        is_full, was_full = free < self._least_free, self._is_full
        self._is_full = is_full
        sentence = (
            f"the disk of {self._folder} has {free >> 20} MiB free: delete what is not the product's, or enlarge it; "
            "nothing is lost, but jobs whose retries are used up meanwhile become incidents"
        )
        if is_full and not was_full:
            log.error("the disk is nearly full", folder=str(self._folder), free_mib=free >> 20)
        if was_full and not is_full:
            log.info("the disk has room again", folder=str(self._folder), free_mib=free >> 20)
        return sentence if is_full else None
