"""A start that waits for what it needs: alive, not ready, and ended by a signal or by what a wait does not mend."""

import asyncio
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path

import httpx
import pytest

from services.app import waiting_start
from services.app.container import Container, open_container
from services.cli import processes
from services.runtime.errors import Retryable
from services.runtime.jobs.failures import Backoff
from services.runtime.settings import Settings

ANSWERS = 15  # seconds


class Attempts:
    """Opens a container at the third try."""

    def __init__(self, folder: Path, seen: Callable[[], None] = lambda: None, last: Exception | None = None) -> None:
        self.folder, self.seen, self.last = folder, seen, last
        self.made = 0

    def __call__(self) -> Container:
        self.made += 1
        if self.made < 3:
            self.seen()
            raise Retryable("the database did not answer | postgres:5432", away="database")
        if self.last is not None:
            raise self.last
        return open_container(Settings.load(data_dir=self.folder))


INSTANT = timedelta(microseconds=1)
AT_ONCE = Backoff(first=INSTANT, longest=INSTANT, jitter=0)
DOWN = Retryable("the database did not answer | postgres:5432", away="database")


async def test_a_start_waits_for_the_database_alive_and_not_ready(tmp_path: Path, free_port: int) -> None:
    settings = Settings.load(data_dir=tmp_path, health={"port": free_port})
    told: list[tuple[int, int, str]] = []

    def look() -> None:
        with httpx.Client(base_url=f"http://127.0.0.1:{free_port}", timeout=ANSWERS) as client:
            ready = client.get("/readyz")
            told.append((client.get("/livez").status_code, ready.status_code, ready.json()["unready"]["start"]))

    attempt = Attempts(tmp_path, look)
    container = await waiting_start.open_when_back(settings, attempt, DOWN, AT_ONCE)

    assert container is not None
    assert attempt.made == 3
    assert told == [(200, 503, "the database did not answer | postgres:5432")] * 2
    container.database.close()


async def test_a_wrong_password_ends_the_wait_with_its_sentence(tmp_path: Path) -> None:
    settings = Settings.load(data_dir=tmp_path, health={"port": 0})
    wrong = Retryable("the database did not answer | password authentication failed")
    with pytest.raises(ExceptionGroup) as group:
        await waiting_start.open_when_back(settings, Attempts(tmp_path, last=wrong), DOWN, AT_ONCE)
    assert group.value.exceptions == (wrong,)


async def test_a_signal_ends_the_wait(tmp_path: Path) -> None:
    settings = Settings.load(data_dir=tmp_path, health={"port": 0})
    once = Backoff(first=INSTANT, factor=1e12, longest=timedelta(hours=1), jitter=0)
    attempt = Attempts(tmp_path, lambda: os.kill(os.getpid(), signal.SIGTERM))
    async with asyncio.timeout(ANSWERS):
        assert await waiting_start.open_when_back(settings, attempt, DOWN, once) is None
    assert attempt.made == 1


def test_every_process_waits_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    attempt = Attempts(tmp_path)

    @contextmanager
    def locked(_settings: Settings, *, apart: bool) -> Iterator[Container]:
        assert apart
        yield attempt()

    monkeypatch.setattr(processes, "locked_container", locked)
    monkeypatch.setattr(waiting_start, "open_when_back", partial(waiting_start.open_when_back, backoff=AT_ONCE))
    with processes._opened(Settings.load(data_dir=tmp_path, health={"port": 0}), apart=True) as container:
        assert attempt.made == 3
        container.database.close()
