"""Everything that the database has about one case, read in one transaction as of a signed checkpoint."""

import base64
import json
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import aliased

from services.database.tables.applications import Application, Item
from services.database.tables.audit import AuditAnchor, AuditCheckpoint, AuditEvent
from services.database.tables.copies import Copy
from services.database.tables.custody import CustodyEntry, HandOver
from services.database.tables.documents import Document
from services.database.tables.masters import Master
from services.database.tables.returns import ArchiveEntry, Inspection, Return
from services.database.tables.violations import Violation
from services.database.unit_of_work import UnitOfWork
from services.domain.access import queries as access_queries
from services.domain.accounts.signatures import signed_acts
from services.domain.accounts.signatures.signed_acts import SignedAct
from services.domain.audit import checkpoints
from services.domain.audit import tree as audit_tree
from services.domain.custody import copies
from services.domain.custody import log as custody_log
from services.domain.documents import service as document_service
from services.domain.retrieval import masters
from services.evidence import attachment_members
from services.evidence.attachment_members import Attached
from services.runtime.errors import Fatal
from services.vault.sealing import Sealed
from services.verifier import accounts
from services.verifier.notes import Checkpoint, read_checkpoint

READ = "audit-event"  # of the trail: who looks at what of a case is no part of it
INSPECTED = "inspected-case"  # the subject of what supervision does with a case of its sample


@dataclass(frozen=True)
class Footage:
    """The sealed footage of an item; ``container`` is its file extension.

    ``name`` begins the names of its members: the position, of a later issue of the copies with the issue.
    """

    position: int
    issue: int
    sealed: Sealed
    container: str

    @property
    def name(self) -> str:
        return str(self.position) if self.issue == 1 else f"{self.position}-issue-{self.issue}"


@dataclass
class CaseFile:
    """Everything but footage, labels and PDFs, which are in the store.

    ``written``: by a document's number, the first checkpoint that covers the event of its writing.
    """

    application_id: str
    number: str
    organisation: str
    note: str
    events: list[AuditEvent]
    masters: list[Footage]
    copies: list[Footage]
    documents: list[Document]
    written: dict[str, dict[str, Any]]
    acts: list[SignedAct]
    custody: list[CustodyEntry]
    returned: dict[str, Any] | None
    anchors: list[dict[str, Any]]
    accounts: list[AuditEvent] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)
    attached: list[Attached] = field(default_factory=list)

    @property
    def checkpoint(self) -> Checkpoint:
        return read_checkpoint(self.note)

    @property
    def stored(self) -> set[str]:
        """Return what is read from the store: numbers of documents, keys of footage, attachments."""
        return (
            {document.number for document in self.documents}
            | {footage.sealed.key for footage in (*self.masters, *self.copies)}
            | {f"{attached.id} {attached.member}" for attached in self.attached}
        )


def find(uow: UnitOfWork, number: str) -> str:
    """Return the id of the application with this number; Fatal without one, or without a filed form.

    A case with a violation needs none: what was seen before its approval may have to be proved to an authority.
    """
    application = uow.session.scalar(select(Application).where(Application.number == number.strip()))
    if application is None:
        raise Fatal(
            f"no package was made | application {number} | no application has this number | "
            "look it up among the cases of the portal; it is written as SQ-2026-000001"
        )
    violated = select(Violation.id).where(Violation.application_id == application.id).limit(1)
    if uow.session.scalar(violated) is None and not any(
        document.kind == "application-form" for document in document_service.of_application(uow, application.id)
    ):
        raise Fatal(
            f"no package was made | application {number} | no approved form was filed, on which a package "
            "is based | make it after the form was filed"
        )
    return application.id


def require_needed(uow: UnitOfWork, application_id: str) -> None:
    """Raise Fatal where footage of the case waits for its disposal: nothing opens it any more, for nobody."""
    if any(row.awaits_disposal for row in masters.list_of_application(uow, application_id)):
        raise Fatal(
            f"no package was made | application {application_id} | its case has ended without a loan, and its footage "
            "is not opened any more and waits for its disposal | make the package with --footage hash"
        )


