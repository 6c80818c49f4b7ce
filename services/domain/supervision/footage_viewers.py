"""Who saw a moment of a camera: by every way in which footage reaches a person (R41, R52, R57, R62, F20).

Times are the recorder's own, as every span of an application is. What was read is known to the byte; which moments
those bytes hold, the list of fragments says that was made when the copy was sealed.

viewing            read in the portal, in the moments that were read
on-site            the same at a viewing station, shown to those who were present
emergency-viewing  read before the approval, by the two people of an urgent retrieval
redacted-viewing   read as a redacted copy
picture            one picture of it was shown to a reviewer
download           a copy of it was downloaded
received           a copy of it was received into custody, by a receipt or a custody transfer
view-allowed       the custodian let a named recipient view it
fetched            a copy was fetched to be handed to people outside
provided           people outside signed that they had received it
packaged           an evidence package with the footage in clear was downloaded

What was fetched and provided is the copy itself or its redacted copy, as the disclosure was signed. The purpose of a
look is the one that held at its moment: a later correction of the form or change of purpose says nothing about it.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Row,
    Select,
    String,
    cast,
    literal,
    null,
    select,
    true,
    union_all,
)

from services.database.keyset import Page, Section, chosen_of
from services.database.listing import Listing
from services.database.tables.applications import Application, Item, Revision
from services.database.tables.audit import AuditEvent
from services.database.tables.cameras import Camera
from services.database.tables.copies import Copy, Download, Viewing
from services.database.tables.custody import CustodyEntry
from services.database.tables.derivatives import Derivative, DerivativeViewing
from services.database.tables.disclosures import Disclosure, DisclosureDownload
from services.database.tables.emergency_views import EmergencyCopy, EmergencyViewing
from services.database.tables.evidence_packages import EvidencePackage, PackageFetch
from services.database.tables.masters import Master
from services.database.tables.matters import Matter
from services.database.tables.sittings import Sitting
from services.database.unit_of_work import UnitOfWork
from services.domain.access import queries as access_queries
from services.domain.access import visibility
from services.domain.audit import trail as audit_trail
from services.domain.supervision import footage_spans, readers
from services.domain.supervision.audit_schemas import FootageLook
from services.runtime.errors import NotFound, Refused
from services.runtime.spans import Span
from services.runtime.translations import Message
from services.web.schemas import SpanAnswer

ACTION = "viewers-read"
LEAST_PURPOSE, MOST_PURPOSE = 4, 500
LONGEST = timedelta(days=1)
PURPOSE_CHANGE = "purpose-change"  # the kind of matter
KINDS = (
    *("viewing", "on-site", "emergency-viewing", "redacted-viewing", "picture", "download", "received"),
    *("view-allowed", "fetched", "provided", "packaged"),
)
READ = ("viewing", "on-site", "emergency-viewing", "redacted-viewing")  # of which the moments are known
COLUMNS = ("person_id", "address", "content", "sitting_id", "matter_id")  # of the parts of the query, as texts
SEALED: dict[str, type[EmergencyCopy | Derivative | Master]] = {
    "emergency-viewing": EmergencyCopy,
    "redacted-viewing": Derivative,
    "packaged": Master,
}  # what is read where that is no copy
Visible = Callable[[ColumnElement[Any]], ColumnElement[bool]]


@dataclass(frozen=True)
class Question:
    """Who saw any of this span of this camera? ``purpose`` is why it is asked, in words."""

    camera_id: str
    span: Span
    purpose: str


@dataclass(frozen=True)
class Line:
    """One row of the query, with the parts of the span that were read, where that is known."""

    row: Row[*tuple[Any, ...]]
    parts: list[Span]


@dataclass(frozen=True)
class Case:
    """A case with the purposes that its form and its purpose changes have stated, each since a moment, in order."""

    number: str
    purpose: str
    purposes: Sequence[tuple[datetime, str]]

    def purpose_at(self, moment: datetime) -> str:
        """Return the purpose that held at a moment; before the first that was handed in, that one."""
        if not self.purposes:
            return self.purpose
        return next((purpose for since, purpose in reversed(self.purposes) if since <= moment), self.purposes[0][1])


def read_page(uow: UnitOfWork, question: Question, *, limit: int, place: str = "") -> Page[FootageLook]:
    """Read a page of who saw it, the newest first; each page that is read is an event.

    Raises Refused for who does not supervise and without a purpose, NotFound for a camera that is none.
    """
    readers.require_reader(uow)
    purpose = question.purpose.strip()
    if not LEAST_PURPOSE <= len(purpose) <= MOST_PURPOSE:
        raise Refused(
            "purpose-missing",
            "Say in a few words why you ask who saw this footage.",
            status=422,
            field="purpose",
        )
    if uow.session.get(Camera, question.camera_id) is None:
        raise NotFound(Message("camera"), question.camera_id)
    _record(uow, question, purpose=purpose, place=place)
    return _read(uow, question, Listing(descending=True, limit=limit, place=place))


def span_of(start: datetime, end: datetime) -> Span:
    """Return the span between two moments; Refused where it is none or longer than a day."""
    if not start < end <= start + LONGEST:
        raise Refused(
            "span-wrong", "The end comes after the beginning, and at most one day later.", status=422, field="end"
        )
    return Span(start, end)


def list_all(uow: UnitOfWork, camera_id: str, span: Span) -> list[FootageLook]:
    """List who saw it, in the order of time, for the command line; to ask is an event too."""
    question = Question(camera_id, span, "")
    _record(uow, question)
    return _read(uow, question, Listing()).lines


def _record(uow: UnitOfWork, question: Question, **detail: str) -> None:
    audit_trail.record(
        uow,
        ACTION,
        "camera",
        question.camera_id,
        start=question.span.start.isoformat(),
        end=question.span.end.isoformat(),
        **detail,
    )


def _read(uow: UnitOfWork, question: Question, listing: Listing) -> Page[FootageLook]:
    found = _select(uow, question).subquery()
    section = Section((found.c.at, found.c.key))

    def choose(rows: Sequence[Row[*tuple[Any, ...]]]) -> list[Line | None]:
        sealed = _load_sealed(uow, rows)
        return [_seen(row, sealed, question.span) for row in rows]

    page = chosen_of(uow.session, select(found), section, listing, choose)
    return page.showing(_looks(uow, page.lines))


def _select(uow: UnitOfWork, question: Question) -> CompoundSelect[*tuple[Any, ...]]:
    """Select every row that may tell of somebody who saw it; what was read has to be compared with the span."""
    visible = _visibility(uow)

    def part(
        kind: str, of: Any, row: Any, at: Any, joined: ColumnElement[bool], **columns: Any
    ) -> Select[*tuple[Any, ...]]:
        """Select the rows of ``row``, which ``joined`` finds by the copy that it is ``of``."""
        return (
            select(
                literal(kind, String).label("kind"),
                literal(f"{kind}:").concat(of.id).concat(":").concat(row.id).label("key"),
                at.label("at"),
                of.application_id.label("application_id"),
                of.id.label("copy_id"),
                *(cast(columns.get(name, null()), String).label(name) for name in COLUMNS),
            )
            .select_from(Item)
            .join(of, of.item_id == Item.id)
            .join(row, joined)
            .where(
                Item.camera_id == question.camera_id,
                of.footage_from < question.span.end,
                of.footage_until >= question.span.start,
                visible(of.application_id),
            )
        )

    def by(row: Any) -> dict[str, Any]:
        return {"person_id": row.person_id, "address": row.address}

    def viewed(kind: str) -> Select[*tuple[Any, ...]]:
        read = {**by(Viewing), "content": Viewing.ranges, "sitting_id": Viewing.sitting_id}
        return part(kind, Copy, Viewing, Viewing.opened_at, Viewing.copy_id == Copy.id, **read).where(Viewing.reads > 0)

    def entered(kind: str) -> Select[*tuple[Any, ...]]:
        of_loan = CustodyEntry.hand_over_id == Copy.hand_over_id
        written = {"person_id": CustodyEntry.person_id, "content": CustodyEntry.detail}
        return part(kind, Copy, CustodyEntry, CustodyEntry.at, of_loan, **written).where(CustodyEntry.event == kind)

    def downloaded(kind: str, row: Any, **columns: Any) -> Select[*tuple[Any, ...]]:
        return part(kind, Copy, row, row.asked_at, row.copy_id == Copy.id, **by(row), **columns).where(row.reads > 0)

    of_copy = EmergencyViewing.copy_id == EmergencyCopy.id
    emergency = {**by(EmergencyViewing), "content": EmergencyViewing.ranges}
    named = literal('%"').concat(Copy.id).concat('"%')
    received = part(
        *("provided", Copy, Disclosure, Disclosure.received_at, Disclosure.application_id == Copy.application_id),
        content=Disclosure.outsider_ids,
        matter_id=Disclosure.matter_id,
    )
    allowed_by = select(Disclosure.matter_id).where(Disclosure.id == DisclosureDownload.disclosure_id)
    return union_all(
        viewed("viewing").where(Viewing.sitting_id.is_(None)),
        viewed("on-site").where(Viewing.sitting_id.is_not(None)),
        part(
            *("emergency-viewing", EmergencyCopy, EmergencyViewing, EmergencyViewing.opened_at, of_copy), **emergency
        ).where(EmergencyViewing.reads > 0),
        _redacted(question, visible),
        _pictures(question, visible),
        downloaded("download", Download),
        entered("received"),
        entered("view-allowed"),
        downloaded("fetched", DisclosureDownload, matter_id=allowed_by.scalar_subquery()),
        _packaged(question, visible),
        received.where(Disclosure.received_at.is_not(None), cast(Disclosure.copy_ids, String).like(named)),
    )


def _redacted(question: Question, visible: Visible) -> Select[*tuple[Any, ...]]:
    """Select the viewings of redacted copies, which show the moments of the copies that they were made of."""
    columns = {
        "person_id": DerivativeViewing.person_id,
        "address": DerivativeViewing.address,
        "content": DerivativeViewing.ranges,
    }
    return (
        select(
            literal("redacted-viewing", String).label("kind"),
            literal("redacted-viewing:").concat(DerivativeViewing.id).label("key"),
            DerivativeViewing.opened_at.label("at"),
            Derivative.application_id.label("application_id"),
            Derivative.id.label("copy_id"),
            *(cast(columns.get(name, null()), String).label(name) for name in COLUMNS),
        )
        .select_from(Item)
        .join(Copy, Copy.item_id == Item.id)
        .join(Derivative, Derivative.copy_id == Copy.id)
        .join(DerivativeViewing, DerivativeViewing.derivative_id == Derivative.id)
        .where(
            Item.camera_id == question.camera_id,
            Copy.footage_from < question.span.end,
            Copy.footage_until >= question.span.start,
            Derivative.made_at.is_not(None),
            DerivativeViewing.reads > 0,
            visible(Derivative.application_id.expression),
        )
    )


def _packaged(question: Question, visible: Visible) -> Select[*tuple[Any, ...]]:
    """Select the downloads of evidence packages with footage in clear, which have the masters whole."""
    columns = {"person_id": PackageFetch.person_id, "address": PackageFetch.address}
    return (
        select(
            literal("packaged", String).label("kind"),
            literal("packaged:").concat(Master.id).concat(":").concat(PackageFetch.id).label("key"),
            PackageFetch.asked_at.label("at"),
            Master.application_id.label("application_id"),
            Master.id.label("copy_id"),
            *(cast(columns.get(name, null()), String).label(name) for name in COLUMNS),
        )
        .select_from(Item)
        .join(Master, Master.item_id == Item.id)
        .join(EvidencePackage, EvidencePackage.application_id == Master.application_id)
        .join(PackageFetch, PackageFetch.package_id == EvidencePackage.id)
        .where(
            Item.camera_id == question.camera_id,
            EvidencePackage.footage == "clear",
            Master.retrieved_at <= EvidencePackage.made_at,
            PackageFetch.reads > 0,
            visible(Master.application_id.expression),
        )
    )


def _pictures(question: Question, visible: Visible) -> Select[*tuple[Any, ...]]:
    """Select the pictures of the camera that reviewers have looked at: the moment stands in the event's entry."""
    columns = {"person_id": AuditEvent.actor_id, "content": AuditEvent.entry}
    return (
        select(
            literal("picture", String).label("kind"),
            literal("picture:").concat(cast(AuditEvent.seq, String)).label("key"),
            AuditEvent.at.label("at"),
            AuditEvent.application_id.label("application_id"),
            Item.id.label("copy_id"),
            *(cast(columns.get(name, null()), String).label(name) for name in COLUMNS),
        )
        .select_from(Item)
        .join(AuditEvent, AuditEvent.subject_id == Item.id)
        .where(
            Item.camera_id == question.camera_id,
            AuditEvent.action == "picture-read",
            visible(AuditEvent.application_id.expression),
        )
    )


