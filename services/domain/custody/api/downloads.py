"""Downloads for use outside: asked for, listed for the attestation, sent under the grant (R41, R57, T2, T9)."""

from collections.abc import AsyncIterator, Callable, Mapping
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Request
from fastapi.responses import StreamingResponse
from pydantic import AfterValidator, Field

from services.database.tables.copies import Download
from services.database.unit_of_work import Actor, Database
from services.domain.cases.document_layouts import render_pdf
from services.domain.custody import (
    cover_sheet,
    download_archive,
    download_contents,
    download_folder,
    footage_reader,
    grants,
    viewings,
)
from services.domain.custody.api.footage import PRIVATE, Vault, address, run_allowed
from services.domain.custody.download_archive import Archive, Source
from services.domain.custody.download_contents import Contents
from services.domain.custody.download_password import password_of
from services.domain.custody.viewings import OpensWith
from services.runtime.errors import Refused
from services.runtime.threads import run_in_thread
from services.vault.age import Encryptor, Reader
from services.vault.store.protocol import StoreMissing
from services.web.dependencies import GivenDatabase
from services.web.errors import problems, problems_beside
from services.web.identity import Acting, Lasting
from services.web.schemas import Answer, Body, Identifier, Moment, one_line

router = APIRouter(prefix="/api", tags=["footage"])

Papers = Callable[[bytes, bytes], Mapping[str, bytes]]

FILES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "A ZIP, or the age file for an own key; whole, since ranges of it are not served",
        "content": {download_archive.MEDIA_TYPE: {}, "application/octet-stream": {}},
    },
}


class DownloadBody(Body):
    """``mediumNumber``: the medium of the register on which the file will be kept, and which is with you from then on;
    else ``medium`` says in words on which computer. ``opensWith``: what is there to open it.

    ``browser``: a ZIP with a page that opens the encrypted footage in a browser and saves it. ``archiver``: a ZIP with
    AES-256, for 7-Zip, WinRAR, Bandizip and their like. ``age-key``: an age file for ``recipient``, the custodian's
    own. Left out, it is ``age-key`` where a recipient is given, and else ``browser``.
    """

    medium: Annotated[str, Field(max_length=200), AfterValidator(one_line)] = ""
    medium_number: Annotated[str, Field(max_length=200), AfterValidator(one_line)] = ""
    opens_with: OpensWith | None = None
    recipient: Annotated[str, Field(max_length=100)] = ""

    @property
    def way(self) -> OpensWith:
        """What the file opens with, where nothing was chosen too."""
        return self.opens_with or ("age-key" if self.recipient else "browser")


class ListedDownloadAnswer(Answer):
    """A download that the attestation at the return must name; ``content`` is where the file is fetched.

    ``password`` opens it and is said here only: it is stored nowhere. Null where the custodian's own key opens it.
    """

    id: str
    copy_id: str
    medium: str
    opens_with: OpensWith
    password: str | None
    asked_at: Moment
    content: str


@router.post("/copies/{copy_id}/downloads", status_code=201, responses=problems(401, 403, 404))
async def ask_download(
    copy_id: Identifier,
    body: DownloadBody,
    request: Request,
    *,
    actor: Acting,
    database: GivenDatabase,
    vault: Annotated[Vault, Depends()],
) -> ListedDownloadAnswer:
    """List a download for use outside, where the approval grants one (T9); encrypted under a password or my own key."""
    row, password = await list_download(database, vault, actor, copy_id, body, caller=address(request))
    return ListedDownloadAnswer(
        id=row.id,
        copy_id=copy_id,
        medium=row.medium,
        opens_with=body.way,
        password=password,
        asked_at=row.asked_at,
        content=f"/api/downloads/{row.id}/content",
    )


