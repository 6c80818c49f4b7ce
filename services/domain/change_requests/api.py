"""Serve the requests that need a second person as JSON."""

from collections.abc import Callable
from typing import Concatenate, ParamSpec

from fastapi import APIRouter

from services.database.unit_of_work import Actor, Database, UnitOfWork
from services.domain.accounts import second_person
from services.domain.accounts.signatures.bodies import Signing
from services.domain.accounts.signatures.http import signed
from services.domain.change_requests import queries, service
from services.domain.change_requests.schemas import ObjectionBody, OpenRequestsAnswer
from services.domain.work_orders import requested_acts
from services.web.dependencies import GivenDatabase
from services.web.errors import problems
from services.web.identity import Acting
from services.web.schemas import Answer, Identifier

P = ParamSpec("P")
router = APIRouter(prefix="/api", tags=["people"])


class CarriedOutAnswer(Answer):
    """``login`` and ``password`` are those of a new first password, shown once."""

    login: str | None = None
    password: str | None = None


@router.get("/change-requests", responses=problems(401))
async def list_requests(actor: Acting, database: GivenDatabase) -> OpenRequestsAnswer:
    """List the open requests: all for those who watch over them, else those that concern oneself."""
    return await database.read(actor, queries.list_open)


@router.post("/change-requests/{change_id}/confirm", responses=signed(401, 403, 404, 409))
async def confirm_request(
    change_id: Identifier, body: Signing, actor: Acting, database: GivenDatabase
) -> OpenRequestsAnswer:
    """Confirm a change as its second person, signed."""
    return await _after(database, actor, second_person.confirm, change_id, body.proof())


@router.post("/change-requests/{change_id}/object", responses=problems(401, 403, 404, 409, 422))
async def object_to_request(
    change_id: Identifier, actor: Acting, database: GivenDatabase, body: ObjectionBody | None = None
) -> OpenRequestsAnswer:
    """Object to a change, or withdraw one's own request or, as an administrator, another's."""
    return await _after(database, actor, service.object_to, change_id, body.reason if body is not None else None)


@router.post("/change-requests/{change_id}/carry-out", responses=problems(401, 403, 404, 409))
async def carry_out_request(change_id: Identifier, actor: Acting, database: GivenDatabase) -> CarriedOutAnswer:
    """Carry out a change that was confirmed, or that nobody has objected to for 24 hours."""
    initial = await requested_acts.carry_out(database, actor, change_id)
    return CarriedOutAnswer() if initial is None else CarriedOutAnswer(login=initial.login, password=initial.password)


@router.post("/signature-holds/{hold_id}/release", responses=signed(401, 403, 404, 409))
async def release_signatures(
    hold_id: Identifier, body: Signing, actor: Acting, database: GivenDatabase
) -> OpenRequestsAnswer:
    """Confirm that a person of one's department signs again after a reset, signed."""
    return await _after(database, actor, second_person.release_signatures, hold_id, body.proof())


async def _after(
    database: Database,
    actor: Actor,
    act: Callable[Concatenate[UnitOfWork, str, P], object],
    subject_id: str,
    *given: P.args,
    **named: P.kwargs,
) -> OpenRequestsAnswer:
    def run(uow: UnitOfWork) -> OpenRequestsAnswer:
        act(uow, subject_id, *given, **named)
        return queries.list_open(uow)

    return await database.run(actor, run)
