"""An attachment on its way: received into memory, examined, encrypted into the store, entered in the database.

Nothing is written before the file was found to be in order. The object's key is recorded before its first byte, so
that what a process leaves that was killed is swept; the portal itself deletes nothing in the store.
"""

import hashlib
import io
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, TypeVar

import anyio

from services.database.tables.attachments import Attachment
from services.database.unit_of_work import Actor, Database, UnitOfWork
from services.domain.attachments import examination, names, service, uploads
from services.domain.attachments.examination import Examined
from services.domain.attachments.schemas import IDENTITY_CARD, Description
from services.domain.attachments.service import Stored
from services.domain.attachments.subjects import SubjectKind
from services.runtime.errors import Refused, Retryable
from services.runtime.threads import run_in_thread
from services.vault.age import Encryptor, generate_identity
from services.vault.store.protocol import Store

Row = TypeVar("Row")

MOST_AT_ONCE = 6  # files that one process holds in memory, each with a process that parses it
MOST_OF_PERSON = 2


@dataclass(frozen=True)
class Receiver:
    """Where files go, and the vault's public recipients, to whom they are encrypted beside a key of their own.

    A copy of an identity card is encrypted to its own key alone: once that is deleted, no copy of the object that a
    backup of the store may have opens any more.
    """

    database: Database
    store: Store
    recipients: Callable[[], Sequence[str]]

    async def receive(
        self,
        actor: Actor,
        kind: SubjectKind,
        subject_id: str,
        *,
        chunks: AsyncIterator[bytes],
        described: Callable[[], Description],
    ) -> Attachment:
        """Receive one file; ``described`` is asked once it has come, because a form says it on the way.

        Raises Refused, and Retryable where the store or the database is away; then nothing of the file is kept.
        """
        with _reserve(actor.id):
            await self.database.read(actor, service.check_addable, kind, subject_id)
            content = bytearray()
            async for chunk in chunks:
                content += chunk
            description = described()
            names.check(description.name)
            received = hashlib.sha256(content).hexdigest()
            examined = await examination.examine(bytes(content))
            content.clear()
            upload = await self.database.run(actor, service.begin, kind, subject_id)
            try:
                stored = await run_in_thread(self._store, upload.id, upload.key, description.kind, examined, received)
                return await self.database.run(actor, service.add, kind, subject_id, description, stored)
            except BaseException as error:
                # without a database now, the sweeper takes the upload for one whose process died
                with anyio.CancelScope(shield=True), suppress(Retryable):
                    await self.database.run(actor, service.abandon, upload.id, type(error).__name__)
                raise

    async def keep(
        self, actor: Actor, content: bytes, media_type: str, act: Callable[[UnitOfWork, Stored], Row]
    ) -> Row:
        """Store what the portal has made itself, and return what ``act`` enters in the database for it.

        Raises what ``act`` does, and Retryable where the store or the database is away; then nothing is kept.
        """
        upload = await self.database.run(actor, uploads.begin)
        try:
            made = Examined(content, media_type)
            received = hashlib.sha256(content).hexdigest()
            stored = await run_in_thread(self._store, upload.id, upload.key, "", made, received)
            return await self.database.run(actor, act, stored)
        except BaseException as error:
            with anyio.CancelScope(shield=True), suppress(Retryable):
                await self.database.run(actor, service.abandon, upload.id, type(error).__name__)
            raise

    def _store(self, upload_id: str, key: str, kind: str, examined: Examined, received: str) -> Stored:
        secret, recipient = generate_identity()
        recipients = [recipient, *(() if kind == IDENTITY_CARD else self.recipients())]
        encryptor = Encryptor(recipients)
        encrypted = encryptor.header + encryptor.update(examined.content) + encryptor.finish()
        put = self.store.put(uploads.BUCKET, key, io.BytesIO(encrypted), metadata={"attachment": upload_id})
        sealed: dict[str, Any] = {
            "bucket": put.bucket,
            "key": put.key,
            "versionId": put.version_id,
            "size": put.size,
            "plainSize": len(examined.content),
            "sha256Plain": hashlib.sha256(examined.content).hexdigest(),
            "sha256Cipher": hashlib.sha256(encrypted).hexdigest(),
        }
        return Stored(upload_id, examined.media_type, sealed, secret, received)


_receiving: Counter[str] = Counter()


@contextmanager
def _reserve(person_id: str) -> Iterator[None]:
    """Reserve memory for one file; Refused where none is left, before anything of it is read."""
    if _receiving[person_id] >= MOST_OF_PERSON or _receiving.total() >= MOST_AT_ONCE:
        raise Refused(
            "attachments-busy",
            "Several files are being received: add yours in a minute.",
            status=429,
        )
    _receiving[person_id] += 1
    try:
        yield
    finally:
        _receiving[person_id] -= 1
        if not _receiving[person_id]:
            del _receiving[person_id]