def _visibility(uow: UnitOfWork) -> Visible:
    """Return the condition on a column of cases that the reader sees them; the command line sees all."""
    if uow.actor.kind != "person":
        return lambda _column: true()
    return lambda column: visibility.is_of_visible(uow, column)


def _load_sealed(uow: UnitOfWork, rows: Sequence[Row[*tuple[Any, ...]]]) -> dict[str, dict[str, Any]]:
    """Load what the copies of these rows were sealed as, by their ids; four statements at most."""
    found: dict[str, dict[str, Any]] = {}
    for table in (Copy, EmergencyCopy, Derivative, Master):
        ids = {row.copy_id for row in rows if row.kind != "picture" and SEALED.get(row.kind, Copy) is table}
        if ids:
            query = select(table.id, table.sealed).where(table.id.in_(ids))
            found |= {row.id: row.sealed for row in uow.session.execute(query)}
    return found


def _seen(row: Row[*tuple[Any, ...]], sealed: Mapping[str, dict[str, Any]], wanted: Span) -> Line | None:
    """Return the row with what was read of the span; None where nothing of it was seen."""
    if row.kind == "picture":
        moment = datetime.fromisoformat(json.loads(row.content)["detail"]["moment"])
        inside = Span(moment, moment + footage_spans.PICTURE).intersect(wanted)
        return Line(row, [inside]) if inside is not None else None
    if row.kind not in READ:
        return Line(row, []) if footage_spans.shows(sealed[row.copy_id], wanted) else None
    read = footage_spans.read_spans(sealed[row.copy_id], json.loads(row.content))
    parts = [part for span in read if (part := span.intersect(wanted)) is not None]
    return Line(row, parts) if parts else None


