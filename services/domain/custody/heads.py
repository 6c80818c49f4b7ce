"""Who answers for a loan beside its custodian, or in their place: heads of department and Security (R45, R48, R51)."""

from collections.abc import Collection

from services.database.tables.applications import Application
from services.database.tables.custody import HandOver
from services.database.unit_of_work import UnitOfWork
from services.domain.access import queries as access_queries
from services.domain.access.directory import LEADERS
from services.domain.custody import suspensions


def list_of_department(uow: UnitOfWork, of: HandOver | Application) -> list[str]:
    """List the heads of the department that uses the copies, else its deputies; none whom the case concerns (T8)."""
    application = _application(uow, of)
    directory, own = access_queries.load_directory(uow), application.department_id
    return _first_group(application, (directory.holders(own, "head"), directory.holders(own, "deputy")))


def list_of_security(uow: UnitOfWork, of: HandOver | Application) -> list[str]:
    """List the heads of Security, else its deputies; none whom the case concerns (T8)."""
    application = _application(uow, of)
    holders_in = access_queries.load_directory(uow).holders_in
    return _first_group(application, (holders_in("security", "head"), holders_in("security", "deputy")))


def stands_in(uow: UnitOfWork, hand_over: HandOver) -> bool:
    """Return whether the actor returns the copies in the place of a custodian who has left (R38, R45).

    That is the head or the deputy of the department that uses them; nobody whom the case concerns (T8).
    """
    application, me = _application(uow, hand_over), uow.actor.id
    directory = access_queries.load_directory(uow)
    if uow.actor.kind != "person" or me == hand_over.custodian_id or me in application.subject_ids:
        return False
    if me not in directory.holders(application.department_id, *LEADERS) or me in directory.administrators:
        return False
    return suspensions.has_left(uow, hand_over.custodian_id)


def _application(uow: UnitOfWork, of: HandOver | Application) -> Application:
    return of if isinstance(of, Application) else uow.session.get_one(Application, of.application_id)


def _first_group(application: Application, groups: Collection[list[str]]) -> list[str]:
    others = ([person for person in group if person not in application.subject_ids] for group in groups)
    return next(filter(None, others), [])
