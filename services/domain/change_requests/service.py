"""Ask for, confirm, object to and carry out changes that need a second person (R2, R16, R52).

An administrator alone could become everybody: by a password, a second factor, a post. So an act on somebody who
decides, or one that weakens a protection, is first written down here. It may be carried out when a second person has
confirmed it, or after 24 hours in which nobody has objected.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import select

from services.database.base import new_id
from services.database.tables.change_requests import ChangeRequest
from services.database.tables.custody import HandOver
from services.database.tables.people import Post
from services.database.unit_of_work import UnitOfWork
from services.domain.access import queries as access_queries
from services.domain.access.administrators import is_administrator, lock_setup, require_administrator
from services.domain.audit import trail as audit_trail
from services.domain.change_requests import addresses, holds, policy
from services.domain.notifications import service as notification_service
from services.runtime.errors import NotFound, Refused
from services.runtime.translations import Message


@dataclass(frozen=True)
class Change:
    """What an administrator wants to do. ``payload`` is JSON and says all that the act takes."""

    kind: str
    person_id: str | None
    payload: dict[str, Any]


def decides(uow: UnitOfWork, person_id: str) -> bool:
    """Return whether the person holds, or will hold, a post other than membership, or holds a copy."""
    post = select(Post.id).where(
        Post.person_id == person_id, Post.kind != "member", Post.until.is_(None) | (Post.until > uow.now)
    )
    # to watch a copy on loan takes no signature, so its custodian's account is worth as much
    copy = select(HandOver.id).where(
        HandOver.custodian_id == person_id,
        *(moment.is_(None) for moment in (HandOver.declined_at, HandOver.lost_at, HandOver.ended_at)),
    )
    return any(uow.session.scalar(query.limit(1)) is not None for query in (post, copy))


def is_set_up(uow: UnitOfWork) -> bool:
    """Return whether anybody but the acting administrator has ever had a post other than membership.

    Until then an installation is being set up and there is no second person to ask. Posts that ended count: nobody
    returns to that state by ending those of the others.
    """
    query = select(Post.id).where(Post.kind != "member", Post.person_id != uow.actor.id)
    return uow.session.scalar(query.limit(1)) is not None


def authorise_account_act(uow: UnitOfWork, kind: str, person_id: str) -> None:
    """Authorise an act on somebody's account; on one who decides nothing, notify and go on."""
    if decides(uow, person_id):
        authorise(uow, Change(kind, person_id, {}))
    else:
        notify_change(uow, person_id)


def authorise(uow: UnitOfWork, change: Change) -> None:
    """Return where the change may be carried out now, and mark it as carried out.

    Else it is asked for, once, and refused with the time from which on it may be. The caller has checked everything
    else before.
    """
    if not is_set_up(uow):
        return
    lock_setup(uow)
    request = _find_open(uow, change)
    if request is None:
        uow.after_refusal.append(partial(_ask, change=change))
        raise Refused(
            "second-person-needed",
            "This needs a second person and was asked for: carry it out under Requests when somebody of another "
            "department has confirmed it, or from {until} on if nobody objects.",
            until=holds.local_time(uow, uow.now + policy.OPEN_FOR),
        )
    if not policy.is_effective(request, uow.now):
        raise Refused(
            "second-person-awaited",
            "This was asked for already: carry it out when somebody of another department has confirmed it, or from "
            "{until} on if nobody objects.",
            until=holds.local_time(uow, request.effective_at),
        )
    request.applied_at, request.outcome = uow.now, "carried-out"
    audit_trail.record(uow, "change-carried-out", "change-request", request.id, person=request.person_id)
    _notify(uow, request, "change-carried-out", "change-carried-out")


def confirm(uow: UnitOfWork, change_id: str) -> ChangeRequest:
    """Confirm a change as its second person; whoever asked carries it out."""
    request = _get_visible(uow, change_id)
    if not policy.may_confirm(access_queries.load_directory(uow), request, uow.actor.id):
        raise Refused(
            "not-second-person",
            "Another administrator, the head of Security or the deputy, or a supervisor confirms this: of another "
            "department than whoever asked, and not whom it concerns.",
            status=403,
        )
    _check_open(uow, request)
    holds.check(uow, uow.actor.id)
    if request.confirmed_at is not None:
        raise Refused("confirmed", "This was confirmed already.")
    request.confirmed_by, request.confirmed_at = uow.actor.id, uow.now
    audit_trail.record(uow, "change-confirmed", "change-request", request.id, person=request.person_id)
    return request


