"""Import the working calendar of a year; limits that run keep the moment that they were given."""

from typing import NoReturn

from sqlalchemy import event

from services.database.tables.working_calendar import CalendarYear
from services.database.unit_of_work import UnitOfWork
from services.domain.access import administrators
from services.domain.audit import trail as audit_trail
from services.domain.change_requests import service as change_requests
from services.domain.change_requests.service import Change
from services.domain.working_calendar import queries
from services.domain.working_calendar.tables import YearTable
from services.runtime.errors import Refused


@event.listens_for(CalendarYear, "before_update")
@event.listens_for(CalendarYear, "before_delete")
def _append_only(_mapper: object, _connection: object, imported: CalendarYear) -> NoReturn:
    raise TypeError(f"import {imported.seq} of the working calendar is history: import the year again")


def import_year(uow: UnitOfWork, table: YearTable, reason: str, *, was: int | None) -> CalendarYear:
    """Set the days of a year for the reviews that open from now on.

    ``was`` is the ``seq`` of the table that the administrator saw, None for none: Refused if somebody else has imported
    one since, and until a second person has confirmed it. More days off stall a review as a longer limit does, and
    fewer soon let others sign in somebody's place.
    """
    administrators.require_administrator(uow)
    administrators.lock_setup(uow)  # before the table is read, so that it is the latest
    newest = queries.get_newest(uow, table.year)
    if was != (newest.seq if newest is not None else None):
        raise Refused(
            "calendar-changed",
            "Another person has just imported the working calendar of {year}: check it before you import yours.",
            year=str(table.year),
        )
    days = [day.as_json() for day in table.days]
    if newest is not None and newest.days == days:
        raise Refused("calendar-same", "These are already the days of this year: there is nothing to change.")
    payload = {"year": table.year, "days": days, "reason": reason, "was": was}
    change_requests.authorise(uow, Change("calendar", None, payload))
    row = CalendarYear(year=table.year, days=days, imported_at=uow.now, imported_by=uow.actor.id, reason=reason)
    uow.session.add(row)
    uow.session.flush()
    queries.discard_loaded(uow)
    audit_trail.record(
        uow, "calendar-imported", "calendar", str(table.year), days=days, reason=reason, was=was, change=row.seq
    )
    return row
