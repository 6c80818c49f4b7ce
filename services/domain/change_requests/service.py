"""Ask for, confirm, object to and carry out changes that need a second person (R2, R16, R52).

An administrator alone could become everybody: by a password, a second factor, a post. So an act on somebody who
decides, or one that weakens a protection, is first written down here. It may be carried out when a second person has
confirmed it, or after 24 hours in which nobody has objected.

Whoever changes the set-up locks it before reading who decides, and then rows: so all take their locks in one order.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from sqlalchemy import func, or_, select

from services.database.base import new_id
from services.database.tables.change_requests import ChangeRequest
from services.database.tables.people import Person
from services.database.unit_of_work import UnitOfWork
from services.domain.access import queries as access_queries
from services.domain.access.administrators import is_administrator, lock_setup, require_administrator
from services.domain.audit import trail as audit_trail
from services.domain.change_requests import addresses, deciders, holds, open_requests, policy
from services.domain.notifications import service as notification_service
from services.runtime.errors import NotFound, Refused
from services.runtime.translations import Message

MAX_ASKED = 20  # by one administrator: open, or withdrawn within a day
CARRIED_OUT = "change_requests.carried_out"  # in the session's info: the request that this unit carries out


@dataclass(frozen=True)
class Change:
    """What an administrator wants to do. ``payload`` is JSON and says all that the act takes.

    ``context`` is JSON of what the act depends on and does not change, such as the kind of a post's department: what
    was asked for and confirmed is carried out only while it is still so.
    """

    kind: str
    person_id: str | None
    payload: dict[str, Any]
    context: dict[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return the change as a request stores it."""
        return {**self.payload, "context": self.context} if self.context else self.payload


def authorise_account_act(uow: UnitOfWork, kind: str, person_id: str) -> None:
    """Authorise an act on somebody's account; on one who decides nothing, notify and go on.

    The caller has locked the set-up.
    """
    if deciders.decides(uow, person_id):
        authorise(uow, Change(kind, person_id, {}))
    else:
        notify_change(uow, person_id)


def authorise(uow: UnitOfWork, change: Change) -> ChangeRequest | None:
    """Return where the change may be carried out now, and mark its request as carried out.

    Else it is asked for, once, and refused with the time from which on it may be. The caller has checked everything
    else before. None where there is no second person yet, so that it was not asked for.
    """
    lock_setup(uow)
    if not deciders.is_set_up(uow):
        return None
    request = uow.session.info.get(CARRIED_OUT) or _find_open(uow, change)
    if request is None:
        if _is_asked_otherwise(uow, change):
            raise Refused(
                "asked-otherwise",
                "A request for this already exists, with other content or from another person: it has to be "
                "withdrawn or carried out first (page “Change requests”).",
            )
        if _count_asked(uow) >= MAX_ASKED:
            raise Refused(
                "requests-enough",
                "You have {most} requests that are open or were withdrawn today: have some of them confirmed and "
                "carry them out first (page “Change requests”).",
                most=MAX_ASKED,
            )
        uow.after_refusal.append(partial(_ask, change=change))
        if change.kind in policy.ONLY_CONFIRMED:
            raise Refused(
                "second-person-needed",
                "This change needs confirmation by a second person and was requested: carry it out under “Change "
                "requests” when a person of another department has confirmed it. Waiting does not replace the "
                "confirmation.",
            )
        if change.person_id is not None and not uow.session.get_one(Person, change.person_id).active:
            raise Refused(
                "second-person-needed",
                "This change needs confirmation by a second person and was requested: carry it out under “Change "
                "requests” when a person of another department has confirmed it. The person concerned could not "
                "sign in to object, so waiting does not replace the confirmation.",
            )
        if change.person_id is not None and open_requests.list_leavers(uow, [change.person_id], since=uow.now):
            raise Refused(
                "second-person-needed",
                "This change needs confirmation by a second person and was requested: carry it out under “Change "
                "requests” when a person of another department has confirmed it. The person concerned leaves and may "
                "not hear of it, so waiting does not replace the confirmation.",
            )
        raise Refused(
            "second-person-needed",
            "This change needs confirmation by a second person and was requested: carry it out under “Change "
            "requests” when a person of another department has confirmed it, or from {until} if nobody objects.",
            until=holds.local_time(uow, uow.now + policy.OPEN_FOR),
        )
    _check_effective(uow, request)
    if _stored(request) != (change.kind, change.person_id, change.payload, change.context):
        uow.after_refusal.append(partial(_end_refused, change_id=request.id))
        raise Refused(
            "request-outdated",
            "The data has changed since this request was made: the request has ended, make a new one.",
        )
    _apply(uow, request)
    return request


