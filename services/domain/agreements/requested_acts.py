"""Carry out a change that was asked for: a text of the agreement at short notice, or an act of accounts and rules."""

from services.database.unit_of_work import Actor, Database, UnitOfWork
from services.domain.accounts import requested_acts
from services.domain.accounts.staff import InitialPassword
from services.domain.agreements import texts
from services.domain.change_requests import service as change_requests


async def carry_out(database: Database, actor: Actor, change_id: str) -> InitialPassword | None:
    """Do what was asked for; return the initial password if it was that. Refused as the act itself."""
    request = await database.run(actor, change_requests.get_own, change_id)
    if request.kind != "agreement":
        return await requested_acts.carry_out(database, actor, change_id)
    await database.run(actor, _issue, change_id)
    return None


def _issue(uow: UnitOfWork, change_id: str) -> None:
    request = change_requests.begin(uow, change_id)
    texts.issue_version(uow, **{name: value for name, value in request.payload.items() if name != "context"})
    change_requests.finish(uow, request)
