"""Grants: who may open which copy, for how long; checked at every read (R41, R52, R55, R59, F17, F18, F30)."""

from dataclasses import dataclass
from typing import Any, Literal, get_args

from sqlalchemy import select

from services.database.tables.applications import Application
from services.database.tables.copies import Copy, Grant
from services.database.tables.custody import HandOver
from services.database.tables.derivatives import Derivative
from services.database.tables.emergency_views import EmergencyCopy
from services.database.tables.people import Person
from services.database.unit_of_work import UnitOfWork
from services.domain.access import queries as access_queries
from services.domain.applications import recipients, ways
from services.domain.audit import trail as audit_trail
from services.domain.custody import check_ins, granted, on_site, suspensions
from services.runtime.errors import NotFound, Refused
from services.runtime.translations import Message, Text

Action = Literal["view", "download"]
CopyKind = Literal["copy", "emergency-copy", "derivative"]  # as the audit trail calls them
COPIES: dict[CopyKind, type[Copy | EmergencyCopy | Derivative]] = {
    "copy": Copy,
    "emergency-copy": EmergencyCopy,
    "derivative": Derivative,
}

# Why a copy does not open: code and message.
NOT_ACCEPTED = ("not-accepted", Message("You have not accepted the copy yet: accept it first."))
RETURNED = ("copy-returned", Message("The copy was returned and can no longer be opened."))
LOST = ("copy-lost", Message("The copy was reported lost, damaged or leaked: access has ended."))
REPLACED = (
    "copy-replaced",
    Message("The copy is being replaced: you will be notified when you can accept the new one."),
)
KEY_DESTROYED = (
    "key-destroyed",
    Message("The loan key is destroyed: the copy can no longer be opened."),
)
NOT_GRANTED = ("not-granted", Message("The approval does not include this: submit a new application."))
NO_DOWNLOAD = (
    "not-granted",
    Message("Only viewing is granted: submit a new application for a download."),
)
ENDED = ("grant-ended", Message("The grant has ended: submit a new application if you still need the footage."))
USE_PERIOD_OVER = ("use-period-over", Message("The use period has ended: return the copy now."))
# What a suspension tells the custodian, by its cause: what holds, and what to do.
SUSPENDED = {
    suspensions.USE_PERIOD_OVER: USE_PERIOD_OVER,
    suspensions.LOST: LOST,
    suspensions.PROBLEM: (
        "copy-frozen",
        Message("The copy is frozen while a problem report is being checked: wait for the answer of Security."),
    ),
    suspensions.VIOLATION: (
        "violation-open",
        Message(
            "Access is suspended because of a violation: return the copy if you still hold it, and contact Security."
        ),
    ),
    suspensions.RECALLED: ("copy-recalled", Message("Security has recalled the copy: contact Security.")),
    suspensions.AGREEMENT: (
        "agreement-suspended",
        Message("Access is suspended until you have signed the confidentiality agreement: sign it now."),
    ),
    suspensions.CUSTODIAN_LEFT: (
        "custodian-left",
        Message("The custodian of the copy has left: the head of the department has to name another person."),
    ),
}
CHECK_IN_DUE = (
    "check-in-due",
    Message(
        "It is too long ago that you confirmed the safe keeping of these copies: enter “checked” in the custody log on "
        "the page of the loan, then open them again."
    ),
)
ADMINISTRATOR = (
    "administrator",
    Message("Administrators cannot view footage: another person has to be the custodian."),
)
NOT_BEGUN = ("grant-not-begun", Message("The grant has not started: open the copy later."))
# What a named recipient is answered, who learns nothing of what happened to the loan.
VIEW_ALONE = ("not-granted", Message("You may view this footage, but not download it."))
VIEW_ENDED = ("grant-ended", Message("You may no longer view this footage: ask the custodian if you still need it."))
VIEW_OVER = (
    "use-period-over",
    Message("The use period has ended: ask the custodian if you still need to view the footage."),
)
CLOSED_NOW = ("copy-closed", Message("This footage cannot be opened at present: ask the custodian."))


