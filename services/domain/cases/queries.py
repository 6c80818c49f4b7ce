"""The case as people see it: where it stands, what happened, what belongs to it. Derived, never stored (F24)."""

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, select

from services.database.tables.applications import Application, Item
from services.database.tables.audit import AuditEvent
from services.database.tables.cameras import Camera
from services.database.tables.consents import Consultation
from services.database.tables.custody import HandOver
from services.database.tables.documents import Document
from services.database.tables.masters import Master
from services.database.tables.people import Person
from services.database.tables.preservations import Preservation
from services.database.tables.reviews import Review
from services.database.unit_of_work import UnitOfWork
from services.domain.access import queries as access_queries
from services.domain.applications import findings, forms
from services.domain.audit import trail as audit_trail
from services.domain.cases import rows as case_rows
from services.domain.cases.rows import CaseRows, ItemRow, ReviewRow
from services.domain.retrieval import preservations
from services.domain.stages.catalogue import STAGES

VAULT_ADDRESS = ("bucket", "key", "version")


@dataclass(frozen=True)
class State:
    """``code``: draft, approval, correction, retrieval, awaiting-receipt, in-use, overdue, return-inspection, closed.

    ``detail`` is the open stage, the outcome of a closed case, or ``consents`` while joint departments are asked.
    """

    code: str
    detail: str | None = None


@dataclass(frozen=True)
class Footage:
    """What a case asks for: how many items, and when the first that is not in the vault yet may be overwritten.

    The moment is None where there is no such item, and for a closed case.
    """

    items: int = 0
    overwrite_at: datetime | None = None


def state(uow: UnitOfWork, application: Application) -> State:
    """Where the case stands."""
    return states(uow, [application])[application.id]


def states(uow: UnitOfWork, applications: Collection[Application]) -> dict[str, State]:
    """Where the cases stand, by id; one statement, however many there are.

    ``case_states.code`` says the same in SQL, without the detail.
    """
    known = {row.id: row for row in uow.session.execute(_standing([one.id for one in applications]))}
    found = {}
    for one in applications:
        row = known[one.id]
        found[one.id] = _state(uow, one, row.HandOver, asked=row.asked, stage=row.stage, filed=row.filed)
    return found


def _state(
    uow: UnitOfWork,
    application: Application,
    hand_over: HandOver | None,
    *,
    asked: bool,
    stage: str | None,
    filed: bool,
) -> State:
    if application.closed_at is not None or application.withdrawn_at is not None:
        # of a withdrawn case the process only clears away what was preserved
        return State("closed", application.closed_as or "withdrawn")
    if application.submitted_at is None or application.correction_until is not None:
        code = "draft" if application.submitted_at is None else "correction"
        return State(code, "consents" if asked else None)
    if hand_over is not None:
        return State(_custody(uow, hand_over))
    if stage in STAGES.of_phase("approval") or not filed:
        return State("approval", stage)
    return State("retrieval", stage)


def _standing(ids: Collection[str]) -> Select[*tuple[Any, ...]]:
    """What ``states`` needs of each case: its hand-over, whether consents are asked, the open stage, whether filed."""
    asked = select(Consultation.id).where(
        Consultation.application_id == Application.id, Consultation.ended_at.is_(None)
    )
    stage = (
        select(Review.stage)
        .where(Review.application_id == Application.id, Review.closed_at.is_(None))
        .order_by(Review.opened_at, Review.id)
        .limit(1)
    )
    filed = select(Document.number).where(
        Document.application_id == Application.id, Document.kind == "application-form"
    )
    return (
        select(
            Application.id,
            HandOver,
            asked.exists().label("asked"),
            stage.scalar_subquery().label("stage"),
            filed.exists().label("filed"),
        )
        .outerjoin(HandOver, HandOver.application_id == Application.id)
        .where(Application.id.in_(ids))
    )


def _custody(uow: UnitOfWork, hand_over: HandOver) -> str:
    if hand_over.returned_at is not None:
        return "return-inspection"
    if hand_over.accepted_at is None:
        return "awaiting-receipt"
    overdue = hand_over.due_at is not None and hand_over.due_at <= uow.now
    return "overdue" if overdue else "in-use"


def summary(uow: UnitOfWork, application: Application) -> dict[str, Any]:
    """One line of a list."""
    return summaries(uow, [application])[0]