def begin(uow: UnitOfWork, change_id: str) -> ChangeRequest:
    """Lock the acting administrator's request to carry it out in this unit, which then asks for nothing anew.

    However the act ends, it is no longer open: ``finish`` ends it, and so does a refusal, since what was confirmed
    must not lie ready for a time when it means something else.
    """
    lock_setup(uow)
    request = get_own(uow, change_id)
    _check_effective(uow, request)
    uow.session.info[CARRIED_OUT] = request
    uow.after_refusal.append(partial(_end_refused, change_id=change_id))
    return request


def finish(uow: UnitOfWork, request: ChangeRequest) -> None:
    """Mark the request as carried out, where the act itself needed no second person any more."""
    del uow.session.info[CARRIED_OUT]
    if request.outcome is None:
        _apply(uow, request)


def end_all_of(uow: UnitOfWork, person_id: str) -> None:
    """End the open requests of somebody who administers no more."""
    for request in uow.session.scalars(
        select(ChangeRequest).where(ChangeRequest.outcome.is_(None), ChangeRequest.requested_by == person_id)
    ):
        _withdraw(uow, request, because="left")


def end_all_restored(uow: UnitOfWork) -> list[ChangeRequest]:
    """End and return the requests that a restored backup opens again: an objection to one is lost with it."""
    rows = uow.session.scalars(select(ChangeRequest).where(ChangeRequest.outcome.is_(None)))
    requests = [row for row in rows if policy.is_open(row, uow.now)]
    for request in requests:
        _withdraw(uow, request, because="restored")
    return requests


def check_not_objector(uow: UnitOfWork, person_id: str, *, as_checker: bool = False) -> None:
    """Refuse to put somebody out of office who may object to an open request of the acting administrator.

    ``as_checker``: what ends is the office by which they watch over changes, and not the account. Where no person acts,
    an open request of anybody's counts: what the directory says may be the requester's own doing.
    """
    directory = access_queries.load_directory(uow)
    own = [ChangeRequest.requested_by == uow.actor.id] if uow.actor.kind == "person" else []
    for request in open_requests.list_open(uow, *own):
        if policy.is_checker(directory, person_id) or (request.person_id == person_id and not as_checker):
            why = Message("This person can object to an open change request: wait until it has ended.")
            if own:
                why = Message(
                    "This person can object to one of your open requests: withdraw the request first, or ask another "
                    "administrator to do this."
                )
            raise Refused("objector", why)


def confirm(uow: UnitOfWork, change_id: str) -> ChangeRequest:
    """Confirm a change as its second person; whoever asked carries it out."""
    request = _get_visible(uow, change_id)
    asking = access_queries.load_departments(uow, [request.requested_by])[request.requested_by]
    if not policy.may_confirm(access_queries.load_directory(uow), request, uow.actor.id, asking):
        raise Refused(
            "not-second-person",
            "Only another administrator, the head of Security or the deputy, or a supervisor can confirm this: "
            "from a different department than the requester, and not the person concerned.",
            status=403,
        )
    _check_open(uow, request)
    holds.check(uow, uow.actor.id)
    if request.confirmed_at is not None:
        raise Refused("confirmed", "This has already been confirmed.")
    request.confirmed_by, request.confirmed_at = uow.actor.id, uow.now
    notification_service.mark_done(uow, "check", subject_id=request.id)
    audit_trail.record(uow, "change-confirmed", "change-request", request.id, person=request.person_id)
    return request


