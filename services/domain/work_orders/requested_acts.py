"""Carry out a change that was asked for: of a schedule of work orders, or an act of agreements, accounts and rules."""

from services.database.unit_of_work import Actor, Database, UnitOfWork
from services.domain.accounts.staff import InitialPassword
from services.domain.agreements import requested_acts
from services.domain.change_requests import service as change_requests
from services.domain.work_orders import schedules
from services.domain.work_orders.schedules import Values


async def carry_out(database: Database, actor: Actor, change_id: str) -> InitialPassword | None:
    """Do what was asked for; return the initial password if it was that. Refused as the act itself."""
    request = await database.run(actor, change_requests.get_own, change_id)
    if request.kind != "schedule":
        return await requested_acts.carry_out(database, actor, change_id)
    await database.run(actor, _change, change_id)
    return None


def _change(uow: UnitOfWork, change_id: str) -> None:
    request = change_requests.begin(uow, change_id)
    stored = request.payload
    schedules.change_schedule(
        uow,
        stored["schedule"],
        Values.from_json(stored["value"]),
        stored["reason"],
        was=Values.from_json(stored["was"]),
    )
    change_requests.finish(uow, request)
