"""Serve disclosures: what was allowed, its files, and the receipt (R57, R58)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import StreamingResponse

from services.database.tables.derivatives import Derivative
from services.database.tables.disclosures import DisclosureDownload
from services.database.unit_of_work import Actor, Database, UnitOfWork
from services.domain.cases.document_layouts import render_pdf
from services.domain.custody import download_archive, download_contents, footage_reader
from services.domain.custody.api.downloads import FILES, archive_of, attached
from services.domain.custody.api.footage import Vault, address
from services.domain.custody.download_contents import Contents
from services.domain.custody.download_password import password_of
from services.domain.disclosures import papers, queries, service
from services.domain.disclosures.schemas import DisclosureView, FetchedAnswer, ReceiptBody
from services.domain.documents import service as document_service
from services.runtime.errors import Refused
from services.runtime.threads import run_in_thread
from services.vault.labels import label_key
from services.web.dependencies import GivenDatabase
from services.web.errors import USUAL, problems, problems_beside
from services.web.identity import Acting, Lasting
from services.web.schemas import Identifier

router = APIRouter(prefix="/api", tags=["matters"])


@dataclass(frozen=True)
class Given:
    """What a file's ZIP is made of: its contents, the number of the list, and the list as PDF."""

    contents: Contents
    number: str
    listed: bytes


@router.get("/disclosures/{matter_id}", responses=problems(401, 404))
async def read_disclosure(matter_id: Identifier, actor: Acting, database: GivenDatabase) -> DisclosureView:
    """Return what the matter has allowed to be handed out."""
    return await database.read(actor, queries.get, matter_id)


@router.post("/disclosures/{matter_id}/files/{copy_id}", status_code=201, responses=problems(*USUAL))
async def fetch_file(
    matter_id: Identifier,
    copy_id: Identifier,
    request: Request,
    *,
    actor: Acting,
    database: GivenDatabase,
    vault: Annotated[Vault, Depends()],
) -> FetchedAnswer:
    """List a file that Security fetches to hand it out; each is on record."""
    row, password = await list_file(database, vault, actor, matter_id, copy_id, caller=address(request))
    return FetchedAnswer(
        id=row.id,
        copy_id=copy_id,
        opens_with=row.opens_with,  # type: ignore[arg-type]  # the table has the three
        password=password,
        asked_at=row.asked_at,
        content=f"/api/disclosure-files/{row.id}/content",
    )


@router.get(
    "/disclosure-files/{download_id}/content",
    responses={**FILES, **problems_beside(401, 403, 404, 409)},
    response_class=StreamingResponse,
)
async def read_file(
    download_id: Identifier, lasting: Lasting, database: GivenDatabase, vault: Annotated[Vault, Depends()]
) -> StreamingResponse:
    """Return the listed file in a ZIP with the list, labels, hashes and the verifier; whole, never in ranges."""
    actor = lasting.actor
    row, handed = await database.run(actor, service.start_download, download_id)
    given = await database.read(actor, _given, row)
    reader = await footage_reader.open_copy(vault.store, vault.loan_keys, handed.key_id, handed.sealed)

    async def check(_offset: int, _length: int) -> None:
        await lasting.run(database, service.continue_download, download_id, last=False)

    async def finish() -> None:
        await lasting.run(database, service.continue_download, download_id, last=True)

    def beside(label: bytes, sheet: bytes) -> Mapping[str, bytes]:
        return papers.papers(given.contents, number=given.number, label=label, sheet=sheet, list_pdf=given.listed)

    password = None if row.opens_with == "medium" else password_of(reader, row.id)
    archive, source = await run_in_thread(archive_of, vault, given.contents, reader, password, beside)
    length = download_archive.length(archive, source.size)
    body = footage_reader.send_whole(download_archive.send(archive, source, check), finish)
    return attached(body, f"{given.contents.name}.zip", length, download_archive.MEDIA_TYPE)


@router.post("/disclosures/{matter_id}/receipt", responses=problems(*USUAL))
async def record_receipt(
    matter_id: Identifier, body: ReceiptBody, actor: Acting, database: GivenDatabase
) -> DisclosureView:
    """Record that the people named have signed the list; where nothing is kept, the loan ends."""

    def act(uow: UnitOfWork) -> DisclosureView:
        service.record_receipt(
            uow, matter_id, outsider_ids=body.outsider_ids, attachment_id=body.attachment_id, note=body.note
        )
        return queries.get(uow, matter_id)

    return await database.run(actor, act)


async def list_file(
    database: Database, vault: Vault, actor: Actor, matter_id: str, copy_id: str, *, caller: str
) -> tuple[DisclosureDownload, str | None]:
    """List the file; return it with its password, which is never said again."""
    row = await database.run(actor, service.list_download, matter_id, copy_id, address=caller)
    if row.opens_with == "medium":
        return row, None
    handed = await database.read(actor, service.file_of, row.id)
    reader = await footage_reader.open_copy(vault.store, vault.loan_keys, handed.key_id, handed.sealed)
    return row, password_of(reader, row.id)


def _given(uow: UnitOfWork, row: DisclosureDownload) -> Given:
    handing = service.of_download(uow, row)
    contents = download_contents.of_copy(
        uow, row.copy_id, handing.hand_over.id, opens_with=row.opens_with, listed_at=row.asked_at
    )
    derived = service.file_of(uow, row.id).derived
    if derived is not None:
        contents = _redacted(uow, contents, derived)
    listed = document_service.by_number(uow, handing.matter.number)
    if listed is None:
        raise Refused("list-missing", "The list of what is provided is missing: report this to the administrator.")
    pdf = render_pdf(listed.kind, listed.number, listed.content, listed.sha256, listed.made_at)
    return Given(contents, handing.matter.number, pdf)


def _redacted(uow: UnitOfWork, contents: Contents, row: Derivative) -> Contents:
    """Return the same of the redacted copy: its own hash, its label, and the record of its making as its sheet."""
    sealed = row.sealed or {}
    coverage = sealed["coverage"]
    return replace(
        contents,
        name=f"{contents.name}_redacted",
        ending="mov" if any(part.get("container") == "mov" for part in coverage["parts"]) else "mp4",
        size=sealed["plainSize"],
        sha256=sealed["sha256Plain"],
        codecs=tuple(coverage["codecs"]),
        parts=len(coverage["parts"]),
        first=datetime.fromisoformat(coverage["firstFrame"]),
        last=datetime.fromisoformat(coverage["lastFrame"]),
        label=document_service.of_subject(uow, "redaction", row.matter_id),
        signed_label=(sealed["bucket"], label_key(sealed["key"])),
        derived=True,
    )