def _looks(uow: UnitOfWork, lines: Sequence[Line]) -> list[FootageLook]:
    """Return the lines with names, numbers and purposes; a few statements, however many there are."""
    rows = [line.row for line in lines]
    allowed = {row.key: json.loads(row.content)["to"]["id"] for row in rows if row.kind == "view-allowed"}
    sittings = _load_sittings(uow, {row.sitting_id for row in rows if row.sitting_id})
    shown_to = {row.key: _present(sittings[row.sitting_id]) for row in rows if row.sitting_id in sittings}
    people = {row.person_id for row in rows} | set(allowed.values())
    people |= {person_id for ids, _ in shown_to.values() for person_id in ids}
    names = access_queries.get_names(uow, people)
    cases = _load_cases(uow, {row.application_id for row in rows})
    redacted = _load_redacted(uow, {row.matter_id for row in rows if row.matter_id})
    found = []
    for line in lines:
        row = line.row
        case = cases[row.application_id]
        present, outsiders = shown_to.get(row.key, ([], 0))
        if row.kind == "provided":
            outsiders = len(json.loads(row.content))
        person_id = allowed.get(row.key, row.person_id)
        found.append(
            FootageLook(
                how=row.kind,
                redacted=row.kind == "redacted-viewing" or row.copy_id in redacted.get(row.matter_id, ()),
                at=row.at,
                person_id=person_id,
                person=names.get(person_id, person_id),
                present=[names.get(one, one) for one in present],
                outsiders=outsiders,
                application_id=row.application_id,
                number=case.number,
                purpose=case.purpose_at(row.at),
                address=row.address,
                parts=[SpanAnswer(start=part.start, end=part.end) for part in line.parts],
            )
        )
    return found


