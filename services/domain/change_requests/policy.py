"""Who may confirm, object to and carry out a change: pure functions over the organisation (R2, R16)."""

from datetime import datetime, timedelta

from services.database.tables.change_requests import ChangeRequest
from services.domain.access.policy import Directory

OPEN_FOR = timedelta(hours=24)  # to objections, unless a second person confirms
LAPSES_AFTER = timedelta(days=7)  # from when it could have been carried out


def checkers(directory: Directory) -> list[str]:
    """List who is told of every change: the heads of Security and the supervisors."""
    return list(dict.fromkeys([*directory.holders_in("security", "head"), *directory.holders(None, "supervisor")]))


def is_checker(directory: Directory, person_id: str) -> bool:
    """Return whether the person watches over changes: Security's head or deputy, or a supervisor."""
    return directory.holds_in(person_id, "security", "head", "deputy") or directory.holds(person_id, "supervisor")


def may_confirm(directory: Directory, request: ChangeRequest, person_id: str) -> bool:
    """Return whether the person may be the second one.

    Another administrator, Security's head or deputy, or a supervisor: of other departments than whoever asked, and
    neither of the two whom it is about.
    """
    if person_id in (request.requested_by, request.person_id):
        return False
    if not (is_checker(directory, person_id) or directory.holds(person_id, "administrator")):
        return False
    asking = directory.departments_of(request.requested_by) if request.requested_by in directory.people else set()
    return not asking & directory.departments_of(person_id)


def may_object(directory: Directory, request: ChangeRequest, person_id: str) -> bool:
    """Return whether the person may object: whoever it concerns, or who watches over changes."""
    return person_id == request.person_id or is_checker(directory, person_id)


def is_effective(request: ChangeRequest, now: datetime) -> bool:
    """Return whether the change may be carried out now."""
    return request.outcome is None and (request.confirmed_at is not None or request.effective_at <= now)


def lapses_at(request: ChangeRequest) -> datetime:
    return request.effective_at + LAPSES_AFTER


def hold_releasers(directory: Directory, person_id: str, department_id: str) -> list[str]:
    """List who may confirm that somebody signs after a reset.

    The head of the person's department; of a head, the head of Security; of that one, the supervisors.
    """
    if directory.holds_in(person_id, "security", "head"):
        found = directory.holders(None, "supervisor")
    elif directory.holds(person_id, "head"):
        found = directory.holders_in("security", "head")
    else:
        found = directory.holders(department_id, "head")
    return [other for other in found if other != person_id and other not in directory.administrators]
