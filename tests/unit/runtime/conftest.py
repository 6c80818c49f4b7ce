"""What the runtime's tests share: an environment without settings, a gateway from a script, a channel to it."""

import os
from collections.abc import AsyncIterator

import grpc
import pytest
from fake_gateway import FakeGateway, running_gateway

from services.runtime.channel import open_channel
from services.runtime.settings import Settings


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("FOOTAGE_DESK_", "ZEEBE_", "CAMUNDA_")):
            monkeypatch.delenv(name)


@pytest.fixture
async def gateway() -> AsyncIterator[FakeGateway]:
    async with running_gateway() as gateway:
        yield gateway


@pytest.fixture
async def channel(gateway: FakeGateway) -> AsyncIterator[grpc.aio.Channel]:
    async with open_channel(Settings.load(zeebe_address=gateway.address)) as channel:
        yield channel
