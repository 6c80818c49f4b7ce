"""Stills: one picture of a copy, kept with its moment as a sealed document of the case (R28, R37, R41, R47, R57).

The document says which picture it is: the recorder's time, the labels and hashes of copy and master, the hash of the
decoded picture and of what is kept. The picture is footage, so it is encrypted beside the document, carries the
watermark of who saved it, and is shown only in an open viewing of the copy, marked with who sees it then.

A still of a redacted copy is a picture of that copy alone. Its document is of a kind of its own, which its label names,
and says that the picture is derived and of what.
"""

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import joinedload

from services.database.tables.applications import Application
from services.database.tables.attachments import Attachment
from services.database.tables.copies import Copy
from services.database.tables.custody import HandOver
from services.database.tables.derivatives import Derivative
from services.database.tables.documents import Document
from services.database.tables.sittings import Sitting
from services.database.unit_of_work import UnitOfWork
from services.domain.applications import forms
from services.domain.attachments import service as attachment_service
from services.domain.attachments.service import Opened, Stored
from services.domain.audit import trail as audit_trail
from services.domain.custody import log, moments, on_site, still_sheet, viewings
from services.domain.custody.moments import STILL_SAVED, MarkedKind, OpenedFootage, Place
from services.domain.documents import service as document_service
from services.domain.retrieval.records import get_record
from services.runtime.errors import NotFound, Refused
from services.runtime.translations import Message
from services.vault.frames.client import Still

KIND = "still"
KINDS: dict[MarkedKind, str] = {"copy": KIND, "derivative": "redacted-still"}  # of the document, by the footage
DERIVED = "derived, not the original"
MOST = 100  # stills of one loan
LARGEST = 48 << 20  # bytes of the fragment in which a picture is searched


@dataclass(frozen=True)
class Wanted:
    """A still that may be saved now: where its picture lies, and what it is marked with.

    ``footage_id`` is of a copy or a redacted copy, and ``key_id`` names the key that opens it.
    """

    kind: MarkedKind
    footage_id: str
    viewing_id: str
    key_id: str
    sealed: dict[str, Any]
    place: Place
    text: str
    mark: str


def prepare(
    uow: UnitOfWork,
    kind: MarkedKind,
    footage_id: str,
    viewing_id: str,
    *,
    at_ms: int,
    text: str,
    address: str | None,
) -> Wanted:
    """Check that a still may be saved, and count the read that its picture needs; Refused as a bookmark is.

    Refused as well in a gap, beyond ``MOST`` of the loan, and for a fragment that is larger than ``LARGEST``.
    """
    opened = moments.require_markable(uow, kind, footage_id, viewing_id, address=address, lock=True)
    place = moments.locate(opened.sealed, at_ms)
    log.require_fewer(uow, opened.hand_over_id, (STILL_SAVED,), MOST)
    if place.fragment.length > LARGEST:
        raise Refused(
            "still-too-large",
            "The footage at this moment is too large to be read for one image: choose a moment close by.",
        )
    viewings.count_read(
        uow,
        opened.viewing,
        place.fragment.offset,
        place.fragment.length,
        subject=kind,
        application_id=opened.application_id,
    )
    number = uow.session.get_one(Application, opened.application_id).number or ""
    mark = moments.watermark(uow, number)
    return Wanted(kind, footage_id, viewing_id, opened.key_id, opened.sealed, place, text.strip(), mark)


def save(uow: UnitOfWork, wanted: Wanted, picture: Still, stored: Stored, *, address: str | None) -> Document:
    """Write the document, bind its picture to it, and enter it in the custody log; Refused as ``prepare``.

    It is asked again, because a loan may have ended while the picture was made.
    """
    opened = moments.lock_for_mark(
        uow, wanted.kind, wanted.footage_id, wanted.viewing_id, event=STILL_SAVED, most=MOST, address=address
    )
    hand_over = uow.session.get_one(HandOver, opened.hand_over_id)
    of_copy = select(Copy).where(Copy.id == opened.copy_id).options(joinedload(Copy.item), joinedload(Copy.master))
    copy = uow.session.scalars(of_copy.execution_options(populate_existing=True)).one()
    at = wanted.place.at + timedelta(milliseconds=round(picture.offset_ms) - wanted.place.inside_ms)
    document = document_service.write_once(
        uow,
        KINDS[wanted.kind],
        stored.upload_id,
        lambda: {
            **_source(uow, opened, copy, hand_over),
            "moment": moments.written(uow, copy.id, at),
            "text": wanted.text,
            "copy": _sealed(uow, copy.id, copy.sealed),
            "master": _sealed(uow, copy.master_id, copy.master.sealed),
            **_derivative(uow, opened),
            **_picture(wanted, picture, stored),
            "by": forms.person_to_json(uow, uow.actor.id),
            "savedAt": uow.now.isoformat(),
            "viewing": wanted.viewing_id,
        },
        application_id=opened.application_id,
        item_id=copy.item_id,
    )
    attachment_service.add_to_document(
        uow, document.id, KIND, f"{document.number}.jpg", stored, application_id=opened.application_id
    )
    log.append(
        uow,
        hand_over,
        STILL_SAVED,
        person_id=uow.actor.id,
        copy_id=copy.id,
        text=wanted.text,
        at=moments.written(uow, copy.id, at),
        atMs=wanted.place.fragment.time_ms + round(picture.offset_ms),
        document=document.number,
        still=stored.upload_id,
        sha256=stored.sealed["sha256Plain"],
        **moments.of_derivative(uow, opened),
    )
    return document


