"""A disk that is nearly full is not ready, and the log says it once."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
from structlog.testing import capture_logs

from services.runtime.disk_space import DiskSpace


async def test_a_full_disk_is_reported_at_each_check_and_logged_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = 100
    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: SimpleNamespace(free=free))
    disk = DiskSpace(tmp_path, least_free=1000)

    with capture_logs() as logs:
        answers = [await disk.check(), await disk.check()]
        free = 2000
        answers += [await disk.check(), await disk.check()]

    assert [answer is not None and "enlarge it" in answer for answer in answers] == [True, True, False, False]
    assert [line["event"] for line in logs] == ["the disk is nearly full", "the disk has room again"]