def object_to(uow: UnitOfWork, change_id: str, reason: str | None = None) -> ChangeRequest:
    """End a request: by an objection, or withdrawn by whoever asked or another administrator.

    An objection to models says why, for whoever has to correct them.
    """
    request = _get_visible(uow, change_id)
    directory = access_queries.load_directory(uow)
    objects = policy.may_object(directory, request, uow.actor.id)
    if not objects and not policy.may_withdraw(directory, request, uow.actor.id):
        raise Refused(
            "not-objector",
            "Only the person concerned, Security and the supervision group can object to this: inform one of them.",
            status=403,
        )
    _check_open(uow, request)
    if request.requested_by == uow.actor.id or not objects:
        _withdraw(uow, request)
        return request
    reason = (reason or "").strip() or None
    if reason is None and request.kind in policy.ONLY_CONFIRMED:
        raise Refused("objection-reason", "Enter why you object, so that it can be corrected.", status=422)
    _end(uow, request, "objected")
    request.objected_by, request.objected_at, request.objection_reason = uow.actor.id, uow.now, reason
    detail = {} if reason is None else {"reason": reason}
    audit_trail.record(uow, "change-objected", "change-request", request.id, person=request.person_id, **detail)
    return request


def get_own(uow: UnitOfWork, change_id: str) -> ChangeRequest:
    """Return an open request that the acting person asked for and still may ask for."""
    directory = access_queries.load_directory(uow)
    if not any(policy.may_ask(directory, kind, uow.actor.id) for kind in policy.BY_LEGAL):
        require_administrator(uow)
    request = _get_visible(uow, change_id)
    if request.requested_by != uow.actor.id:
        raise Refused("not-requester", "Only the requester can carry it out.", status=403)
    if not policy.may_ask(directory, request.kind, uow.actor.id):
        require_administrator(uow)
    _check_open(uow, request)
    return request


def list_visible(uow: UnitOfWork) -> list[ChangeRequest]:
    """List the open requests of or about the acting person, or all for those who watch over them."""
    me = uow.actor.id
    own = or_(ChangeRequest.person_id == me, ChangeRequest.requested_by == me)
    return open_requests.list_open(uow, *([] if _sees_all(uow) else [own]))


def notify_change(uow: UnitOfWork, person_id: str) -> None:
    """Notify of a change that took effect at once: the person; of somebody who decides, Security and supervisors."""
    if deciders.decides(uow, person_id):
        for checker in set(policy.checkers(access_queries.load_directory(uow))) - {person_id}:
            _notify_one(uow, checker, "account-changed", None)
    _notify_one(uow, person_id, "account-changed", None, concerned=True)


