"""Write, read and file numbered documents (R28, R29, R35, R37, R47, R59, F20)."""

import hashlib
import json
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any, Literal
from zoneinfo import ZoneInfo

import rfc8785
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from services.database.tables.applications import Application
from services.database.tables.audit import AuditEvent
from services.database.tables.documents import Document, NumberSeries
from services.database.unit_of_work import UnitOfWork
from services.domain.access import administrators, holds, storage, supervision, violations, visibility, work_orders
from services.domain.access import queries as access_queries
from services.domain.audit import trail as audit_trail
from services.domain.documents import retention
from services.runtime.errors import NotFound, Refused
from services.runtime.translations import Message

DOCUMENT_FILED = "document-filed"

# An application's form has the application's number; each of the others is numbered in a series of its kind.
SERIES = {
    "application": "SQ",
    "retrieval-record": "DQ",
    "label": "BQ",
    "hand-over-receipt": "JJ",
    "custody-log": "BG",
    "return-inspection": "GH",
    "confidentiality-agreement": "XY",
    "extension": "YQ",
    "purpose-change": "YT",
    "custody-transfer": "BJ",
    "recall": "SH",
    "problem": "WT",
    "urgent": "JQ",
    "disclosure": "TG",
    "hold-notice": "BL",
    "hold": "BL",  # the decision about the hold of that notice: BL-…/1
    "lift-hold": "JL",
    "sitting": "CY",
    "still": "JT",
    "redacted-still": "JT",
    "refusal-notice": "GZ",
    "violation": "WG",
    "referral": "YS",
    "appeal": "SS",
    "redaction": "TM",
    "group-appointment": "RM",
    "inspection-report": "JC",
    "use-report": "AY",
    "corrective-action": "ZG",
    "defect": "ZG",
    "difference": "ZG",
    "access-inquiry": "ZG",
    "device-service": "WH",
    "clock-check": "WH",
    "kept-days-check": "WH",
    "view-check": "WH",
    "site-check": "CS",
    "restore-drill": "HF",
    "escrow-drill": "HF",
    "check-in": "SW",
    "access-review": "SW",
    "agreement-renewal": "SW",
    "hold-review": "SW",
    "group-term": "SW",
    "download-account": "SW",
    "disposal": "XH",
    "reconciliation": "DZ",
}
# A notice says why a case is held and by whom, which is not for everybody who sees the case.
OF_HOLDS = ("hold-notice", *holds.KINDS)
# What was destroyed is of many cases, and read by who reads the registers of storage.
OF_DISPOSALS = ("disposal",)
# Of a violation its deciders, the accused, Legal and supervision read the page; the sheets name who reported it.
OF_VIOLATIONS = ("violation", "referral")
# The sheets of work orders are read by who sees the work order, and not by who sees the case that it may be about.
OF_WORK_ORDERS = frozenset(kind for kind, series in SERIES.items() if series in ("ZG", "WH", "CS", "HF", "SW"))
# Read by the supervision group, those who lead Security, and the management.
OF_SUPERVISION = ("group-appointment", "inspection-report", "use-report")
# A report of a day, for who keeps or oversees what is stored.
OF_STORAGE = ("reconciliation",)


def next_number(uow: UnitOfWork, kind: str) -> str:
    """Return the next number of a series, such as ``SQ-2026-000123``; a rollback frees it."""
    prefix = SERIES[kind]
    year = uow.now.astimezone(ZoneInfo(uow.rules.zone)).year
    series = uow.session.get(NumberSeries, (prefix, year), with_for_update=True)
    if series is None:
        # two units that start a year at the same moment: one inserts, the other waits and increments
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
    named: Mapping[str, str] = MappingProxyType({}),
) -> Document:
    """Write a document once and for all; its bytes are canonical JSON (RFC 8785).

    ``named``: what its audit event names besides the document's hash.
    """
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
        retain_until=retention.provisional_end(uow),
    )
    retention.make_due(uow, document)
    uow.session.add(document)
    uow.session.flush()
    audit_trail.record(
        uow, f"{kind}-written", "document", number, application_id=application_id, sha256=document.sha256, **named
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
    named: Mapping[str, str] = MappingProxyType({}),
    number: str | None = None,
) -> Document:
    """Return the document of this kind about the subject; write it first, as ``write`` does, if missing.

    ``number``: the one that it gets, where its subject has one; else the next of its series.
    """
    existing = of_subject(uow, kind, subject_id)
    if existing is not None:
        return existing
    number = number or next_number(uow, kind)
    complete = {
        "number": number,
        "organisation": uow.rules.organisation,
        "policyVersion": uow.rules.policy_version,
        "zone": uow.rules.zone,
        **content(),
    }
    return write(
        uow,
        kind,
        number,
        complete,
        application_id=application_id,
        item_id=item_id,
        subject_id=subject_id,
        named=named,
    )


def of_subject(uow: UnitOfWork, kind: str, subject_id: str) -> Document | None:
    return uow.session.scalar(select(Document).where(Document.kind == kind, Document.subject_id == subject_id))


def of_application(uow: UnitOfWork, application_id: str) -> list[Document]:
    """List a case's documents, oldest first."""
    query = (
        select(Document).where(Document.application_id == application_id).order_by(Document.made_at, Document.number)
    )
    return list(uow.session.scalars(query))


