"""A violation as people see it: who is heard, what was decided, what it waits for, and what one may do now."""

from collections.abc import Sequence

from sqlalchemy import select

from services.database.tables.applications import Application
from services.database.tables.documents import Document
from services.database.tables.matters import Matter
from services.database.tables.reviews import Decision
from services.database.tables.violations import Hearing, Sanction, Violation
from services.database.unit_of_work import UnitOfWork
from services.domain.access import queries as access_queries
from services.domain.access import violations as policy
from services.domain.access import visibility
from services.domain.custody.violations import ACCUSED
from services.domain.matters.permissions import first_of
from services.domain.matters.schemas import (
    AppealView,
    AwaitedRecord,
    HeardPerson,
    RecordedSanction,
    ReferralView,
    SettlementView,
    UnansweredViolation,
    ViolationView,
)
from services.domain.matters.violations import appeals, tasks


def list_unanswered(uow: UnitOfWork) -> list[UnansweredViolation]:
    """List the violations that are served on the actor, who can still reply; the most pressing first."""
    query = (
        select(Matter.id, Matter.number, Violation.reply_until)
        .join(Violation, Violation.matter_id == Matter.id)
        .join(Hearing, Hearing.matter_id == Matter.id)
        .where(
            Hearing.person_id == uow.actor.id,
            Hearing.replied_at.is_(None),
            Matter.closed_at.is_(None),
            Violation.heard_at.is_(None),
            Violation.reply_until >= uow.now,
        )
        .order_by(Violation.reply_until, Matter.id)
    )
    return [
        UnansweredViolation(matter_id=matter_id, number=number, reply_until=until)
        for matter_id, number, until in uow.session.execute(query)
        if until is not None
    ]


def list_to_record(uow: UnitOfWork, limit: int) -> list[AwaitedRecord]:
    """List the upheld violations whose referral or settlement the actor may record, the oldest first."""
    me, directory = uow.actor.id, access_queries.load_directory(uow)
    if not policy.leads_handling(directory, me):
        return []
    heard = select(Hearing.matter_id).where(Hearing.matter_id == Matter.id, Hearing.person_id == me)
    query = (
        select(Matter, Violation)
        .join(Violation, Violation.matter_id == Matter.id)
        .where(
            Violation.closed_at.is_(None),
            Violation.sanctioned_at.is_not(None),
            Matter.closed_at.is_(None),
            Matter.application_id.not_in(select(Application.id).where(visibility.concerns(me))),
            ~heard.exists(),
        )
        .order_by(Violation.sanctioned_at, Matter.id)
        .limit(limit)
    )
    rows = uow.session.execute(query).all()
    decided: dict[str, dict[str, Decision]] = {matter.id: {} for matter, _ in rows}
    of_matters = select(Decision).where(Decision.matter_id.in_(decided)).order_by(Decision.decided_at, Decision.id)
    for decision in uow.session.scalars(of_matters) if decided else ():
        decided[str(decision.matter_id)].setdefault(decision.stage, decision)
    found = ((matter, tasks.awaited_of(decided[matter.id], matter, violation)) for matter, violation in rows)
    return [
        AwaitedRecord(matter_id=matter.id, number=matter.number, awaits=awaits)  # type: ignore[arg-type]  # of the two
        for matter, awaits in found
        if awaits is not None
    ]


def describe(uow: UnitOfWork, matter: Matter, decided: Sequence[Decision]) -> ViolationView | None:
    """Return what a violation has besides its facts; None for every other matter.

    ``decided``: its decisions, the oldest first.
    """
    violation = uow.session.scalar(select(Violation).where(Violation.matter_id == matter.id))
    if violation is None:
        return None
    me = uow.actor.id
    heard = uow.session.scalars(select(Hearing).where(Hearing.matter_id == matter.id).order_by(Hearing.part)).all()
    sanctions = uow.session.scalars(
        select(Sanction).where(Sanction.matter_id == matter.id).order_by(Sanction.person_id, Sanction.kind)
    ).all()
    names = access_queries.get_names(uow, [*(row.person_id for row in heard), *(row.person_id for row in sanctions)])
    awaited = tasks.awaited_of(first_of(decided), matter, violation)
    handles = policy.may_handle(uow, matter)
    own = next((row for row in heard if row.person_id == me), None)
    open_to_reply = (
        matter.closed_at is None
        and violation.reply_until is not None
        and violation.heard_at is None
        and uow.now <= violation.reply_until
    )
    appealed = policy.list_appeals(uow, violation)
    accused = [row.person_id for row in heard if row.part == ACCUSED]
    is_party = me in accused or policy.may_answer_for(uow, matter, accused)
    referral, settlement = violation.referral, violation.settlement
    return ViolationView(
        id=violation.id,
        violation_kind=violation.kind,
        severity=violation.severity,
        served_at=violation.served_at,
        reply_until=violation.reply_until,
        heard_at=violation.heard_at,
        heard=[
            HeardPerson(
                name=names.get(row.person_id, row.person_id), accused=row.part == ACCUSED, replied_at=row.replied_at
            )
            for row in heard
        ],
        sanctions=[
            RecordedSanction(
                name=names.get(row.person_id, row.person_id),
                kind=row.kind,
                amount=row.amount,
                currency=row.currency,
                note=row.note,
                dropped_because=row.dropped_because,
                revoked_at=row.revoked_at,
            )
            for row in sanctions
        ],
        referral=ReferralView(
            authority=referral.get("authority"),
            handed_at=referral.get("handedAt"),
            receipt=referral.get("receipt"),
            package_sha256=referral.get("packageSha256"),
            package_made_here=referral.get("packageMadeHere"),
            package_because=referral.get("packageBecause"),
            document=uow.session.scalar(
                select(Document.number).where(Document.subject_id == matter.id, Document.kind == "referral")
            )
            if policy.sees_opener(uow, matter)
            else None,
        )
        if referral
        else None,
        settlement=SettlementView(
            account=settlement["account"],
            amount=settlement["amount"],
            currency=settlement.get("currency"),
            at=settlement["at"],
        )
        if settlement
        else None,
        awaits=awaited,
        currency=uow.rules.currency,
        may_reply=open_to_reply and (own is not None or is_party) and (own is None or own.replied_at is None),
        may_refer=handles and awaited == tasks.REFERRAL and referral is not None,
        may_settle=handles and awaited == "settlement",
        appeal=_appeal(appealed[-1]) if appealed else None,
        appeal_until=appeals.until(uow, violation, appealed),
        may_appeal=is_party and appeals.refusal(uow, violation, appealed, accused) is None,
    )


def _appeal(matter: Matter) -> AppealView:
    state = matter.closed_as or "open"
    return AppealView(matter_id=matter.id, number=matter.number, state=state, opened_at=matter.opened_at)