def read(uow: UnitOfWork, application_id: str, note: str, *, in_clear: bool) -> CaseFile | None:
    """Read the case as of the signed checkpoint ``note``; None if it was changed since.

    ``in_clear``: for a package with its footage in clear.
    """
    application = uow.session.get_one(Application, application_id)
    loans = select(HandOver).where(HandOver.application_id == application_id).order_by(HandOver.issue)
    hand_overs = uow.session.scalars(loans).all()
    acts = signed_acts.of_application(uow, application_id)
    case = CaseFile(
        application_id=application_id,
        number=str(application.number),
        organisation=uow.rules.organisation,
        note=note,
        events=list_events(uow, application_id, acts),
        masters=_footage(
            uow, [row for row in masters.list_of_application(uow, application_id) if row.discarded_at is None]
        ),
        copies=_footage(uow, copies.list_of_application(uow, application_id)),
        documents=document_service.of_application(uow, application_id),
        written=_written(uow, application_id),
        acts=acts,
        custody=[entry for hand_over in hand_overs for entry in custody_log.list_entries(uow, hand_over.id)],
        returned=_returned(uow, application_id, hand_overs[-1] if hand_overs else None),
        anchors=[],
        attached=attachment_members.list_of_case(uow, application_id, in_clear=in_clear),
    )
    size = case.checkpoint.size
    case.events = [event for event in case.events if event.seq <= size]
    case.accounts = _account_events(uow, acts, size)
    case.events = sorted([*case.events, *case.accounts], key=lambda event: event.seq)
    case.anchors = list(_anchors(uow, [event.seq for event in case.events], size))
    people = {entry.person_id for entry in case.custody}
    people |= {absent for act in acts for absent in accounts.represented(act.statement)}
    known = access_queries.get_names(uow, people)
    case.names = {person_id: known.get(person_id, person_id) for person_id in people if person_id is not None}
    return None if checkpoints.last_change(uow, application_id) > size else case


def proofs(uow: UnitOfWork, indexes: list[int], olds: list[int], size: int) -> tuple[list[Any], list[Any]]:
    """Return inclusion proofs of events and consistency proofs of earlier sizes, for a tree of ``size`` events."""
    return (
        [audit_tree.inclusion(uow, index, size) for index in indexes],
        [audit_tree.consistency(uow, old, size) for old in olds],
    )


def list_events(uow: UnitOfWork, application_id: str, acts: list[SignedAct]) -> list[AuditEvent]:
    """Return the case's events, and those of the confidentiality agreements that its hand-over requires.

    Without those of how supervision has inspected the case: what a member has answered is read by supervision, by who
    leads Security and by the management alone. A finding is there, with the work order that puts it right.
    """
    of_case = select(AuditEvent).where(AuditEvent.application_id == application_id)
    events = list(uow.session.scalars(of_case.where(AuditEvent.subject_kind.not_in((INSPECTED, READ)))))
    signed = {act.signature["sha256"]: act for act in acts if act.kind == "confidentiality-agreement"}
    if signed:
        agreements = select(AuditEvent).where(
            AuditEvent.action == "agreement-signed", AuditEvent.application_id.is_(None)
        )
        signers = {act.statement["person"] for act in signed.values()}
        for event in uow.session.scalars(agreements.where(AuditEvent.actor_id.in_(signers))):
            if json.loads(event.entry)["detail"].get("statement_sha256") in signed:
                events.append(event)
    return sorted(events, key=lambda event: event.seq)


def _account_events(uow: UnitOfWork, acts: list[SignedAct], size: int) -> list[AuditEvent]:
    """Return what happened to the signers' accounts, departments and rules in the 30 days before each signature."""
    signatures = accounts.Signatures()
    for act in acts:
        signatures.add(act.signature, act.statement)
    moments = signatures.moments()
    if not moments:
        return []
    since = moments[0] - timedelta(days=accounts.DAYS)
    rows = select(AuditEvent).where(
        AuditEvent.action.in_(accounts.ALL_ACTIONS), AuditEvent.at.between(since, moments[-1]), AuditEvent.seq <= size
    )
    found = []
    for event in uow.session.scalars(rows.order_by(AuditEvent.seq)):
        entry = json.loads(event.entry)
        if accounts.is_listed(entry) and signatures.concerns(entry, event.at):
            found.append(event)
    return found


