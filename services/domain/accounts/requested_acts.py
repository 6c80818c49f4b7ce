"""Carry out a change that was asked for, by the act that had been refused (R2, R16)."""

from collections.abc import Callable, Mapping
from typing import Any

from services.database.unit_of_work import Actor, Database, UnitOfWork
from services.domain.accounts import posts, staff
from services.domain.accounts.posts import PostRequest
from services.domain.accounts.staff import Details, InitialPassword
from services.domain.change_requests import service as change_requests
from services.domain.deployments import service as deployments
from services.domain.rules import service as rules
from services.domain.working_calendar import service as working_calendar
from services.domain.working_calendar.tables import check_table
from services.runtime.calendar_days import CalendarDay

ACCOUNT_ACTS: Mapping[str, Callable[[UnitOfWork, str], object]] = {
    "activate": staff.activate,
    "unlock": staff.unlock,
    "reset-second-factor": staff.reset_second_factor,
    "end-passkeys": staff.end_passkeys,
    "unbind-identity": staff.unbind_identity,
}


async def carry_out(database: Database, actor: Actor, change_id: str) -> InitialPassword | None:
    """Do what was asked for; return the initial password if it was that.

    Refused until somebody has confirmed it or the time to object is over; and as the act itself, which ends the
    request.
    """
    request = await database.run(actor, change_requests.get_own, change_id)
    if request.kind == "initial-password":
        return await staff.reset_password(database, actor, str(request.person_id), change_id=change_id)
    await database.run(actor, _carry_out, change_id)
    return None


def _carry_out(uow: UnitOfWork, change_id: str) -> None:
    request = change_requests.begin(uow, change_id)
    payload = {name: value for name, value in request.payload.items() if name != "context"}
    _act(uow, request.kind, str(request.person_id), payload)
    change_requests.finish(uow, request)


def _act(uow: UnitOfWork, kind: str, person_id: str, payload: Mapping[str, Any]) -> None:
    if kind == "post":
        posts.assign(uow, person_id, PostRequest.from_json(payload))
    elif kind == "details":
        staff.change_person(uow, person_id, Details(**payload["new"]))
    elif kind == "department":
        values = {name: value for name, value in payload.items() if name != "department"}
        staff.change_department(uow, payload["department"], **values)
    elif kind == "new-department":
        staff.add_department(uow, **payload)
    elif kind == "rule":
        rules.change_rule(uow, payload["rule"], payload["value"], payload["reason"], was=payload["was"])
    elif kind == "calendar":
        table = check_table([CalendarDay.from_json(day) for day in payload["days"]])
        working_calendar.import_year(uow, table, payload["reason"], was=payload["was"])
    elif kind == "models":
        deployments.ask(uow, payload["set"], payload["reason"], payload["unchecked"])
    else:
        ACCOUNT_ACTS[kind](uow, person_id)
