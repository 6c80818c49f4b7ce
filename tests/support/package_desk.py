"""A desk with a portal and, apart from it, the part that makes evidence packages."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
from built_portal import portal_over
from case_people import People
from demo_container import Places
from evidence_case import lend
from fastapi import FastAPI
from whole_desk import open_desk
from whole_footage import MADE_FOR, Footage

from services.app.evidence import sources_of
from services.database.tables.evidence_packages import EvidencePackage
from services.domain.accounts.signatures.given import Proof
from services.domain.audit import checkpoints
from services.domain.audit.checkpoint_publisher import CheckpointPublisher
from services.domain.packages import service
from services.domain.packages.service import Asked
from services.domain.wiring import open_database
from services.evidence.maker import PackageMaker
from services.runtime.rules import rules_of
from services.vault.keys.log_key import FOLDER, ensure_log_key
from services.vault.keys.secret_box import KeyFileBox

HOUR = timedelta(hours=1)


class PackageDesk(People):
    """With the part that makes packages, which has neither the portal's key nor that of the audit trail."""

    case = number = ""

    async def begin(self) -> None:
        ensure_log_key(self.settings.keys / FOLDER)
        self.sources = sources_of(self.container)
        self.log_head = CheckpointPublisher(
            self.database, self.sources.log_key, self.container.store, every=HOUR, anchor_every=HOUR
        )
        self.apart = open_database(
            self.settings.database_address,
            self.clock,
            rules_of(self.settings),
            secrets=KeyFileBox(self.settings.data_dir / "no-such-key"),
        )
        for database in (self.database, self.apart):
            database.on(checkpoints.WANTED, self.log_head.wake)
        self.case = await lend(self, self.sources, ("cam1",))
        self.number = str(self.application(self.case).number)
        vault = self.container.vault_keys
        self.maker = PackageMaker(
            self.apart, self.container.store, self.container.loan_keys, lambda: vault, lambda: self.container.signer
        )

    async def ask(self, by: str, footage: str = "hash", **changes: str) -> EvidencePackage:
        asked = {"recipient_kind": "authority", "recipient": "某某公安分局", "reason": "案件移送需要"} | changes
        keys = [key.vkey for key in self.sources.log_keys]
        named: dict[str, Any] = {"number": self.number, "footage": footage, **asked}
        row: EvidencePackage = await self.as_person(by, service.ask, Asked(**named), keys)
        return row

    async def approve(self, by: str, row: EvidencePackage, outcome: str = "approved", reason: str = "") -> None:
        await self.as_person(by, service.decide, row.id, outcome, reason, Proof("", f"demo-{by}"))

    async def made(self, by: str, footage: str = "hash") -> EvidencePackage:
        row = await self.ask(by, footage)
        await self.maker.run()
        return self.package(row.id)

    def package(self, package_id: str) -> EvidencePackage:
        return self.look(lambda uow: uow.session.get_one(EvidencePackage, package_id))

    def app(self) -> FastAPI:
        given = self.container.for_portal
        # the engine belongs to the loop of the desk, and a portal may have another
        return portal_over({name: given[name] for name in given if not name.startswith("engine")})

    @asynccontextmanager
    async def portal(self, login: str) -> AsyncIterator[httpx.AsyncClient]:
        """The API as a signed-in person uses it."""
        transport = httpx.ASGITransport(self.app())
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost:8080") as client:
            answer = await client.post("/api/login", json={"login": login, "password": f"demo-{login}"})
            client.headers["X-CSRF-Token"] = answer.json()["csrfToken"]
            yield client


@asynccontextmanager
async def opened(
    tmp_path: Path, footage: Footage, books: Path | None = None, *, database_url: str | None = None
) -> AsyncIterator[PackageDesk]:
    places = Places(tmp_path, footage, database=books, database_url=database_url)
    async with open_desk(PackageDesk, places, moment=MADE_FOR) as desk:
        await desk.begin()
        signing = asyncio.create_task(desk.log_head.run())
        try:
            yield desk
        finally:
            signing.cancel()
            await asyncio.gather(signing, return_exceptions=True)
            desk.apart.close()