def object_to(uow: UnitOfWork, change_id: str) -> ChangeRequest:
    """End a request: by an objection, or withdrawn by whoever asked."""
    request = _get_visible(uow, change_id)
    own = request.requested_by == uow.actor.id
    if not own and not policy.may_object(access_queries.load_directory(uow), request, uow.actor.id):
        raise Refused(
            "not-objector",
            "Whom it concerns, Security and the supervision group object to this: tell one of them.",
            status=403,
        )
    _check_open(uow, request)
    request.outcome = "withdrawn" if own else "objected"
    request.objected_by, request.objected_at = uow.actor.id, uow.now
    audit_trail.record(uow, f"change-{request.outcome}", "change-request", request.id, person=request.person_id)
    return request


def get_own(uow: UnitOfWork, change_id: str) -> ChangeRequest:
    """Return an open request that the acting administrator asked for."""
    require_administrator(uow)
    request = _get_visible(uow, change_id)
    if request.requested_by != uow.actor.id:
        raise Refused("not-requester", "Whoever asked for it carries it out.", status=403)
    _check_open(uow, request)
    return request


def list_visible(uow: UnitOfWork) -> list[ChangeRequest]:
    """List the open requests that concern the acting person, or all for those who watch over them."""
    query = select(ChangeRequest).where(
        ChangeRequest.outcome.is_(None), ChangeRequest.effective_at > uow.now - policy.LAPSES_AFTER
    )
    if not _sees_all(uow):
        query = query.where(ChangeRequest.person_id == uow.actor.id)
    return list(uow.session.scalars(query.order_by(ChangeRequest.requested_at, ChangeRequest.id)))


def notify_change(uow: UnitOfWork, person_id: str) -> None:
    """Notify of a change that took effect at once: the person; of somebody who decides, Security and supervisors."""
    if decides(uow, person_id):
        for checker in set(policy.checkers(access_queries.load_directory(uow))) - {person_id}:
            _notify_one(uow, checker, "account-changed", None)
    _notify_one(uow, person_id, "account-changed", None, concerned=True)


def _ask(uow: UnitOfWork, change: Change) -> None:
    """Write the request and notify, unless the same one is open; runs after the refusal."""
    lock_setup(uow)
    if not is_administrator(uow) or _find_open(uow, change) is not None:
        return
    request = ChangeRequest(
        id=new_id(),
        kind=change.kind,
        person_id=change.person_id,
        payload=change.payload,
        requested_by=uow.actor.id,
        requested_at=uow.now,
        effective_at=uow.now + policy.OPEN_FOR,
    )
    uow.session.add(request)
    uow.session.flush()
    audit_trail.record(
        uow,
        "change-requested",
        "change-request",
        request.id,
        kind=change.kind,
        person=change.person_id,
        payload=change.payload,
        effective_at=request.effective_at.isoformat(),
    )
    _notify(uow, request, "change-requested", "change-to-check")


def _notify(uow: UnitOfWork, request: ChangeRequest, code: str, checkers_code: str) -> None:
    people = set(policy.checkers(access_queries.load_directory(uow)))
    for person_id in people - {request.person_id}:
        _notify_one(uow, person_id, checkers_code, request.id)
    if request.person_id is not None:
        _notify_one(uow, request.person_id, code, request.id, concerned=True)


def _notify_one(uow: UnitOfWork, person_id: str, code: str, subject_id: str | None, *, concerned: bool = False) -> None:
    """Notify, unless it is whoever acts; whom it concerns also at the addresses of the last 30 days."""
    if person_id == uow.actor.id:
        return
    former = addresses.list_former(uow, person_id) if concerned else ()
    notification_service.notify(uow, person_id, code, application_id=None, subject_id=subject_id, addresses=former)


def _find_open(uow: UnitOfWork, change: Change) -> ChangeRequest | None:
    """Find the acting administrator's open request for exactly this change."""
    query = select(ChangeRequest).where(
        ChangeRequest.outcome.is_(None),
        ChangeRequest.kind == change.kind,
        ChangeRequest.person_id == change.person_id,
        ChangeRequest.requested_by == uow.actor.id,
        ChangeRequest.effective_at > uow.now - policy.LAPSES_AFTER,
    )
    rows = uow.session.scalars(query.order_by(ChangeRequest.requested_at).with_for_update())
    return next((row for row in rows if row.payload == change.payload), None)


def _get_visible(uow: UnitOfWork, change_id: str) -> ChangeRequest:
    """Return the request, locked; NotFound for those who may not see it."""
    request = uow.session.get(ChangeRequest, change_id, with_for_update=True, populate_existing=True)
    if request is None or not (request.person_id == uow.actor.id or _sees_all(uow)):
        raise NotFound(Message("request"), change_id)
    return request


def _check_open(uow: UnitOfWork, request: ChangeRequest) -> None:
    if request.outcome is not None or policy.lapses_at(request) <= uow.now:
        raise Refused("request-over", "This request is over: it was carried out, ended or has lapsed.")


def _sees_all(uow: UnitOfWork) -> bool:
    return is_administrator(uow) or policy.is_checker(access_queries.load_directory(uow), uow.actor.id)