def _ask(uow: UnitOfWork, change: Change) -> None:
    """Write the request and notify, unless the same one is open; runs after the refusal."""
    lock_setup(uow)
    asks = policy.may_ask(access_queries.load_directory(uow), change.kind, uow.actor.id)
    if not asks or _find_open(uow, change) is not None or _is_asked_otherwise(uow, change):
        return
    if _count_asked(uow) >= MAX_ASKED:
        return  # another request of the same person was written between the refusal and this
    request = ChangeRequest(
        id=new_id(),
        kind=change.kind,
        person_id=change.person_id,
        payload=change.as_json(),
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
        payload=change.as_json(),
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
    """Notify, unless it is whoever acts; whom it concerns also where the last 30 days reached them."""
    if person_id == uow.actor.id:
        return
    former = addresses.list_former(uow, person_id) if concerned else addresses.NOWHERE
    notification_service.notify(uow, person_id, code, application_id=None, subject_id=subject_id, **former)


def _find_open(uow: UnitOfWork, change: Change) -> ChangeRequest | None:
    """Find the acting administrator's open request for exactly this change, locked."""
    query = select(ChangeRequest).where(
        ChangeRequest.outcome.is_(None),
        ChangeRequest.kind == change.kind,
        ChangeRequest.person_id == change.person_id,
        ChangeRequest.requested_by == uow.actor.id,
    )
    query = query.order_by(ChangeRequest.requested_at).with_for_update().execution_options(populate_existing=True)
    rows = [row for row in uow.session.scalars(query) if policy.is_open(row, uow.now)]
    return next((row for row in rows if _stored(row)[2] == change.payload), None)


def _stored(request: ChangeRequest) -> tuple[str, str | None, dict[str, Any], Mapping[str, Any]]:
    """Return the kind, person, payload and context of a request."""
    payload = {name: value for name, value in request.payload.items() if name != "context"}
    return request.kind, request.person_id, payload, request.payload.get("context", {})


def _is_asked_otherwise(uow: UnitOfWork, change: Change) -> bool:
    """Return whether a request about the same is open: another one's, or one for another time or value.

    Whoever objects to one of several would miss the others.
    """
    about = _about(change.kind, change.payload)
    same_person = ChangeRequest.person_id == change.person_id
    return any(_about(row.kind, row.payload) == about for row in open_requests.list_open(uow, same_person))


def _about(kind: str, payload: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return what of its person or set-up a change is about; each department that is added stands for itself."""
    named = [
        payload.get(name) for name in ("post", "department", "rule", "year", "schedule", "level", "rule_id", "camera")
    ]
    if kind == "new-department":
        named += [payload["name_zh"], payload["name_en"]]
    if kind == "applicable-rule":
        named.append(payload["value"]["title"])
    return (kind, *named)


def _count_asked(uow: UnitOfWork) -> int:
    """Count what the acting administrator has asked for: the open requests, and those withdrawn on the same day.

    Each is told to everybody who watches over changes; among too many they would miss the one that matters.
    """
    own = ChangeRequest.requested_by == uow.actor.id
    withdrawn = select(func.count()).where(
        own, ChangeRequest.outcome == "withdrawn", ChangeRequest.requested_at > uow.now - policy.OPEN_FOR
    )
    return len(open_requests.list_open(uow, own)) + (uow.session.scalar(withdrawn) or 0)


def _check_effective(uow: UnitOfWork, request: ChangeRequest) -> None:
    unheard = request.id in open_requests.list_unheard(uow, [request])
    if not policy.is_effective(request, uow.now, unheard=unheard):
        if request.kind in policy.ONLY_CONFIRMED:
            raise Refused(
                "second-person-awaited",
                "This was already requested: carry it out when a person of another department has confirmed it. "
                "Waiting does not replace the confirmation.",
            )
        if unheard:
            raise Refused(
                "second-person-awaited",
                "This was already requested: carry it out when a person of another department has confirmed it. "
                "The person concerned could not sign in to object, so waiting does not replace the confirmation.",
            )
        raise Refused(
            "second-person-awaited",
            "This was already requested: carry it out when a person of another department has confirmed it, or "
            "from {until} if nobody objects.",
            until=holds.local_time(uow, request.effective_at),
        )


def _apply(uow: UnitOfWork, request: ChangeRequest) -> None:
    _end(uow, request, "carried-out")
    request.applied_at = uow.now
    audit_trail.record(uow, "change-carried-out", "change-request", request.id, person=request.person_id)
    _notify(uow, request, "change-carried-out", "change-carried-out")


def _end(uow: UnitOfWork, request: ChangeRequest, outcome: str) -> None:
    request.outcome = outcome
    notification_service.mark_done(uow, "request", "check", subject_id=request.id)


def _end_refused(uow: UnitOfWork, change_id: str) -> None:
    """End a request whose act was refused when it was to be carried out; runs after the refusal."""
    request = uow.session.get_one(ChangeRequest, change_id, with_for_update=True, populate_existing=True)
    if request.outcome is None:
        _withdraw(uow, request, because="refused")


def _withdraw(uow: UnitOfWork, request: ChangeRequest, **because: str) -> None:
    _end(uow, request, "withdrawn")
    request.objected_by = uow.actor.id if uow.actor.kind == "person" else None
    request.objected_at = uow.now
    audit_trail.record(uow, "change-withdrawn", "change-request", request.id, person=request.person_id, **because)


def _get_visible(uow: UnitOfWork, change_id: str) -> ChangeRequest:
    """Return the request, locked; NotFound for those who may not see it."""
    request = uow.session.get(ChangeRequest, change_id, with_for_update=True, populate_existing=True)
    if request is None or not (uow.actor.id in (request.person_id, request.requested_by) or _sees_all(uow)):
        raise NotFound(Message("request"), change_id)
    return request


def _check_open(uow: UnitOfWork, request: ChangeRequest) -> None:
    if request not in open_requests.list_open(uow, ChangeRequest.id == request.id):
        raise Refused("request-over", "This request has ended: it was carried out, cancelled or has expired.")


def _sees_all(uow: UnitOfWork) -> bool:
    return is_administrator(uow) or policy.is_checker(access_queries.load_directory(uow), uow.actor.id)
