"""Who reads the pages of supervision: supervisors, and the head of Security with the deputy (R61, R62).

A case that concerns its reader stays hidden there as everywhere else.
"""

from services.database.unit_of_work import UnitOfWork
from services.domain.access import queries as access_queries
from services.domain.access.policy import LEADERS, Directory
from services.runtime.errors import Refused


def reads_supervision(directory: Directory, person_id: str) -> bool:
    """Return whether the person reads what the supervision group reads; administrators never do."""
    reads = directory.holds(person_id, "supervisor") or directory.holds_in(person_id, "security", *LEADERS)
    return reads and person_id not in directory.administrators


def may_read(uow: UnitOfWork) -> bool:
    """Return whether the acting person reads the pages of supervision."""
    return uow.actor.kind == "person" and reads_supervision(access_queries.load_directory(uow), uow.actor.id)


def require_reader(uow: UnitOfWork) -> None:
    """Raise Refused unless the acting person reads the pages of supervision."""
    if not may_read(uow):
        raise Refused(
            "not-supervision",
            "Only supervisors and the head of Security read this: ask one of them.",
            status=403,
        )