def _written(uow: UnitOfWork, application_id: str) -> dict[str, dict[str, Any]]:
    later = aliased(AuditCheckpoint)
    first = select(func.min(later.size)).where(later.size >= AuditEvent.seq).correlate(AuditEvent).scalar_subquery()
    rows = select(AuditEvent.subject_id, AuditCheckpoint).join(AuditCheckpoint, AuditCheckpoint.size == first)
    of_documents = (
        AuditEvent.application_id == application_id,
        AuditEvent.subject_kind == "document",
        AuditEvent.action.endswith("-written"),
    )
    return {
        number: {"origin": row.origin, "size": row.size, "root": row.root}
        for number, row in uow.session.execute(rows.where(*of_documents))
    }


def _footage(uow: UnitOfWork, rows: Sequence[Master | Copy]) -> list[Footage]:
    """By the items' positions."""
    items = _items(uow, {row.item_id for row in rows})
    footage = []
    for row in rows:
        sealed = Sealed.from_json(row.sealed)
        containers = {part.container for part in sealed.coverage.parts}
        item = items[row.item_id]
        issue = _issue_of(item, items)
        footage.append(Footage(item.position, issue, sealed, "mov" if "mov" in containers else "mp4"))
    return sorted(footage, key=lambda one: (one.position, one.issue))


def _items(uow: UnitOfWork, ids: set[str]) -> dict[str, Item]:
    """Load these items with those that they replace."""
    items: dict[str, Item] = {}
    while missing := ids - items.keys():
        items |= {row.id: row for row in uow.session.scalars(select(Item).where(Item.id.in_(missing)))}
        ids = {row.replaces_id for row in items.values() if row.replaces_id is not None}
    return items


def _issue_of(item: Item, items: Mapping[str, Item]) -> int:
    """Count the issues of an item: the first one replaces none."""
    return 1 if item.replaces_id is None else 1 + _issue_of(items[item.replaces_id], items)


def _returned(uow: UnitOfWork, application_id: str, hand_over: HandOver | None) -> dict[str, Any] | None:
    if hand_over is None:
        return None
    row = uow.session.scalar(select(Return).where(Return.hand_over_id == hand_over.id))
    if row is None:
        return None
    inspection = uow.session.scalar(select(Inspection).where(Inspection.hand_over_id == hand_over.id))
    archived = uow.session.scalar(select(ArchiveEntry).where(ArchiveEntry.application_id == application_id))
    return {
        "handOver": hand_over.id,
        "returnedBy": row.returned_by,
        "returnedAt": row.returned_at.isoformat(),
        "returnTo": row.return_to,
        "attestation": row.attestation,
        "statementSha256": row.statement_sha256,
        "inspection": None
        if inspection is None
        else {
            "inspectedAt": inspection.inspected_at.isoformat(),
            "hashes": inspection.hashes,
            "findings": inspection.findings,
        },
        "archived": None
        if archived is None
        else {
            "archivedAt": archived.archived_at.isoformat(),
            "inOrder": archived.in_order,
            "disposeAfter": archived.dispose_after.isoformat(),
            "location": archived.location,
        },
    }


def _anchors(uow: UnitOfWork, events: Sequence[int], until: int) -> Iterator[dict[str, Any]]:
    """Yield the first anchor that holds each of these events, and the newest one below the package's checkpoint.

    Of those with a time stamp likewise: the authority may have been away when the first one was made. Not all of them:
    one an hour since the agreement of a year ago would fill the package, and prove no more. ``events``: their numbers,
    in order.
    """
    within = AuditAnchor.size.between(events[0], until)
    sizes = select(AuditAnchor.size).where(within).order_by(AuditAnchor.size)
    wanted = set[int]()
    for held in (sizes, sizes.where(AuditAnchor.token.is_not(None))):
        found = uow.session.scalars(held).all()
        firsts = {bisect_left(found, event) for event in events} - {len(found)}
        wanted |= {found[first] for first in firsts} | set(found[-1:])
    rows = select(AuditAnchor, AuditCheckpoint.note).join(AuditCheckpoint, AuditCheckpoint.size == AuditAnchor.size)
    for anchor, note in uow.session.execute(rows.where(AuditAnchor.size.in_(wanted)).order_by(AuditAnchor.size)):
        yield {
            "size": anchor.size,
            "bucket": anchor.bucket,
            "key": anchor.key,
            "version": anchor.version_id,
            "sha256": anchor.sha256,
            "anchoredAt": anchor.anchored_at.isoformat(),
            "retainUntil": None if anchor.retain_until is None else anchor.retain_until.isoformat(),
            "token": None if anchor.token is None else base64.b64encode(anchor.token).decode(),
            "note": note,
        }