def open_(
    uow: UnitOfWork, kind: MarkedKind, footage_id: str, still_id: str, viewing_id: str, *, address: str | None
) -> tuple[Opened, str]:
    """Return what is needed to read a still's picture, and what it is marked with; record that it is seen.

    Only in an open viewing of the footage that it was saved of: Refused as the watching is, NotFound for any other
    still.
    """
    opened = moments.require_open(uow, kind, footage_id, viewing_id, address=address, lock=True)
    query = (
        select(Attachment, Document)
        .join(Document, Document.id == Attachment.matter_id)
        .where(Attachment.id == still_id, Attachment.kind == KIND, Document.kind == KINDS[kind])
    )
    found = uow.session.execute(query).one_or_none()
    content = None if found is None else json.loads(found[1].content)
    if found is None or content is None or content[kind]["id"] != footage_id:
        raise NotFound(Message("still"), still_id)
    row, document = found
    # what was seen of the footage is read from the viewing, so the still's place is among its reads
    place = content["frame"]["fragmentOffset"]
    viewings.count_read(uow, opened.viewing, place, 1, subject=kind, application_id=opened.application_id)
    audit_trail.record(
        uow,
        "still-read",
        "document",
        document.number,
        application_id=opened.application_id,
        viewing=viewing_id,
        sha256=row.sha256,
    )
    number = uow.session.get_one(Application, opened.application_id).number or ""
    return attachment_service.opened(uow, row), moments.watermark(uow, number)


def _source(uow: UnitOfWork, opened: OpenedFootage, copy: Copy, hand_over: HandOver) -> dict[str, Any]:
    """Return of what loan, item and recorder a still is; ``zone`` is that of the footage."""
    record = get_record(uow, copy.item_id)
    of_record: dict[str, Any] = json.loads(record.content) if record is not None else {}
    application = uow.session.get_one(Application, opened.application_id)
    sitting = uow.session.get(Sitting, opened.sitting_id) if opened.sitting_id is not None else None
    return {
        "title": still_sheet.TITLE if opened.kind == "copy" else still_sheet.TITLE_OF_DERIVATIVE,
        "zone": copy.item.zone,
        "application": application.number,
        "handOver": hand_over.id,
        "purpose": opened.purpose,
        "wayOfUse": on_site.way_of(application, hand_over),
        "item": {"id": copy.item_id, "position": copy.item.position},
        "record": record.number if record is not None else None,
        "source": of_record.get("source", {}),
        "recorderClock": of_record.get("recorderClock", {}),
        "sitting": sitting.number if sitting is not None else None,
    }


def _derivative(uow: UnitOfWork, opened: OpenedFootage) -> dict[str, Any]:
    """Return of which redacted copy a still is, and that this is no original; nothing for one of a copy."""
    if opened.kind == "copy":
        return {}
    row = uow.session.get_one(Derivative, opened.id)
    return {
        "derivative": {
            "id": row.id,
            "statement": DERIVED,
            "redaction": moments.of_derivative(uow, opened)["redaction"],
            "labelSha256": row.label_sha256,
            "sha256": opened.sealed["sha256Plain"],
            "recipeSha256": row.recipe_sha256,
        }
    }


def _picture(wanted: Wanted, picture: Still, stored: Stored) -> dict[str, Any]:
    """Return which picture of the footage it is, and what is kept of it."""
    return {
        "frame": {
            "afterFirstMs": wanted.place.fragment.time_ms + round(picture.offset_ms),
            "fragmentOffset": wanted.place.fragment.offset,
            "sha256": picture.sha256,
            "pixels": picture.pixels,
            "width": picture.width,
            "height": picture.height,
        },
        "picture": {
            "id": stored.upload_id,
            "mediaType": stored.media_type,
            "size": stored.sealed["plainSize"],
            "sha256": stored.sealed["sha256Plain"],
            "sha256Cipher": stored.sealed["sha256Cipher"],
            "mark": wanted.mark,
        },
    }


def _sealed(uow: UnitOfWork, row_id: str, sealed: dict[str, Any]) -> dict[str, Any]:
    label = document_service.of_subject(uow, "label", row_id)
    return {
        "id": row_id,
        "label": label.number if label is not None else None,
        "labelSha256": label.sha256 if label is not None else None,
        "sha256": sealed["sha256Plain"],
    }
