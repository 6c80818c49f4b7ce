"""Undo what a restored backup would revive, and ask people to look at the rest (R2, R16)."""

from dataclasses import dataclass

from services.database.unit_of_work import UnitOfWork
from services.domain.access import queries as access_queries
from services.domain.accounts import absences, sessions
from services.domain.change_requests import policy
from services.domain.change_requests import service as change_requests
from services.domain.notifications import service as notification_service


@dataclass(frozen=True)
class Revived:
    """Ids of the requests that ended and of the absences whose notice begins anew; how many sessions ended."""

    requests: list[str]
    absences: list[str]
    sessions: int


def undo(uow: UnitOfWork) -> Revived:
    """End all requests and sessions, begin the notices of absences anew, and tell who watches over accounts.

    What was objected to or ended since the backup is not known any more, nor which accounts were put out.
    """
    requests = change_requests.end_all_restored(uow)
    revived = Revived(
        sorted(request.id for request in requests), absences.renew_notices(uow), sessions.end_everybodys(uow)
    )
    directory = access_queries.load_directory(uow)
    told = {*policy.checkers(directory), *directory.administrators, *(request.requested_by for request in requests)}
    for person_id in sorted(told):
        notification_service.notify(uow, person_id, "database-restored", application_id=None)
    return revived