def summaries(uow: UnitOfWork, applications: Sequence[Application]) -> list[dict[str, Any]]:
    """The lines of a list, in the given order; three statements, however many there are."""
    stands, asked = states(uow, applications), footage(uow, applications)
    names = access_queries.names(uow, [one.drafter_id for one in applications])
    return [
        {
            "id": one.id,
            "number": one.number,
            "state": stands[one.id].code,
            "stateDetail": stands[one.id].detail,
            "drafter": names[one.drafter_id],
            "submittedAt": _iso(one.submitted_at),
            "overwriteAt": _iso(asked[one.id].overwrite_at),
            "wayOfUse": one.granted_way_of_use or one.way_of_use,
        }
        for one in applications
    ]


def nearest_overwrite(uow: UnitOfWork, application: Application) -> datetime | None:
    """The first moment at which footage that is asked for and not yet in the vault may be overwritten."""
    return footage(uow, [application])[application.id].overwrite_at


def footage(uow: UnitOfWork, applications: Collection[Application]) -> dict[str, Footage]:
    """What the cases ask for, by id; one statement, however many there are."""
    if not applications:
        return {}
    query = (
        select(Item.application_id, Item.asked_start, Camera, is_safe().label("safe"))
        .join(Camera, Camera.id == Item.camera_id)
        .where(Item.application_id.in_([one.id for one in applications]), Item.dropped_in_round.is_(None))
    )
    count: Counter[str] = Counter()
    moments: dict[str, list[datetime]] = defaultdict(list)
    for application_id, start, camera, safe in uow.session.execute(query):
        count[application_id] += 1
        moment = preservations.overwrite_moment(camera, start)
        if moment is not None and not safe:
            moments[application_id].append(moment)
    return {
        one.id: Footage(count[one.id], None if one.closed_at else min(moments[one.id], default=None))
        for one in applications
    }


def is_safe() -> ColumnElement[bool]:
    """Whether the vault holds the footage of an item, as its master or in the quarantine; of a query on ``Item``."""
    preserved = select(Preservation.id).where(Preservation.item_id == Item.id, Preservation.released_at.is_(None))
    return select(Master.id).where(Master.item_id == Item.id).exists() | preserved.exists()


def state_of(rows: CaseRows) -> State:
    """As ``state``, of rows that are read."""
    open_stages = [row.review.stage for row in rows.reviews if row.review.closed_at is None]
    return _state(
        rows.uow,
        rows.application,
        rows.head.hand_over,
        asked=any(consultation.ended_at is None for consultation, _, _ in rows.consents),
        stage=next(iter(open_stages), None),
        filed=any(document.kind == "application-form" for document in rows.documents),
    )


def overwrite_of(rows: CaseRows) -> datetime | None:
    """As ``nearest_overwrite``, of rows that are read."""
    if rows.application.closed_at is not None:
        return None
    moments = [
        preservations.overwrite_moment(row.camera, row.item.asked_start)
        for row in rows.items
        if row.master is None and not row.preserved
    ]
    return min((moment for moment in moments if moment is not None), default=None)


def case(uow: UnitOfWork, application_id: str) -> dict[str, Any]:
    """The whole case for one who may see it; reading it is an event (F20)."""
    rows = case_rows.of_case(uow, application_id)
    application = rows.application
    audit_trail.record(uow, "case-read", "application", application_id, application_id=application_id)
    stands = state_of(rows)
    revision = rows.revisions[-1] if rows.revisions else None
    decided_by = [row.decision.decided_by for row in rows.reviews if row.decision is not None]
    hand_over = rows.head.hand_over
    names = access_queries.names(uow, [*decided_by, hand_over.custodian_id if hand_over is not None else None])
    return {
        "id": application.id,
        "number": application.number,
        "state": stands.code,
        "stateDetail": stands.detail,
        "drafter": rows.head.drafter,
        "submittedAt": _iso(application.submitted_at),
        "overwriteAt": _iso(overwrite_of(rows)),
        "wayOfUse": application.granted_way_of_use or application.way_of_use,
        "round": application.round,
        "form": revision.form if revision else forms.contents(uow, application),
        "formSha256": revision.sha256 if revision else None,
        "correctionUntil": _iso(application.correction_until),
        "importance": application.importance,
        "grantedUseDays": application.granted_use_days,
        "processInstance": str(application.process_instance_key) if application.process_instance_key else None,
        "items": [_item(row) for row in rows.items],
        "findings": [
            {"check": f.check, "code": f.code, "severity": f.severity, "zh": f.zh, "en": f.en, "itemId": f.item_id}
            for f in findings.in_order(one for one in rows.findings if one.round == application.round)
        ],
        "reviews": [_review(row, names) for row in rows.reviews],
        "documents": [
            {"number": d.number, "kind": d.kind, "sha256": d.sha256, "madeAt": d.made_at.isoformat()}
            for d in rows.documents
        ],
        "handOver": _hand_over(hand_over, names) if hand_over is not None else None,
        "violations": [{"kind": v.kind, "openedAt": v.opened_at.isoformat()} for v in rows.violations],
        "timeLine": time_line(uow, application_id),
        "consultation": consultation(rows),
    }


