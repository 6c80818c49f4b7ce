"""Receiving a file that a person uploads: from the request into the vault, recorded before the first byte (R8, R9)."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import anyio

from services.database.tables.uploads import Upload
from services.database.unit_of_work import Actor, Database, UnitOfWork
from services.domain.retrieval import uploads
from services.domain.retrieval.uploads import Measured
from services.runtime.errors import Refused, Retryable
from services.runtime.iterators import closing
from services.runtime.logs import get_logger
from services.runtime.threads import run_in_thread
from services.runtime.translations import Message, Text
from services.vault import uploaded_file
from services.vault.clip.client import ClipFailed, UnsupportedFootage
from services.vault.coverage import FootageMissing, FootageUnreadable
from services.vault.sealing import Sealed
from services.vault.store.protocol import Store
from services.vault.uploaded_file import NotFootage, UploadedFile

log = get_logger(__name__)

MOST_UPLOADS = 4  # files that one process receives at a time: each has a process that parses it
MOST_OF_PERSON = 2
BEAT = timedelta(minutes=10)  # between two signs of life of an upload that is received


@dataclass(frozen=True)
class Receiver:
    """Where files go, and to whom they are encrypted: the vault's public recipients, never its key.

    The portal may delete nothing in the store: what an upload leaves there, the sweeper removes.
    """

    database: Database
    store: Store
    recipients: Callable[[], Sequence[str]]

    async def receive(
        self,
        actor: Actor,
        upload_id: str,
        chunks: Callable[[Upload], AsyncIterator[bytes]],
        *,
        still_allowed: Callable[[UnitOfWork], None],
    ) -> Upload:
        """Receive the upload; an error is recorded as its failure, and nothing of the file is kept.

        ``still_allowed`` is asked at the end, which may be hours after the beginning, and raises Refused. Raises
        Refused, and Retryable where a part of the installation is down.
        """
        recipients = await run_in_thread(self.recipients)

        def finish(uow: UnitOfWork, measured: Measured) -> bool:
            wanted = uploads.finish(uow, upload_id, measured, upload_configuration)
            if wanted:
                still_allowed(uow)
            return wanted

        with _reserve(upload_id, actor.id):
            upload = await self.database.run(actor, uploads.start, upload_id)
            try:
                received = await uploaded_file.receive(
                    self._beating(actor, upload_id, chunks(upload)),
                    name=upload.id,
                    recipients=recipients,
                    store=self.store,
                    bucket=uploads.BUCKET,
                    key=upload.key,
                )
                wanted = await self.database.run(actor, finish, _measured(received))
            except BaseException as error:
                await self._abandon(actor, upload_id, error)
                refusal = refusal_of(error)
                if refusal is None:
                    raise
                raise refusal from error
        if not wanted:
            raise Refused("upload-gone", "This upload was cancelled.")
        return await self.database.run(actor, uploads.get_own, upload_id)

    async def _beating(self, actor: Actor, upload_id: str, chunks: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
        """Pass the file on, and say now and then that it is still being received."""
        last = self.database.clock.now()
        async with closing(chunks):
            async for chunk in chunks:
                if self.database.clock.now() - last >= BEAT:
                    last = self.database.clock.now()
                    try:
                        await self.database.run(actor, uploads.beat, upload_id)
                    except Retryable as error:
                        log.warning("an upload could not give a sign of life", upload=upload_id, cause=str(error))
                yield chunk

    async def _abandon(self, actor: Actor, upload_id: str, error: BaseException) -> None:
        reason = error.code if isinstance(error, Refused) else type(error).__name__
        log.info("upload given up", upload=upload_id, cause=reason)
        with anyio.CancelScope(shield=True):
            await self.database.run(actor, uploads.abandon, upload_id, reason)


def upload_configuration(sealed: dict[str, Any], start: datetime) -> dict[str, Any]:
    """Move a sealed file's moments to its start; what ``uploads`` calls."""
    return uploaded_file.moved_to(Sealed.from_json(sealed), start).to_json()


def refusal_of(error: BaseException) -> Refused | None:
    """Return the refusal for the uploader, where the file is at fault."""
    match error:
        case NotFootage():
            message = uploaded_file.KIND_NAMES[error.kind]
            return _refused(
                "upload-not-footage",
                Message(
                    "Not saved: the file is {what}, not a recording in MP4, MOV, MKV, MPEG-TS, MPEG-PS or DAV. Export "
                    "it in one of these formats and upload it.",
                    what=message,
                ),
            )
        case UnsupportedFootage():
            return _refused(
                "upload-unsupported",
                Message(
                    "Not saved: only H.264, H.265 or MJPEG with AAC, Opus or G.711 are supported, and a plain "
                    "MP4 of more than {window} MiB with its index at the end must be converted to fragmented MP4 "
                    "first. Convert the file and upload it again.",
                    window=uploaded_file.LIMITS.window >> 20,
                ),
            )
        case FootageMissing() | FootageUnreadable() | ClipFailed():
            return _refused(
                "upload-unreadable",
                Message(
                    "Not saved: the file has no playable video, perhaps it is damaged. Check it and upload it again."
                ),
            )
    return None


def _refused(code: str, message: Text) -> Refused:
    return Refused(code, message, status=422, field="file")


def _measured(received: UploadedFile) -> Measured:
    return Measured(
        received.sha256,
        received.size,
        received.duration,
        received.sealed.coverage.codecs,
        received.created,
        received.sealed.to_json(),
    )


_receiving: dict[str, str] = {}  # the person of each upload


@contextmanager
def _reserve(upload_id: str, person_id: str) -> Iterator[None]:
    """Reserve capacity for one upload; Refused where none is left, before anything is recorded."""
    of_person = sum(one == person_id for one in _receiving.values())
    if upload_id in _receiving or of_person >= MOST_OF_PERSON or len(_receiving) >= MOST_UPLOADS:
        raise Refused(
            "upload-busy",
            "Several files are being received: upload yours in a few minutes.",
            status=429,
        )
    _receiving[upload_id] = person_id
    try:
        yield
    finally:
        del _receiving[upload_id]
