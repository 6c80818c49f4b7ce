"""Hand-overs for their custodian: accept, decline; what is written into the custody log (R45 to R48)."""

from typing import Annotated

from fastapi import APIRouter, Query

from services.domain.accounts.signatures.http import signed
from services.domain.custody import hand_overs, holder_entries, queries
from services.domain.custody.schemas import (
    Acceptance,
    EntryBody,
    HandOversQuestion,
    HandOverView,
    LogView,
    Refusal,
)
from services.web.dependencies import GivenDatabase
from services.web.errors import USUAL, problems
from services.web.identity import Acting
from services.web.paging import Paged
from services.web.schemas import Identifier, PageParameters

router = APIRouter(prefix="/api/hand-overs", tags=["custody"])


@router.get("", responses=problems(401))
async def my_hand_overs(
    question: Annotated[HandOversQuestion, Query()],
    actor: Acting,
    database: GivenDatabase,
    paged: Paged,
) -> list[HandOverView]:
    """Return what I am custodian of, the most urgent first. `Link` has the pages around this one (RFC 8288)."""
    return paged.lines(await database.read(actor, queries.read_mine, question.listing()))


@router.get("/{hand_over_id}", responses=problems(401, 404))
async def read_hand_over(hand_over_id: Identifier, actor: Acting, database: GivenDatabase) -> HandOverView:
    """Return one hand-over of mine."""
    return await database.read(actor, queries.get_mine, hand_over_id)


@router.post("/{hand_over_id}/accept", responses=signed(*USUAL))
async def accept(hand_over_id: Identifier, body: Acceptance, actor: Acting, database: GivenDatabase) -> HandOverView:
    """Accept the copies: needs a valid confidentiality agreement (R46, R59). The use period begins now."""
    version = body.conditions_version
    await database.run(actor, hand_overs.accept, hand_over_id, conditions_version=version, proof=body.proof())
    return await database.read(actor, queries.get_mine, hand_over_id)


@router.post("/{hand_over_id}/decline", responses=signed(*USUAL))
async def decline(hand_over_id: Identifier, body: Refusal, actor: Acting, database: GivenDatabase) -> HandOverView:
    """Decline the copies; the case ends without a hand-over."""
    await database.run(actor, hand_overs.decline, hand_over_id, reason=body.reason, proof=body.proof())
    return await database.read(actor, queries.get_mine, hand_over_id)


@router.post("/{hand_over_id}/custody-log", status_code=201, responses=problems(*USUAL))
async def write_entry(
    hand_over_id: Identifier, body: EntryBody, actor: Acting, database: GivenDatabase
) -> HandOverView:
    """Write into the custody log what was done with the copies or media: moved, lent inside, checked (R47).

    No entry is changed or removed afterwards: a further one corrects it.
    """
    await database.run(
        actor,
        holder_entries.write,
        hand_over_id,
        body.event,
        text=body.text,
        place=body.place,
        person_id=body.person_id,
    )
    return await database.read(actor, queries.get_mine, hand_over_id)


@router.get("/{hand_over_id}/custody-log", responses=problems(401, 404))
async def read_log(
    hand_over_id: Identifier,
    question: Annotated[PageParameters, Query()],
    *,
    actor: Acting,
    database: GivenDatabase,
    paged: Paged,
) -> LogView:
    """Return the custody log, with its whole chain of hashes checked (R47).

    The header `Link` has the addresses of the pages around this one (RFC 8288, `prev` and `next`).
    """
    page = await database.read(actor, queries.get_log, hand_over_id, question.listing())
    paged.lines(page.found)
    return page.view
