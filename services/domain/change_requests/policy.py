"""Who may confirm, object to and carry out a change: pure functions over the organisation (R2, R16)."""

from collections.abc import Collection
from datetime import datetime, timedelta

from services.database.tables.change_requests import ChangeRequest
from services.domain.access.directory import LEADERS, Directory
from services.runtime.translations import Message

OPEN_FOR = timedelta(hours=24)  # to objections, unless a second person confirms
LAPSES_AFTER = timedelta(days=3)  # from when it could have been carried out
BY_LEGAL = frozenset({"applicable-rule"})  # kinds that Legal asks for, and administrators do not
ONLY_CONFIRMED = frozenset({"models", *BY_LEGAL})  # kinds for which no time takes the second person's place


def checkers(directory: Directory) -> list[str]:
    """List who is told of every change: the heads of Security and the supervisors."""
    return list(dict.fromkeys([*directory.holders_in("security", "head"), *directory.holders(None, "supervisor")]))


def may_ask(directory: Directory, kind: str, person_id: str) -> bool:
    """Return whether the person may ask for a change of this kind: an administrator, or who leads Legal."""
    if kind not in BY_LEGAL:
        return directory.holds(person_id, "administrator")
    return directory.holds_in(person_id, "legal", *LEADERS) and person_id not in directory.administrators


def is_checker(directory: Directory, person_id: str) -> bool:
    """Return whether the person watches over changes: Security's head or deputy, or a supervisor."""
    return directory.holds_in(person_id, "security", "head", "deputy") or directory.holds(person_id, "supervisor")


def may_confirm(directory: Directory, request: ChangeRequest, person_id: str, asking: Collection[str]) -> bool:
    """Return whether the person may be the second one.

    Another administrator, Security's head or deputy, or a supervisor: of other departments than ``asking``, those of
    whoever asked, and neither of the two whom it is about. Administrators confirm nothing that Legal asks for.
    """
    if person_id in (request.requested_by, request.person_id):
        return False
    administers = request.kind not in BY_LEGAL and directory.holds(person_id, "administrator")
    if not (is_checker(directory, person_id) or administers):
        return False
    return directory.departments_of(person_id).isdisjoint(asking)


def may_object(directory: Directory, request: ChangeRequest, person_id: str) -> bool:
    """Return whether the person may object: whoever it concerns, or who watches over changes."""
    return person_id == request.person_id or is_checker(directory, person_id)


def may_withdraw(directory: Directory, request: ChangeRequest, person_id: str) -> bool:
    """Return whether the person may withdraw: whoever asked, and any other administrator of what these ask for."""
    return person_id == request.requested_by or may_ask(directory, request.kind, person_id)


def is_effective(request: ChangeRequest, now: datetime, *, unheard: bool) -> bool:
    """Return whether the change may be carried out now.

    ``unheard``: it needs a second person however much time has passed, because of its kind (``ONLY_CONFIRMED``), or
    because whom it concerns could not object.
    """
    in_time = not unheard and request.effective_at <= now
    return request.outcome is None and (request.confirmed_at is not None or in_time)


def is_open(request: ChangeRequest, now: datetime) -> bool:
    """Return whether the change may still be carried out, now or later: neither ended nor lapsed."""
    return request.outcome is None and now < lapses_at(request)


def lapses_at(request: ChangeRequest) -> datetime:
    possible = min(request.effective_at, request.confirmed_at or request.effective_at)
    return possible + LAPSES_AFTER


def hold_releasers(
    directory: Directory, person_id: str, department_id: str, resetting: Collection[str]
) -> tuple[Message, list[str]]:
    """Return who may confirm that somebody signs after a reset: what they are, and their ids.

    The head of the person's department; of a head, or without such a one, the head of Security; of that one the
    supervisors. Nobody of ``resetting``, the departments of the administrator whose act the hold follows: the same two
    people would be asked for both.
    """
    groups = [
        (Message("the head of your department"), directory.holders(department_id, "head")),
        (Message("the head of Security"), directory.holders_in("security", "head")),
        (Message("the supervision group"), directory.holders(None, "supervisor")),
    ]
    first = 2 if directory.holds_in(person_id, "security", "head") else 1 if directory.holds(person_id, "head") else 0
    for who, people in groups[first:]:
        found = [
            other
            for other in people
            if other != person_id
            and other not in directory.administrators
            and directory.departments_of(other).isdisjoint(resetting)
        ]
        if found:
            return who, found
    return groups[-1][0], []