@dataclass(frozen=True)
class OpenedCopy:
    """A copy that the actor may open now. ``sealed`` says where it lies and what it is.

    ``sitting_id`` is of the open sitting, where the copy is viewed on site alone.
    """

    copy_id: str
    application_id: str
    hand_over_id: str
    purpose: str
    sealed: dict[str, Any]
    sitting_id: str | None = None


def actions_for(way: str) -> tuple[Action, ...]:
    """Return what a way of use lets the custodian do with the copies."""
    return ("view", "download") if way == ways.DOWNLOAD else ("view",)


def create(
    uow: UnitOfWork,
    hand_over: HandOver,
    copies: list[Copy],
    actions: tuple[Action, ...],
    *,
    person_id: str | None = None,
) -> None:
    """Grant the custodian, or another person, these actions from now up to the due date."""
    if hand_over.due_at is None:
        raise ValueError("a grant needs an end: the hand-over has no due date")
    for copy in copies:
        for action in actions:
            grant = Grant(
                copy_id=copy.id,
                person_id=person_id or hand_over.custodian_id,
                action=action,
                since=uow.now,
                until=hand_over.due_at,
            )
            uow.session.add(grant)
            audit_trail.record(
                uow,
                "grant-created",
                "copy",
                copy.id,
                application_id=copy.application_id,
                person=grant.person_id,
                granted=action,
                until=grant.until.isoformat(),
            )


def actions_of(uow: UnitOfWork, hand_over: HandOver) -> tuple[Action, ...]:
    """Return what is granted of the loan now to its custodian."""
    held = {
        grant.action
        for grant in granted.list_of_hand_over(uow, hand_over.id)
        if grant.ended_at is None and grant.person_id == hand_over.custodian_id
    }
    return tuple(action for action in get_args(Action) if action in held)


def check(uow: UnitOfWork, copy_id: str, action: Action, *, address: str | None = None) -> OpenedCopy:
    """Return the copy, when the actor may do this with it now. Refused with the reason, NotFound for strangers.

    ``address`` is where the actor is: what is viewed on site alone opens at a station, in an open sitting.

    That is its custodian, or a recipient whom the signed form names and whom the custodian lets view it. A refusal
    leaves no trace here, because its unit is rolled back: callers record it with ``record_denial``.
    """
    copy = uow.session.get(Copy, copy_id)
    hand_over = uow.session.get(HandOver, copy.hand_over_id) if copy is not None and copy.hand_over_id else None
    if copy is None or hand_over is None or uow.actor.kind != "person":
        raise NotFound(Message("copy"), copy_id)
    custodian = hand_over.custodian_id == uow.actor.id
    if not custodian and not _is_recipient(uow, copy):
        raise NotFound(Message("copy"), copy_id)
    grant = uow.session.scalar(
        select(Grant)
        .where(Grant.copy_id == copy_id, Grant.person_id == uow.actor.id, Grant.action == action)
        .order_by(Grant.ended_at.is_not(None), Grant.since.desc())
        .limit(1)
    )
    if access_queries.load_directory(uow).holds(uow.actor.id, "administrator"):
        raise _refused(*ADMINISTRATOR)
    access_queries.require_agreement(uow, uow.actor.id)
    answer = _refusal if custodian else _recipient_refusal
    refusal = answer(uow, copy, hand_over, grant, action)
    if refusal is not None:
        raise refusal
    application = uow.session.get_one(Application, copy.application_id)
    sitting_id = None
    if on_site.way_of(application, hand_over) == ways.ON_SITE:
        if not custodian:
            raise on_site.refused(*on_site.ACCOMPANIED_ONLY)
        sitting_id = on_site.require_sitting(uow, hand_over, address).id
    purpose = hand_over.purpose or application.purpose
    return OpenedCopy(copy.id, copy.application_id, hand_over.id, purpose, dict(copy.sealed), sitting_id)