def time_line(uow: UnitOfWork, application_id: str) -> list[dict[str, Any]]:
    """What happened, oldest first, from the audit trail; readings, and where things lie in the vault, are left out."""
    query = (
        select(AuditEvent, Person.name)
        .outerjoin(Person, (Person.id == AuditEvent.actor_id) & (AuditEvent.actor_kind == "person"))
        .where(AuditEvent.application_id == application_id, AuditEvent.action.not_like("%-read"))
        .order_by(AuditEvent.seq)
    )
    return [
        {
            "at": event.at.isoformat(),
            "action": event.action,
            "actor": name or event.actor_id,
            "byPerson": event.actor_kind == "person",
            "subject": {"kind": event.subject_kind, "id": None if event.subject_kind == "object" else event.subject_id},
            "detail": {
                key: value for key, value in json.loads(event.entry)["detail"].items() if key not in VAULT_ADDRESS
            },
        }
        for event, name in uow.session.execute(query)
    ]


def _item(row: ItemRow) -> dict[str, Any]:
    item = row.item
    return {
        "id": item.id,
        "position": item.position,
        "cameraId": item.camera_id,
        "from": item.asked_start.isoformat(),
        "to": item.asked_end.isoformat(),
        "grantedFrom": _iso(item.granted_start),
        "grantedTo": _iso(item.granted_end),
        "zone": item.zone,
        "outcome": item.outcome,
        "coverage": item.coverage,
        "preserved": row.preserved,
    }


def _review(row: ReviewRow, names: Mapping[str, str]) -> dict[str, Any]:
    review, decision = row.review, row.decision
    return {
        "id": review.id,
        "stage": review.stage,
        "round": review.round,
        "openedAt": review.opened_at.isoformat(),
        "dueAt": review.due_at.isoformat(),
        "closedAt": _iso(review.closed_at),
        "closedBecause": review.closed_because,
        "outcome": decision.outcome if decision else None,
        "decidedBy": names[decision.decided_by] if decision else None,
        "reason": decision.reason if decision else None,
        "opinion": decision.opinion if decision else None,
    }


def _hand_over(row: HandOver, names: Mapping[str, str]) -> dict[str, Any]:
    return {
        "id": row.id,
        "custodian": names[row.custodian_id],
        "offeredAt": row.offered_at.isoformat(),
        "acceptedAt": _iso(row.accepted_at),
        "dueAt": _iso(row.due_at),
        "suspendedAt": _iso(row.suspended_at),
        "returnedAt": _iso(row.returned_at),
        "lostAt": _iso(row.lost_at),
    }


def consultation(rows: CaseRows) -> dict[str, Any] | None:
    """How the newest consultation stands or ended; None where nobody was asked."""
    if not rows.newest_consents:
        return None
    names = access_queries.names(rows.uow, [consent.person_id for _, consent, _ in rows.newest_consents])
    newest = rows.newest_consents[0][0]
    return {
        "askedAt": newest.asked_at.isoformat(),
        "dueAt": newest.due_at.isoformat(),
        "endedAt": _iso(newest.ended_at),
        "endedBecause": newest.ended_because,
        "formSha256": newest.sha256,
        "answers": [
            {
                "department": {"id": department.id, "zh": department.name_zh, "en": department.name_en},
                "answer": consent.answer,
                "by": names[consent.person_id] if consent.person_id is not None else None,
                "at": _iso(consent.answered_at),
                "reason": consent.reason,
            }
            for _, consent, department in rows.newest_consents
        ],
    }


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
