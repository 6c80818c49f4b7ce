"""The case as people see it: where it stands, what happened, what belongs to it. Derived, never stored (F24)."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select

from services.register import audit, consents, documents, filing, findings, forms, masters, preservations, visibility
from services.register.applications import Application
from services.register.audit import AuditEvent
from services.register.cameras import Camera
from services.register.custody import HandOver
from services.register.people import Person
from services.register.reviews import Review
from services.register.stages import STAGES
from services.register.unit import Unit
from services.register.violations import Violation

VAULT_ADDRESS = ("bucket", "key", "version")


@dataclass(frozen=True)
class State:
    """``code``: draft, approval, correction, retrieval, awaiting-receipt, in-use, overdue, return-inspection, closed.

    ``detail`` is the open stage, the outcome of a closed case, or ``consents`` while joint departments are asked.
    """

    code: str
    detail: str | None = None


def state(unit: Unit, application: Application) -> State:
    """Where the case stands."""
    if application.closed_at is not None or application.withdrawn_at is not None:
        # of a withdrawn case the process only clears away what was preserved
        return State("closed", application.closed_as or "withdrawn")
    if application.submitted_at is None:
        return State("draft", _consents(unit, application))
    if application.correction_until is not None:
        return State("correction", _consents(unit, application))
    hand_over = unit.session.scalar(select(HandOver).where(HandOver.application_id == application.id))
    if hand_over is not None:
        return State(_custody(unit, hand_over))
    stage = unit.session.scalar(
        select(Review.stage).where(Review.application_id == application.id, Review.closed_at.is_(None)).limit(1)
    )
    filed = any(document.kind == "application-form" for document in documents.of_application(unit, application.id))
    if stage in STAGES.of_phase("approval") or not filed:
        return State("approval", stage)
    return State("retrieval", stage)


def _consents(unit: Unit, application: Application) -> str | None:
    return None if consents.open_of(unit, application.id) is None else "consents"


def _custody(unit: Unit, hand_over: HandOver) -> str:
    if hand_over.returned_at is not None:
        return "return-inspection"
    if hand_over.accepted_at is None:
        return "awaiting-receipt"
    overdue = hand_over.due_at is not None and hand_over.due_at <= unit.now
    return "overdue" if overdue else "in-use"


def summary(unit: Unit, application: Application) -> dict[str, Any]:
    """One line of a list."""
    stands = state(unit, application)
    return {
        "id": application.id,
        "number": application.number,
        "state": stands.code,
        "stateDetail": stands.detail,
        "drafter": _name(unit, application.drafter_id),
        "submittedAt": _iso(application.submitted_at),
        "overwriteAt": _iso(nearest_overwrite(unit, application)),
        "wayOfUse": application.granted_way_of_use or application.way_of_use,
    }


def nearest_overwrite(unit: Unit, application: Application) -> datetime | None:
    """The first moment at which footage that is asked for and not yet in the vault may be overwritten."""
    if application.closed_at is not None:
        return None
    moments = [
        preservations.overwrite_moment(unit.session.get_one(Camera, item.camera_id), item.asked_start)
        for item in preservations.items_in_scope(unit, application.id)
        if masters.of_item(unit, item.id) is None and not preservations.held(unit, item.id)
    ]
    return min((moment for moment in moments if moment is not None), default=None)


def case(unit: Unit, application_id: str) -> dict[str, Any]:
    """The whole case for one who may see it; reading it is an event (F20)."""
    application = visibility.visible(unit, application_id)
    audit.record(unit, "case-read", "application", application_id, application_id=application_id)
    revision = forms.current_revision(unit, application_id)
    return {
        **summary(unit, application),
        "round": application.round,
        "form": revision.form if revision else forms.contents(unit, application),
        "formSha256": revision.sha256 if revision else None,
        "correctionUntil": _iso(application.correction_until),
        "importance": application.importance,
        "grantedUseDays": application.granted_use_days,
        "processInstance": str(application.process_instance_key) if application.process_instance_key else None,
        "items": _items(unit, application),
        "findings": [
            {"check": f.check, "code": f.code, "severity": f.severity, "zh": f.zh, "en": f.en, "itemId": f.item_id}
            for f in findings.of_round(unit, application_id, application.round)
        ],
        "reviews": _reviews(unit, application),
        "documents": [
            {"number": d.number, "kind": d.kind, "sha256": d.sha256, "madeAt": d.made_at.isoformat()}
            for d in documents.of_application(unit, application_id)
        ],
        "handOver": _hand_over(unit, application),
        "violations": [
            {"kind": v.kind, "openedAt": v.opened_at.isoformat()}
            for v in unit.session.scalars(select(Violation).where(Violation.application_id == application_id))
        ],
        "timeLine": time_line(unit, application_id),
    }


def time_line(unit: Unit, application_id: str) -> list[dict[str, Any]]:
    """What happened, oldest first, from the audit trail; readings, and where things lie in the vault, are left out."""
    query = (
        select(AuditEvent)
        .where(AuditEvent.application_id == application_id, AuditEvent.action.not_like("%-read"))
        .order_by(AuditEvent.seq)
    )
    return [
        {
            "at": event.at.isoformat(),
            "action": event.action,
            "actor": _name(unit, event.actor_id) if event.actor_kind == "person" else event.actor_id,
            "byPerson": event.actor_kind == "person",
            "subject": {"kind": event.subject_kind, "id": None if event.subject_kind == "object" else event.subject_id},
            "detail": {
                name: value for name, value in json.loads(event.entry)["detail"].items() if name not in VAULT_ADDRESS
            },
        }
        for event in unit.session.scalars(query)
    ]


def _items(unit: Unit, application: Application) -> list[dict[str, Any]]:
    return [
        {
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
            "preserved": bool(preservations.held(unit, item.id)),
        }
        for item in preservations.items_in_scope(unit, application.id)
    ]


def _reviews(unit: Unit, application: Application) -> list[dict[str, Any]]:
    decided = {
        decision.review_id: decision
        for round_ in range(application.round + 1)
        for decision in filing.decisions_of_round(unit, application.id, round_)
    }
    reviews = unit.session.scalars(
        select(Review).where(Review.application_id == application.id).order_by(Review.opened_at)
    )
    lines = []
    for review in reviews:
        decision = decided.get(review.id)
        lines.append(
            {
                "id": review.id,
                "stage": review.stage,
                "round": review.round,
                "openedAt": review.opened_at.isoformat(),
                "dueAt": review.due_at.isoformat(),
                "closedAt": _iso(review.closed_at),
                "closedBecause": review.closed_because,
                "outcome": decision.outcome if decision else None,
                "decidedBy": _name(unit, decision.decided_by) if decision else None,
                "reason": decision.reason if decision else None,
                "opinion": decision.opinion if decision else None,
            }
        )
    return lines


def _hand_over(unit: Unit, application: Application) -> dict[str, Any] | None:
    row = unit.session.scalar(select(HandOver).where(HandOver.application_id == application.id))
    if row is None:
        return None
    return {
        "id": row.id,
        "custodian": _name(unit, row.custodian_id),
        "offeredAt": row.offered_at.isoformat(),
        "acceptedAt": _iso(row.accepted_at),
        "dueAt": _iso(row.due_at),
        "suspendedAt": _iso(row.suspended_at),
        "returnedAt": _iso(row.returned_at),
        "lostAt": _iso(row.lost_at),
    }


def _name(unit: Unit, person_id: str) -> str:
    person = unit.session.get(Person, person_id)
    return person.name if person else person_id


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