def record_denial(uow: UnitOfWork, kind: CopyKind, copy_id: str, action: Action, code: str) -> None:
    """Record that somebody was refused (R41: access outside the terms is denied and seen)."""
    table = COPIES[kind]
    application_id = uow.session.scalar(select(table.application_id).where(table.id == copy_id))
    if application_id is not None:
        audit_trail.record(uow, "access-denied", kind, copy_id, application_id=application_id, asked=action, code=code)


def extend(uow: UnitOfWork, hand_over: HandOver) -> None:
    """Let every grant that has not ended last up to the present due date."""
    for grant in granted.list_of_hand_over(uow, hand_over.id):
        if grant.ended_at is None and hand_over.due_at is not None and grant.until != hand_over.due_at:
            grant.until = hand_over.due_at
            granted.record(uow, hand_over, grant, "grant-extended", "use-period-changed")


def end(uow: UnitOfWork, hand_over: HandOver, because: str) -> None:
    """End every grant for good, those of named recipients too."""
    for grant in granted.list_of_hand_over(uow, hand_over.id):
        if grant.ended_at is None:
            granted.end(uow, hand_over, grant, because)


def _is_recipient(uow: UnitOfWork, copy: Copy) -> bool:
    """Whether the actor was given the copy to view, and the signed form names the actor (R57)."""
    me = uow.actor.id
    given = select(Grant.id).where(Grant.copy_id == copy.id, Grant.person_id == me, Grant.action == "view").limit(1)
    return uow.session.scalar(given) is not None and me in recipients.list_signed(uow, copy.application_id)


def _recipient_refusal(
    uow: UnitOfWork, copy: Copy, hand_over: HandOver, grant: Grant | None, action: Action
) -> Refused | None:
    """Return why a named recipient does not view the copy now, whatever the custodian still may."""
    if action != "view" or grant is None:
        return _refused(*VIEW_ALONE)
    me = uow.session.get_one(Person, uow.actor.id)
    application = uow.session.get_one(Application, copy.application_id)
    destroyed = copy.key_destroyed_at is not None or copy.discarded_at is not None
    reasons = (
        (not me.active or me.id in application.subject_ids, VIEW_ENDED),
        (grant.ended_at is not None or destroyed or not suspensions.is_held(hand_over), VIEW_ENDED),
        (uow.now >= grant.until, VIEW_OVER),
        (bool(suspensions.list_open(uow, hand_over) or suspensions.of_person(uow, me.id)), CLOSED_NOW),
        (check_ins.is_overdue(uow, application, hand_over), CLOSED_NOW),
    )
    return next((_refused(*words) for holds, words in reasons if holds), None)


def _refusal(uow: UnitOfWork, copy: Copy, hand_over: HandOver, grant: Grant | None, action: Action) -> Refused | None:
    """Return why not, the strongest reason first."""
    over = _loan_refusal(copy, hand_over, accepted=grant is not None)
    if over is not None or grant is None:
        return over or _refused(*(NO_DOWNLOAD if action == "download" else NOT_GRANTED))
    if grant.ended_at is not None:
        return _refused(*ENDED)
    cause = suspensions.first_cause(row.cause for row in suspensions.list_open(uow, hand_over))
    if cause is not None:
        return _refused(*SUSPENDED[cause])
    application = uow.session.get_one(Application, copy.application_id)
    reasons = (
        (uow.now >= grant.until, USE_PERIOD_OVER),
        (uow.now < grant.since, NOT_BEGUN),
        (check_ins.is_overdue(uow, application, hand_over), CHECK_IN_DUE),
    )
    return next((_refused(*words) for holds, words in reasons if holds), None)


def _loan_refusal(copy: Copy, hand_over: HandOver, *, accepted: bool) -> Refused | None:
    reasons = (
        (not accepted and hand_over.accepted_at is None, NOT_ACCEPTED),
        (hand_over.returned_at is not None, RETURNED),
        (hand_over.lost_at is not None, LOST),
        (hand_over.replaced_at is not None, REPLACED),
        (copy.key_destroyed_at is not None or copy.discarded_at is not None, KEY_DESTROYED),
    )
    return next((_refused(*words) for holds, words in reasons if holds), None)


def _refused(code: str, message: Text) -> Refused:
    return Refused(code, message, status=403)
