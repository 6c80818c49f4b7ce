"""The case's attachments for its package, also of matters, replies and work orders, and what is left out (R35).

Copies of identity cards are never in a package: whoever has one would read them for good. Stills are footage, so they
are where footage is in clear alone, and as long as it is kept. What was not submitted belongs to no case yet. The list
names each of these by its hash alone.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import rfc8785
from sqlalchemy import ColumnElement, func, or_, select

from services.database.tables.attachments import Attachment
from services.database.tables.documents import Document
from services.database.tables.masters import Master
from services.database.tables.matters import Matter
from services.database.tables.work_orders import WorkOrder
from services.database.unit_of_work import UnitOfWork
from services.domain.attachments import queries, reader, service
from services.domain.attachments.reader import AttachmentDamaged
from services.domain.attachments.schemas import IDENTITY_CARD
from services.domain.attachments.service import Opened
from services.domain.custody import stills
from services.runtime.errors import Fatal
from services.vault.age import Unwrapper
from services.vault.keys.key_files import KeyUnusable
from services.vault.store.protocol import Store, StoreMissing
from services.verifier import layout

ENDINGS = {"image/jpeg": "jpg", "image/png": "png", "application/pdf": "pdf"}
MOST = 256 << 20  # bytes of all of them: a verifier reads what is no footage into memory


@dataclass(frozen=True)
class Attached:
    """An attachment: what the list says of it, its member, and what opens it; None of both where it is left out.

    ``locked`` says why its own key cannot be read here: then the vault's key opens it, or the escrow's.
    """

    id: str
    line: dict[str, Any]
    member: str | None
    opened: Opened | None
    locked: str | None = None


def list_of_case(uow: UnitOfWork, application_id: str, *, in_clear: bool) -> list[Attached]:
    """List the attachments of a case, its matters, work orders and stills, oldest first, without opening any.

    ``in_clear``: the package has its footage in clear.
    """
    work_orders = select(WorkOrder.id).where(WorkOrder.application_id == application_id)
    query = (
        select(Attachment, func.coalesce(Matter.number, Document.number, WorkOrder.number), Document.item_id)
        .outerjoin(Matter, Matter.id == Attachment.matter_id)
        .outerjoin(Document, Document.id == Attachment.matter_id)
        .outerjoin(WorkOrder, WorkOrder.id == Attachment.matter_id)
        .where(or_(queries.of_cases([application_id]), Attachment.matter_id.in_(work_orders)))
        .order_by(Attachment.added_at, Attachment.id)
    )
    disposed = set(uow.session.scalars(select(Master.item_id).where(*_disposed_of(application_id))))
    found: list[Attached] = []
    size = number = 0
    for row, subject, item_id in uow.session.execute(query):
        because = _left_out(row, size, in_clear=in_clear and item_id not in disposed)
        line: dict[str, Any] = {"id": row.id, "of": subject or "application", "kind": row.kind, "sha256": row.sha256}
        if because is not None:
            found.append(Attached(row.id, {**line, "because": because}, None, None))
            continue
        size, number = size + row.size, number + 1
        member = f"attachments/{number:02d}.{ENDINGS[row.media_type]}"
        line |= {"member": member, "name": row.file_name, "size": row.size, "addedAt": row.added_at.isoformat()}
        try:
            found.append(Attached(row.id, line, member, service.opened(uow, row)))
        except KeyUnusable as error:
            kept = Opened(row.file_name, row.media_type, row.sealed, "")
            found.append(Attached(row.id, line, member, kept, str(error).partition(" | ")[2] or str(error)))
    return found


def read(store: Store, attached: list[Attached], unwrapper: Callable[[], Unwrapper] | None = None) -> dict[str, bytes]:
    """Return the files by their members' names, and the list of all; Fatal where one cannot be read.

    ``unwrapper`` has the vault's key, for a process that has not the portal's.
    """
    files = {one.member: _bytes(store, one, one.opened, unwrapper) for one in attached if one.member and one.opened}
    lines = [one.line for one in attached]
    return {
        layout.ATTACHMENTS: rfc8785.dumps(
            {
                "attachments": [line for line in lines if "because" not in line],
                "leftOut": [line for line in lines if "because" in line],
            }
        ),
        **files,
    }


def _disposed_of(application_id: str) -> tuple[ColumnElement[bool], ...]:
    return Master.application_id == application_id, Master.discarded_at.is_not(None)


def _left_out(row: Attachment, size: int, *, in_clear: bool) -> str | None:
    """Return why an attachment is not in the package; None where it is."""
    if row.kind == IDENTITY_CARD:
        return "identity-card"
    if row.kind == stills.KIND and not in_clear:
        return "footage"
    if row.purged_at is not None or row.secret is None:
        return "purged"
    if row.bound_at is None:
        return "not-submitted"
    return "too-large" if size + row.size > MOST else None


def _bytes(store: Store, attached: Attached, opened: Opened, unwrapper: Callable[[], Unwrapper] | None) -> bytes:
    if attached.locked is not None and unwrapper is None:
        raise Fatal(
            f"no package was made | attachment {attached.id} | {attached.locked} | "
            "run it where the portal's key is, beside the seal key and the log key"
        )
    try:
        return reader.read(store, opened, unwrapper() if attached.locked is not None and unwrapper else None)
    except StoreMissing as error:
        raise Fatal(
            f"no package was made | {opened.sealed['key']} | the attachment is not in the store | "
            "restore the object from the store's own backup"
        ) from error
    except AttachmentDamaged as error:
        raise Fatal(f"no package was made | {str(error).partition(' | ')[2]}", runbook=error.runbook) from error
