"""Serve evidence packages as JSON: ask for one, approve it, fetch it, also in ranges (R2, R28, R47, R58)."""

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Request
from fastapi.responses import Response, StreamingResponse

from services.database.listing import Listing
from services.database.tables.evidence_packages import EvidencePackage, PackageFetch
from services.database.unit_of_work import Actor, Database, UnitOfWork
from services.domain.accounts.signatures.http import signed
from services.domain.custody import footage_reader
from services.domain.custody.api.footage import PRIVATE, Vault, address
from services.domain.packages import checking, queries, service
from services.domain.packages.schemas import ApprovalBody, FetchAnswer, PackageBody, PackagesAnswer, PackageView
from services.domain.packages.service import Asked
from services.runtime.threads import run_in_thread
from services.verifier.layout import file_name
from services.web import ranges
from services.web.dependencies import GivenDatabase, GivenLogKeys, GivenTrustedRoots
from services.web.errors import USUAL, problems, problems_beside
from services.web.identity import Acting, Lasting
from services.web.schemas import Identifier, PageParameters

router = APIRouter(prefix="/api", tags=["cases"])
ZIP = "application/zip"
PARTS: dict[int | str, dict[str, Any]] = {
    200: {"description": "The package, a ZIP", "content": {ZIP: {}}},
    206: {"description": "The range that was asked for", "content": {ZIP: {}}},
    416: {"description": "The range lies outside the package; Content-Range says how long it is"},
}


@dataclass(frozen=True)
class Desk:
    """What handing out a package needs: the store with its keys, and whose seal and log it has to name."""

    vault: Annotated[Vault, Depends()]
    log_keys: GivenLogKeys
    trusted: GivenTrustedRoots


@router.get("/packages", responses=problems(401, 403))
async def list_packages(
    actor: Acting, database: GivenDatabase, asked: Annotated[PageParameters, Query()]
) -> PackagesAnswer:
    """List the packages that you have asked for or may approve, the newest first."""
    listing = Listing(sort="asked", descending=True, limit=asked.limit, place=asked.place)
    page = await database.read(actor, queries.list_seen, listing)
    return PackagesAnswer(packages=page.lines, next=page.next, previous=page.previous)


@router.post("/packages", status_code=201, responses=problems(*USUAL))
async def ask_for_package(
    body: PackageBody, actor: Acting, database: GivenDatabase, log_keys: GivenLogKeys
) -> PackageView:
    """Ask for the evidence package of a case. With footage in clear a second person has to approve it first."""
    package_id = await ask(database, actor, body, log_keys)
    return await database.read(actor, queries.get, package_id)


@router.get("/packages/{package_id}", responses=problems(401, 404))
async def read_package(package_id: Identifier, actor: Acting, database: GivenDatabase) -> PackageView:
    """Return a package: how far its making has come, its hash, and the fingerprints to compare."""
    return await database.read(actor, queries.get, package_id)


@router.post("/packages/{package_id}/approval", responses=signed(*USUAL))
async def decide_package(
    package_id: Identifier, body: ApprovalBody, actor: Acting, database: GivenDatabase
) -> PackageView:
    """Approve or refuse a package with footage in clear, as its second person."""

    def act(uow: UnitOfWork) -> PackageView:
        service.decide(uow, package_id, body.outcome, body.reason, body.proof())
        uow.session.flush()
        return queries.get(uow, package_id)

    return await database.run(actor, act)


@router.post("/packages/{package_id}/fetches", status_code=201, responses=problems(*USUAL))
async def fetch_package(
    package_id: Identifier,
    request: Request,
    actor: Acting,
    database: GivenDatabase,
    desk: Annotated[Desk, Depends()],
) -> FetchAnswer:
    """Put on record that you fetch the package; what comes back says where it is read."""
    fetch = await list_fetch(database, desk, actor, package_id, caller=address(request))
    return FetchAnswer(
        id=fetch.id, package_id=package_id, asked_at=fetch.asked_at, content=f"/api/package-fetches/{fetch.id}/content"
    )


@router.get(
    "/package-fetches/{fetch_id}/content",
    responses={**PARTS, **problems_beside(401, 403, 404, 409)},
    response_class=StreamingResponse,
)
async def read_content(
    fetch_id: Identifier,
    lasting: Lasting,
    database: GivenDatabase,
    vault: Annotated[Vault, Depends()],
    asked: Annotated[str | None, Header(alias="Range")] = None,
    *,
    if_range: Annotated[str | None, Header(alias="If-Range")] = None,
) -> Response:
    """Return the package, or a range of its bytes: a transfer that broke off goes on. Each request is on record."""
    actor = lasting.actor
    row = await database.read(actor, service.get_fetch, fetch_id)
    number = await database.read(actor, lambda uow: queries.get(uow, row.id).number)
    sealed = row.sealed or {}
    size: int = sealed["plainSize"]
    tag = f'"{sealed["sha256Plain"]}"'
    headers = {
        **PRIVATE,
        "Accept-Ranges": "bytes",
        "ETag": tag,
        "Content-Disposition": f'attachment; filename="{file_name(number)}.zip"',
    }
    try:
        part = ranges.parse(asked if if_range in (None, tag) else None, size)
    except ranges.Unsatisfiable:
        return Response(status_code=416, headers={**headers, "Content-Range": f"bytes */{size}"})
    start, end = (part.start, part.end) if part else (0, size)
    reader = await footage_reader.open_copy(vault.store, vault.loan_keys, str(row.attempt_id), sealed)
    await database.run(actor, service.start_reading, fetch_id, start, end)

    async def check(offset: int, length: int) -> object:
        return await lasting.run(database, service.continue_reading, fetch_id, last=offset + length >= size)

    headers["Content-Length"] = str(end - start)
    if part is not None:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    body = footage_reader.read_range(reader, start, end, check)
    return StreamingResponse(body, 206 if part else 200, headers=headers, media_type=ZIP)


async def ask(database: Database, actor: Actor, body: PackageBody, log_keys: GivenLogKeys) -> str:
    """Ask for a package; return its id."""
    keys = [key.vkey for key in await run_in_thread(log_keys)]
    asked = Asked(**body.model_dump())
    return await database.run(actor, lambda uow: service.ask(uow, asked, keys).id)


async def list_fetch(database: Database, desk: Desk, actor: Actor, package_id: str, *, caller: str) -> PackageFetch:
    """Check the package itself, then enter that it is fetched; Refused where either is not as it has to be."""
    row = await database.read(actor, _fetchable, package_id)
    reader = await footage_reader.open_copy(
        desk.vault.store, desk.vault.loan_keys, str(row.attempt_id), row.sealed or {}
    )
    await run_in_thread(checking.require_own, row, reader, desk.log_keys(), desk.trusted())
    return await database.run(actor, service.list_fetch, package_id, address=caller)


def _fetchable(uow: UnitOfWork, package_id: str) -> EvidencePackage:
    row, application = service.get(uow, package_id)
    refused = service.fetch_refusal(uow, row, application)
    if refused is not None:
        raise refused
    return row
