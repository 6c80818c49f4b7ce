"""``worker``, ``portal``, ``deploy`` and ``resolve`` find the engine's socket by the data folder."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from review_desk import ReviewDesk
from typer.testing import CliRunner

from services.cli import main as cli_main
from services.cli import processes
from services.engine.clock import SystemClock
from services.engine.server import EngineServer
from services.runtime.settings import Settings


class Opened(Exception):
    """The command would start now."""


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Settings]:
    """The settings of the commands that would open something."""
    opened: list[Settings] = []

    @contextmanager
    def catch(settings: Settings, *, apart: bool = False) -> Iterator[None]:
        opened.append(settings)
        raise Opened
        yield

    monkeypatch.setattr(processes, "_opened", catch)
    monkeypatch.setenv("FOOTAGE_DESK_DATA_DIR", str(tmp_path))
    monkeypatch.delenv("ZEEBE_ADDRESS", raising=False)
    return opened


async def test_an_engine_apart_is_found_by_its_socket(seen: list[Settings], tmp_path: Path) -> None:
    address = f"unix:{tmp_path}/engine/gateway.socket"
    ReviewDesk(f"sqlite:///{tmp_path / 'database.sqlite3'}").close()  # models are deployed on record
    engine = EngineServer(tmp_path / "engine", SystemClock(), address)
    before = CliRunner().invoke(cli_main.app, ["worker", "open-case"])
    await engine.start()
    try:
        for command in (["worker", "open-case"], ["portal"]):
            await asyncio.to_thread(CliRunner().invoke, cli_main.app, command)
        deployed = await asyncio.to_thread(CliRunner().invoke, cli_main.app, ["deploy"])
        resolved = await asyncio.to_thread(CliRunner().invoke, cli_main.app, ["resolve", "1"])
    finally:
        await engine.stop()

    assert (before.exit_code, "ZEEBE_ADDRESS is not set" in before.stderr) == (2, True)
    assert [settings.zeebe_address for settings in seen] == [address] * 2
    assert not any(settings.embedded for settings in seen)
    assert "review version 1" in deployed.stdout
    assert "NOT_FOUND" in resolved.stderr