def _load_cases(uow: UnitOfWork, ids: Collection[str]) -> dict[str, Case]:
    """Load number and purposes of cases by id, in three statements."""
    if not ids:
        return {}
    written = (
        select(Revision.application_id, Revision.submitted_at, Revision.form["purpose"].as_string())
        .where(Revision.application_id.in_(ids))
        .order_by(Revision.submitted_at, Revision.round)
    )
    # of one case they follow each other: each is asked about the purpose that the one before has left
    changed = (
        select(Matter.application_id, Matter.applied_at, Matter.facts["asked"]["purpose"].as_string())
        .where(Matter.application_id.in_(ids), Matter.kind == PURPOSE_CHANGE, Matter.applied_at.is_not(None))
        .order_by(Matter.applied_at, Matter.number)
    )
    purposes: dict[str, list[tuple[datetime, str]]] = defaultdict(list)
    for query in (written, changed):
        for application_id, since, purpose in uow.session.execute(query):
            if purpose is not None:
                purposes[application_id].append((since, purpose))
    query_of_cases = select(Application.id, Application.number, Application.purpose).where(Application.id.in_(ids))
    return {
        key: Case(number or key, purpose, purposes[key]) for key, number, purpose in uow.session.execute(query_of_cases)
    }


def _load_redacted(uow: UnitOfWork, matter_ids: Collection[str]) -> dict[str, frozenset[str]]:
    """Load by disclosure which copies it gives as their redacted copy alone, as it was signed."""
    if not matter_ids:
        return {}
    query = select(Matter.id, Matter.facts["before"]["files"]).where(Matter.id.in_(matter_ids))
    return {
        key: frozenset(file["copy"] for file in files or () if "derived" in file)
        for key, files in uow.session.execute(query)
    }


def _load_sittings(uow: UnitOfWork, ids: Collection[str]) -> dict[str, Sitting]:
    if not ids:
        return {}
    return {row.id: row for row in uow.session.scalars(select(Sitting).where(Sitting.id.in_(ids)))}


def _present(sitting: Sitting) -> tuple[list[str], int]:
    """Return who was present besides the companion: the organisation's people by id, and how many from outside.

    The names of people outside stand in the sheet of the sitting, for those who read it.
    """
    return [one["id"] for one in sitting.present["people"]], len(sitting.present["outsiders"])
