"""A portal that runs in this process as ``footage-desk portal`` runs it, on PostgreSQL, with the demo's people."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx

from services.app import server
from services.app.container import Container, use_models
from services.app.server import Addresses, Roles
from services.database import schema as database_schema
from services.database.unit_of_work import Actor
from services.demo import organisation
from services.domain.wiring import open_database
from services.engine.server import EngineServer
from services.runtime.clock import SystemClock
from services.runtime.rules import rules_of
from services.runtime.settings import Settings
from services.runtime.settings.stores import FolderStore
from services.vault.keys.fingerprints import PORTAL_KEY
from services.vault.keys.secret_box import KeyFileBox
from services.vault.keys.vault_keys import LoanKeys
from services.vault.store.opening import open_store

BOUND_SECONDS = 60.0


@dataclass
class RunningPortal:
    """``running`` is its task; ``http`` asks it as the drafter, who is signed in."""

    container: Container
    addresses: Addresses
    running: "asyncio.Task[None]"
    http: httpx.AsyncClient

    async def health(self, path: str) -> httpx.Response:
        async with httpx.AsyncClient(timeout=BOUND_SECONDS) as client:
            return await client.get(self.addresses.health + path)

    async def ready(self) -> None:
        """Ask until it is ready."""
        async with asyncio.timeout(BOUND_SECONDS):
            while (await self.health("/readyz")).status_code != 200:
                pass

    async def draft(self) -> httpx.Response:
        """Draft an application; the answer has its ``id``."""
        start = datetime.now(UTC) - timedelta(hours=2)
        span = {"start": start.isoformat(), "end": (start + timedelta(minutes=5)).isoformat(), "zone": "UTC"}
        form = {
            "reason": "仓库北门附近发生碰撞，需要查明经过。",
            "purpose": "查明事故原因。",
            "purposeCategory": "accident",
            "legalBasis": "internal-management",
            "placeOfUse": "会议室",
            "requestedUseDays": 10,
            "items": [{"cameraId": organisation.demo_id("cam1"), **span}],
        }
        return await self.http.post("/api/applications", json=form)


@asynccontextmanager
async def run_portal(url: str, root: Path, **settings: Any) -> AsyncIterator[RunningPortal]:
    """Run it on the database at ``url``; ``settings`` are the product's own."""
    loaded = Settings.load(
        **{
            "data_dir": root / "var",
            "database_url": url,
            "rules.max_use_days": 30,
            "portal.second_factor": "nobody",
            "portal.port": 0,
            "health.port": 0,
            **settings,
        }
    )
    loaded.data_dir.mkdir(parents=True)
    clock = SystemClock()
    stores = [open_store(FolderStore(root / name, name), clock) for name in ("store", "replica")]
    for store in stores:
        store.ensure()
    database = open_database(
        url, clock, rules_of(loaded), secrets=KeyFileBox(loaded.keys / PORTAL_KEY), connections=loaded.database
    )
    database_schema.migrate(database.engine)
    database.run_now(Actor("system", "test"), organisation.seed_demo, root / "recorder")
    use_models(loaded.models_dir)
    container = Container(loaded, clock, database, LoanKeys(loaded.keys / "loans"), *stores)
    ready: asyncio.Future[Addresses] = asyncio.get_running_loop().create_future()

    async def tell(addresses: Addresses) -> None:
        ready.set_result(addresses)

    engine = EngineServer(None, clock, loaded.gateway_address)
    running = asyncio.create_task(server.run(container, Roles(portal=True, relay=True), tell, engine=engine))
    try:
        await asyncio.wait({running, ready}, return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            await running
        addresses = await ready
        assert addresses.portal is not None
        async with httpx.AsyncClient(base_url=addresses.portal, timeout=BOUND_SECONDS) as http:
            for _ in range(50):  # its tasks have the few connections at the start, and each try waits for one
                me = await http.post("/api/login", json={"login": "lina", "password": "demo-lina"})
                if me.status_code != HTTPStatus.SERVICE_UNAVAILABLE:
                    break
            assert me.status_code == 200, me.text
            http.headers["X-CSRF-Token"] = me.json()["csrfToken"]
            yield RunningPortal(container, addresses, running, http)
            assert not running.done()
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
        database.close()
