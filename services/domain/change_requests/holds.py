"""Let nobody sign for 24 hours after a reset, a first factor or a first post, unless the head confirms (R25, R52)."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import joinedload

from services.database.base import new_id
from services.database.tables.change_requests import SignatureHold
from services.database.tables.people import Person, Post
from services.database.unit_of_work import UnitOfWork
from services.domain.access import queries as access_queries
from services.domain.audit import trail as audit_trail
from services.domain.change_requests import policy
from services.runtime.errors import NotFound, Refused
from services.runtime.translations import Message, Text

DURATION = timedelta(hours=24)
RESET_WITHIN = timedelta(days=30)  # before a post is given, so that the hold begins anew with it
POST_GIVEN = "post-assigned"


def add(uow: UnitOfWork, person_id: str, reason: str, *, begins: datetime | None = None) -> None:
    """Hold the person's signatures for 24 hours from ``begins`` (now), and not before: they sign by other right until
    then.

    ``reason`` is the audit action of the reset, or of the post.
    """
    since = max(begins or uow.now, uow.now)
    row = SignatureHold(
        id=new_id(),
        person_id=person_id,
        reason=reason,
        since=since,
        until=since + DURATION,
        reset_by=uow.actor.id if uow.actor.kind == "person" and uow.actor.id != person_id else None,
    )
    uow.session.add(row)
    audit_trail.record(
        uow,
        "signatures-held",
        "person",
        person_id,
        hold=row.id,
        reason=reason,
        since=since.isoformat(),
        until=row.until.isoformat(),
    )


def add_for_post(uow: UnitOfWork, post: Post) -> None:
    """Hold the signatures of somebody who gets a first post, or was reset in the 30 days before.

    An account that was prepared before it could decide anything is not worth more than one that is reset afterwards.
    """
    earlier = select(Post.id).where(Post.person_id == post.person_id, Post.kind != "member", Post.id != post.id)
    reset = select(SignatureHold.id).where(
        SignatureHold.person_id == post.person_id,
        SignatureHold.reason != POST_GIVEN,
        SignatureHold.since > uow.now - RESET_WITHIN,
    )
    if uow.session.scalar(earlier.limit(1)) is None or uow.session.scalar(reset.limit(1)) is not None:
        add(uow, post.person_id, POST_GIVEN, begins=post.since)


def check(uow: UnitOfWork, person_id: str) -> None:
    """Refuse with the end of the hold, and who may confirm, where the person must not sign yet."""
    held = list_current(uow, person_id)
    if not held:
        return
    last = max(held, key=lambda hold: hold.until)
    who, _ = _releasers(uow, last, _departments_of_resetters(uow, [last]))
    named: dict[str, Text | str] = {"until": local_time(uow, last.until), "who": who}
    message = (
        Message(
            "You were just assigned a post, so you can sign from {until}, or as soon as {who} confirms that this "
            "account is yours (page “Change requests”).",
            **named,
        )
        if last.reason == POST_GIVEN
        else Message(
            "Your password, second factor or passkeys were reset, or your second factor is new, so you can sign "
            "again from {until}, or as soon as {who} confirms that you requested it (page “Change requests”).",
            **named,
        )
    )
    raise Refused("signature-held", message, status=403)


def list_current(uow: UnitOfWork, person_id: str | None = None) -> Sequence[SignatureHold]:
    """List the holds of now, of everybody or of one person, with their people."""
    query = select(SignatureHold).where(
        SignatureHold.since <= uow.now, SignatureHold.until > uow.now, SignatureHold.lifted_at.is_(None)
    )
    if person_id is not None:
        query = query.where(SignatureHold.person_id == person_id)
    return uow.session.scalars(query.options(joinedload(SignatureHold.person)).order_by(SignatureHold.since)).all()


def list_releasable(uow: UnitOfWork, holds: Iterable[SignatureHold]) -> list[SignatureHold]:
    """Keep the holds of which the acting person may confirm that the held one signs."""
    holds = list(holds)
    departments = _departments_of_resetters(uow, holds)
    return [hold for hold in holds if uow.actor.id in _releasers(uow, hold, departments)[1]]


def release(uow: UnitOfWork, hold_id: str) -> SignatureHold:
    """Confirm that the person signs again; refused to everybody but the person's head."""
    hold = uow.session.get(SignatureHold, hold_id, with_for_update=True, populate_existing=True)
    if hold is None or not list_releasable(uow, [hold]):
        raise NotFound(Message("request"), hold_id)
    check(uow, uow.actor.id)
    if hold.until <= uow.now or hold.lifted_at is not None:
        raise Refused("hold-over", "This person can already sign again.")
    hold.lifted_by, hold.lifted_at = uow.actor.id, uow.now
    audit_trail.record(uow, "signatures-released", "person", hold.person_id, hold=hold.id)
    return hold


def local_time(uow: UnitOfWork, moment: datetime) -> str:
    """Write a moment in the organisation's zone, to the minute."""
    return moment.astimezone(ZoneInfo(uow.rules.zone)).strftime("%Y-%m-%d %H:%M")


def _releasers(
    uow: UnitOfWork, hold: SignatureHold, departments: Mapping[str, Collection[str]]
) -> tuple[Message, list[str]]:
    person = uow.session.get_one(Person, hold.person_id)
    resetting = departments[hold.reset_by] if hold.reset_by is not None else ()
    return policy.hold_releasers(access_queries.load_directory(uow), person.id, person.department_id, resetting)


def _departments_of_resetters(uow: UnitOfWork, holds: Iterable[SignatureHold]) -> Mapping[str, Collection[str]]:
    return access_queries.load_departments(uow, {hold.reset_by for hold in holds if hold.reset_by is not None})