@router.get(
    "/downloads/{download_id}/content",
    responses={**FILES, **problems_beside(401, 403, 404)},
    response_class=StreamingResponse,
)
async def read_download(
    download_id: Identifier, lasting: Lasting, database: GivenDatabase, vault: Annotated[Vault, Depends()]
) -> StreamingResponse:
    """Return the listed download; grant and session are checked before each stretch, and what ends opens as nothing."""
    actor = lasting.actor
    listed = await database.read(actor, viewings.get_listed, download_id)
    row, opened = await run_allowed(
        database,
        actor,
        listed.copy_id,
        "download",
        lambda: database.run(actor, viewings.start_download, download_id),
    )
    contents = await database.read(actor, download_contents.get, download_id)
    reader = await footage_reader.open_copy(vault.store, vault.loan_keys, row.copy_id, opened.sealed)

    async def check(_offset: int, _length: int) -> None:
        await lasting.run(database, viewings.continue_download, download_id, last=False)

    async def finish() -> None:
        await lasting.run(database, viewings.continue_download, download_id, last=True)

    if row.opens_with == "age-key":
        encryptor = Encryptor([row.recipient])
        body = footage_reader.send_whole(footage_reader.encrypt(reader, encryptor, check), finish)
        return attached(body, f"{contents.footage}.age", encryptor.size_of(reader.size), "application/octet-stream")

    def papers(label: bytes, sheet: bytes) -> Mapping[str, bytes]:
        return download_folder.papers(contents, label=label, sheet=sheet, cover=cover_sheet.render(contents))

    password = password_of(reader, download_id)
    archive, source = await run_in_thread(archive_of, vault, contents, reader, password, papers)
    length = download_archive.length(archive, source.size)
    body = footage_reader.send_whole(download_archive.send(archive, source, check), finish)
    return attached(body, f"{contents.name}.zip", length, download_archive.MEDIA_TYPE)


async def list_download(
    database: Database, vault: Vault, actor: Actor, copy_id: str, wish: DownloadBody, *, caller: str
) -> tuple[Download, str | None]:
    """List the download that is wished for; return it with its password, which is never said again."""
    reader = None
    if wish.way == "age-key":
        footage_reader.check_recipient(wish.recipient)
    else:
        opened = await run_allowed(
            database, actor, copy_id, "download", lambda: database.read(actor, grants.check, copy_id, "download")
        )
        reader = await footage_reader.open_copy(vault.store, vault.loan_keys, copy_id, opened.sealed)
    row = await run_allowed(
        database,
        actor,
        copy_id,
        "download",
        lambda: database.run(
            actor,
            viewings.list_download,
            copy_id,
            opens_with=wish.way,
            recipient=wish.recipient,
            medium=wish.medium,
            medium_number=wish.medium_number,
            address=caller,
        ),
    )
    return row, password_of(reader, row.id) if reader is not None else None


def archive_of(
    vault: Vault, contents: Contents, reader: Reader, password: str | None, papers: Papers
) -> tuple[Archive, Source]:
    """Return what is sent. Blocks. Raises Refused where the copy has lost its label.

    ``password``: None where the files are in clear. ``papers`` makes the small files, of the signed label and its PDF.
    """
    label = contents.label
    try:
        signed = b"".join(vault.store.get(*contents.signed_label))
    except StoreMissing:
        label = None
    if label is None:
        raise Refused("label-missing", "The label of the copy is missing: report the problem to Security.", status=500)
    sheet = render_pdf(label.kind, label.number, label.content, label.sha256, label.made_at)
    encryptor = Encryptor.for_passphrase(password) if password and contents.opens_with == "browser" else None
    archive = Archive(
        folder=contents.name,
        papers=papers(signed, sheet),
        footage=f"{contents.footage}.age" if encryptor else contents.footage,
        modified=contents.listed_at.astimezone(ZoneInfo(contents.zone)),
        password=None if encryptor else password,
    )
    return archive, Source(reader, contents.sha256, encryptor)


def attached(body: AsyncIterator[bytes], name: str, length: int, media_type: str) -> StreamingResponse:
    """Return a file that nothing between us and the reader may keep, and that is never sent in ranges."""
    headers = {
        **PRIVATE,
        "Content-Disposition": f'attachment; filename="{name}"',
        "Content-Length": str(length),
        "Accept-Ranges": "none",
    }
    return StreamingResponse(body, headers=headers, media_type=media_type)
