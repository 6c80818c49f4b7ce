"""Numbered documents: the filed form, records, labels, receipts, agreements (R28, R29, R35, R37, R47, R59)."""

import hashlib
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from zoneinfo import ZoneInfo

import rfc8785
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from services.database.tables.documents import Document, NumberSeries
from services.database.unit_of_work import UnitOfWork
from services.domain.audit import trail as audit_trail

# An application's form has the application's number; each of the others is numbered in a series of its kind.
SERIES = {
    "application": "SQ",
    "retrieval-record": "DQ",
    "label": "BQ",
    "hand-over-receipt": "JJ",
    "custody-log": "BG",
    "return-inspection": "GH",
    "confidentiality-agreement": "XY",
}


def next_number(uow: UnitOfWork, kind: str) -> str:
    """The next number of a series, such as ``SQ-2026-000123``; a unit that fails gives it back."""
    prefix = SERIES[kind]
    year = uow.now.astimezone(ZoneInfo(uow.rules.zone)).year
    series = uow.session.get(NumberSeries, (prefix, year), with_for_update=True)
    if series is None:
        # two units that open a year at the same moment: one inserts, the other waits for it and counts on
        with suppress(IntegrityError), uow.savepoint():
            uow.session.add(NumberSeries(prefix=prefix, year=year, last=0))
        series = uow.session.get_one(NumberSeries, (prefix, year), with_for_update=True, populate_existing=True)
    series.last += 1
    uow.session.flush()
    return f"{prefix}-{year}-{series.last:06d}"


def write(
    uow: UnitOfWork,
    kind: str,
    number: str,
    content: dict[str, Any],
    *,
    application_id: str | None,
    item_id: str | None = None,
    subject_id: str | None = None,
) -> Document:
    """Write a document once and for all; its bytes are canonical JSON (RFC 8785)."""
    data = rfc8785.dumps({**content, "demo": uow.demo})
    document = Document(
        number=number,
        kind=kind,
        application_id=application_id,
        item_id=item_id,
        subject_id=subject_id,
        content=data.decode(),
        sha256=hashlib.sha256(data).hexdigest(),
        made_at=uow.now,
        demo=uow.demo,
    )
    uow.session.add(document)
    uow.session.flush()
    audit_trail.record(
        uow, f"{kind}-written", "document", number, application_id=application_id, sha256=document.sha256
    )
    return document


def write_once(
    uow: UnitOfWork,
    kind: str,
    subject_id: str,
    content: Callable[[], dict[str, Any]],
    *,
    application_id: str | None,
    item_id: str | None = None,
) -> Document:
    """The document of this kind about the subject: the one that is there, or a new one with the next number."""
    known = of_subject(uow, kind, subject_id)
    if known is not None:
        return known
    number = next_number(uow, kind)
    told = {
        "number": number,
        "organisation": uow.rules.organisation,
        "policyVersion": uow.rules.policy_version,
        "zone": uow.rules.zone,
        **content(),
    }
    return write(uow, kind, number, told, application_id=application_id, item_id=item_id, subject_id=subject_id)


def of_subject(uow: UnitOfWork, kind: str, subject_id: str) -> Document | None:
    return uow.session.scalar(select(Document).where(Document.kind == kind, Document.subject_id == subject_id))


def of_application(uow: UnitOfWork, application_id: str) -> list[Document]:
    """A case's documents, oldest first."""
    query = (
        select(Document).where(Document.application_id == application_id).order_by(Document.made_at, Document.number)
    )
    return list(uow.session.scalars(query))


def by_number(uow: UnitOfWork, number: str) -> Document | None:
    return uow.session.scalar(select(Document).where(Document.number == number))