def _require_hold_reader(uow: UnitOfWork, document: Document) -> None:
    """Raise NotFound for those who read no holds, and for whom the case concerns (T8)."""
    application = uow.session.get_one(Application, document.application_id)
    reads = holds.may_read(access_queries.load_directory(uow), uow.actor.id)
    if not reads or uow.actor.id in application.subject_ids:
        raise _not_found(document.number)


def _reads_reconciliation(uow: UnitOfWork, document: Document) -> bool:
    """Return whether the actor reads reconciliations, and no case that this one names concerns them (T8)."""
    named = [finding["application"] for finding in json.loads(document.content)["findings"] if finding["application"]]
    reads = storage.may_read_reconciliations(access_queries.load_directory(uow), uow.actor.id)
    return reads and not _concerns_one(uow, named)


def _reads_disposal(uow: UnitOfWork, document: Document) -> bool:
    """Return whether the actor reads what is disposed of, and no case that this list names concerns them (T8)."""
    reads = storage.may_read_disposals(access_queries.load_directory(uow), uow.actor.id)
    return reads and not _concerns_one(uow, [item["application"] for item in json.loads(document.content)["items"]])


def _reads_inspections(uow: UnitOfWork, document: Document) -> bool:
    """Return whether the actor reads what supervision writes, and no case that a report names concerns them (T8).

    Who has signed a report has read all of it, and still does.
    """
    content = json.loads(document.content)
    if not supervision.may_read(access_queries.load_directory(uow), uow.actor.id):
        return False
    if uow.actor.id in {one["by"]["id"] for one in content.get("signatures", ())}:
        return True
    # cases are named in its lists, and in words by findings and work orders
    return not any(number in document.content for number in visibility.list_numbers_concerning(uow))


def _concerns_one(uow: UnitOfWork, numbers: Collection[str]) -> bool:
    """Return whether one of the cases of these numbers concerns the actor."""
    concerned = select(Application.id).where(Application.number.in_(numbers), visibility.concerns(uow.actor.id))
    return uow.session.scalar(concerned.limit(1)) is not None


def by_number(uow: UnitOfWork, number: str) -> Document | None:
    return uow.session.scalar(select(Document).where(Document.number == number))


def _reads_apart(uow: UnitOfWork, document: Document) -> bool | None:
    """Return whether the actor reads a document that has readers of its own; None where it is read as its case is."""
    kind = document.kind
    if kind in OF_VIOLATIONS:
        return violations.reads_sheet(uow, document)
    if kind in OF_WORK_ORDERS:
        return work_orders.sees_document(uow, document)
    if kind in OF_SUPERVISION:
        return _reads_inspections(uow, document)
    if kind in OF_DISPOSALS:
        return _reads_disposal(uow, document)
    if kind in OF_STORAGE:
        return _reads_reconciliation(uow, document)
    return None


def read_document(uow: UnitOfWork, number: str, form: Literal["data", "page", "pdf", "translation"]) -> Document:
    """Return a document of a visible case, or an own agreement; record that it was read (F20).

    Others' agreements are for administrators, Security's head and supervisors; notices of holds for those who read
    holds, whether they see the case or not; sheets of a violation for who reads all of it; those of a
    work order for who sees it; lists of what was destroyed for who reads the registers of storage; reports of
    reconciliations for the storage office, Security and supervision. NotFound for everybody else.
    """
    document = by_number(uow, number)
    if document is None:
        raise _not_found(number)
    if document.kind in OF_HOLDS:
        _require_hold_reader(uow, document)
    elif (reads := _reads_apart(uow, document)) is not None:
        if not reads:
            raise _not_found(number)
    elif document.application_id is not None:
        visibility.get_visible(uow, document.application_id)
    elif json.loads(document.content).get("by", {}).get("id") != uow.actor.id:
        try:
            administrators.require_reader(uow)
        except Refused as refused:
            raise _not_found(number) from refused
    audit_trail.record(uow, "document-read", "document", number, application_id=document.application_id, form=form)
    return document


@dataclass(frozen=True)
class Filed:
    """SHA-256 of a document's PDF, and of the text that its label signs."""

    pdf_sha256: str
    payload_sha256: str


def record_filed(uow: UnitOfWork, filed: Mapping[str, Filed]) -> None:
    """Record PDF and label of each document, by its number, in the audit trail, once.

    The evidence package holds what people read to these hashes (R28, R47).
    """
    for number, hashes in filed.items():
        if hashes in _recorded(uow, number):
            continue
        document = by_number(uow, number)
        if document is None:
            raise LookupError(f"no document has the number {number}")
        audit_trail.record(
            uow,
            DOCUMENT_FILED,
            "document",
            number,
            application_id=document.application_id,
            sha256=document.sha256,
            **asdict(hashes),
        )


def _recorded(uow: UnitOfWork, number: str) -> set[Filed]:
    """Events of before labels were named have the PDF alone."""
    rows = select(AuditEvent.entry).where(AuditEvent.action == DOCUMENT_FILED, AuditEvent.subject_id == number)
    details = [json.loads(entry)["detail"] for entry in uow.session.scalars(rows)]
    return {Filed(detail["pdf_sha256"], detail.get("payload_sha256", "")) for detail in details}


def _not_found(number: str) -> NotFound:
    return NotFound(Message("document"), number)
